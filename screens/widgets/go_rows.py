"""The list before the flip as rows, and its verdict in one line."""

from __future__ import annotations

from collections.abc import Sequence

from screens.glyphs import Glyphs
from screens.text import brief, clock, count, countdown, wrap
from screens.widgets.check_rows import check_rows
from screens.widgets.paint import Line
from screens.widgets.rows import Row
from wizard.phases.cutover.go_list import GoList


def verdict_lines(found: GoList, now: float, width: int, *, ready: bool) -> list[Line]:
    """GO, NO-GO with the first reason, or what is waited for. `ready`: the plan waits for its approval."""
    asked = f"asked {brief(max(0.0, now - found.at))} ago"
    if found.no_go:
        first = found.no_go[0]
        text = f"{count(len(found.no_go), 'line')} of {len(found.lines)} says no; {asked}. {first.question}: "
        pieces = wrap(text + first.evidence.seen, width - 8)
        head: Line = (("NO-GO ", "bad"), (pieces[0], ""))
        return [head, *((("      ", ""), (piece, "")) for piece in pieces[1:])]
    waits = found.waits
    if waits is not None and waits.again is not None and waits.again > now:
        left = countdown(waits.again - now)
        return [
            (
                ("WAIT  ", "accent"),
                (f"the flip may be made in {left}, from {clock(waits.again)} UTC on; ", ""),
                (asked, "dim"),
            )
        ]
    if waits is not None:
        return [(("WAIT  ", "accent"), ("any moment now; ", ""), (asked, "dim"))]
    key: Line = ((" f", "key"), (" flips", "")) if ready else ()
    return [(("GO    ", "ok"), (f"{len(found.lines)} lines, {asked}.", ""), *key)]


def go_rows(found: GoList, now: float, glyphs: Glyphs, width: int) -> Sequence[Row]:
    """What says no comes first."""
    order = sorted(found.lines, key=lambda one: one.ok)
    return check_rows(order, now, glyphs, width)
