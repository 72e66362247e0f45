"""What a git host's refusals mean, as sentences with ways on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from wizard.errors import CredentialError, VendorError
from wizard.redact import redact


class NotFoundError(VendorError):
    """No such thing, or none that the token may see: a git host does not tell which."""


class TakenError(VendorError):
    """There is one already."""


class LimitedError(VendorError):
    """Too many requests, for longer than it is worth waiting."""


class Right(StrEnum):
    """What a call needs, in the words of the page where tokens are made."""

    READ = "Contents: read"
    HOOKS = "Webhooks: read and write"
    KEYS = "Administration: read and write"


@dataclass(frozen=True, slots=True)
class Vendor:
    """How to speak of a git host: its name, the secret with its token, where tokens are made."""

    name: str
    secret: str
    page: str
    rights: dict[Right, str]

    def token_advice(self, right: Right) -> str:
        return (
            f"Make a token with {self.rights.get(right, right.value)} for this repository ({self.page}), "
            f"then set {self.secret}."
        )


GITHUB = Vendor(
    "GitHub",
    "GITHUB_TOKEN",
    "https://github.com/settings/personal-access-tokens",
    {right: f"“{right.value}”" for right in Right},
)
GITLAB = Vendor(
    "GitLab",
    "GITLAB_TOKEN",
    "User settings → Access tokens",
    {
        Right.READ: "the scope read_api",
        Right.HOOKS: "the scope api and the role Maintainer",
        Right.KEYS: "the scope api and the role Maintainer",
    },
)
_ACCEPTED = {
    "repository_hooks": "Webhooks",
    "administration": "Administration",
    "contents": "Contents",
    "metadata": "Metadata",
}


def missing_token(vendor: Vendor, right: Right) -> CredentialError:
    return CredentialError(f"There is no {vendor.name} token", next=vendor.token_advice(right), status=401)


def refusal(
    vendor: Vendor, status: int, message: str, doing: str, right: Right, *, accepted: str = "", token: bool
) -> VendorError:
    """The error of an answer with `status`. `accepted` is what the host says would have been enough."""
    why = redact(f"while {doing}: {message or 'no reason given'} (HTTP {status})")
    if status == 401:
        what = f"{vendor.name} does not accept the token: it is wrong, expired or revoked"
        return CredentialError(what, why, vendor.token_advice(right), status=status)
    if status == 403:
        lacks = f": it lacks “{_rights(accepted)}”" if accepted else ""
        what = f"The {vendor.name} token may not do this{lacks}"
        return CredentialError(what, why, vendor.token_advice(right), status=status)
    if status == 404:
        what = f"{vendor.name} shows no such thing"
        hidden = "it may be hidden from this token" if token else "private things need a token"
        return NotFoundError(what, f"{why}; {hidden}", vendor.token_advice(right), status=status)
    if status in (400, 409, 422) and "already" in message.lower():
        return TakenError(f"{vendor.name} has one already", why, "Run again: it is found.", status=status)
    return VendorError(f"{vendor.name} refused", why, "Read the message, then run again.", status=status)


def _rights(accepted: str) -> str:
    """`repository_hooks=write` as the page for tokens says it."""
    said = []
    for part in accepted.replace(";", ",").split(","):
        name, _, level = part.strip().partition("=")
        said.append(f"{_ACCEPTED.get(name, name)}: {'read and write' if level == 'write' else level}")
    return ", ".join(said)


def message_of(body: Any) -> str:
    """What an error answer says, with the reasons of its fields."""
    if not isinstance(body, dict):
        return ""
    said = str(body.get("message") or body.get("error_description") or body.get("error") or "")
    errors = body.get("errors")
    if isinstance(errors, list):
        parts = [str(one.get("message", "")) if isinstance(one, dict) else str(one) for one in errors]
        said += "".join(f"; {part}" for part in parts if part)
    return said
