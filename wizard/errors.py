"""Errors that are for the operator: what happened, why, what to do next."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command (docs: commands)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    WAITING = 3
    LOCKED = 4
    INTERRUPTED = 130


class WizardError(Exception):
    """Something that the operator can act on. Texts are sentences without secrets."""

    exit_code = ExitCode.FAILED

    def __init__(self, what: str, why: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next = next

    def __str__(self) -> str:
        return " · ".join(part for part in (self.what, self.why, self.next) if part)


class UsageError(WizardError):
    """Bad usage or configuration: nothing was tried."""

    exit_code = ExitCode.USAGE


class LockedError(WizardError):
    """Another wizard works on the same progress file."""

    exit_code = ExitCode.LOCKED


class DiskError(WizardError):
    """Our own files cannot be written: what the outside has is not noted, so nothing more is changed."""

    def __init__(self, file: str, why: str) -> None:
        super().__init__(
            f"{file} cannot be written",
            why,
            "Make room or mend the disk, then run again: it looks at what was done, and goes on from there.",
        )


class VendorError(WizardError):
    """An outside system refused. `code` is the vendor's own word for it."""

    def __init__(self, what: str, why: str = "", next: str = "", *, code: str = "", status: int = 0) -> None:
        super().__init__(what, why, next)
        self.code = code
        self.status = status


class UnreachableError(WizardError):
    """No answer from an outside system: nothing is known about whether a call took effect."""


class CredentialError(VendorError):
    """A token is missing, expired, of the wrong team or lacks a right."""
