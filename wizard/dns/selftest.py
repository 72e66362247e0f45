"""Before resolvers are counted: whether they answer here, and whether it is really they who answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from wizard.clock import Clock
from wizard.dns.asking import Asker
from wizard.dns.resolvers import Vantage
from wizard.dns.wire import Rcode
from wizard.endpoints import SocketAddress
from wizard.errors import UnreachableError

KNOWN_NAME = "example.com"
"""Reserved by RFC 2606 and in every cache: its answers tell nothing of the zone that moves."""
NOBODY = SocketAddress("192.0.2.53", 53)
"""An address of documentation (RFC 5737): whoever answers there stands in between."""
_SECONDS = 1.5
_SAMPLES = 3
_BETWEEN = 0.4
_APART = 2.5
_USEFUL = (Rcode.NOERROR, Rcode.NXDOMAIN)


@dataclass(frozen=True, slots=True)
class Tested:
    """`kept` are asked; `dropped` did not answer the test. `notes` are sentences for the operator."""

    kept: tuple[Vantage, ...]
    dropped: tuple[Vantage, ...] = ()
    intercepted: bool = False
    notes: tuple[str, ...] = ()


async def self_test(asker: Asker, vantages: Sequence[Vantage], clock: Clock) -> Tested:
    """Keep what answers, by HTTPS where port 53 is closed or intercepted; addresses named by hand stay."""
    intercepted = any(one.public for one in vantages) and await asker.dns.reachable(
        NOBODY, KNOWN_NAME, "A", timeout=clock.real(_SECONDS)
    )
    chosen = [_instead(one) if intercepted else one for one in vantages]
    through = [one for one in chosen if one is not None]
    found = await asyncio.gather(*(_test(asker, one, clock) for one in through))
    kept = tuple(one for one in found if one is not None)
    dropped = tuple(one for one, answer in zip(through, found, strict=True) if answer is None)
    notes = []
    if intercepted:
        lost = len(chosen) - len(through)
        notes.append(
            "Port 53 is intercepted here: one resolver of your network answers for all. "
            f"Resolvers are asked over HTTPS; {lost} that offer none are left out."
        )
    if dropped:
        notes.append(f"{len(dropped)} of {len(through)} listed resolvers do not answer here.")
    return Tested(kept, dropped, intercepted, tuple(notes))


def _instead(one: Vantage) -> Vantage | None:
    """How to reach the same resolver past somebody who answers in its place."""
    if not one.public or not one.listed:
        return one
    return one.by_https if one.doh else None


async def _test(asker: Asker, one: Vantage, clock: Clock) -> Vantage | None:
    if not one.listed:
        return one
    for way in (one, one.by_https) if one.doh and not one.over_https else (one,):
        try:
            several = await _answers(asker, way, clock)
        except UnreachableError:
            continue
        if several is not None:
            return replace(way, anycast=several)
    return None


async def _answers(asker: Asker, way: Vantage, clock: Clock) -> bool | None:
    """None: no useful answer. Else whether more than one cache answered a name that all caches hold."""
    ends: list[float] = []
    for number in range(_SAMPLES if way.anycast else 1):
        if number:
            await clock.sleep(_BETWEEN)
        reply = await asker.ask(way, KNOWN_NAME, "A")
        if reply.rcode not in _USEFUL:
            return None
        ttl = reply.ttl("A")
        if ttl is not None:
            ends.append(clock.now() + ttl)
    return bool(ends) and max(ends) - min(ends) > _APART
