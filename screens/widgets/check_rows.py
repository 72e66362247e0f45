"""The verification panel as rows: each check with its state and age; evidence is on Enter."""

from __future__ import annotations

from collections.abc import Sequence

from screens.glyphs import Glyphs
from screens.text import brief, wrap
from screens.widgets.paint import Line
from screens.widgets.rows import Row
from wizard.engine.check import Check, CheckState

CHECK_ROLES = {
    CheckState.PASSED: "ok",
    CheckState.FAILED: "bad",
    CheckState.PENDING: "accent",
    CheckState.UNKNOWN: "warn",
    CheckState.WAIVED: "dim",
}
_AGE = 4


def check_rows(checks: Sequence[Check], now: float, glyphs: Glyphs, width: int) -> list[Row]:
    if not checks:
        text = "Nothing was asked yet; v asks the outside now."
        return [Row("", tuple(((piece, "dim"),) for piece in wrap(text, width - 1)))]
    return [_row(check, now, glyphs, width) for check in checks]


def _row(check: Check, now: float, glyphs: Glyphs, width: int) -> Row:
    role = CHECK_ROLES[check.state]
    pieces = wrap(check.question, width - 2 - _AGE - 2)
    age = brief(now - check.evidence.at).rjust(_AGE)
    room = width - 2 - _AGE - 1
    lines: list[Line] = []
    for index, piece in enumerate(pieces):
        sign = f"{glyphs.of_check(check.state)} " if index == 0 else "  "
        shown_age = age if index == 0 else ""
        lines.append(
            (
                (sign, role),
                (piece.ljust(room), "" if check.ok else role),
                (shown_age, "dim"),
            )
        )
    if not check.ok:
        seen = f"{check.state.value}: {check.evidence.seen}"
        lines.extend((("  ", ""), (piece, "dim")) for piece in wrap(seen, width - 3))
        if check.state is CheckState.PENDING and check.again is not None:
            lines.append((("  ", ""), (f"asked again in {brief(check.again - now)}", "dim")))
    return Row(check.name, tuple(lines), check.evidence.seen)
