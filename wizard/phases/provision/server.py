"""provision.<server>.server: a machine is made, found again, or taken over as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import Config, Server
from wizard.engine.check import Check
from wizard.engine.plan import Ask, Change, Failed, Kind, Money, Plan, Refusal
from wizard.engine.step import Context, Phase, Skipped, Step
from wizard.errors import WizardError
from wizard.phases.provision import adoption, machine, naming, optional, proof
from wizard.phases.provision.address import note_billed, nothing_to_order, ranking, release
from wizard.phases.provision.choice import Ranking, monthly
from wizard.records import HostKeyRecord, ServerRecord

if TYPE_CHECKING:
    from wizard.clients.hetzner.models import CloudServer

_UNBORN = ("initializing", "starting", "unknown")


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """`found` has the wished name, whoever made it; `ours` tells whether labels, place and image say us.

    `torso`: it is ours, never came to life within its time, and nobody ever logged in on it. `unnamed` are
    its addresses that don't have the wished reverse name, as (id of the primary IP, address). `idle`: an
    address waits for it.
    """

    found: CloudServer | None
    ours: bool
    mismatch: str
    record: ServerRecord | None
    pinned: bool
    ranking: Ranking
    answer: str
    key_answer: str
    ways: tuple[str, ...] = ()
    torso: bool = False
    unnamed: tuple[tuple[int, str], ...] = ()
    idle: bool = False


class ServerStep(Step[ServerFacts]):
    """Exists before anything is installed anywhere; pinned to a host key that was made here."""

    phase = Phase.PROVISION
    needs: tuple[str, ...]
    keeps = ("billed",)
    way_back = "The server is deleted with all that is on it; its addresses stay until they are released."

    def __init__(self, config: Config, server: Server) -> None:
        self.config, self.server = config, server
        self.id = f"provision.{server.name}.server"
        self.title = f"Server {server.name}"
        shared = ("provision.ssh_key", "provision.network", "provision.firewall")
        self.needs = shared if server.adopt else (*shared, f"provision.{server.name}.address")

    @property
    def wanted_name(self) -> str:
        return self.server.adopt or self.server.name

    async def observe(self, ctx: Context) -> ServerFacts:
        servers = await ctx.world.hetzner.servers(name=self.wanted_name)
        found = servers[0] if servers else None
        ours = found is not None and naming.ours(found, self.config, self.server.name)
        choices = Ranking((), ()) if self.server.adopt else await ranking(ctx, self.server)
        stuck = choices.choices or self.server.adopt or found is not None
        return ServerFacts(
            found=found,
            ours=ours,
            mismatch=self._mismatch(found) if found else "",
            record=ctx.saved.load("server", ServerRecord, step=self.id),
            pinned=ctx.saved.load("host_key", HostKeyRecord, step=self.id) is not None,
            ranking=choices,
            answer=ctx.answers.get(f"{self.id}/foreign", ""),
            key_answer=ctx.answers.get(f"{self.id}/host_key", ""),
            ways=() if stuck else await nothing_to_order(ctx, self.server),
            torso=found is not None and ours and self._is_torso(ctx, found),
            unnamed=await self._unnamed(ctx, found) if found is not None and ours else (),
            idle=self.server.optional and found is None and await self._idle(ctx),
        )

    async def _idle(self, ctx: Context) -> bool:
        ips = await ctx.world.hetzner.primary_ips()
        return any(ip.assignee is None and naming.ours(ip, self.config, self.server.name) for ip in ips)

    def _is_torso(self, ctx: Context, found: CloudServer) -> bool:
        login = f"provision.{self.server.name}.login"
        entered = ctx.saved.load("host_key", HostKeyRecord, step=login) is not None
        late = ctx.now() - found.created > proof.BOOT_LIMIT
        return late and not entered and found.status in _UNBORN

    async def _unnamed(self, ctx: Context, found: CloudServer) -> tuple[tuple[int, str], ...]:
        wished = machine.reverse_name(self.config, self.server)
        ips = await ctx.world.hetzner.primary_ips()
        return tuple(
            (ip.id, ip.address)
            for ip in ips
            if ip.assignee == found.id
            and naming.ours(ip, self.config, self.server.name)
            and ip.reverse.get(ip.address) != wished
        )

    def _mismatch(self, found: CloudServer) -> str:
        if found.location not in self.server.locations:
            return f"it is in {found.location}"
        return f"it runs {found.image}" if found.image != self.server.image else ""

    def plan(self, facts: ServerFacts) -> Plan:
        if facts.found is None:
            return self._plan_new(facts)
        if facts.ours and not facts.mismatch:
            return self._plan_ours(facts, facts.found)
        return self._plan_foreign(facts, facts.found)

    def _plan_new(self, facts: ServerFacts) -> Plan:
        if self.server.adopt:
            absent = Failed(
                f"Hetzner has no server {self.server.adopt}",
                ("Correct `adopt` in the configuration, or leave it out to have one made.",),
                Refusal.NOT_READY,
            )
            return Plan(hold=optional.held(self.server, absent))
        choices = facts.ranking.choices
        if not choices:
            why = f"Nothing that is wished for {self.server.name} can be ordered: "
            refused = Failed(why + " ".join(facts.ranking.notes), facts.ways)
            return optional.given_up(self.server, refused, idle=facts.idle)
        return self._order(facts)

    def _order(self, facts: ServerFacts) -> Plan:
        choices = facts.ranking.choices
        first = choices[0]
        create = Change(
            Kind.CREATE,
            "create",
            f"server {self.server.name}",
            after=f"{first}; {self.server.image}",
            why="a new home for what moves",
            way_back=self.way_back,
            monthly=first.money(first.machine),
            payload=choices,
        )
        notes = [*facts.ranking.notes, *(f"If that can't be had: {choice}." for choice in choices[1:])]
        backups = (self._backups(first.money(first.backups)),) if self.server.backups else ()
        return Plan((create, *backups, self._naming()), tuple(notes))

    def _naming(self) -> Change:
        return Change(
            Kind.UPDATE,
            "names",
            f"reverse name of {self.server.name}'s addresses",
            before="Hetzner's own",
            after=machine.reverse_name(self.config, self.server),
            why="mail servers and logs of others show who the host is",
            way_back="It goes with the addresses.",
        )

    def _plan_ours(self, facts: ServerFacts, found: CloudServer) -> Plan:
        if facts.torso and facts.ranking.choices:
            torso = Change(
                Kind.DELETE,
                "torso",
                f"server {found.name}",
                before=f"{found.status} since more than {proof.BOOT_LIMIT / 60:.0f} minutes",
                why="it never came to life, and nobody ever logged in on it",
                payload=found.id,
            )
            again = self._order(facts)
            return Plan((torso, *again.changes), again.notes)
        if not facts.pinned:
            return Plan(
                hold=Failed(
                    f"Server {found.name} is ours, but the host key that was put into it is no longer known",
                    ("Delete it in the console (nothing is on it yet), then run again.",),
                )
            )
        changes = []
        if facts.record is None or facts.record.server_id != found.id:
            changes.append(
                Change(
                    Kind.UPDATE,
                    "adopt",
                    f"server {found.name}",
                    before="made by an earlier run that did not end",
                    after=f"{found.type} in {found.location}, {found.ipv4}",
                    payload=found.id,
                )
            )
        if self.server.backups and not found.backups:
            changes.append(self._backups(None))
        if facts.unnamed:
            changes.append(self._naming())
        return Plan(tuple(changes))

    def _backups(self, price: Money | None) -> Change:
        return Change(
            Kind.UPDATE,
            "backups",
            f"backups of {self.server.name}",
            before="off",
            after="daily, seven kept, deleted with the server",
            way_back="Turned off again; kept images are deleted.",
            monthly=price,
        )

    def _plan_foreign(self, facts: ServerFacts, found: CloudServer) -> Plan:
        if facts.record is not None and facts.record.server_id == found.id:
            return Plan()
        if not self.server.adopt and facts.answer != adoption.ADOPT:
            if facts.answer == adoption.STOP:
                return Plan(
                    hold=Failed(
                        f"The name {found.name} is taken by a server that this migration did not make",
                        ("Rename that server in the console, or ours in the configuration, then run again.",),
                        Refusal.NOT_OURS,
                        answer=f"{self.id}/foreign",
                    )
                )
            return Plan(hold=Ask(adoption.foreign(self.id, found, facts.mismatch)))
        if not facts.key_answer:
            return Plan(hold=Ask(adoption.host_key(self.id, found)))
        return Plan(
            (
                Change(
                    Kind.UPDATE,
                    "take_over",
                    f"server {found.name}",
                    before="made by somebody else",
                    after=f"used as it is: {found.type} in {found.location}, {found.ipv4}",
                    why="nothing at Hetzner is changed about it",
                    way_back="It is left as it is.",
                    payload=(found.id, facts.key_answer),
                ),
            )
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        hetzner = ctx.world.hetzner
        match change.key:
            case "create":
                await self._save(ctx, await self._create(ctx, change))
            case "release":
                await release(ctx, self.server)
                raise Skipped(change.payload.why)
            case "torso":
                await hetzner.delete_server(change.payload)
            case "names":
                name = machine.reverse_name(self.config, self.server)
                for number, address in await self._unnamed(ctx, await self._mine(ctx)):
                    await hetzner.name_address(number, address, name)
            case "backups":
                await hetzner.enable_backups((await self._mine(ctx)).id, True)
            case "adopt":
                await self._save(ctx, await self._mine(ctx))
            case "take_over":
                _, public_key = change.payload
                ctx.saved.save("host_key", HostKeyRecord(adoption.clean_key(public_key)))
                await self._save(ctx, await self._mine(ctx), adopted=True)
            case "delete":
                await hetzner.delete_server(change.payload)
                await ctx.world.secrets.drop(machine.host_key_secret(self.server.name))
                for name in ("server", "host_key"):
                    ctx.saved.drop(name)
                await note_billed(ctx, self.server.name)
            case "forget":
                for name in ("server", "host_key"):
                    ctx.saved.drop(name)

    async def _create(self, ctx: Context, change: Change) -> CloudServer:
        """Raises Skipped for an optional server that can't be had; then nothing of it is left."""
        from wizard.clients.hetzner.errors import CapacityError, LimitError, PlacementError

        try:
            return await machine.create(ctx, self.config, self.server, change.payload)
        except (CapacityError, LimitError, PlacementError) as error:
            if not self.server.optional:
                raise
            await release(ctx, self.server)
            raise Skipped(optional.left_out(self.server, optional.because(error))) from error

    async def _mine(self, ctx: Context) -> CloudServer:
        servers = await ctx.world.hetzner.servers(name=self.wanted_name)
        if not servers:
            raise WizardError(f"Server {self.wanted_name} is gone", next="Run again: it is made anew.")
        return servers[0]

    async def _save(self, ctx: Context, made: CloudServer, *, adopted: bool = False) -> None:
        hetzner = ctx.world.hetzner
        price = monthly(
            made.type,
            made.location,
            await hetzner.server_types(),
            await hetzner.pricing(),
            backups=made.backups or self.server.backups,
            ipv4=bool(made.ipv4),
        )
        ctx.saved.save(
            "server",
            ServerRecord(
                name=made.name,
                server_id=made.id,
                type=made.type,
                location=made.location,
                ipv4=made.ipv4,
                ipv6=made.ipv6,
                private_ip=made.private_ip,
                adopted=adopted,
                monthly_gross=f"{price.amount:.2f}" if price else "",
                currency=price.currency if price else "EUR",
            ),
        )

    async def verify(self, ctx: Context) -> Sequence[Check]:
        record, hetzner, now = ctx.saved.load("server", ServerRecord), ctx.world.hetzner, ctx.now()
        found = await hetzner.server(record.server_id) if record else None
        if record is None or found is None:
            return (proof.absent(self.server.name, now),)
        checks = [proof.running(self.server.name, found, now), proof.addresses(record, found, now)]
        if record.adopted:
            return checks
        mine = naming.by_name(await hetzner.firewalls(), naming.firewall_name(self.config, self.server.name))
        unnamed = [address for _, address in await self._unnamed(ctx, found)]
        wished = machine.reverse_name(self.config, self.server)
        checks.append(proof.guarded(self.server.name, found, mine, now))
        checks.append(proof.named(self.server.name, wished, unnamed, now))
        if self.server.backups:
            checks.append(proof.backed_up(self.server.name, found, now))
        return checks

    async def undo(self, ctx: Context) -> Plan:
        record = ctx.saved.load("server", ServerRecord)
        found = await ctx.world.hetzner.server(record.server_id) if record else None
        if record is None or found is None:
            return Plan()
        if record.adopted:
            return Plan((Change(Kind.UPDATE, "forget", f"server {found.name}", after="left as it is"),))
        if found.protected:
            return Plan(
                hold=Failed(f"{found.name} is protected from deletion", ("Undo settle.protection first.",))
            )
        return Plan(
            (
                Change(
                    Kind.DELETE,
                    "delete",
                    f"server {found.name}",
                    before=f"{found.type} in {found.location}, {found.ipv4}",
                    why="all that is on it is lost",
                    way_back="none: only a backup elsewhere brings data back",
                    confirm=found.name,
                    payload=found.id,
                ),
            )
        )
