"""The watch over a flip: every cache asked when it runs out, the authoritative servers, the end foreseen.

The authoritative servers say when the flip took place; until they do, each resolver is asked once and then
left alone, because questions of ours would only fill its cache again with what is about to be old.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from wizard.clock import Clock
from wizard.dns.asking import Asker
from wizard.dns.authority import AuthoritativeServer
from wizard.dns.resolvers import Vantage
from wizard.dns.selftest import Tested, self_test
from wizard.dns.view import Verdict, WatchView
from wizard.dns.watch_authority import Board, ServerState
from wizard.dns.watch_cell import Bound, CellState
from wizard.dns.watch_probes import Probes
from wizard.dns.watch_target import Flip, Judgement, Target, judge
from wizard.dns.watch_view import Curve, view_of
from wizard.errors import UnreachableError

_PUBLISH_EVERY = 0.25
_FLOCK = 0.01
_STAGGER = 0.15
_SPARE_TTL = 60.0
"""The old TTL where nothing at all tells it."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer that changed something. `at` is the world's time, `monotonic` this machine's."""

    at: float
    monotonic: float
    cell: CellState
    changed: bool


@dataclass(frozen=True, slots=True)
class Told:
    """An authoritative server's answer that changed."""

    at: float
    monotonic: float
    state: ServerState
    number: int


