"""What a watch shows, as lines and rows: the share, a cell, next flips, servers, certificates, web."""

from __future__ import annotations

from collections.abc import Sequence

from screens.glyphs import Glyphs
from screens.text import clock, count, countdown, wrap
from screens.widgets.matrix import sign
from screens.widgets.paint import Line, Span
from screens.widgets.rows import Row
from wizard.dns.view import Cell, Verdict, Visitors, WatchView

_WORDS = {
    Verdict.NEW: "holds the new values",
    Verdict.OLD: "still holds the old values",
    Verdict.NEITHER: "says something that is neither old nor new",
    Verdict.SILENT: "gave no answer",
    Verdict.UNASKED: "was not asked yet",
}


def share_lines(view: WatchView, now: float, glyphs: Glyphs, width: int) -> list[Line]:
    """The share as a bar, then when the world is there, then the visitors."""
    bar_width = max(10, min(40, width // 4))
    filled = round(view.share * bar_width)
    caches = sum(max(1, cell.caches) for row in view.resolvers for cell in row.cells)
    goal = "old" if view.returning else "new"
    first: Line = (
        (glyphs.full * filled, "new"),
        (glyphs.empty * (bar_width - filled), "dim"),
        (f" {view.share * 100:.0f} %", "strong"),
        (f" of {count(caches, 'cached answer')} are {goal}", ""),
    )
    return [first, _end(view, now, goal), _visitors(view.visitors)]


def _end(view: WatchView, now: float, goal: str) -> Line:
    if view.flipped_at is None:
        return (("Watching; nothing was flipped yet.", "dim"),)
    if view.ends_at is None:
        return (("The end is known when every cache has been seen once.", "dim"),)
    again = " again" if view.returning else ""
    if view.ends_at <= now:
        return ((f"Since {clock(view.ends_at)} UTC no cache can hold the other values.", "ok"),)
    return (
        (f"the world is {goal}{again} in ", ""),
        (countdown(view.ends_at - now), "accent"),
        (f", at {clock(view.ends_at)} UTC at the latest", "dim"),
        *_pace(view, now),
    )


def _pace(view: WatchView, now: float) -> Line:
    """When the next cache lets go."""
    cells = (cell for row in view.resolvers for cell in row.cells if cell.verdict is Verdict.OLD)
    ahead = [cell.expires for cell in cells if cell.expires is not None and cell.expires > now]
    return (("; next in ", "dim"), (countdown(min(ahead) - now), "accent")) if ahead else ()


def _visitors(visitors: Visitors | None) -> Line:
    if visitors is None:
        return (("No visitors are counted here.", "dim"),)
    role = "bad" if visitors.failed else "ok"
    spans: list[Span] = [
        (f"visitors: {visitors.requests} requests, ", ""),
        (f"{visitors.failed} failed", role),
    ]
    if visitors.new_share is not None:
        spans.append((f", {visitors.new_share * 100:.0f} % served by the new hosts", ""))
    if visitors.failures:
        spans.append((f": {visitors.failures[-1]}", "bad"))
    return tuple(spans)


def cell_lines(view: WatchView, column: int, row: int, now: float, glyphs: Glyphs, width: int) -> list[Line]:
    """The pair under the matrix's cursor in words."""
    if column >= len(view.resolvers) or row >= len(view.asked):
        return []
    resolver, asked = view.resolvers[column], view.asked[row]
    cell = resolver.cells[row]
    shown, role = sign(cell, glyphs)
    where = " ".join(part for part in (resolver.name, resolver.address, resolver.way, resolver.place) if part)
    text = f"{where} {_WORDS[cell.verdict]} of {asked.name} {asked.type}"
    if cell.values:
        text += f": {', '.join(cell.values)}"
    text += _small_print(cell, resolver.note, now)
    first, *rest = wrap(text, width - 2)
    return [((f"{shown} ", role), (first, "")), *((("  ", ""), (piece, "")) for piece in rest)]


def _small_print(cell: Cell, note: str, now: float) -> str:
    parts = []
    if cell.expires is not None and cell.expires > now:
        parts.append(f"lets go in {countdown(cell.expires - now)}")
    if cell.caches > 1:
        parts.append(f"{cell.caches_new} of its {cell.caches} caches have flipped")
    if cell.queries:
        parts.append(count(cell.queries, "query", "queries"))
    if note:
        parts.append(note)
    return "".join(f"; {part}" for part in parts)


def next_rows(view: WatchView, now: float, width: int) -> list[Row]:
    """Countdowns, soonest first."""
    waiting = sorted(
        (cell.expires, row.name, asked.name, asked.type)
        for row in view.resolvers
        for asked, cell in zip(view.asked, row.cells, strict=True)
        if cell.verdict is Verdict.OLD and cell.expires is not None
    )
    if not waiting:
        return [_note("No cache is known to hold an old value.", width)]
    rows = []
    for at, resolver, name, type_ in waiting:
        left = countdown(at - now) if at > now else "any moment"
        text = f"{resolver}, {name} {type_}"
        first, *rest = wrap(text, width - 13)
        lines: list[Line] = [((f"{left:<12} ", "accent"), (first, ""))]
        lines += [((" " * 13, ""), (piece, "")) for piece in rest]
        rows.append(Row(f"{resolver} {name} {type_}", tuple(lines), text))
    return rows


def authority_rows(view: WatchView, glyphs: Glyphs, width: int) -> list[Row]:
    if not view.authorities:
        return [_note("No authoritative server was asked yet.", width)]
    rows = []
    for server in view.authorities:
        signs = [sign(Cell(verdict), glyphs) for verdict in server.verdicts]
        serial = f"serial {server.serial}" if server.serial is not None else "no serial"
        room = width - len(signs) - 2
        text = f"{server.server} {server.address} {serial}"
        pieces = wrap(text, room)
        lines: list[Line] = [(*signs, (" ", ""), (pieces[0], ""))]
        lines += [((" " * (len(signs) + 1), ""), (piece, "")) for piece in pieces[1:]]
        lines += [((" " * (len(signs) + 1), ""), (piece, "warn")) for piece in _wrapped(server.note, room)]
        rows.append(Row(f"{server.server} {server.address}", tuple(lines), server.address))
    return rows


def certificate_rows(view: WatchView, glyphs: Glyphs, width: int) -> list[Row]:
    if not view.certificates:
        return [_note("No certificate was looked at yet.", width)]
    rows = []
    for item in view.certificates:
        state = {True: (glyphs.done, "ok"), False: (glyphs.failed, "bad"), None: (glyphs.pending, "dim")}
        mark, role = state[item.trusted]
        text = f"{item.name} at {item.address}"
        if item.issuer:
            text += f", {item.issuer}"
        rows.append(_marked(f"{item.name} {item.address}", mark, role, text, item.note, width))
    return rows


def http_rows(view: WatchView, glyphs: Glyphs, width: int) -> list[Row]:
    if not view.http:
        return [_note("Old and new were not compared yet.", width)]
    rows = []
    for item in view.http:
        state = {True: (glyphs.done, "ok"), False: (glyphs.failed, "bad"), None: (glyphs.pending, "dim")}
        mark, role = state[item.same]
        text = f"{item.name}  old: {item.old or 'not asked'}  new: {item.new or 'not asked'}"
        rows.append(_marked(item.name, mark, role, text, item.note, width))
    return rows


def note_lines(view: WatchView, width: int) -> list[Line]:
    return [((piece, "warn"),) for note in view.notes for piece in wrap(note, width)]


def _marked(key: str, mark: str, role: str, text: str, note: str, width: int) -> Row:
    first, *rest = wrap(text, width - 3)
    lines: list[Line] = [((f"{mark} ", role), (first, ""))]
    lines += [(("  ", ""), (piece, "")) for piece in rest]
    lines += [(("  ", ""), (piece, "warn")) for piece in _wrapped(note, width - 3)]
    return Row(key, tuple(lines), key)


def _wrapped(text: str, width: int) -> Sequence[str]:
    return wrap(text, width) if text else ()


def _note(text: str, width: int) -> Row:
    return Row("", tuple(((piece, "dim"),) for piece in wrap(text, width - 1)))
