"""firewall.<server>.published: the panel's port is published no more; its own domain is the only door.

The strongest of the layers: what nobody publishes needs nobody to close it. The wizard's own way goes
through SSH as before, to the host's proxy instead of to the port.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import Server
from wizard.engine.check import Check, CheckState, Evidence
from wizard.engine.plan import Change, Failed, Kind, Plan, Refusal
from wizard.engine.step import Context, Phase, Step
from wizard.errors import UnreachableError
from wizard.phases.hosts import new_host, new_host_target
from wizard.phases.panels import Unpublished
from wizard.phases.provision.rules import PANEL_PORT

if TYPE_CHECKING:
    from wizard.clients.ssh import HostClient

SERVICE = "dokploy"
_PORT = f"published={PANEL_PORT},target={PANEL_PORT},mode=host"
_RESTARTS_WITHIN = 300.0
_ASK_AGAIN = 5.0
_CONVERGES_WITHIN = 300.0
"""Real seconds: the panel's task is stopped and started anew."""


@dataclass(frozen=True, slots=True)
class PublishedFacts:
    """`published`: Docker's word. `door` tells why the domain does not lead to the panel; "" when it does."""

    published: bool
    recorded: bool
    door: str = ""


class PublishedPort(Step[PublishedFacts]):
    phase = Phase.FIREWALL
    way_back = "The port is published again; the panel restarts, which takes half a minute."

    def __init__(self, server: Server) -> None:
        self.server = server
        self.id = f"firewall.{server.name}.published"
        self.title = f"Panel of {server.name}, by its domain alone"
        self.needs = (f"firewall.{server.name}.host",)

    async def observe(self, ctx: Context) -> PublishedFacts:
        host = await new_host(ctx, self.server.name)
        recorded = ctx.saved.load("unpublished", Unpublished) is not None
        published = await _is_published(host)
        # While it restarts the door is shut for a moment: only before the change it must be open.
        door = "" if recorded else await self._door(ctx)
        return PublishedFacts(published, recorded, door)

    async def _door(self, ctx: Context) -> str:
        """Why the panel is not reached at its domain, through SSH and the host's proxy; "" when it is."""
        target = await new_host_target(ctx, self.server.name)
        try:
            healthy = await ctx.world.panels.door(target, self.server.panel_domain).healthy()
        except UnreachableError as error:
            return f"{error.what}: {error.why}" if error.why else error.what
        return "" if healthy else "its proxy answers, the panel does not"

    def plan(self, facts: PublishedFacts) -> Plan:
        name, domain = self.server.name, self.server.panel_domain
        if not facts.published and facts.recorded:
            return Plan()
        if facts.door:
            return Plan(
                hold=Failed(
                    f"Without its port the panel of {name} would have no door: {domain} does not lead to it "
                    f"({facts.door})",
                    (
                        f"dokploy-wizard verify provision.{name}.account tells what is missing.",
                        "Or leave the port published: take unpublish_panel_port out of the configuration.",
                    ),
                    Refusal.NOT_READY,
                )
            )
        unpublish = Change(
            Kind.UPDATE,
            "unpublish",
            f"port {PANEL_PORT} of the panel of {name}",
            before="published by Docker on every address" if facts.published else "not published any more",
            after=f"not published: https://{domain} is the only door, for you and for this wizard",
            why="what is not published needs no rule to close it; the panel restarts for it",
            way_back=self.way_back,
        )
        return Plan((unpublish,))

    async def apply(self, change: Change, ctx: Context) -> None:
        from wizard.clients import commands

        host = await new_host(ctx, self.server.name)
        out = change.key == "unpublish"
        if out:
            # Before the change: the domain leads to the panel already, the port will not any more.
            ctx.saved.save("unpublished", Unpublished(self.server.panel_domain, ctx.now()))
        if await _is_published(host) == out:
            words = ("service", "update", "--publish-rm" if out else "--publish-add", _PORT, SERVICE)
            await host.run(commands.docker(*words), timeout=_CONVERGES_WITHIN)
        if not out:
            ctx.saved.drop("unpublished")

    async def verify(self, ctx: Context) -> Sequence[Check]:
        from wizard.clients import commands

        name, domain = self.server.name, self.server.panel_domain
        host = await new_host(ctx, name)
        published = await _is_published(host)
        said = (await host.run(commands.probe(3, (("127.0.0.1", PANEL_PORT),)))).stdout.strip()
        door = await self._door(ctx)
        anew, here = "Run this step again.", f"operator, through SSH to {name}"
        word = "published" if published else "no published port"
        healthy = "/api/health: ok, with a trusted certificate of that name"
        back = f"dokploy-wizard undo {self.id} publishes it again."
        return (
            self._check(ctx, "published", f"Docker publishes no port of the panel of {name}",
                        not published, f"service {SERVICE}: {word}", name, anew),
            self._check(ctx, "closed", f"nothing answers on port {PANEL_PORT} of {name}, asked on it itself",
                        said.endswith("refused"), said or "no answer", name, anew),
            self._check(ctx, "door", f"the panel of {name} is reached at {domain}, through SSH",
                        not door, door or healthy, here, back),
        )  # fmt: skip

    def _check(
        self, ctx: Context, check: str, question: str, good: bool, seen: str, vantage: str, advice: str
    ) -> Check:
        """Pending while the panel may still be restarting."""
        evidence = Evidence(seen, vantage, ctx.now())
        record = ctx.saved.load("unpublished", Unpublished)
        if good:
            return Check(check, question, CheckState.PASSED, evidence)
        if record is not None and ctx.now() < record.at + _RESTARTS_WITHIN:
            return Check(check, question, CheckState.PENDING, evidence, again=ctx.now() + _ASK_AGAIN)
        return Check(check, question, CheckState.FAILED, evidence, advice)

    async def undo(self, ctx: Context) -> Plan:
        if ctx.saved.load("unpublished", Unpublished) is None:
            return Plan()
        publish = Change(
            Kind.UPDATE,
            "publish",
            f"port {PANEL_PORT} of the panel of {self.server.name}",
            before="not published",
            after="published by Docker again; the firewalls close it to all but you",
        )
        return Plan((publish,))


async def _is_published(host: HostClient) -> bool:
    from wizard.clients import commands

    told = json.loads((await host.run(commands.docker("service", "inspect", SERVICE))).stdout)
    ports = (told[0]["Spec"].get("EndpointSpec") or {}).get("Ports") or ()
    return any(port.get("TargetPort") == PANEL_PORT for port in ports)