class Watch:
    """`begin` once, then `attend` again and again until `done`.

    `confirm`: every resolver is asked once more after the last cache must have run out.
    """

    def __init__(
        self,
        asker: Asker,
        clock: Clock,
        targets: Sequence[Target],
        vantages: Sequence[Vantage],
        servers: Sequence[AuthoritativeServer] = (),
        *,
        flip: Flip | None = None,
        returning: bool = False,
        confirm: bool = False,
        probes: Probes | None = None,
        publish: Callable[[WatchView], None] | None = None,
    ) -> None:
        self.clock = clock
        self.targets = tuple(targets)
        self.flip = flip
        self.returning = returning
        self.confirm = confirm
        self.tested = Tested(tuple(vantages))
        self.cells: list[CellState] = []
        self.board = Board.of(asker.dns, clock, self.targets, servers)
        self.bound = Bound()
        self.probes = probes or Probes()
        self.curve = Curve()
        self.began = clock.now()
        self._asker = asker
        self._publish_to = publish
        self._heard: Callable[[Heard | Told], None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._beside: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        self._stirred = asyncio.Event()
        self._published = -math.inf
        self._changed = True

    def listen(self, heard: Callable[[Heard | Told], None]) -> None:
        """Have every answer told, whether it changed something or not."""
        self._heard = heard

    async def begin(self) -> None:
        """Test the resolvers and look at the authoritative servers once."""
        tested, _ = await asyncio.gather(
            self_test(self._asker, self.tested.kept, self.clock), self._look_at_servers()
        )
        self.tested = tested
        now = self.clock.now()
        self.cells = [
            CellState(vantage, target, now + (number * _STAGGER if vantage.public else 0.0))
            for vantage in tested.kept
            for number, target in enumerate(self.targets)
        ]
        for cell in self.cells:
            cell.expect_several()
        self._rebound(now)

    async def attend(self, *, patience: float, limit: float) -> float:
        """Ask what is due; the next moment that is more than `patience` off, or the first after `limit`.

        Returns with nothing under way, so that the world may leap. Seconds of the world's time.
        """
        end = self.clock.now() + limit
        try:
            while True:
                now = self.clock.now()
                # While an answer is out that we must wait for, the others are not kept waiting.
                if now < end or (self._tasks and now < end + limit):
                    self._start(now)
                upcoming = self.next_at()
                self._raise_faults()
                if not self._tasks and (self.done or now >= end or upcoming - now > patience):
                    self._publish(force=True)
                    return upcoming
                self._publish()
                await self._nap(upcoming if now < end + limit else math.inf)
        except asyncio.CancelledError:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Drop the questions that are out: they change nothing."""
        for task in (*self._tasks, *self._beside):
            task.cancel()

    async def aclose(self) -> None:
        self.abandon()
        await asyncio.gather(*self._tasks, *self._beside, return_exceptions=True)
        await self._asker.aclose()

    def next_at(self) -> float:
        """The next moment at which something is to be asked."""
        moments = [cell.due for cell in self.cells if not cell.busy]
        moments += [self.board.due] if self.board.servers and not self.board.busy else []
        ends = self.ends_at
        moments += [self.probes.due] if self.probes.any and not self.probes.busy else []
        moments += [ends] if ends is not None and ends > self.clock.now() else []
        return min(moments, default=math.inf)

    @property
    def ends_at(self) -> float | None:
        """After this no cache that keeps to its TTL holds an old value; None while the flip isn't known."""
        if self.bound.at is None:
            return None
        known = [
            cell.forecast.ends_at or 0.0
            for cell in self.cells
            if cell.counted and not cell.forecast.serves_stale
        ]
        return max([self.bound.at, *known]) + 1.0

    @property
    def done(self) -> bool:
        """Everybody who can be waited for has the planned values; the rest is named in `odd`."""
        now, ends = self.clock.now(), self.ends_at
        if ends is None or now <= ends or (self.board.servers and self.board.known and not self.board.new):
            return False
        return all(cell.settled(now, self.bound, confirm=self.confirm) for cell in self.cells)

    @property
    def odd(self) -> tuple[CellState, ...]:
        """Those that still say something else after all patience."""
        now = self.clock.now()
        return tuple(cell for cell in self.cells if cell.odd(now, self.bound))

    def view(self) -> WatchView:
        return view_of(self)

    def _start(self, now: float) -> None:
        for cell in self.cells:
            if not cell.busy and cell.due <= now:
                cell.busy = True
                self._spawn(self._ask(cell))
        if self.board.servers and not self.board.busy and self.board.due <= now:
            self.board.busy = True
            self._spawn(self._look_at_servers())
        if self.probes.any and not self.probes.busy and self.probes.due <= now:
            self.probes.busy = True
            # Pages and certificates are slow and tell no moments: a leap does not wait for them.
            self._spawn(self._probe(), self._beside)

    def _spawn(self, work: Awaitable[None], among: set[asyncio.Task[None]] | None = None) -> None:
        task = asyncio.ensure_future(work)
        (self._tasks if among is None else among).add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._beside.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failures.append(error)
        self._stirred.set()

    def _raise_faults(self) -> None:
        if self._failures:
            raise self._failures.pop()

    async def _nap(self, until: float) -> None:
        """Until the moment, or until something that is under way ends."""
        self._stirred.clear()
        waits = [asyncio.create_task(self._stir())]
        if not math.isinf(until):
            waits.append(asyncio.create_task(self.clock.sleep(max(0.0, until - self.clock.now()))))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _stir(self) -> None:
        """Answers come in flocks: one look at all cells serves a whole flock."""
        await self._stirred.wait()
        if self._tasks:
            await asyncio.sleep(_FLOCK)

    async def _ask(self, cell: CellState) -> None:
        sent = self.clock.now()
        cell.queries += 1
        try:
            reply = await self._asker.ask(cell.vantage, cell.target.name, cell.target.type)
            said = judge(reply, cell.target)
        except UnreachableError:
            said = Judgement(Verdict.SILENT, problem="does not answer")
        finally:
            cell.busy = False
        now = self.clock.now()
        # The answer was made half-way between; a TTL counts from there.
        changed = cell.note((sent + now) / 2, said, self.bound, confirm=self.confirm)
        self._learn(said)
        self._changed = True
        if self._heard is not None:
            self._heard(Heard(now, time.monotonic(), cell, changed))

    async def _look_at_servers(self) -> None:
        if not self.board.servers:
            return
        self.board.busy = True
        try:
            changed = await self.board.look()
        finally:
            self.board.busy = False
        now = self.clock.now()
        self._changed = self._changed or bool(changed)
        self._rebound(now)
        if self._heard is not None:
            for state, number in changed:
                self._heard(Told(now, time.monotonic(), state, number))

    async def _probe(self) -> None:
        with contextlib.suppress(UnreachableError):
            await self.probes.look(self.clock.now())
        self._changed = True

    def _learn(self, said: Judgement) -> None:
        """An answer may tell a longer TTL than was known; only where nobody recorded the old one."""
        if self.flip is None and said.verdict in (Verdict.OLD, Verdict.NEW) and said.ttl > self.bound.ttl:
            self._rebound(self.clock.now())

    def _rebound(self, now: float) -> None:
        """Set the moment from which old TTLs run, and the longest of them."""
        before = self.bound.base
        self.bound.base, self.bound.sure = self._base()
        self.bound.ttl = self._old_ttl()
        self.bound.old_whole, self.bound.new_whole = self.board.old_ttl, self.board.new_ttl
        if self.bound.base is None:
            return
        for cell in self.cells:
            if before is None:
                cell.begin(now, self.bound, confirm=self.confirm)
            else:
                cell.replan(now, self.bound, confirm=self.confirm)

    def _base(self) -> tuple[float | None, bool]:
        if self.flip is not None:
            # A server that lagged filled caches with the old values after the flip.
            lagged = self.board.lagged and self.board.settled_at is not None
            late = self.board.settled_at if lagged and self.board.settled_at is not None else self.flip.at
            return max(self.flip.at, late), True
        if not self.board.servers or (self.board.looks and not self.board.met):
            return self.began, False
        if self.board.settled_at is None:
            return None, True
        return (self.board.settled_at if self.board.lagged else self.began), True

    def _old_ttl(self) -> float:
        """Recorded, or told by old answers; the new one stands in where no old TTL was ever seen whole."""
        if self.flip is not None:
            return self.flip.old_ttl
        whole = max([self.board.old_ttl, *(target.old_ttl or 0 for target in self.targets)])
        seen = [cell.forecast.longest for cell in self.cells]
        if not whole:
            seen += [cell.ttl for cell in self.cells if cell.verdict is Verdict.NEW and not cell.keeps]
            seen.append(self.board.new_ttl)
        return max([whole, *seen]) or _SPARE_TTL

    def _publish(self, *, force: bool = False) -> None:
        """At a bounded rate, in real time: the reader is a screen."""
        real = time.monotonic()
        if self._publish_to is None or not self._changed:
            return
        if force or real - self._published >= _PUBLISH_EVERY:
            self._published, self._changed = real, False
            self._publish_to(self.view())
