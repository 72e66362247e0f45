"""The one stream that screens, headless run, journal and report read."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, ClassVar

from wizard.engine.check import Check
from wizard.engine.plan import Change, Plan, Question


class StepState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    ASKING = "asking"
    DONE = "done"
    FAILED = "failed"
    UNDOING = "undoing"
    """Part of it may be taken back: its way back was begun and is not over."""
    UNDONE = "undone"
    SKIPPED = "skipped"


NOTHING = (StepState.PENDING, StepState.UNDONE, StepState.SKIPPED)
"""Of a step in such a state there is nothing to be taken back."""


@dataclass(frozen=True, slots=True)
class Event:
    """`at` is the world's time; `step` is empty for events of the whole run."""

    name: ClassVar[str] = "event"
    at: float
    step: str


@dataclass(frozen=True, slots=True)
class StepChanged(Event):
    name: ClassVar[str] = "step"
    state: StepState
    why: str = ""
    until: float | None = None
    ways: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned(Event):
    name: ClassVar[str] = "plan"
    plan: Plan


@dataclass(frozen=True, slots=True)
class ChangeStarted(Event):
    name: ClassVar[str] = "change"
    change: Change


@dataclass(frozen=True, slots=True)
class ChangeEnded(Event):
    """`result` is applied, adopted (it was there already), left out (it can't be had, and none of it is left)
    or failed."""

    name: ClassVar[str] = "changed"
    change: Change
    result: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Output(Event):
    """A line that a step lets the operator read: log lines, progress, retries."""

    name: ClassVar[str] = "output"
    line: str


@dataclass(frozen=True, slots=True)
class Checked(Event):
    name: ClassVar[str] = "check"
    check: Check


@dataclass(frozen=True, slots=True)
class Asked(Event):
    name: ClassVar[str] = "question"
    question: Question


@dataclass(frozen=True, slots=True)
class Answered(Event):
    name: ClassVar[str] = "answer"
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Detail(Event):
    """A typed snapshot for a special view (the propagation watch, the port matrix).

    `payload` is a frozen dataclass of the room that made it; `topic` names its type.
    """

    name: ClassVar[str] = "detail"
    topic: str
    payload: Any


@dataclass(frozen=True, slots=True)
class RunEnded(Event):
    """The last event of a run. `result` is done, failed, waiting or interrupted."""

    name: ClassVar[str] = "ended"
    result: str


def jsonable(value: Any) -> Any:
    """Plain data for JSON of any event, change, check or payload; payloads of changes are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (
            f for f in dataclasses.fields(value) if not (isinstance(value, Change) and f.name == "payload")
        )
        return {f.name: jsonable(getattr(value, f.name)) for f in fields}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {str(jsonable(k)): jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    return value


def to_json(event: Event) -> dict[str, Any]:
    """One JSON object a line, as `--json` prints it: the event's name first, then its fields."""
    return {"event": type(event).name, **jsonable(event)}
