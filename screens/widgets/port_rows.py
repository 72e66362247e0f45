"""A port matrix as rows: views of a host against ports, what was seen, and what should not be so."""

from __future__ import annotations

from collections.abc import Sequence

from screens.glyphs import Glyphs
from screens.text import count, duration, wrap
from screens.widgets.paint import Line
from screens.widgets.rows import Row
from wizard.checks.ports import Cell, Expected, PortMatrix
from wizard.checks.ports import Row as Seen
from wizard.net import Reach

_WORDS = {Reach.OPEN: "open", Reach.REFUSED: "shut", Reach.FILTERED: "none"}
_COLUMN = 6
LEGEND = (
    "open: it answers · shut: refused · none: no answer · ! not as it should be · dim: either way is fine"
)


def port_rows(matrices: Sequence[PortMatrix], now: float, glyphs: Glyphs, width: int) -> list[Row]:
    if not matrices:
        text = "No port was looked at yet: firewall.<server>.ports does it, from every vantage."
        return [Row("", tuple(((piece, "dim"),) for piece in wrap(text, width)))]
    rows: list[Row] = []
    for matrix in matrices:
        rows.extend(_host(matrix, now, glyphs, width))
    rows.append(_legend(matrices[0], width))
    return rows


def _host(matrix: PortMatrix, now: float, glyphs: Glyphs, width: int) -> list[Row]:
    wrong = sum(_wrong(cell, row) for row in matrix.rows for cell in row.cells)
    blind = sum(not row.can_see for row in matrix.rows)
    verdict = f"{wrong} not as they should be" if wrong else "all as they should be"
    verdict += f", {count(blind, 'view')} without an answer" if blind else ""
    age = f"  {duration(now - matrix.at)} ago"
    ports = [cell.port for cell in matrix.rows[0].cells] if matrix.rows else []
    label = max(12, width - _COLUMN * len(ports) - 1)
    head: Line = ((matrix.host, "title"), (f"  {verdict}", "bad" if wrong else "ok"), (age, "dim"))
    columns: Line = ((" " * label, ""), *((f"{port:<{_COLUMN}}", "dim") for port in ports))
    rows = [Row("", (head, columns))]
    rows.extend(_view(matrix.host, row, label, width) for row in matrix.rows)
    rows.append(Row("", ((),)))
    return rows


def _view(host: str, seen: Seen, label: int, width: int) -> Row:
    view = seen.view
    first, *rest = wrap(f"{view.vantage} {view.path}", label - 2)
    signs = tuple(_sign(cell, seen) for cell in seen.cells)
    lines: list[Line] = [((f" {first:<{label - 1}}", ""), *signs)]
    lines += [((f" {piece}", ""),) for piece in rest]
    if not seen.can_see:
        # Without IPv6 of its own a vantage sees nothing over it, which is no fault.
        role = "dim" if view.path == "IPv6" and not seen.unreached else "warn"
        silent = "no answer at all from here, so this silence proves nothing"
        text = f"nobody could look from here: {seen.unreached}" if seen.unreached else silent
        lines += [((f"   {piece}", role),) for piece in wrap(text, width - 4)]
    return Row(f"{host} {view.vantage} {view.path} {view.address}", tuple(lines), view.address)


def _wrong(cell: Cell, seen: Seen) -> bool:
    """Silence is wrong only where something else answered."""
    return not cell.right and (seen.can_see or cell.seen is Reach.OPEN)


def _sign(cell: Cell, seen: Seen) -> tuple[str, str]:
    word = _WORDS[cell.seen]
    if _wrong(cell, seen):
        return f"{word + '!':<{_COLUMN}}", "bad"
    if cell.expected is Expected.EITHER or not seen.can_see:
        return f"{word:<{_COLUMN}}", "dim"
    return f"{word:<{_COLUMN}}", "ok" if cell.seen is Reach.OPEN else ""


def _legend(matrix: PortMatrix, width: int) -> Row:
    names = " · ".join(f"{cell.port} {cell.name}" for cell in matrix.rows[0].cells) if matrix.rows else ""
    return Row("", tuple(((piece, "dim"),) for text in (LEGEND, names) for piece in wrap(text, width - 1)))
