"""When a cache will flip: pure, from the answers it gave. Moments and TTLs in seconds of one clock.

Caches count whole seconds: an answer that arrives at `t` with `n` seconds left is dropped when the cache's
clock strikes ``floor(t) + n + 1`` (unbound, BIND and PowerDNS compare whole seconds of the day). Clocks are
synchronised, so that moment is known to hundredths of a second, and one question there finds the flip.
Several caches behind one address show as several such moments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

_AFTER = 0.03
"""Past the striking second: the question must not arrive before it."""
_RETRIES = (0.25, 0.5, 1.0, 2.0, 5.0)
_SUSPECTED = 3
"""Which of them follows an answer that may be stale on purpose."""
_APART = 2.5
"""Expiries closer than this are one cache's, seen twice."""
_OVERDUE = 5.0
_HEARTBEAT = 60.0
_SHORT = 30
"""RFC 8767 proposes this TTL for stale answers; BIND and unbound give it."""
_CONFIRMED = 3
"""New answers in a row, past every moment known, that settle an address with several caches."""
_UNBOUNDED = 12
"""The same when nothing bounds the caches that were never met: likely, never certain."""
_LOOKS = 3
"""More looks at an address between its flip and a bound that is only estimated."""
_COUNTED = 8
"""Questions in short order that count the caches of an address once a second one has shown."""
_COUNTING = 0.4


@dataclass(slots=True)
class Pool:
    """One cache that was seen holding the old answer. `first`: its expiry as first told, `expiry` as last."""

    first: float
    expiry: float


