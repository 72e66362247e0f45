"""provision.ssh_key, provision.network, provision.firewall: what all servers share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import Config
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import NOTHING, Change, Failed, Kind, Plan, Refusal
from wizard.engine.step import Context, Phase, Step
from wizard.phases.hosts import LOGIN_KEY
from wizard.phases.provision import naming, rules

if TYPE_CHECKING:
    from wizard.clients.hetzner.models import CloudNetwork, Firewall, PlacementGroup, SshKey
    from wizard.clients.hetzner.transport import Budget

HETZNER = "Hetzner's API"
_LEAST_REQUESTS = 200


@dataclass(frozen=True, slots=True)
class Made:
    """What a step made at Hetzner, by id: for its undo."""

    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyFacts:
    has_key: bool
    registered: SshKey | None
    name_taken: SshKey | None


class SshKeyStep(Step[KeyFacts]):
    """The key that logs in on the new hosts: generated here, its public half at Hetzner."""

    id = "provision.ssh_key"
    title = "Login key for the new hosts"
    phase = Phase.PROVISION
    way_back = "The public key is deleted at Hetzner; hosts that have it keep it."

    def __init__(self, config: Config) -> None:
        self.name = naming.common_name(config)

    async def observe(self, ctx: Context) -> KeyFacts:
        private = await ctx.world.secrets.get(LOGIN_KEY)
        keys = await ctx.world.hetzner.ssh_keys()
        return KeyFacts(
            has_key=private is not None,
            registered=_same_key(keys, private),
            name_taken=naming.by_name(keys, self.name),
        )

    def plan(self, facts: KeyFacts) -> Plan:
        if facts.registered is not None:
            return NOTHING
        if facts.name_taken is not None and facts.has_key:
            return Plan(
                hold=Failed(
                    f"Hetzner holds another SSH key under the name {self.name}",
                    ("Delete it in the console (Security → SSH keys), then run again.",),
                    Refusal.NOT_OURS,
                )
            )
        before = "none" if not facts.has_key else "only here"
        return Plan(
            (
                Change(
                    Kind.CREATE,
                    "key",
                    f"SSH key {self.name}",
                    before=before,
                    after="ed25519; the private half stays in your secret store",
                    why="the wizard logs in with a key of its own; this also shows that the token may write",
                    way_back=self.way_back,
                ),
            )
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        from wizard.clients.ssh import generate_key, public_key_of

        hetzner = ctx.world.hetzner
        if change.kind is Kind.DELETE:
            for number in change.payload.ids:
                await hetzner.delete_ssh_key(number)
            ctx.saved.drop("made")
            return
        private = await ctx.world.secrets.get(LOGIN_KEY)
        if private is None:
            private, _ = generate_key(self.name)
            await ctx.world.secrets.put(LOGIN_KEY, private)
        key = _same_key(await hetzner.ssh_keys(), private)
        if key is None:
            key = await hetzner.create_ssh_key(
                self.name, public_key_of(private), naming.labels(ctx.config, "login")
            )
        ctx.saved.save("made", Made((key.id,)))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        key = _same_key(await ctx.world.hetzner.ssh_keys(), await ctx.world.secrets.get(LOGIN_KEY))
        budget = ctx.world.hetzner.budget
        return (
            *((_room(budget, ctx.now()),) if budget else ()),
            check(
                "registered",
                "Hetzner gives new hosts the key that is in the secret store",
                key is not None,
                seen=f"{key.name}, MD5 {key.fingerprint}" if key else "no such key",
                vantage=HETZNER,
                at=ctx.now(),
                advice="Run the step again.",
            ),
        )

    async def undo(self, ctx: Context) -> Plan:
        made = ctx.saved.load("made", Made)
        if made is None:
            return NOTHING
        return Plan((Change(Kind.DELETE, "delete-key", f"SSH key {self.name} at Hetzner", payload=made),))


def _room(budget: Budget, at: float) -> Check:
    """The limit refills by one request a second: too little of it is only a matter of time."""
    enough = budget.remaining >= _LEAST_REQUESTS
    return Check(
        "requests",
        "Hetzner's limit leaves room for the requests to come",
        CheckState.PASSED if enough else CheckState.PENDING,
        Evidence(f"{budget.remaining} of {budget.limit} requests an hour are left", HETZNER, at),
        "" if enough else "Other tools use the same project's limit: this goes on by itself.",
        None if enough else at + _LEAST_REQUESTS - budget.remaining,
    )


def _same_key(keys: Sequence[SshKey], private: str | None) -> SshKey | None:
    from wizard.clients.ssh import public_key_of

    if private is None:
        return None
    blob = public_key_of(private).split()[1]
    return next((key for key in keys if key.public_key.split()[1:2] == [blob]), None)


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    network: CloudNetwork | None
    group: PlacementGroup | None
    foreign: str


class NetworkStep(Step[NetworkFacts]):
    """Private network and placement group; made before the servers, which join at creation."""

    id = "provision.network"
    title = "Private network"
    phase = Phase.PROVISION
    needs = ("provision.ssh_key",)
    way_back = "Network and placement group are deleted once no server is in them; both cost nothing."

    def __init__(self, config: Config) -> None:
        self.config = config
        self.name = naming.common_name(config)

    async def observe(self, ctx: Context) -> NetworkFacts:
        hetzner, wish = ctx.world.hetzner, self.config.network
        network = naming.by_name(await hetzner.networks(), self.name) if wish.enabled else None
        group = naming.by_name(await hetzner.placement_groups(), self.name) if wish.placement_group else None
        foreign = [
            f"{kind} {thing.name}"
            for kind, thing in (("network", network), ("placement group", group))
            if thing is not None and not naming.ours(thing, self.config)
        ]
        if network is not None and network.range != wish.range:
            foreign.append(f"network {network.name} with the range {network.range} instead of {wish.range}")
        return NetworkFacts(network, group, ", ".join(foreign))

    def plan(self, facts: NetworkFacts) -> Plan:
        if facts.foreign:
            return Plan(
                hold=Failed(
                    f"Hetzner has a {facts.foreign} that this migration did not make",
                    ("Rename or delete it in the console, then run again.",),
                    Refusal.NOT_OURS,
                )
            )
        wish, changes = self.config.network, []
        if wish.enabled and facts.network is None:
            changes.append(
                Change(
                    Kind.CREATE,
                    "network",
                    f"network {self.name}",
                    after=f"{wish.range} in {wish.zone}",
                    why="the new hosts can reach each other without the internet; Cloud Firewalls do not "
                    "filter it, so the hosts' own firewall does",
                    way_back=self.way_back,
                )
            )
        if wish.placement_group and facts.group is None:
            changes.append(
                Change(
                    Kind.CREATE,
                    "group",
                    f"placement group {self.name}",
                    after="spread",
                    why="no two of the hosts share one machine at Hetzner",
                    way_back=self.way_back,
                )
            )
        return Plan(tuple(changes))

    async def apply(self, change: Change, ctx: Context) -> None:
        hetzner, wish = ctx.world.hetzner, self.config.network
        labels = naming.labels(self.config, "shared")
        match change.key:
            case "network":
                await hetzner.create_network(self.name, wish.range, wish.zone, labels)
            case "group":
                await hetzner.create_placement_group(self.name, labels)
            case "delete-network":
                await hetzner.delete_network(change.payload)
            case "delete-group":
                await hetzner.delete_placement_group(change.payload)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts, wish, now = await self.observe(ctx), self.config.network, ctx.now()
        network = facts.network
        fits = network is not None and network.range == wish.range
        return (
            check(
                "network",
                "the private network is as wished" if wish.enabled else "no private network is wished",
                fits or not wish.enabled,
                seen=f"{network.name}: {network.range}" if network else "none",
                vantage=HETZNER,
                at=now,
                advice="Run the step again.",
            ),
            check(
                "placement_group",
                "the hosts are kept apart" if wish.placement_group else "hosts need not be kept apart",
                facts.group is not None or not wish.placement_group,
                seen=facts.group.name if facts.group else "no placement group",
                vantage=HETZNER,
                at=now,
                advice="Run the step again.",
            ),
        )

    async def undo(self, ctx: Context) -> Plan:
        facts = await self.observe(ctx)
        if facts.foreign:
            return NOTHING
        changes = []
        if facts.group is not None:
            target = f"placement group {self.name}"
            changes.append(Change(Kind.DELETE, "delete-group", target, payload=facts.group.id))
        if facts.network is not None:
            target = f"network {self.name}"
            changes.append(Change(Kind.DELETE, "delete-network", target, payload=facts.network.id))
        return Plan(tuple(changes))


class FirewallStep(Step[tuple["Firewall", ...]]):
    """A Cloud Firewall for each server, made before it: a new server is never open, not for a second."""

    id = "provision.firewall"
    title = "Cloud Firewalls"
    phase = Phase.PROVISION
    needs = ("provision.ssh_key",)
    way_back = "The Cloud Firewalls are deleted once no server uses them; they cost nothing."

    def __init__(self, config: Config) -> None:
        self.config = config
        self.servers = tuple(
            server.name for server in config.servers if not server.adopt and not server.outside
        )

    async def observe(self, ctx: Context) -> tuple[Firewall, ...]:
        return await ctx.world.hetzner.firewalls()

    def _name(self, server: str) -> str:
        return naming.firewall_name(self.config, server)

    def plan(self, facts: tuple[Firewall, ...]) -> Plan:
        changes = []
        for server in self.servers:
            found = naming.by_name(facts, self._name(server))
            if found is None:
                changes.append(
                    Change(
                        Kind.CREATE,
                        f"firewall:{server}",
                        f"Cloud Firewall {self._name(server)}",
                        after=rules.told(rules.public_rules()),
                        why=f"attached when {server} is made, so that it is protected from the first packet",
                        way_back=self.way_back,
                        payload=server,
                    )
                )
            elif not naming.ours(found, self.config):
                return Plan(
                    hold=Failed(
                        f"Hetzner has a Cloud Firewall {found.name} that this migration did not make",
                        ("Rename or delete it in the console, then run again.",),
                        Refusal.NOT_OURS,
                    )
                )
        return Plan(tuple(changes))

    async def apply(self, change: Change, ctx: Context) -> None:
        hetzner = ctx.world.hetzner
        if change.kind is Kind.DELETE:
            await hetzner.delete_firewall(change.payload)
            return
        await hetzner.create_firewall(
            self._name(change.payload), rules.public_rules(), naming.labels(self.config, change.payload)
        )

    async def verify(self, ctx: Context) -> Sequence[Check]:
        found = await self.observe(ctx)
        return [
            self._check(naming.by_name(found, self._name(name)), name, ctx.now()) for name in self.servers
        ] or [
            check(
                "none", "every server is adopted", True, seen="none to make", vantage="config", at=ctx.now()
            )
        ]

    def _check(self, firewall: Firewall | None, server: str, at: float) -> Check:
        open_ports = {(rule.protocol, rule.port) for rule in firewall.rules} if firewall else set()
        known = {(rule.protocol, rule.port) for rule in rules.public_rules()}
        return check(
            server,
            f"a Cloud Firewall for {server} exists and lets in SSH, HTTP, HTTPS and ping only",
            firewall is not None and known <= open_ports <= known | {("tcp", str(rules.PANEL_PORT))},
            seen=rules.told(firewall.rules) if firewall else "no such firewall",
            vantage=HETZNER,
            at=at,
            advice="Somebody changed the rules: delete the firewall in the console or set them back.",
        )

    async def undo(self, ctx: Context) -> Plan:
        found = await self.observe(ctx)
        ours = [
            firewall
            for server in self.servers
            if (firewall := naming.by_name(found, self._name(server))) and naming.ours(firewall, self.config)
        ]
        return Plan(
            tuple(
                Change(
                    Kind.DELETE,
                    f"delete:{firewall.name}",
                    f"Cloud Firewall {firewall.name}",
                    payload=firewall.id,
                )
                for firewall in ours
            )
        )
