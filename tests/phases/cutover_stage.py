"""A stage on which everything up to the cutover is done: name servers, caches, hosts, visitors, certificates.

The panels are doubles; all else is the rehearsal's own and is reached over real sockets.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.phases.context import Bench
from tests.phases.panel_double import PanelDouble
from tests.rehearsal.small_stage import EDGE, NEW_API, NEW_WEB, OLD, Edge, example
from tests.rehearsal.stage_clock import WizardClock
from wizard.clients.ssh import generate_key
from wizard.config import Config, Cutover, DnsProviderName
from wizard.endpoints import Endpoints
from wizard.engine.check import Check, CheckState, Evidence
from wizard.engine.operator import Unattended
from wizard.engine.run import Engine
from wizard.engine.step import Step
from wizard.net import GatewayNet
from wizard.phases.cutover import certificate_panel
from wizard.phases.cutover import steps as cutover
from wizard.phases.cutover.preflight import Preflight
from wizard.phases.prepare.dns_zone import DnsZone
from wizard.records import AppRecord, HostKeyRecord, PanelRecord, ServerRecord, TrialRecord
from wizard.rehearsal.acme.standin import AcmeStandin
from wizard.rehearsal.clock import ClockFile, StageClock
from wizard.rehearsal.dns.standin import DnsStandin
from wizard.rehearsal.faults import Faults
from wizard.rehearsal.fronts.standin import Fronts
from wizard.rehearsal.hetzner.standin import HetznerStandin
from wizard.rehearsal.hosts.standin import Hosts
from wizard.rehearsal.internet import OPERATOR_V4, Internet
from wizard.rehearsal.ledger import Ledger
from wizard.rehearsal.sites import Sites
from wizard.rehearsal.stage import Stage, StageLedger
from wizard.rehearsal.vercel.standin import VercelStandin
from wizard.rehearsal.visitors import Visitors
from wizard.secrets import FileSecrets
from wizard.world import World

ADDRESSES = {"frontend": NEW_WEB, "backend": NEW_API}
SIXES = {"frontend": "2001:db8:113::10", "backend": "2001:db8:113::20"}
__all__ = ["ADDRESSES", "EDGE", "NEW_API", "NEW_WEB", "OLD", "SIXES", "CutoverWorld", "cutover_world"]


@dataclass
class CutoverWorld:
    """`zone` edits the records as somebody at the provider's console would."""

    stage: Stage
    bench: Bench
    panels: dict[str, PanelDouble]

    @property
    def config(self) -> Config:
        return self.stage.config

    @property
    def zone(self) -> Any:
        return self.stage.dns.zone(self.config.dns.zone)

    @property
    def failures(self) -> tuple[str, ...]:
        return self.stage.visitors.failures

    async def now_reads(self, name: str, kind: str = "A") -> list[str]:
        return list(self.stage.dns.lookup(name, kind))


def small_config(**cutover: Any) -> Config:
    return replace(example(), cutover=replace(Cutover(), **cutover))


