"""A finding: one cause, why it matters under the panel, and the edit that mends it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """In the order in which a reader wants them."""

    DATA_LOSS = "data-loss"
    MUST_FIX = "must-fix"
    EXPOSURE = "exposure"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the characters `start`..`end` of the file by `after`. The undo puts `before` back there."""

    start: int
    end: int
    before: str
    after: str

    @property
    def undo(self) -> Edit:
        return Edit(self.start, self.start + len(self.after), self.after, self.before)


@dataclass(frozen=True, slots=True)
class Finding:
    """`service` is "" for the whole stack; `also` names further services with the same cause.

    `edits` is empty when no safe edit exists: `advice` then says what a person has to do.
    """

    rule: str
    severity: Severity
    service: str
    line: int
    why: str
    advice: str
    edits: tuple[Edit, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Stable as long as the file is: accepted and declined findings are kept by it."""
        return f"{self.rule}:{self.service or '-'}:{self.line}"


def apply(text: str, edits: Iterable[Edit]) -> str:
    """`text` with all `edits`, which speak of the unedited text. One inside another is dropped."""
    taken: list[Edit] = []
    for edit in sorted(set(edits), key=lambda edit: (edit.start, -edit.end)):
        if not taken or edit.start >= taken[-1].end:
            taken.append(edit)
    for edit in reversed(taken):
        text = text[: edit.start] + edit.after + text[edit.end :]
    return text
