"""What is found at Vercel, graded, with what becomes of it. The judgement is pure: no call is made here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from wizard.config import App
from wizard.vercel.inventory import Inventory


class Severity(StrEnum):
    """In this order: the first keeps the migration from going on until the operator has decided."""

    BLOCKER = "BLOCKER"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"
    OK = "OK"


ORDER = tuple(Severity)


class Fate(StrEnum):
    """What becomes of a thing on the new host."""

    CARRIED = "carried over"
    REPLACED = "replaced"
    LOST = "lost"
    NEEDS_YOU = "needs you"


@dataclass(frozen=True, slots=True)
class Finding:
    """`key` is stable over runs: answers are kept under it. `how` tells how its fate comes about."""

    key: str
    severity: Severity
    what: str
    fate: Fate
    how: str

    def __str__(self) -> str:
        return f"{self.severity} {self.what}: {self.fate}: {self.how}"


Judge = Callable[[Inventory, App], Iterator[Finding]]


def ok(key: str, what: str, fate: Fate, how: str) -> Finding:
    return Finding(key, Severity.OK, what, fate, how)


def low(key: str, what: str, fate: Fate, how: str) -> Finding:
    return Finding(key, Severity.LOW, what, fate, how)


def medium(key: str, what: str, fate: Fate, how: str) -> Finding:
    return Finding(key, Severity.MEDIUM, what, fate, how)


def high(key: str, what: str, fate: Fate, how: str) -> Finding:
    return Finding(key, Severity.HIGH, what, fate, how)


def blocker(key: str, what: str, how: str) -> Finding:
    return Finding(key, Severity.BLOCKER, what, Fate.NEEDS_YOU, how)


def judge(found: Inventory, app: App) -> tuple[Finding, ...]:
    """Every finding, the gravest first."""
    from wizard.vercel import judge_code as vercel_judge_code
    from wizard.vercel import judge_project as vercel_judge_project
    from wizard.vercel import judge_uses as vercel_judge_uses
    from wizard.vercel import judge_values as vercel_judge_values

    judges: tuple[Judge, ...] = (
        *vercel_judge_project.JUDGES,
        *vercel_judge_values.JUDGES,
        *vercel_judge_code.JUDGES,
        *vercel_judge_uses.JUDGES,
    )
    every = [finding for one in judges for finding in one(found, app)]
    return tuple(sorted(every, key=lambda finding: (ORDER.index(finding.severity), finding.key)))


def worst(findings: tuple[Finding, ...]) -> Severity:
    return min((one.severity for one in findings), key=ORDER.index, default=Severity.OK)
