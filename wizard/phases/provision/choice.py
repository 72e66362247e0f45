"""Which type at which place: the wishes in their order, what can be had now, what it costs.

All pure; nothing here is a price or a type of ours: both come from Hetzner's own lists.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from wizard.config import Server
from wizard.configfile.values import SUCCESSORS
from wizard.engine.plan import Money

if TYPE_CHECKING:
    from wizard.clients.hetzner.models import Price, Pricing, ServerType

_SUCCESSORS = SUCCESSORS | {
    "cpx11": "cpx12",
    "cpx21": "cpx22",
    "cpx31": "cpx32",
    "cpx41": "cpx42",
    "cpx51": "cpx52",
}
"""Types that Hetzner no longer sells, and what it sells in their place."""
_ALTERNATIVES = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """A type at a location. Prices are a month's: the machine, with backups if wished, and its IPv4 address.

    `rank` counts from the dearest wish (0); `difference` is gross, against the first wish that has a price.
    """

    type: str
    location: str
    cores: int
    memory: float
    disk: int
    machine: Price
    backups: Price
    address: Price
    currency: str
    rank: int
    available: bool
    difference: Decimal = Decimal(0)

    @property
    def total(self) -> Price:
        return self.machine + self.backups + self.address

    def money(self, price: Price) -> Money:
        return Money(price.gross, self.currency)

    def __str__(self) -> str:
        price = self.total
        more = f", {self.difference:+.2f} against the wish" if self.difference else ""
        return (
            f"{self.type} in {self.location}: {self.cores} cores, {self.memory:g} GB, {self.disk} GB disk, "
            f"{price.net:.2f} net / {price.gross:.2f} gross {self.currency} a month{more}"
        )


@dataclass(frozen=True, slots=True)
class Ranking:
    """`choices` in the order in which they are tried; `notes` say what became of the other wishes."""

    choices: tuple[Choice, ...]
    notes: tuple[str, ...]


def rank(server: Server, types: tuple[ServerType, ...], pricing: Pricing, now: float) -> Ranking:
    """What Hetzner says it has comes first, in the order of the wishes; the rest is never tried.

    `now` is a moment. No choice is left when nothing wished can be ordered.
    """
    notes: list[str] = []
    offered: list[Choice] = []
    for wish in server.types:
        type_, note = _sold(wish.lower(), types, now)
        notes += [note] if note else []
        if type_ is None:
            continue
        for location in server.locations:
            choice = _choice(server, type_, location, pricing, len(offered), now)
            if choice is None:
                notes.append(f"{type_.name} is not sold in {location}.")
                continue
            offered.append(choice)
    if not offered:
        return Ranking((), tuple(notes))
    wish_price = offered[0].total.gross
    priced = [_against(choice, wish_price) for choice in offered]
    notes += [
        f"{choice.type} in {choice.location} is sold out now." for choice in priced if not choice.available
    ]
    return Ranking(tuple(choice for choice in priced if choice.available), tuple(notes))


def alternatives(
    server: Server, types: tuple[ServerType, ...], pricing: Pricing, now: float
) -> tuple[Choice, ...]:
    """The cheapest that can be ordered now and is no smaller than the smallest wish, wished places first."""
    wished = [type_ for wish in server.types if (type_ := _sold(wish.lower(), types, now)[0])]
    if not wished:
        return ()
    least = min(wished, key=lambda type_: (type_.memory, type_.cores))
    found = [
        choice
        for type_ in types
        if _holds(type_, least)
        for offer in type_.offers
        if type_.orderable(offer.location, now)
        and (choice := _choice(server, type_, offer.location, pricing, 0, now))
    ]
    found.sort(key=lambda one: (one.location not in server.locations, one.total.gross, one.type))
    return tuple(found[:_ALTERNATIVES])


def monthly(
    name: str, location: str, types: tuple[ServerType, ...], pricing: Pricing, *, backups: bool, ipv4: bool
) -> Money | None:
    """What a machine that stands costs, gross; None if Hetzner's lists don't tell."""
    offer = next((type_.offer(location) for type_ in types if type_.name == name), None)
    if offer is None or offer.price is None:
        return None
    whole = offer.price.gross
    whole += offer.price.share(pricing.backup_percentage).gross if backups else 0
    if ipv4 and location in pricing.ipv4:
        whole += pricing.ipv4[location].gross
    return Money(whole, pricing.currency)


def _sold(name: str, types: tuple[ServerType, ...], now: float) -> tuple[ServerType | None, str]:
    """The type of this name or the one that took its place, and what is to be said about it."""
    exact = next((type_ for type_ in types if type_.name == name), None)
    named = _SUCCESSORS.get(name, "")
    successor = next((type_ for type_ in types if type_.name == named), None)
    if exact is None:
        if successor is None:
            return None, f"Hetzner sells no type {name}."
        return successor, f"{name} is no longer sold: its successor {successor.name} takes its place."
    ends = [offer.unavailable_after for offer in exact.offers]
    if not ends or None in ends:
        return exact, ""
    successor = successor or _next_size(exact, types, now)
    if successor is None:
        return exact, f"{name} is being withdrawn by Hetzner."
    if max(end for end in ends if end is not None) <= now:
        return successor, f"{name} is no longer sold: its successor {successor.name} takes its place."
    return exact, f"{name} is being withdrawn by Hetzner: its successor is {successor.name}."


def _next_size(old: ServerType, types: tuple[ServerType, ...], now: float) -> ServerType | None:
    """The smallest type on sale that holds what `old` held."""
    fitting = [
        type_
        for type_ in types
        if type_.name != old.name
        and type_.cpu == old.cpu
        and _holds(type_, old)
        and any(type_.orderable(offer.location, now) for offer in type_.offers)
    ]
    return min(fitting, key=lambda type_: (type_.memory, type_.cores, type_.disk), default=None)


def _holds(type_: ServerType, least: ServerType) -> bool:
    return (
        type_.architecture == least.architecture
        and type_.cores >= least.cores
        and type_.memory >= least.memory
        and type_.disk >= least.disk
    )


def _choice(
    server: Server, type_: ServerType, location: str, pricing: Pricing, rank_: int, now: float
) -> Choice | None:
    from wizard.clients.hetzner.models import FREE

    offer = type_.offer(location)
    if offer is None or offer.price is None:
        return None
    return Choice(
        type=type_.name,
        location=location,
        cores=type_.cores,
        memory=type_.memory,
        disk=type_.disk,
        machine=offer.price,
        backups=offer.price.share(pricing.backup_percentage) if server.backups else FREE,
        address=pricing.ipv4.get(location, FREE),
        currency=pricing.currency,
        rank=rank_,
        available=type_.orderable(location, now),
    )


def _against(choice: Choice, wish: Decimal) -> Choice:
    return replace(choice, difference=choice.total.gross - wish)
