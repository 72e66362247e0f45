"""settle.protection: what DNS points at can't be deleted by a slip; the panel's port closes, if wished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import Config
from wizard.engine.check import Check, check
from wizard.engine.plan import Change, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.phases.hosts import left_out
from wizard.phases.provision import naming, rules
from wizard.records import ServerRecord

if TYPE_CHECKING:
    from wizard.clients.hetzner.models import CloudServer, Firewall, PrimaryIp

HETZNER = "Hetzner's API"


@dataclass(frozen=True, slots=True)
class Guarded:
    """One server of ours with what belongs to it."""

    name: str
    server: CloudServer
    ips: tuple[PrimaryIp, ...]
    firewall: Firewall | None


@dataclass(frozen=True, slots=True)
class Target:
    """What a change is about; `on` is the wished state."""

    id: int
    on: bool


class Protection(Step[tuple[Guarded, ...]]):
    id = "settle.protection"
    title = "Protection from deletion"
    phase = Phase.SETTLE
    way_back = "Protection is turned off again; nothing else changes."

    def __init__(self, config: Config) -> None:
        self.config = config
        self.servers = tuple(
            server
            for server in config.servers
            if not server.outside and (server.protect or server.close_panel_port)
        )

    async def observe(self, ctx: Context) -> tuple[Guarded, ...]:
        if not self.servers:
            return ()
        hetzner = ctx.world.hetzner
        ips, firewalls = await hetzner.primary_ips(), await hetzner.firewalls()
        found: list[Guarded] = []
        for wish in self.servers:
            record = ctx.saved.load("server", ServerRecord, step=f"provision.{wish.name}.server")
            server = await hetzner.server(record.server_id) if record else None
            if server is None:
                continue
            mine = tuple(ip for ip in ips if ip.assignee == server.id)
            firewall = naming.by_name(firewalls, naming.firewall_name(self.config, wish.name))
            found.append(Guarded(wish.name, server, mine, firewall))
        return tuple(found)

    def plan(self, facts: tuple[Guarded, ...]) -> Plan:
        changes: list[Change] = []
        for one in facts:
            wish = self.config.server(one.name)
            if wish.protect and not one.server.protected:
                changes.append(self._protect("server", one.name, one.server.name, one.server.id))
            if wish.protect:
                changes += [
                    self._protect("address", f"{one.name}:{ip.type}", ip.ip, ip.id)
                    for ip in one.ips
                    if not ip.protected
                ]
            if wish.close_panel_port and one.firewall is not None and _panel_open(one.firewall):
                changes.append(
                    Change(
                        Kind.UPDATE,
                        f"close:{one.name}",
                        f"Cloud Firewall {one.firewall.name}",
                        before=f"port {rules.PANEL_PORT} for the operator",
                        after=f"port {rules.PANEL_PORT} for nobody",
                        why="the panel is reached by its own domain, or through SSH",
                        way_back="dokploy-wizard allow-me opens it again for your address",
                        payload=one.firewall,
                    )
                )
        return Plan(tuple(changes))

    def _protect(self, kind: str, key: str, name: str, number: int) -> Change:
        return Change(
            Kind.UPDATE,
            f"protect:{kind}:{key}",
            f"{kind} {name}",
            before="can be deleted",
            after="protected from deletion",
            why="visitors depend on it now",
            way_back=self.way_back,
            payload=Target(number, True),
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        hetzner = ctx.world.hetzner
        if change.key.startswith("close:"):
            firewall: Firewall = change.payload
            kept = [rule for rule in firewall.rules if rule.port != str(rules.PANEL_PORT)]
            await hetzner.set_rules(firewall.id, kept)
            return
        target: Target = change.payload
        if ":server:" in change.key:
            await hetzner.protect_server(target.id, target.on)
        else:
            await hetzner.protect_primary_ip(target.id, target.on)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts, now = await self.observe(ctx), ctx.now()
        by_server = {one.name: one for one in facts}
        present = [server.name for server in self.servers if not left_out(ctx, server)]
        checks = [self._check(name, by_server.get(name), now) for name in present]
        if checks:
            return checks
        seen = "protect = false" if self.config.buys else "no server is at Hetzner"
        return (check("none", "no protection is wished", True, seen=seen, vantage="config", at=now),)

    def _check(self, name: str, one: Guarded | None, at: float) -> Check:
        wish = self.config.server(name)
        loose = [one.server.name] if one and wish.protect and not one.server.protected else []
        loose += [ip.ip for ip in one.ips if not ip.protected] if one and wish.protect else []
        if one and wish.close_panel_port and one.firewall and _panel_open(one.firewall):
            loose.append(f"port {rules.PANEL_PORT}")
        seen = f"not guarded: {', '.join(loose)}" if loose else "guarded"
        return check(
            name,
            f"{name} and its addresses are guarded as wished",
            one is not None and not loose,
            seen=seen if one else "no such server",
            vantage=HETZNER,
            at=at,
            advice="Run this step again.",
        )

    async def undo(self, ctx: Context) -> Plan:
        changes: list[Change] = []
        for one in await self.observe(ctx):
            things = [("server", one.name, one.server.name, one.server.id, one.server.protected)]
            things += [("address", f"{one.name}:{ip.type}", ip.ip, ip.id, ip.protected) for ip in one.ips]
            changes += [
                Change(
                    Kind.UPDATE,
                    f"release:{kind}:{key}",
                    f"{kind} {name}",
                    before="protected from deletion",
                    after="can be deleted",
                    payload=Target(number, False),
                )
                for kind, key, name, number, protected in things
                if protected
            ]
        return Plan(tuple(changes))


def _panel_open(firewall: Firewall) -> bool:
    return any(rule.port == str(rules.PANEL_PORT) for rule in firewall.rules)
