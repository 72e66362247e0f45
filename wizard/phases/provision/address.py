"""provision.<server>.address: addresses of their own, which stay when the machine is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import Config, Server
from wizard.engine.check import Check, check
from wizard.engine.plan import Change, Failed, Kind, Plan, Refusal
from wizard.engine.step import Context, Phase, Skipped, Step
from wizard.phases.provision import naming, optional
from wizard.phases.provision.choice import Choice, Ranking, alternatives, rank
from wizard.phases.provision.shared import HETZNER
from wizard.records import AddressRecord, BilledAddresses

if TYPE_CHECKING:
    from wizard.clients.hetzner.models import PrimaryIp


@dataclass(frozen=True, slots=True)
class AddressFacts:
    """`location`: where the server is or will be; "" when nothing wished can be had."""

    location: str
    ours: tuple[PrimaryIp, ...]
    foreign: str
    choice: Choice | None
    notes: tuple[str, ...]
    ways: tuple[str, ...] = ()
    answer: str = ""


async def ranking(ctx: Context, server: Server) -> Ranking:
    """The live choice for a server; asked anew when nothing could be had a moment ago."""
    hetzner = ctx.world.hetzner
    found = rank(server, await hetzner.server_types(), await hetzner.pricing(), ctx.now())
    if found.choices:
        return found
    return rank(server, await hetzner.server_types(fresh=True), await hetzner.pricing(), ctx.now())


async def nothing_to_order(ctx: Context, server: Server) -> tuple[str, ...]:
    """Ways on when nothing wished can be ordered: what Hetzner has now instead, with its price."""
    hetzner = ctx.world.hetzner
    found = alternatives(server, await hetzner.server_types(), await hetzner.pricing(), ctx.now())
    offers = "; ".join(map(str, found))
    return (
        *([f"Add one of these to the wishes of {server.name}: {offers}."] if offers else []),
        "Add types or locations to its wishes in the configuration, or try later.",
    )


def kinds(server: Server) -> tuple[str, ...]:
    return ("ipv4", "ipv6") if server.ipv6 else ("ipv4",)


class AddressStep(Step[AddressFacts]):
    """Primary IPs at the place of the first choice; the server step moves them if it has to go elsewhere."""

    phase = Phase.PROVISION
    needs = ("provision.ssh_key",)
    keeps = ("billed",)
    way_back = "The addresses are released and are gone for good: DNS must not point there any more."

    def __init__(self, config: Config, server: Server) -> None:
        self.config, self.server = config, server
        self.id = f"provision.{server.name}.address"
        self.title = f"Addresses of {server.name}"

    async def observe(self, ctx: Context) -> AddressFacts:
        choices = await ranking(ctx, self.server)
        ips = await ctx.world.hetzner.primary_ips()
        mine = tuple(ip for ip in ips if naming.ours(ip, self.config, self.server.name))
        first = choices.choices[0] if choices.choices else None
        held = next((ip.location for ip in mine if ip.assignee is not None), "")
        location = held or (first.location if first else "")
        names = {
            naming.address_name(self.config, self.server.name, kind, location) for kind in kinds(self.server)
        }
        foreign = ", ".join(ip.name for ip in ips if ip.name in names and ip not in mine)
        ways = () if location else await nothing_to_order(ctx, self.server)
        answer = ctx.answers.get(optional.question_id(self.server), "")
        return AddressFacts(location, mine, foreign, first, choices.notes, ways, answer)

    def plan(self, facts: AddressFacts) -> Plan:
        if facts.foreign:
            return Plan(
                hold=Failed(
                    f"Hetzner has an address {facts.foreign} that this migration did not make",
                    ("Rename it in the console, then run again.",),
                    Refusal.NOT_OURS,
                )
            )
        if not facts.location:
            why = f"Nothing that is wished for {self.server.name} can be ordered: {' '.join(facts.notes)}"
            # One that a machine has would be a place to order at: these wait for none any more.
            return optional.given_up(self.server, Failed(why, facts.ways), idle=bool(facts.ours))
        if facts.choice is not None and not facts.ours:
            hold = optional.asked_first(self.server, facts.choice, facts.answer)
            if hold is not None:
                return Plan(hold=hold)
        present = {ip.type for ip in facts.ours if ip.location == facts.location}
        missing = [kind for kind in kinds(self.server) if kind not in present]
        return Plan(tuple(self._change(kind, facts) for kind in missing))

    def _change(self, kind: str, facts: AddressFacts) -> Change:
        price = facts.choice.address if facts.choice and kind == "ipv4" else None
        return Change(
            Kind.CREATE,
            f"address:{kind}",
            f"{'IPv4' if kind == 'ipv4' else 'IPv6'} address for {self.server.name}",
            after=f"in {facts.location}",
            why="it stays when the machine is rebuilt, so DNS need not move again",
            way_back=self.way_back,
            monthly=facts.choice.money(price) if facts.choice and price else None,
            payload=(kind, facts.location),
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        from wizard.clients.hetzner.errors import LimitError

        if change.key == "release":
            await release(ctx, self.server)
            raise Skipped(change.payload.why)
        try:
            if change.kind is Kind.DELETE:
                await ctx.world.hetzner.delete_primary_ip(change.payload)
            else:
                kind, location = change.payload
                await ensure_address(ctx, self.server.name, kind, location)
        except LimitError as error:
            if self.server.optional:
                await release(ctx, self.server)
                raise Skipped(optional.left_out(self.server, optional.because(error))) from error
            raise
        await note_billed(ctx, self.server.name)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts = await self.observe(ctx)
        return [self._check(kind, facts, ctx.now()) for kind in kinds(self.server)]

    def _check(self, kind: str, facts: AddressFacts, at: float) -> Check:
        ip = next((ip for ip in facts.ours if ip.type == kind and ip.location == facts.location), None)
        kept = ip is not None and not ip.auto_delete
        return check(
            kind,
            f"{self.server.name} has an {kind.replace('ip', 'IP')} address that outlives its machine",
            kept,
            seen=f"{ip.ip} in {ip.location}{'' if kept else ', deleted with the server'}" if ip else "none",
            vantage=HETZNER,
            at=at,
            advice="Run the step again, or turn off auto delete in the console.",
        )

    async def undo(self, ctx: Context) -> Plan:
        facts = await self.observe(ctx)
        if any(ip.assignee is not None for ip in facts.ours):
            return Plan(
                hold=Failed(
                    f"{self.server.name} still has its addresses",
                    (f"Undo provision.{self.server.name}.server first.",),
                )
            )
        return Plan(
            tuple(
                Change(
                    Kind.DELETE,
                    f"delete:{ip.name}",
                    f"address {ip.ip}",
                    confirm=ip.address,
                    why="an address that was released can't be had back",
                    payload=ip.id,
                )
                for ip in facts.ours
            )
        )


async def ensure_address(ctx: Context, server: str, kind: str, location: str) -> PrimaryIp:
    """Our address of this kind at this place; made if it is missing."""
    from wizard.clients.hetzner.errors import LimitError

    hetzner, config = ctx.world.hetzner, ctx.config
    present = await hetzner.primary_ips()
    for ip in present:
        if ip.type == kind and ip.location == location and naming.ours(ip, config, server):
            return ip
    name = naming.address_name(config, server, kind, location)
    try:
        return await hetzner.create_primary_ip(name, kind, location, naming.labels(config, server))
    except LimitError:
        idle = ", ".join(f"{ip.name} {ip.ip}" for ip in present if ip.assignee is None)
        if idle:
            ctx.output(f"Addresses of the project that no server has, and that count too: {idle}")
        raise


async def release(ctx: Context, server: Server) -> None:
    """Give back the addresses that no machine has: a server that is left out costs nothing."""
    for ip in await ctx.world.hetzner.primary_ips(naming.selector(ctx.config)):
        if ip.assignee is None and naming.ours(ip, ctx.config, server.name):
            await ctx.world.hetzner.delete_primary_ip(ip.id)
            ctx.output(f"Released {ip.ip} in {ip.location}: {server.name} is left out")
    await note_billed(ctx, server.name)


async def note_billed(ctx: Context, server: str) -> None:
    """Write down which of our addresses stand for this server: they cost as long as they do."""
    hetzner, config = ctx.world.hetzner, ctx.config
    pricing = await hetzner.pricing()
    found = []
    for ip in await hetzner.primary_ips(naming.selector(config)):
        if naming.ours(ip, config, server):
            price = pricing.ipv4.get(ip.location) if ip.type == "ipv4" else None
            gross = f"{price.gross:.2f}" if price else ""
            found.append(AddressRecord(ip.name, ip.type, ip.ip, ip.location, gross, pricing.currency))
    ctx.saved.save("billed", BilledAddresses(tuple(found), ctx.now()))
