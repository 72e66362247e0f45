"""Who serves the names, which of them lead to the old host, and what Hetzner sells."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from wizard.config import DnsProviderName
from wizard.errors import WizardError
from wizard.init.found import FoundProject, Notes

if TYPE_CHECKING:
    from wizard.clients.hetzner.models import ServerType
    from wizard.world import World

LOCATIONS = ("fsn1", "nbg1")
_ROOM_GB = 1.0
"""What a machine of the same size may have less, as each system counts its memory."""
_WISHES = 4
_DEAR = Decimal(1_000_000)


async def provider(
    world: World, zone: str, at: FoundProject | None, notes: Notes
) -> tuple[DnsProviderName, tuple[str, ...]]:
    """The provider, as far as our tokens show it, and ``address name`` of what leads somewhere.

    `at` is a project whose owner may have the zone at Vercel.
    """
    try:
        if await world.hetzner.zones.zone(zone) is not None:
            rows = await world.hetzner.zones.rrsets(zone)
            told = [
                f"{value} {zone if row.name == '@' else f'{row.name}.{zone}'}"
                for row in rows
                if row.type in ("A", "AAAA")
                for value in row.values
            ]
            return DnsProviderName.HETZNER, tuple(told)
    except WizardError as error:
        notes.say(f"Hetzner could not be asked for the zone {zone}: {error}")
    try:
        project = await world.vercel.project(at.name, at.team) if at else None
        owned = await world.vercel.account_domains(project) if project else ()
        if any(one.name == zone and one.hosted for one in owned):
            return DnsProviderName.VERCEL, ()
    except WizardError:
        pass
    notes.say(f"No token shows the zone {zone}: name its provider under [dns], or edit the records by hand.")
    return DnsProviderName.MANUAL, ()


async def types(world: World, memory_gb: float, fallback: tuple[str, ...]) -> tuple[str, ...]:
    """The cheapest that Hetzner has now with so much memory; `fallback` when it can't be asked."""
    try:
        every = await world.hetzner.server_types()
    except WizardError:
        return fallback
    now = world.clock.now()
    fit = [
        (_price(one), one.name)
        for one in every
        if one.architecture == "x86"
        and one.cpu == "shared"
        and not one.deprecated
        and one.memory >= memory_gb - _ROOM_GB
        and any(one.orderable(place, now) for place in LOCATIONS)
    ]
    return tuple(name for _, name in sorted(fit)[:_WISHES]) or fallback


def _price(one: ServerType) -> Decimal:
    prices = [offer.price.gross for place in LOCATIONS if (offer := one.offer(place)) and offer.price]
    return min(prices, default=_DEAR)