@contextlib.asynccontextmanager
async def cutover_world(
    folder: Path,
    patch: pytest.MonkeyPatch,
    *,
    config: Config | None = None,
    seed: int = 7,
    speed: float = 40.0,
    faults: str = "none",
    six: bool = True,
) -> AsyncIterator[CutoverWorld]:
    """`six`: whether the operator has a way out over IPv6."""
    config = config or example()
    clock = StageClock(ClockFile(folder / "clock", create=True), 1_790_000_000.0, speed)
    stage = Stage(
        config=config,
        clock=clock,
        random=random.Random(seed),
        faults=Faults(faults, seed),
        ledger=StageLedger(clock, Ledger()),
        internet=Internet(),
    )
    loose: Any = stage
    at_vercel = config.dns.provider is DnsProviderName.VERCEL
    loose.vercel = VercelStandin(stage, VercelStandin.begin(stage)) if at_vercel else Edge()
    stage.sites = Sites(stage, Sites.begin(stage))
    stage.dns = DnsStandin(stage, DnsStandin.begin(stage))
    stage.acme = AcmeStandin(stage, AcmeStandin.begin(stage))
    stage.fronts = Fronts(stage, Fronts.begin(stage))
    stage.hosts = Hosts(stage, Hosts.begin(stage))
    stage.hetzner = HetznerStandin(stage, HetznerStandin.begin(stage))
    stage.visitors = Visitors(stage, Visitors.begin(stage))
    gateway = await stage.internet.start()
    parts: tuple[Any, ...] = (stage.dns, stage.acme, stage.fronts, stage.hosts, stage.hetzner)
    parts = (*parts, stage.vercel) if at_vercel else parts
    for part in parts:
        await part.start()
    await stage.dns.settle()
    await stage.fronts.settle()
    trust = folder / "root.pem"
    trust.write_text(stage.acme.root_pem)
    (folder / "known_hosts").write_text(stage.hosts.known_hosts)
    endpoints = stage.dns.endpoints(
        Endpoints(
            hetzner=stage.hetzner.url,
            vercel=stage.vercel.url if at_vercel else "",
            acme=stage.acme.directory_url,
            acme_staging=stage.acme.staging_url,
            trust=str(trust),
            known_hosts=str(folder / "known_hosts"),
        )
    )
    secrets = FileSecrets(folder / "secrets.json")
    login = generate_key()
    known = {"SSH_LOGIN_KEY": login[0]}
    for part in parts:
        known |= getattr(part, "secrets", {})
    for name, value in known.items():
        await secrets.put(name, value)
    live = World(config, secrets, endpoints, WizardClock(clock), GatewayNet(gateway, OPERATOR_V4, six))
    world = CutoverWorld(stage, Bench(live, folder), {})
    _furnish(world, login[1])
    _double_panels(world, patch)
    await stage.visitors.start()
    try:
        yield world
    finally:
        await stage.visitors.stop()
        await live.aclose()
        world.bench.close()
        for part in reversed(parts):
            await part.stop()
        await stage.close()


def _furnish(world: CutoverWorld, login: str) -> None:
    """New hosts that run the applications, as the phases before leave them."""
    stage, bench = world.stage, world.bench
    for name, address in ADDRESSES.items():
        host = stage.hosts.boot(name, address, SIXES[name], authorized_keys=[login], memory_mb=8192)
        host.state.booted = 0.0
        for port in (80, 443):
            host.state.ports[port] = type(stage.hosts.get("old-backend").state.ports[443])("traefik", True)
        public = host.state.files["/etc/ssh/ssh_host_ed25519_key.pub"].content.decode().strip()
        server = bench.context(f"provision.{name}.server").saved
        server.save("server", ServerRecord(name, 1, "cx23", "fsn1", address, SIXES[name]))
        server.save("host_key", HostKeyRecord(public))
        panel = PanelRecord(name, "v0.30.2", "org", "admin@shop.example")
        bench.context(f"provision.{name}.account").saved.save("panel", panel)
    for app in world.config.apps:
        record = AppRecord(app.name, app.server, "p", "e", f"id-{app.name}", f"{app.name}-x1")
        bench.context(f"apps.{app.name}.create").saved.save("app", record)
        front = stage.fronts.of(app.server)
        front.app_version(app.name, "first")
        trial = f"{app.name}-trial.{ADDRESSES[app.server].replace('.', '-')}.sslip.io"
        front.route(trial, app.name, app.service, False, "none")
        bench.context(f"apps.{app.name}.trial").saved.save("trial", TrialRecord(trial))


def _double_panels(world: CutoverWorld, patch: pytest.MonkeyPatch) -> None:
    loose: Any = world
    world.panels = {name: PanelDouble(loose, name) for name in ADDRESSES}

    async def calls(ctx: Any, server: str) -> PanelDouble:
        return world.panels[server]

    async def data(self: Preflight, ctx: Any) -> list[Check]:
        evidence = Evidence("there is no data in this world", "test", ctx.now())
        return [Check("data.none", "the moved data is served", CheckState.PASSED, evidence)]

    patch.setattr(certificate_panel, "calls", calls)
    patch.setattr("wizard.phases.apps.redeploy.calls", calls)
    patch.setattr(Preflight, "_data", data)


def engine_of(world: CutoverWorld, steps: Sequence[Step[Any]]) -> Engine:
    """The engine over the bench's own progress file, with an operator who agrees to everything."""
    operator = Unattended(yes=True, types_names=True)
    bench = world.bench
    return Engine(steps, bench.world, bench.progress, bench.journal, operator, bench.bus)


def whole(config: Config) -> tuple[Step[Any], ...]:
    """The look at the zone and the cutover."""
    return (DnsZone(config), *cutover.steps(config))
