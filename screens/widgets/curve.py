"""The share of caches that have flipped: filled so far, an outline for what is predicted."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from screens.glyphs import Glyphs
from screens.text import clock
from screens.widgets.paint import Line
from wizard.dns.view import Point, WatchView

_LABELS = 6


def curve_lines(view: WatchView, now: float, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """`height` lines: a chart, and its time axis in the last one."""
    start, end = span_of(view, now)
    columns = max(4, width - _LABELS)
    rows = max(1, height - 1)
    shares = [_share(view, at, now) for at in _moments(start, end, columns, now)]
    lines: list[Line] = []
    for row in range(rows):
        lines.append(((_label(row, rows), "dim"), *_row(shares, row, rows, glyphs)))
    lines.append(_axis(view, start, end, now, columns))
    return lines


def span_of(view: WatchView, now: float) -> tuple[float, float]:
    """From the flip (or the first point) to the predicted end, or to now while caches are late."""
    points = [point.at for point in (*view.seen, *view.predicted)]
    start = view.flipped_at if view.flipped_at is not None else min(points, default=view.at)
    over = view.ends_at is not None and view.share == 1.0
    end = max([*points, start, view.ends_at or start, *([] if over else [now])])
    return start, end if end > start else start + 60.0


def _moments(start: float, end: float, columns: int, now: float) -> list[float]:
    """The middle of each column; of the one that is just being lived through, this very moment."""
    each = (end - start) / columns
    middles = [start + each * (x + 0.5) for x in range(columns)]
    return [now if abs(now - middle) <= each / 2 else middle for middle in middles]


def _share(view: WatchView, at: float, now: float) -> tuple[float, bool]:
    """The share at a moment, and whether it was seen rather than predicted."""
    if at <= now:
        return _step(view.seen, at, 0.0), True
    return _step(view.predicted, at, _step(view.seen, now, 0.0)), False


def _step(points: Sequence[Point], at: float, before: float) -> float:
    place = bisect_right([point.at for point in points], at)
    return points[place - 1].share if place else before


def _row(shares: Sequence[tuple[float, bool]], row: int, rows: int, glyphs: Glyphs) -> Line:
    spans: list[tuple[str, str]] = []
    steps = len(glyphs.block) - 1
    for share, seen in shares:
        level = share * rows * steps - (rows - 1 - row) * steps
        filled = max(0, min(steps, round(level)))
        if seen:
            shown, role = glyphs.block[filled], "new"
        else:
            outline = glyphs.predicted
            place = min(len(outline) - 1, int(level / steps * len(outline)))
            shown, role = (outline[place] if 0 < level <= steps else " "), "accent"
        if spans and spans[-1][1] == role:
            spans[-1] = (spans[-1][0] + shown, role)
        else:
            spans.append((shown, role))
    return tuple(spans)


def _label(row: int, rows: int) -> str:
    if row == 0:
        return "100 % "
    if rows >= 5 and row == rows // 2:
        return " 50 % "
    return "  0 % " if row == rows - 1 else " " * _LABELS


def _axis(view: WatchView, start: float, end: float, now: float, columns: int) -> Line:
    left = f"{clock(start)} flip" if view.flipped_at is not None else clock(start)
    word = "now " if end == now else "end " if view.ends_at else ""
    right = f"{word}{clock(end)}"
    text = left + " " * max(1, columns - len(left) - len(right)) + right
    place = round((now - start) / (end - start) * columns) - 1
    if len(left) + 1 <= place and place + 5 < columns - len(right):
        text = f"{text[:place]}^ now{text[place + 5 :]}"
    return ((" " * _LABELS, ""), (text, "dim"))
