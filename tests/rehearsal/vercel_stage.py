"""A stage with Vercel, its edge, name servers, caches and a new host: for the client and the steps."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.phases.context import Bench
from tests.rehearsal.small_stage import NEW_API, NEW_WEB, OLD, example
from tests.rehearsal.stage_clock import WizardClock
from wizard.config import Config, Decommission, VercelProject
from wizard.dns.records import ZoneSnapshot, rrset
from wizard.endpoints import Endpoints
from wizard.net import GatewayNet
from wizard.records import ServerRecord
from wizard.rehearsal.acme.standin import AcmeStandin
from wizard.rehearsal.clock import ClockFile, StageClock
from wizard.rehearsal.dns.standin import DnsStandin
from wizard.rehearsal.faults import Faults
from wizard.rehearsal.fronts.standin import Fronts
from wizard.rehearsal.fronts.vercel import VERCEL_ADDRESS
from wizard.rehearsal.git.standin import GitStandin
from wizard.rehearsal.internet import OPERATOR_V4, Internet
from wizard.rehearsal.ledger import Ledger
from wizard.rehearsal.sites import Sites
from wizard.rehearsal.stage import Stage, StageLedger
from wizard.rehearsal.vercel.riches import enrich
from wizard.rehearsal.vercel.standin import VercelStandin
from wizard.rehearsal.vercel.state import REHEARSAL_TOKEN, ProjectState
from wizard.secrets import FileSecrets
from wizard.world import World

ADDRESSES = {"frontend": NEW_WEB, "backend": NEW_API}


def shop(*, team: str = "shop", **decommission: Any) -> Config:
    """The example with its project in a team, variables at build time, and a short soak."""
    base = example()
    web = replace(base.apps[0], build_args=("VITE_API_URL", "VITE_ENV"), dockerfile="web/Dockerfile")
    return replace(
        base,
        apps=(web, *base.apps[1:]),
        vercel=(VercelProject("shop-web", "web", team),),
        decommission=replace(Decommission(soak_days=2.0), **decommission),
    )


@dataclass
class VercelWorld:
    stage: Stage
    world: World
    bench: Bench
    other_records: list[tuple[str, str, str]] = field(default_factory=list)
    """Records besides those of the names that move, as the zone's provider shows them."""

    @property
    def project(self) -> ProjectState:
        return next(iter(self.stage.vercel.state.projects.values()))

    @property
    def zone(self) -> Any:
        return self.stage.dns.zone(self.stage.config.dns.zone)

    def enrich(self) -> None:
        """Give the project one of everything."""
        config = self.stage.config
        enrich(self.stage.vercel.state, self.project, config.apps[0], config, self.stage.clock.now())

    async def flip(self) -> None:
        """Lead the names to the new host and let every cache forget the old one."""
        for name in self.stage.config.apps[0].domains:
            self.zone.put(self._label(name), "A", 60, (NEW_WEB,))
        await self.world.clock.wait_until(self.world.clock.now() + 2 * 86_400)

    async def flip_back(self, name: str) -> None:
        self.zone.put(self._label(name), "A", 60, (VERCEL_ADDRESS,))

    def _label(self, name: str) -> str:
        zone = self.stage.config.dns.zone
        return "@" if name == zone else name.removesuffix(f".{zone}")


class Provider:
    """The zone's provider: only what a look at the whole zone needs."""

    def __init__(self) -> None:
        self.world: VercelWorld | None = None

    async def snapshot(self) -> ZoneSnapshot:
        assert self.world is not None
        rows = self.world.other_records
        zone = self.world.stage.config.dns.zone
        return ZoneSnapshot(zone, tuple(rrset(name, kind, 60, (value,)) for name, kind, value in rows))


@contextlib.asynccontextmanager
async def vercel_world(
    folder: Path,
    *,
    config: Config | None = None,
    token: str = REHEARSAL_TOKEN,
    faults: str = "none",
    speed: float = 600.0,
) -> AsyncIterator[VercelWorld]:
    config = config or shop()
    clock = StageClock(ClockFile(folder / "clock", create=True), 1_790_000_000.0, speed)
    stage = Stage(
        config=config,
        clock=clock,
        random=random.Random(7),
        faults=Faults(faults, 7),
        ledger=StageLedger(clock, Ledger()),
        internet=Internet(),
    )
    stage.sites = Sites(stage, Sites.begin(stage))
    stage.dns = DnsStandin(stage, DnsStandin.begin(stage))
    stage.acme = AcmeStandin(stage, AcmeStandin.begin(stage))
    stage.fronts = Fronts(stage, Fronts.begin(stage))
    stage.git = GitStandin(stage, GitStandin.begin(stage))
    stage.vercel = VercelStandin(stage, VercelStandin.begin(stage))
    gateway = await stage.internet.start()
    parts = (stage.dns, stage.acme, stage.fronts, stage.git, stage.vercel)
    for part in parts:
        await part.start()
    await stage.dns.settle()
    await stage.fronts.settle()
    stage.internet.attach(OLD, stage.fronts.of("old-backend"))
    for app in config.apps:
        front = stage.fronts.of(app.server)
        stage.internet.attach(ADDRESSES[app.server], front)
        front.app_version(app.name, "first")
        for name in app.domains:
            front.give(name, app.name, *stage.acme.issue(name))
    trust = folder / "root.pem"
    trust.write_text(stage.acme.root_pem)
    secrets = FileSecrets(folder / "secrets.json")
    for name, value in {**stage.git.secrets, "VERCEL_TOKEN": token}.items():
        if value:
            await secrets.put(name, value)
    endpoints = stage.dns.endpoints(
        Endpoints(
            vercel=stage.vercel.url,
            github=stage.git.github_url,
            gitlab=stage.git.gitlab_url,
            gateway=gateway,
            trust=str(trust),
        )
    )
    net = GatewayNet(gateway, OPERATOR_V4)
    world = World(config, secrets, endpoints, WizardClock(clock), net, live=False)
    bench = Bench(world, folder)
    for name, address in ADDRESSES.items():
        record = ServerRecord(name, 1, "cx23", "fsn1", address)
        bench.context(f"provision.{name}.server").saved.save("server", record)
    small, provider = VercelWorld(stage, world, bench), Provider()
    provider.world, world.__dict__["dns_provider"] = small, provider
    try:
        yield small
    finally:
        await world.aclose()
        bench.close()
        for part in reversed(parts):
            await part.stop()
        await stage.close()
