"""When a cache will flip: pure, from the answers it gave. Moments and TTLs in seconds of one clock.

Every old answer tells when the cache that gave it runs out (its arrival plus its TTL). Several caches
behind one address show as several such moments. Polled then, not by the clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_AFTER = 0.5
"""TTLs are whole seconds: a cache flips up to one second after the predicted moment."""
_RETRIES = (0.5, 1.0, 2.0, 5.0)
_APART = 2.5
"""Expiries closer than this are one cache's, seen twice."""
_OVERDUE = 5.0
_HEARTBEAT = 60.0
_CONFIRMED = 12
"""New answers in a row that end a watch of several caches when no bound is known: likely, never certain."""
_STALE_TTL = 30


@dataclass(slots=True)
class Forecast:
    """One record set at one address. `note_old` and `note_new` say what was seen, `next_at` when to ask."""

    bound: float | None = None
    """The flip plus the old TTL: a cache that was never met may be old until then. None: not known."""
    expiries: list[float] = field(default_factory=list)
    """One for each cache that was seen holding the old answer, ascending."""
    last_old: float | None = None
    last_new: float | None = None
    news: int = 0
    """New answers since the last old one."""
    serves_stale: bool = False
    _late: int = 0
    _ttl: float = 0.0

    def note_old(self, at: float, ttl: float) -> None:
        expiry = at + ttl
        # Old after every expiry that is known and with a short TTL: stale on purpose, no new cache.
        if self.expiries and at > self.expiries[-1] + 1.0 and ttl <= _STALE_TTL:
            self.serves_stale = True
            self._late += 1
        elif not any(abs(expiry - known) < _APART for known in self.expiries):
            self.expiries = sorted([*self.expiries, expiry])
            self._late = 0
        elif at > expiry - 1.0:
            self._late += 1
        self.last_old, self.news, self._ttl = at, 0, ttl

    def note_new(self, at: float) -> None:
        self.last_new = at
        self.news += 1
        self._late = 0

    @property
    def caches(self) -> int:
        """A lower bound."""
        return max(1, len(self.expiries))

    def flipped(self, now: float) -> int:
        """How many of the known caches have run out, as far as the answers bear it out."""
        if self.last_new is None:
            return 0
        return self.caches if self.done(now) else sum(1 for moment in self.expiries if moment < now - 1.0)

    @property
    def ends_at(self) -> float | None:
        """After this, no cache known can hold the old answer."""
        return self.expiries[-1] + 1.0 if self.expiries else None

    def done(self, now: float) -> bool:
        """New ever since; with several caches, past every known expiry and past `bound`, too."""
        if not self.news:
            return False
        if self.caches == 1:
            return True
        if now <= self.expiries[-1] + 1.0:
            return False
        return now > self.bound + 1.0 if self.bound is not None else self.news >= _CONFIRMED

    def overdue(self, now: float) -> bool:
        return not self.news and bool(self.expiries) and now > self.expiries[-1] + _OVERDUE

    def next_at(self, now: float) -> float:
        """When to ask again. Meaningless once `done`."""
        if self._late:
            return now + _RETRIES[min(self._late, len(_RETRIES)) - 1]
        if self.news and self.expiries and now > self.expiries[-1] + 1.0:
            return now + _RETRIES[0] if self.bound is None else max(now + _RETRIES[0], self.bound + 1.5)
        heartbeat = now + min(_HEARTBEAT, max(5.0, self._ttl / 4))
        due = next((moment + _AFTER for moment in self.expiries if moment + _AFTER > now), now + _RETRIES[0])
        # A heartbeat close before the expiry would tell nothing that the expiry doesn't.
        return due if due - now < _HEARTBEAT * 1.5 else min(due, heartbeat)
