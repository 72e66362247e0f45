"""A plan: what a step would change, said before anything is touched."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    RUN = "run"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount a month. Prices come from vendors or the operator, never from the code."""

    amount: Decimal
    currency: str = "EUR"

    def __str__(self) -> str:
        return f"{self.amount:.2f} {self.currency}/month"


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a plan.

    `key` is stable over runs and unique within its step: the journal names an intent by it.
    `target` is the thing in the operator's words. `payload` is what `apply` needs (a frozen
    dataclass); it is never written to disk. `confirm` holds the name to be typed before a
    change that cannot be undone. `way_back` says how to undo it and what that costs.
    """

    kind: Kind
    key: str
    target: str
    before: str = ""
    after: str = ""
    why: str = ""
    way_back: str = ""
    monthly: Money | None = None
    confirm: str = ""
    payload: Any = field(default=None, repr=False, compare=False)


class Refusal(StrEnum):
    """Why a plan refuses itself."""

    TOO_MANY = "more changes than a sane share"
    NOT_OURS = "a thing that this wizard did not make"
    THIRD_VALUE = "a live value that is neither old nor new"
    NOT_READY = "something that must come first is missing"


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """Asked of the operator; the answer is kept with it.

    Exactly one form holds: `choices` (pick one), `typed` (the exact text that must be typed),
    or neither (free text; `secret` hides it and keeps it out of the progress file).
    `default` is what a headless run with --yes answers; empty means that it has to stop.
    """

    id: str
    text: str
    choices: tuple[Choice, ...] = ()
    typed: str = ""
    secret: bool = False
    default: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Go on at `until` (the world's time), because `why`. Survives a restart."""

    until: float
    why: str


@dataclass(frozen=True, slots=True)
class Ask:
    question: Question


@dataclass(frozen=True, slots=True)
class Failed:
    """`ways` are sentences: what the operator can do next.

    `answer` names the question whose answer led here: it is forgotten, so that the next run asks again.
    """

    why: str
    ways: tuple[str, ...] = ()
    refusal: Refusal | None = None
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    note: str = ""


@dataclass(frozen=True, slots=True)
class Skip:
    """Left out, because `why`: the migration goes on without it, and the next run looks again."""

    why: str


Outcome = Done | Wait | Ask | Failed | Skip


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes in the order in which they are applied; empty means that nothing is to do.

    `hold` stops the step before any change: wait, ask, refuse, or skip it. `notes` are shown with it.
    """

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    hold: Wait | Ask | Failed | Skip | None = None

    @property
    def empty(self) -> bool:
        return not self.changes and self.hold is None


NOTHING = Plan()
