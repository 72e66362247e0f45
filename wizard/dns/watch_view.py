"""A watch as it is shown: rows, the curve so far, and the curve that its forecasts make."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Protocol

from wizard.clock import Clock
from wizard.dns.selftest import Tested
from wizard.dns.view import Point, ResolverRow, Verdict, WatchView
from wizard.dns.watch_authority import Board
from wizard.dns.watch_cell import Bound, CellState
from wizard.dns.watch_probes import Probes
from wizard.dns.watch_target import Flip, Target

_MOST_POINTS = 400
_GRAIN = 0.5


@dataclass(slots=True)
class Curve:
    """The share over time as it was seen, thinned when it grows long."""

    points: list[Point] = field(default_factory=list)

    def add(self, at: float, share: float) -> None:
        if self.points and abs(self.points[-1].share - share) < 1e-9:
            return
        self.points.append(Point(at, share))
        if len(self.points) > _MOST_POINTS:
            self.points = [*self.points[:-1:2], self.points[-1]]


class Watched(Protocol):
    """What is shown of a watch."""

    clock: Clock
    targets: tuple[Target, ...]
    flip: Flip | None
    returning: bool
    tested: Tested
    cells: list[CellState]
    board: Board
    bound: Bound
    probes: Probes
    curve: Curve

    @property
    def ends_at(self) -> float | None: ...


def view_of(watch: Watched) -> WatchView:
    now = watch.clock.now()
    rows = tuple(
        _row(list(cells), now) for _, cells in groupby(watch.cells, key=lambda cell: id(cell.vantage))
    )
    view = WatchView(
        at=now,
        asked=tuple(target.asked for target in watch.targets),
        resolvers=rows,
        authorities=watch.board.rows(),
        certificates=watch.probes.certificate_rows,
        http=watch.probes.http_rows,
        flipped_at=watch.bound.base if watch.flip is None else watch.flip.at,
        ends_at=watch.ends_at,
        back_at=_back_at(watch, now),
        returning=watch.returning,
        visitors=watch.probes.visitors,
        notes=_notes(watch, now),
    )
    if watch.bound.base is not None and any(cell.at is not None for cell in watch.cells):
        watch.curve.add(now, view.share)
    predicted = predict(watch.cells, now, view.share, watch.ends_at)
    return replace(view, seen=tuple(watch.curve.points), predicted=predicted)


def _row(cells: list[CellState], now: float) -> ResolverRow:
    vantage = cells[0].vantage
    remarks = list(dict.fromkeys(filter(None, (cell.remark for cell in cells))))
    if vantage.filtered:
        remarks.append("blocks some names")
    return ResolverRow(
        vantage.name,
        vantage.shown,
        vantage.way,
        tuple(cell.cell(now) for cell in cells),
        vantage.place,
        "; ".join(remarks),
    )


def predict(cells: list[CellState], now: float, share: float, ends_at: float | None) -> tuple[Point, ...]:
    """From the share now to all that can be expected at `ends_at`: a step at every known expiry. Pure."""
    if ends_at is None:
        return ()
    heard = [cell for cell in cells if cell.verdict not in (Verdict.SILENT, Verdict.UNASKED)]
    caches = sum(cell.forecast.caches for cell in heard)
    if not caches:
        return ()
    ends = sorted(pool.expiry for cell in heard for pool in cell.forecast.pools if pool.expiry > now)
    reachable = sum(cell.forecast.caches for cell in heard if cell.counted) / caches
    points, reached = [Point(now, share)], share
    for _, group in groupby(ends, key=lambda end: round(end / _GRAIN)):
        together = list(group)
        reached = min(reachable, reached + len(together) / caches)
        points.append(Point(together[-1], reached))
    if ends_at > now:
        points.append(Point(max(ends_at, points[-1].at), reachable))
    return tuple(points)


def _back_at(watch: Watched, now: float) -> float | None:
    """When the world would be back if the flip were taken back now: caches may have filled this moment."""
    ttls = [target.new_ttl for target in watch.targets if target.new_ttl is not None]
    return now + max(ttls) + 1.0 if ttls and watch.bound.base is not None else None


def _notes(watch: Watched, now: float) -> tuple[str, ...]:
    notes = list(watch.tested.notes)
    for cell in watch.cells:
        if cell.verdict is Verdict.NEITHER:
            notes.append(f"{cell.vantage.name} {cell.remark} of {cell.target}.")
        elif cell.odd(now, watch.bound):
            stood = ", ".join(cell.values) or "nothing"
            notes.append(f"{cell.vantage.name} still answers {stood} for {cell.target}: {cell.remark}.")
    behind = [state for state in watch.board.servers if state.behind]
    if behind and len(behind) < len(watch.board.servers):
        names = ", ".join(f"{state.server.name} ({state.server.address})" for state in behind)
        notes.append(f"Not yet changed at the authoritative server {names}.")
    return tuple(dict.fromkeys(notes))