@dataclass(slots=True)
class Forecast:
    """One record set at one address. `note_old` and `note_new` say what was seen, `next_at` when to ask."""

    bound: float | None = None
    """No cache that honours TTLs is old after this, met or not. None: not known."""
    sure: bool = True
    """Whether `bound` comes from the flip and the old TTL; else it was estimated from answers."""
    pools: list[Pool] = field(default_factory=list)
    """Ascending by expiry."""
    last_old: float | None = None
    last_new: float | None = None
    news: int = 0
    """New answers since the last old one."""
    serves_stale: bool = False
    longest: float = 0.0
    """The longest TTL that an old answer had left."""
    _late: int = 0
    _suspect: tuple[float, float] | None = None
    _settled: int = 0
    _looks: int = 0
    _to_count: int = 0
    _counted: bool = False

    def note_old(self, at: float, ttl: float) -> None:
        expiry = math.floor(at) + ttl + 1.0
        overdue = bool(self.pools) and at >= self.pools[-1].expiry
        self._late = self._late + 1 if overdue else 0
        if self._stands_still(at, ttl) or (overdue and self._is_stale(at, ttl)):
            self.serves_stale = True
            self._late = max(self._late, 1)
        elif self._place(expiry, ttl):
            # A new cache, or one that serves stale with a TTL of its own: a second look tells.
            self._suspect = (at, ttl) if overdue and ttl <= _SHORT else None
            self._late = _SUSPECTED if self._suspect else 0
            if self._suspect is None and len(self.pools) > 1:
                self._count_once()
        self.last_old, self.news, self._settled, self._looks = at, 0, 0, 0
        self._to_count = max(0, self._to_count - 1)

    def note_new(self, at: float) -> None:
        self.last_new = at
        self.news += 1
        self._settled += at > self._all_over
        self._late = 0
        self._looks += 1
        self._to_count = max(0, self._to_count - 1)

    def rebound(self, bound: float | None, sure: bool) -> None:
        """The flip is known better now: looks before the end that it sets settle nothing."""
        self.bound, self.sure = bound, sure
        if self.last_new is not None and self.last_new <= self._all_over:
            self._settled = 0

    def count_caches(self, times: int = _COUNTED) -> None:
        """Ask some times in short order: the address is known to have several caches."""
        self._to_count = max(self._to_count, times)

    def _count_once(self) -> None:
        if not self._counted:
            self._counted = True
            self.count_caches()

    def _is_stale(self, at: float, ttl: float) -> bool:
        """Old after every end that is known, with a TTL that no cache running out would tell."""
        if ttl == _SHORT or (ttl <= 1 and at > self.pools[-1].expiry + 1.0):
            return True
        return self.bound is not None and self.sure and at > self.bound + 1.0 and ttl <= _SHORT

    def _stands_still(self, at: float, ttl: float) -> bool:
        if self._suspect is None or at - self._suspect[0] < 0.9:
            return False
        before, stood = self._suspect
        self._suspect = None
        if ttl != stood:
            self._count_once()
            return False
        told = math.floor(before) + stood + 1.0
        self.pools = [pool for pool in self.pools if pool.first != told]
        return True

    def _place(self, expiry: float, ttl: float) -> bool:
        """Whether that is a cache not met before."""
        self.longest = max(self.longest, ttl)
        near = min(self.pools, key=lambda pool: abs(pool.expiry - expiry), default=None)
        if near is not None and abs(near.expiry - expiry) < _APART:
            if expiry - near.first < _APART:
                near.expiry = expiry
            else:
                # The end moves away with every answer: that is no cache running out.
                self.serves_stale = True
            return False
        self.pools.append(Pool(expiry, expiry))
        self.pools.sort(key=lambda pool: pool.expiry)
        return True

    @property
    def caches(self) -> int:
        """A lower bound."""
        return max(1, len(self.pools))

    @property
    def ends_at(self) -> float | None:
        """After this, no cache known can hold the old answer."""
        return self.pools[-1].expiry if self.pools else None

    @property
    def _all_over(self) -> float:
        """The last moment known: of the caches met, and of those behind the address that were not."""
        known = self.pools[-1].expiry if self.pools else -math.inf
        several = len(self.pools) > 1 and self.bound is not None
        return max(known, self.bound + 1.0) if several and self.bound is not None else known

    def flipped(self, now: float) -> int:
        """How many of the known caches have run out, as far as the answers bear it out."""
        if self.last_new is None:
            return 0
        if self.done(now) or not self.pools:
            return self.caches
        return sum(pool.expiry <= self.last_new for pool in self.pools)

    def is_new(self, now: float) -> bool:
        """The last answer was new, and no cache that was met can still be old."""
        return bool(self.news) and (len(self.pools) < 2 or now >= self.pools[-1].expiry)

    def done(self, now: float) -> bool:
        """New ever since every known expiry; with several caches, past `bound` and some times, too."""
        if not self._settled:
            return False
        if len(self.pools) > 1:
            needed = _CONFIRMED if self.bound is not None else _UNBOUNDED
            return now > self._all_over and self._settled >= needed
        return self.sure or self._looks > _LOOKS or (self.bound is not None and now > self.bound)

    def overdue(self, now: float) -> bool:
        """Still old although every cache known has run out."""
        return not self.news and bool(self.pools) and now > self.pools[-1].expiry + _OVERDUE

    def next_at(self, now: float) -> float:
        """When to ask again, after an answer at `now`; infinite once nothing more is to be learned."""
        if self._to_count:
            return now + _COUNTING
        due = min((p.expiry + _AFTER for p in self.pools if p.expiry + _AFTER > now), default=math.inf)
        if self.news:
            return min(due, self._next_look(now))
        if self._late or self.serves_stale:
            return min(due, now + _RETRIES[min(max(self._late, 1), len(_RETRIES)) - 1])
        # A heartbeat close before the expiry would tell nothing that the expiry doesn't.
        return due if due - now < _HEARTBEAT * 1.5 else min(due, now + _HEARTBEAT)

    def _next_look(self, now: float) -> float:
        """After a new answer: nothing when that settles it, else looks spread up to the bound."""
        if self.done(now):
            return math.inf
        if len(self.pools) < 2 and (self.sure or self.bound is None):
            return math.inf if self.sure else now + 1.0
        bound = self.bound if self.bound is not None else now
        if now > bound:
            return now + 1.0
        left = max(1, _LOOKS + 1 - self._looks)
        return min(bound + 1.2, now + max(1.0, (bound + 1.2 - now) / left))
