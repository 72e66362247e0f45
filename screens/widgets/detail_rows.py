"""What steps measured, under their checks: old against new, and how a redeploy was met."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from screens.glyphs import Glyphs
from screens.model import Model
from screens.text import count, wrap
from screens.widgets.paint import Line
from screens.widgets.rows import Row

if TYPE_CHECKING:
    from wizard.phases.apps.parity import DifferenceRow, ParityTable
    from wizard.phases.settle.zero_downtime import AvailabilityRecord

_WEIGHTS = {"breaks": "bad", "loses": "warn"}


def detail_rows(model: Model, step: str, glyphs: Glyphs, width: int) -> list[Row]:
    """Rows of the typed snapshots that `step` published; none where there is no such snapshot."""
    rows: list[Row] = []
    parity = model.details("parity").get(step)
    if parity is not None:
        rows.extend(_parity(parity, glyphs, width))
    availability = model.details("availability").get(step)
    if availability is not None:
        rows.extend(_availability(availability, glyphs, width))
    return rows


def _parity(table: ParityTable, glyphs: Glyphs, width: int) -> Iterable[Row]:
    tally = count(len(table.rows), "difference") if table.rows else "no difference"
    asked = f"{count(table.asked, 'request')} to each of {table.old_address} and {table.new_address}"
    yield _title("Old against new", "ok" if not table.rows else "warn", tally, glyphs, width)
    yield Row("", tuple(((piece, "dim"),) for piece in wrap(table.blank or asked, width - 1)))
    for row in table.rows:
        yield _difference(row, width)


def _difference(row: DifferenceRow, width: int) -> Row:
    head, *rest = wrap(f"{row.path}  {row.kind}: {row.what}", width - 3)
    role = _WEIGHTS.get(row.weight, "dim")
    lines: list[Line] = [(("! " if role == "bad" else "~ ", role), (head, ""))]
    lines += [(("  ", ""), (piece, "")) for piece in rest]
    for label, value in (("old ", row.old), ("new ", row.new)):
        pieces = wrap(value or "nothing", width - 3 - len(label))
        lines += [
            (("  ", ""), (label if at == 0 else " " * len(label), "dim"), (piece, "dim"))
            for at, piece in enumerate(pieces)
        ]
    return Row(f"parity {row.path} {row.kind} {row.what}", tuple(lines), f"{row.path}: {row.old} | {row.new}")


def _availability(record: AvailabilityRecord, glyphs: Glyphs, width: int) -> Iterable[Row]:
    tally = f"{record.shots - record.failed} of {record.shots} answered"
    yield _title("Requests during the redeploy", "ok" if record.clean else "warn", tally, glyphs, width)
    yield Row("", tuple(((piece, ""),) for piece in wrap(record.words, width - 1)))


def _title(text: str, role: str, tally: str, glyphs: Glyphs, width: int) -> Row:
    rule = glyphs.rule * max(0, width - len(text) - len(tally) - 3)
    return Row("", ((), ((f"{text} ", "title"), (f"{tally} ", role), (rule, "rule"))))
