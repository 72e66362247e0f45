"""One check closely: what was asked, what was seen, where from, when."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from screens.modal import Sheet
from screens.text import duration, moment, wrap
from screens.widgets.check_rows import CHECK_ROLES
from screens.widgets.paint import Line
from screens.widgets.rows import Row
from wizard.engine.check import Check


class EvidenceView(Sheet):
    def __init__(self, check: Check, step: str, now: Callable[[], float]) -> None:
        super().__init__(f"{step} · {check.name}")
        self._check = check
        self._now = now

    def rows(self, width: int) -> Sequence[Row]:
        check = self._check
        evidence = check.evidence
        asked = f"{moment(evidence.at)}, {duration(self._now() - evidence.at)} ago"
        fields = [
            ("is it true", check.question, "strong"),
            ("answer", check.state.value, CHECK_ROLES[check.state]),
            ("seen", evidence.seen, ""),
            ("from", evidence.vantage, ""),
            ("when", asked, ""),
        ]
        if check.again is not None:
            fields.append(("again", f"in {duration(check.again - self._now())}", "accent"))
        if check.advice:
            fields.append(("to do", check.advice, "accent"))
        return (Row("", tuple(line for field in fields for line in _field(*field, width))),)

    def more_keys(self) -> Line:
        return (("c", "key"), (" copy what was seen", "dim"))

    def copy_value(self) -> str:
        return self._check.evidence.seen


def _field(label: str, text: str, role: str, width: int) -> list[Line]:
    column = 12
    return [
        ((label.ljust(column) if index == 0 else " " * column, "dim"), (piece, role))
        for index, piece in enumerate(wrap(text, width - column))
    ]
