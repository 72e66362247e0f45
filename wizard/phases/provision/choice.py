"""Which type at which place: the wishes in their order, what can be had now, what it costs.

All pure; nothing here is a price or a type of ours: both come from Hetzner's own lists.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from wizard.config import Server
from wizard.engine.plan import Money

if TYPE_CHECKING:
    from wizard.clients.hetzner.models import Price, Pricing, ServerType

_SUCCESSORS = {
    "cx11": "cx23",
    "cx21": "cx23",
    "cx22": "cx23",
    "cx31": "cx33",
    "cx32": "cx33",
    "cx41": "cx43",
    "cx42": "cx43",
    "cx51": "cx53",
    "cx52": "cx53",
    "cpx11": "cpx12",
    "cpx21": "cpx22",
    "cpx31": "cpx32",
    "cpx41": "cpx42",
    "cpx51": "cpx52",
}
"""Types that Hetzner no longer sells, and what it sells in their place."""


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
    known = {type_.name: type_ for type_ in types}
    notes: list[str] = []
    offered: list[Choice] = []
    for wish in server.types:
        name = wish.lower()
        type_ = known.get(name) or known.get(_SUCCESSORS.get(name, ""))
        if type_ is None:
            notes.append(f"Hetzner sells no type {name}.")
            continue
        if type_.name != name:
            notes.append(f"{name} is no longer sold: its successor {type_.name} takes its place.")
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
