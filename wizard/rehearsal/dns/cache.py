"""Caching resolvers on the stage's clock: TTLs that run down, negative answers, and caches that misbehave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.rehearsal.dns.state import CacheState, Held, Row, find

if TYPE_CHECKING:
    from wizard.rehearsal.dns.standin import DnsStandin

_STALE = 30
_STALE_FOR = 45.0
_LIE = "192.0.2.66"
_LONGEST = 40
_SHORTEST = 90


class Cache:
    """One address; behind it one or several pools that are filled one by one."""

    def __init__(self, dns: DnsStandin, state: CacheState) -> None:
        self.dns = dns
        self.state = state

    def answer(self, name: str, kind: str) -> tuple[tuple[Row, ...], int]:
        """Record sets with what is left of their TTLs, and the answer's code."""
        self.state.asked += 1
        pool = self.state.pools[self.state.asked % len(self.state.pools)]
        if self.state.quirk == "lie" and kind == "A" and not name.startswith("_"):
            return (Row(name, kind, 300, (_LIE,)),), 0
        now, key = self.dns.now(), (name, kind)
        held = pool.get(key)
        if held is None or held.expires <= now:
            if held is not None and self._stale(held, now):
                return tuple(Row(row.name, row.type, _STALE, row.values) for row in held.chain), held.rcode
            held = pool[key] = self._fetch(name, kind, now)
        return self._aged(held, now), held.rcode

    def _stale(self, held: Held, now: float) -> bool:
        return self.state.quirk == "serve_stale" and bool(held.chain) and now < held.expires + _STALE_FOR

    @staticmethod
    def _aged(held: Held, now: float) -> tuple[Row, ...]:
        gone = int(now - held.since)
        return tuple(Row(row.name, row.type, max(0, row.ttl - gone), row.values) for row in held.chain)

    def _fetch(self, name: str, kind: str, now: float) -> Held:
        found = find(self.dns.state.zones, name, kind, self.dns.moment_of(self.dns.pick()))
        chain = tuple(Row(row.name, row.type, self._bounded(row.ttl), row.values) for row in found.chain)
        negative = found.zone.minimum if found.zone else 60
        whole = bool(chain) and chain[-1].type == kind
        ttls = [row.ttl for row in chain] + ([] if whole else [negative])
        return Held(chain, found.rcode, now + min(ttls), now)

    def _bounded(self, ttl: int) -> int:
        if self.state.quirk == "max_ttl":
            return min(ttl, _LONGEST)
        return max(ttl, _SHORTEST) if self.state.quirk == "min_ttl" else ttl

    def warm(self, name: str, kind: str, ages: list[float]) -> None:
        """Fill the pools as if they had been asked some time ago."""
        now = self.dns.now()
        for pool, age in zip(self.state.pools, ages, strict=True):
            fresh = self._fetch(name, kind, now)
            left = max(1.0, (fresh.expires - now) * (1.0 - age))
            pool[name, kind] = Held(fresh.chain, fresh.rcode, now + left, now - (fresh.expires - now - left))
