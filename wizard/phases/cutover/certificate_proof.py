"""How a certificate can be proved before the move, in the order in which the ways are tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from wizard.engine.step import Context
from wizard.phases import dns01, http01

if TYPE_CHECKING:
    from wizard.clients.acme import AcmeOrder


class Way(StrEnum):
    """The values are what the operator reads."""

    DNS = "proved by DNS"
    HTTP = "proved over HTTP, answered by the old host's proxy"
    NONE = "cannot be proved before the move"


@dataclass(frozen=True, slots=True)
class Proof:
    """`why` each way is closed; "" where one is open."""

    way: Way
    why: str = ""


async def proof_of(ctx: Context, names: Sequence[str]) -> Proof:
    """The first way that is open for all of `names`, which get one certificate."""
    dns = await dns01.ability(ctx)
    if dns.possible:
        return Proof(Way.DNS)
    http = await http01.ability(ctx, names)
    return Proof(Way.HTTP) if http.possible else Proof(Way.NONE, f"{dns.why}; {http.why}")


async def publish(ctx: Context, order: AcmeOrder) -> None:
    """What the order asks for, seen where the authority will look. Raises UnreachableError."""
    if order.records:
        await dns01.publish(ctx, order.records)
    if order.pages:
        await http01.publish(ctx, order.pages)


async def remove(ctx: Context, order: AcmeOrder) -> None:
    """Of no use once the authority has looked."""
    if order.records:
        await dns01.remove(ctx, order.records)
    if order.pages:
        await http01.remove(ctx)
