"""Asking a resolver the way its vantage says: over UDP and TCP, or over HTTPS."""

from __future__ import annotations

from wizard.clock import Clock
from wizard.dns.doh import DohClient
from wizard.dns.question import DnsClient
from wizard.dns.resolvers import Vantage
from wizard.dns.wire import Reply

_SECONDS = 1.5
_HTTPS_SECONDS = 4.0
_LEAST = 0.8


def within(clock: Clock, seconds: float) -> float:
    """A time-out in real seconds: a machine that is busy is no faster in a rehearsal than in life."""
    return max(_LEAST, clock.real(seconds))


class Asker:
    """Both clients, with time-outs in the world's time. `dns` is the world's and is not closed here."""

    def __init__(self, dns: DnsClient, clock: Clock, trust: str = "") -> None:
        self.dns = dns
        self._clock = clock
        self._doh = DohClient(trust)

    async def ask(self, vantage: Vantage, name: str, kind: str) -> Reply:
        """Raises UnreachableError when no try was answered."""
        if vantage.over_https:
            limit = within(self._clock, _HTTPS_SECONDS)
            return await self._doh.ask(vantage.doh, vantage.address.host, name, kind, timeout=limit)
        return await self.dns.ask(vantage.address, name, kind, timeout=within(self._clock, _SECONDS))

    async def aclose(self) -> None:
        await self._doh.aclose()
