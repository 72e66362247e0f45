"""firewall.<server>.cloud: the layer off the host, which holds for what Docker publishes too.

Its undo needs the API alone, so it works when nobody gets in over SSH any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import Config, Server
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Change, Failed, Kind, Plan, Refusal
from wizard.engine.step import Context, Phase, Step
from wizard.errors import UnreachableError, WizardError
from wizard.phases.hosts import new_host_target, server_record
from wizard.phases.operator_address import seen_from
from wizard.phases.provision import naming, rules

if TYPE_CHECKING:
    from wizard.clients.hetzner.models import Firewall, Rule

HETZNER = "Hetzner's API"


@dataclass(frozen=True, slots=True)
class SavedRule:
    protocol: str
    port: str
    sources: tuple[str, ...]
    description: str
    direction: str
    destinations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RulesBefore:
    """The rules as they were before the first change of ours."""

    rules: tuple[SavedRule, ...]


@dataclass(frozen=True, slots=True)
class CloudFacts:
    """`operator`: addresses that the server saw us come from. `server_id` is who must be protected."""

    firewall: Firewall | None
    ours: bool
    operator: tuple[str, ...]
    server_id: int
    name: str
    shut_out: str = ""
    """Why nobody gets in over SSH since our rules are in force; "" when somebody does."""


class CloudFirewall(Step[CloudFacts]):
    phase = Phase.FIREWALL
    way_back = "The rules of before are set again, by the API alone: it works even when SSH does not."

    def __init__(self, server: Server, config: Config) -> None:
        self.server, self.config = server, config
        self.id = f"firewall.{server.name}.cloud"
        self.title = f"Cloud Firewall of {server.name}"
        self.name = naming.firewall_name(config, server.name)

    async def observe(self, ctx: Context) -> CloudFacts:
        record = server_record(ctx, self.server.name)
        found = naming.by_name(await ctx.world.hetzner.firewalls(), self.name)
        ours = found is None or naming.ours(found, self.config)
        try:
            operator, shut_out = await seen_from(ctx, self.server.name), ""
        except UnreachableError as error:
            if ctx.saved.load("before", RulesBefore) is None:
                raise
            operator, shut_out = (), error.what
        return CloudFacts(found, ours, operator, record.server_id, self.name, shut_out)

    def _wished(self, operator: Sequence[str]) -> tuple[Rule, ...]:
        return rules.wished_rules(operator, panel=not self.server.panel_for_nobody)

    def plan(self, facts: CloudFacts) -> Plan:
        if not facts.ours:
            return Plan(
                hold=Failed(
                    f"Hetzner has a Cloud Firewall {facts.name} that this migration did not make",
                    ("Rename it in the console, then run again.",),
                    Refusal.NOT_OURS,
                )
            )
        if facts.shut_out:
            return Plan(
                hold=Failed(
                    f"Nobody gets in to {self.server.name} since its rules were changed: {facts.shut_out}",
                    (
                        f"dokploy-wizard undo {self.id} sets the rules of before by the API alone.",
                        "If the machine itself is down: look at it in the Hetzner console, then run again.",
                    ),
                )
            )
        wished, changes = self._wished(facts.operator), []
        if facts.firewall is None:
            changes.append(self._change(Kind.CREATE, "create", "none: everything is let in", wished))
        elif not rules.same(facts.firewall.rules, wished):
            changes.append(self._change(Kind.UPDATE, "rules", rules.told(facts.firewall.rules), wished))
        if facts.firewall is None or facts.server_id not in facts.firewall.servers:
            changes.append(
                Change(
                    Kind.UPDATE,
                    "attach",
                    f"Cloud Firewall {facts.name}",
                    before=f"not in front of {self.server.name}",
                    after=f"in front of {self.server.name}",
                    why="only what it allows reaches the server",
                    way_back=self.way_back,
                )
            )
        shared = _shared(facts.operator) if changes and not self.server.panel_for_nobody else ""
        return Plan(tuple(changes), (shared,) if shared else ())

    def _change(self, kind: Kind, key: str, before: str, wished: Sequence[Rule]) -> Change:
        return Change(
            kind,
            key,
            f"Cloud Firewall {self.name}",
            before=before,
            after=rules.told(wished),
            why="the panel's port is for you alone; Docker can't open it past this layer",
            way_back=self.way_back,
            payload=tuple(wished),
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        hetzner, record = ctx.world.hetzner, server_record(ctx, self.server.name)
        if change.key == "create":
            labels = naming.labels(self.config, self.server.name)
            await hetzner.create_firewall(self.name, change.payload, labels)
            return
        firewall = await self._firewall(ctx)
        match change.key:
            case "rules":
                await self._set(ctx, firewall, change.payload)
            case "attach":
                await hetzner.apply_firewall(firewall.id, record.server_id)
                await self._prove_or(ctx, lambda: hetzner.remove_firewall(firewall.id, record.server_id))
            case "restore":
                await hetzner.set_rules(firewall.id, change.payload)
                ctx.saved.drop("before")

    async def _firewall(self, ctx: Context) -> Firewall:
        found = naming.by_name(await ctx.world.hetzner.firewalls(), self.name)
        if found is None:
            raise WizardError(f"The Cloud Firewall {self.name} is gone", next="Run again: it is made anew.")
        return found

    async def _set(self, ctx: Context, firewall: Firewall, wished: Sequence[Rule]) -> None:
        """Write down what was, change, and prove by a new connection that we still get in."""
        if ctx.saved.load("before", RulesBefore) is None:
            ctx.saved.save("before", RulesBefore(tuple(map(_saved, firewall.rules))))
            ctx.backup(f"cloud-firewall-{self.server.name}.txt", rules.told(firewall.rules) + "\n")
        hetzner = ctx.world.hetzner
        await hetzner.set_rules(firewall.id, wished)
        await self._prove_or(ctx, lambda: hetzner.set_rules(firewall.id, firewall.rules))

    async def _prove_or(self, ctx: Context, back: Callable[[], Awaitable[None]]) -> None:
        """The connection that stands is no evidence: it survives a lock-out."""
        try:
            await self._connect_anew(ctx)
        except WizardError as error:
            await back()
            raise WizardError(
                f"With the new rules nobody got in to {self.server.name}: the old ones are back",
                error.what,
                "Check that SSH's port is 22 and that this address is the one you come from.",
            ) from error

    async def _connect_anew(self, ctx: Context) -> str:
        client = ctx.world.ssh.fresh(await new_host_target(ctx, self.server.name))
        try:
            await client.connect()
            return f"{client.target.address} port {client.target.port} let us in"
        finally:
            await client.aclose()

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts, name = await self.observe(ctx), self.server.name
        wished, now = self._wished(facts.operator), ctx.now()
        found = facts.firewall
        return (
            check(
                "rules",
                f"the Cloud Firewall of {name} lets in what the document allows, and nothing else",
                found is not None and rules.same(found.rules, wished),
                seen=rules.told(found.rules) if found else "there is none",
                vantage=HETZNER,
                at=now,
                advice="If your address changed: dokploy-wizard allow-me. Otherwise run this step again.",
            ),
            check(
                "attached",
                f"it stands in front of {name}",
                found is not None and facts.server_id in found.servers,
                seen=f"{len(found.servers) if found else 0} servers behind it",
                vantage=HETZNER,
                at=now,
                advice="Run this step again.",
            ),
            await self._way_in(ctx),
        )

    async def _way_in(self, ctx: Context) -> Check:
        question = f"a new connection to {self.server.name} still gets in"
        try:
            seen = await self._connect_anew(ctx)
        except WizardError as error:
            evidence = Evidence(error.what, "here, a new connection", ctx.now())
            return Check("way_in", question, CheckState.FAILED, evidence, "dokploy-wizard allow-me")
        return check("way_in", question, True, seen=seen, vantage="here, a new connection", at=ctx.now())

    async def undo(self, ctx: Context) -> Plan:
        before = ctx.saved.load("before", RulesBefore)
        if before is None:
            return Plan()
        restored = tuple(_restored(rule) for rule in before.rules)
        return Plan((self._change(Kind.UPDATE, "restore", "ours", restored),))


def _shared(operator: Sequence[str]) -> str:
    """What a server can't see: who else comes from the operator's address, and how long it will be theirs."""
    if not operator:
        return ""
    return (
        f"The panel's port is for {' and '.join(operator)}, as the server sees you. With a VPN, a jump host, "
        "an office or a provider that shares addresses (CGNAT), all who share it may knock there too; if it "
        "changes, `dokploy-wizard allow-me` lets you in again."
    )


def _saved(rule: Rule) -> SavedRule:
    return SavedRule(
        rule.protocol, rule.port, rule.sources, rule.description, rule.direction, rule.destinations
    )


def _restored(rule: SavedRule) -> Rule:
    from wizard.clients.hetzner.models import Rule

    return Rule(rule.protocol, rule.port, rule.sources, rule.description, rule.direction, rule.destinations)
