"""A check: one read-only question with an answer and evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class CheckState(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    PENDING = "pending"
    """Not yet true, and expected to become so by itself; `again` says when to ask next."""
    UNKNOWN = "unknown"
    """The question could not be asked (no vantage, no answer): never counts as passed."""
    WAIVED = "waived"
    """Left out on purpose: the operator decided so, or nothing done here could change it; the evidence says
    which."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen, where from, when. `seen` is literal (an address, a status line), without secrets."""

    seen: str
    vantage: str
    at: float


@dataclass(frozen=True, slots=True)
class Check:
    """`name` is unique within its step and stable over runs, e.g. ``frontend.port_3000``.

    `question` is a statement that is true when the check passes: *port 3000 of frontend is
    closed from backend*. `advice` tells what to do when it is not.
    """

    name: str
    question: str
    state: CheckState
    evidence: Evidence
    advice: str = ""
    again: float | None = None

    @property
    def ok(self) -> bool:
        return self.state in (CheckState.PASSED, CheckState.WAIVED)


def settled(found: Mapping[str, Check]) -> dict[str, Check]:
    """The answers, by name, that still tell of a step once it is done.

    A step is done when every check that it asked holds: what did not hold and was not asked again, e.g. as
    that side gave no answer then, is over.
    """
    return {name: one for name, one in found.items() if one.ok}


def check(
    name: str,
    question: str,
    passed: bool,
    *,
    seen: str,
    vantage: str,
    at: float,
    advice: str = "",
) -> Check:
    """A check that was answered with yes or no."""
    state = CheckState.PASSED if passed else CheckState.FAILED
    return Check(name, question, state, Evidence(seen, vantage, at), "" if passed else advice)
