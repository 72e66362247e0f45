"""What the watch looks at beside DNS: certificates at the new addresses, HTTP at old and new."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wizard.engine.step import Context
from wizard.phases.cutover.ipv6 import NO_SEAT, Seats
from wizard.phases.cutover.traffic import traffic_of

if TYPE_CHECKING:
    from wizard.dns.view import CertificateRow, HttpRow
    from wizard.dns.watch_probes import Probes
    from wizard.dns.watch_target import Target

_SECONDS = 5.0


def probes(ctx: Context, targets: Sequence[Target]) -> Probes:
    """For every name whose addresses move, each family by itself."""
    from wizard.dns.watch_probes import Probes

    moved = [target for target in targets if target.type in ("A", "AAAA") and target.new]
    if not moved:
        return Probes(traffic=traffic_of(ctx))

    seats = Seats(ctx)

    async def certificates() -> tuple[CertificateRow, ...]:
        pairs = [(target.name, address) for target in moved for address in target.new]
        return tuple(await asyncio.gather(*(_certificate(seats, name, address) for name, address in pairs)))

    async def http() -> tuple[HttpRow, ...]:
        return tuple(await asyncio.gather(*(_http(seats, target) for target in moved)))

    return Probes(certificates, http, traffic_of(ctx))


async def _certificate(seats: Seats, name: str, address: str) -> CertificateRow:
    from wizard.checks.tls import look
    from wizard.dns.view import CertificateRow

    seat = await seats.at(address)
    if seat is None:
        return CertificateRow(name, address, None, note=NO_SEAT)
    trust = seats.ctx.world.endpoints.trust
    seen = await look(seat.net, name, address, trust=trust, timeout=_SECONDS)
    leaf = seen.certificate
    return CertificateRow(
        name,
        address,
        seen.trusted,
        leaf.issuer if leaf else "",
        leaf.not_after if leaf else None,
        "; ".join(filter(None, (seen.problem, seat.told))),
    )


async def _http(seats: Seats, target: Target) -> HttpRow:
    from wizard.dns.view import HttpRow

    path = _path(seats.ctx, target.name)
    shown = f"{target.name}{path}" + (" by IPv6" if target.type == "AAAA" else "")
    url = f"https://{target.name}{path}"
    before = target.old[0] if target.old and not target.old_alias else ""
    old, new = await asyncio.gather(_ask(seats, url, before), _ask(seats, url, target.new[0]))
    # A status of 0 says that there was no answer: two of those are not the same answer.
    same = old[0] == new[0] and new[0] > 0 if before else None
    note = f"the old place is reached by the alias {target.old_alias}" if target.old_alias else ""
    return HttpRow(shown, old[1], new[1], same if new[0] >= 0 else None, note)


def _path(ctx: Context, name: str) -> str:
    return ctx.config.app_of(name).health if name in ctx.config.names else "/"


async def _ask(seats: Seats, url: str, address: str) -> tuple[int, str]:
    """Status and words; 0 without an answer, -1 where nobody could ask."""
    from wizard.checks.http import HttpProblem

    if not address:
        return 0, ""
    seat = await seats.at(address)
    if seat is None:
        return -1, NO_SEAT
    try:
        answer = await seat.http.get(url, address, timeout=_SECONDS, follow=True)
    except HttpProblem as problem:
        return 0, f"{problem.kind.value}: {problem.why}"
    told = f", {seat.told}" if seat.told else ""
    return answer.status, f"{answer.status}, {answer.seconds * 1000:.0f} ms{told}"
