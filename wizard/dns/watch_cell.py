"""One record set at one resolver while it is watched: what it said, and when it is to be asked again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from wizard.dns.forecast import Forecast
from wizard.dns.resolvers import Vantage
from wizard.dns.view import Cell, Verdict
from wizard.dns.watch_target import Judgement, Target

PATIENCE = 120.0
"""How long after the last moment a well-behaved cache may be old a resolver that isn't new is waited for."""
_SILENCES = (1.0, 3.0, 10.0, 30.0, 60.0)
_GIVEN_UP = 3
_NEITHER_AGAIN = (5.0, 30.0)
_ROUNDED = 2
_LOOKS_AT_ONCE = 4


@dataclass(slots=True)
class Bound:
    """Until when a cache may be old: `base` plus `ttl`. `base` None: the flip has not been seen yet.

    `old_whole`, `new_whole`: the TTLs that the records have by themselves, 0 where not known.
    """

    base: float | None = None
    ttl: float = 0.0
    sure: bool = True
    old_whole: int = 0
    new_whole: int = 0

    @property
    def at(self) -> float | None:
        return None if self.base is None else self.base + self.ttl


@dataclass(slots=True)
class CellState:
    """`due`: when to ask, infinite when nothing more is to be learned; `busy` while a question is out."""

    vantage: Vantage
    target: Target
    due: float = 0.0
    busy: bool = False
    forecast: Forecast = field(default_factory=Forecast)
    verdict: Verdict = Verdict.UNASKED
    values: tuple[str, ...] = ()
    at: float | None = None
    ttl: int = 0
    queries: int = 0
    silences: int = 0
    problem: str = ""
    keeps: int = 0
    cuts: int = 0
    """TTLs that the resolver gives the record, when they are longer or shorter than the record's own."""

    def note(self, at: float, said: Judgement, bound: Bound, *, confirm: bool) -> bool:
        """Take an answer; whether it changed what is known: verdict, values, caches, an end."""
        before = (self.verdict, self.values, self.forecast.caches, self.forecast.ends_at)
        if said.verdict is Verdict.SILENT:
            self._silence(at, said.problem)
        else:
            self.silences, self.problem = 0, ""
            self.verdict, self.values, self.at, self.ttl = said.verdict, said.values, at, said.ttl
            if said.verdict is Verdict.OLD:
                self.forecast.note_old(at, said.ttl)
            elif said.verdict is Verdict.NEW:
                self.forecast.note_new(at)
            self._notice_ttl(at, said, bound)
        self.plan(at, bound, confirm=confirm)
        return before != (self.verdict, self.values, self.forecast.caches, self.forecast.ends_at)

    def _silence(self, at: float, problem: str) -> None:
        self.silences += 1
        self.problem = problem
        if self.silences >= _GIVEN_UP or self.verdict is Verdict.UNASKED:
            self.verdict, self.values, self.at = Verdict.SILENT, (), at

    def _notice_ttl(self, at: float, said: Judgement, bound: Bound) -> None:
        old = said.verdict is Verdict.OLD
        own = self.target.old_ttl if old else self.target.new_ttl
        known = own or (bound.old_whole if old else bound.new_whole)
        if not known or self.forecast.serves_stale or said.verdict is Verdict.NEITHER:
            return
        if said.ttl > known + _ROUNDED:
            self.keeps = max(self.keeps, said.ttl)
        ends = self.forecast.ends_at
        # An answer in the second in which the cache ran out was fetched for it: its TTL is whole.
        fetched = not old and self.forecast.caches == 1 and ends is not None and 0 <= at - ends < 1.0
        if fetched and said.ttl + _ROUNDED < known:
            self.cuts = said.ttl

    def plan(self, now: float, bound: Bound, *, confirm: bool) -> None:
        """Set `due` from everything that is known."""
        self.forecast.rebound(self.bound_of(bound), bound.sure)
        if self.silences:
            self.due = now + _SILENCES[min(self.silences, len(_SILENCES)) - 1]
        elif self.verdict is Verdict.NEITHER:
            self.due = now + min(max(self.ttl + 1.0, _NEITHER_AGAIN[0]), _NEITHER_AGAIN[1])
        elif bound.base is None:
            # Before the flip the answers are known; asking on would only keep the caches warm.
            self.due = math.inf
        else:
            self.due = self.forecast.next_at(now)
            if math.isinf(self.due) and confirm and not self.confirmed(bound):
                self.due = max(now + 0.5, (self.forecast.bound or now) + 1.1)

    def bound_of(self, bound: Bound) -> float | None:
        """A resolver that was seen to keep records longer may do so in caches that were not met."""
        if bound.base is None:
            return None
        return bound.base + max(bound.ttl, self.forecast.longest, self.keeps)

    def replan(self, now: float, bound: Bound, *, confirm: bool) -> None:
        """The bound has moved: who was done with may have to be looked at once more."""
        if self.verdict is not Verdict.UNASKED and math.isinf(self.due):
            self.plan(now, bound, confirm=confirm)

    def begin(self, now: float, bound: Bound, *, confirm: bool) -> None:
        """The flip was just seen: ends that lie before it tell nothing any more."""
        if self.verdict is Verdict.UNASKED:
            return
        ends = self.forecast.ends_at
        if ends is None or ends <= now:
            self.forecast = Forecast()
            self.expect_several()
            self.due = now
        else:
            self.plan(now, bound, confirm=confirm)

    def expect_several(self) -> None:
        """Some looks at once, where the address is known to have more caches than one."""
        if self.vantage.anycast:
            self.forecast.count_caches(_LOOKS_AT_ONCE)

    def confirmed(self, bound: Bound) -> bool:
        """It was seen new after every cache behind it must have run out."""
        last, until = self.forecast.last_new, self.bound_of(bound)
        return last is not None and until is not None and last > until + 1.0

    def settled(self, now: float, bound: Bound, *, confirm: bool) -> bool:
        """Nothing more is to be waited for."""
        if self.silences >= _GIVEN_UP or self.odd(now, bound):
            return True
        fine = self.verdict is Verdict.NEW and self.forecast.done(now)
        return fine and (not confirm or self.confirmed(bound))

    def odd(self, now: float, bound: Bound) -> bool:
        """It says something else although every cache that keeps to its TTL has run out for long."""
        until = self.bound_of(bound)
        if until is None or self.verdict in (Verdict.SILENT, Verdict.UNASKED) or self.silences:
            return False
        until = max(until, self.forecast.ends_at or until)
        return now > until + PATIENCE and not self.forecast.is_new(now)

    @property
    def counted(self) -> bool:
        """Whether what it says is expected to change: liars and the silent are not."""
        return self.verdict in (Verdict.OLD, Verdict.NEW)

    @property
    def remark(self) -> str:
        """What is odd about it, as a piece of a sentence."""
        if self.verdict is Verdict.SILENT:
            return self.problem or "does not answer"
        if self.verdict is Verdict.NEITHER:
            return f"answers {', '.join(self.values) or 'nothing'}, which is neither old nor new"
        if self.forecast.serves_stale:
            return "serves stale answers after their TTL"
        if self.keeps:
            return f"rewrites TTLs: keeps records for {self.keeps} s or more"
        return f"rewrites TTLs: lets go of records after {self.cuts} s" if self.cuts else ""

    def cell(self, now: float) -> Cell:
        """As it is shown."""
        verdict = self.verdict
        if verdict is Verdict.NEW and not self.forecast.is_new(now):
            verdict = Verdict.OLD
        expires = self.forecast.ends_at if verdict is Verdict.OLD else None
        if verdict is Verdict.NEW and self.at is not None:
            expires = self.at + self.ttl
        return Cell(
            verdict,
            self.values,
            self.at,
            expires,
            self.queries,
            self.forecast.caches,
            self.forecast.flipped(now),
        )
