"""A stage with hosts only, and a world that reaches them as the wizard does."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rehearsal.stage_clock import WizardClock
from wizard.clients.ssh import generate_key
from wizard.config import (
    App,
    AppKind,
    Config,
    Database,
    Dns,
    DnsProviderName,
    EnvSource,
    OldHost,
    Project,
    Server,
    VercelProject,
    Volume,
)
from wizard.endpoints import Endpoints
from wizard.net import GatewayNet
from wizard.rehearsal.clock import ClockFile, StageClock
from wizard.rehearsal.faults import Faults
from wizard.rehearsal.fronts.standin import Fronts
from wizard.rehearsal.hosts.standin import Host, Hosts
from wizard.rehearsal.internet import OPERATOR_V4, Internet
from wizard.rehearsal.ledger import Ledger
from wizard.rehearsal.sites import Sites
from wizard.rehearsal.stage import Stage, StageLedger
from wizard.secrets import FileSecrets
from wizard.world import World

WEB = App("web", "frontend", AppKind.DOCKERFILE, "owner/shop", "main", ("shop.example",), 80)
API = App(
    "api",
    "backend",
    AppKind.COMPOSE,
    "owner/shop",
    "main",
    ("api.shop.example",),
    8000,
    service="api",
    compose_file="docker-compose.yml",
    env_source=EnvSource.OLD_HOST,
    cache_service="cache",
)
CONFIG = Config(
    Project("shop", "admin@shop.example"),
    tuple(Server(name, name, ("cx23",), ("fsn1",)) for name in ("frontend", "backend")),
    (WEB, API),
    Dns(DnsProviderName.HETZNER, "shop.example"),
    databases=(Database("cms", "api", "cms-database", "cms-database", "directus", "directus"),),
    volumes=(Volume("shop-vault", "api", ("vault",)), Volume("shop-logs", "api", (), optional=True)),
    old_host=OldHost("198.51.100.20", directory="/opt/shop"),
    vercel=(VercelProject("shop-web", "web"),),
)


class Panels:
    """Stands where the panels' stand-in would: a panel that takes port 3000 when it is installed."""

    def __init__(self) -> None:
        self.installed: list[str] = []

    def install(self, host: Host) -> None:
        self.installed.append(host.name)

        async def take(sock: Any, source: str) -> None:
            sock.send(b"panel")
            sock.close()

        host.listen(3000, take, "dokploy", published=True)


@dataclass
class HostsWorld:
    stage: Stage
    world: World
    panels: Panels
    login: tuple[str, str]

    def boot(self, name: str, number: int) -> Host:
        return self.stage.hosts.boot(
            name,
            f"203.0.113.{number}",
            f"2001:db8::{number}",
            f"172.31.0.{number}",
            authorized_keys=[self.login[1]],
            memory_mb=8192,
        )


@contextlib.asynccontextmanager
async def hosts_world(
    folder: Path, *, config: Config = CONFIG, speed: float = 600.0, faults: str = "none"
) -> AsyncIterator[HostsWorld]:
    clock = StageClock(ClockFile(folder / "clock", create=True), 1_790_000_000.0, speed)
    stage = Stage(
        config=config,
        clock=clock,
        random=random.Random(7),
        faults=Faults(faults, 7),
        ledger=StageLedger(clock, Ledger()),
        internet=Internet(),
    )
    loose: Any = stage
    panels = loose.panels = Panels()
    stage.sites = Sites(stage, Sites.begin(stage))
    stage.fronts = Fronts(stage, Fronts.begin(stage))
    stage.hosts = Hosts(stage, Hosts.begin(stage))
    gateway = await stage.internet.start()
    await stage.hosts.start()
    (folder / "known_hosts").write_text(stage.hosts.known_hosts)
    secrets = FileSecrets(folder / "secrets.json")
    login = generate_key()
    for name, value in {**stage.hosts.secrets, "SSH_LOGIN_KEY": login[0]}.items():
        await secrets.put(name, value)
    world = World(
        config,
        secrets,
        Endpoints(known_hosts=str(folder / "known_hosts")),
        WizardClock(clock),
        GatewayNet(gateway, OPERATOR_V4),
    )
    try:
        yield HostsWorld(stage, world, panels, login)
    finally:
        await world.aclose()
        await stage.hosts.stop()
        await stage.close()
