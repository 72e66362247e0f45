"""A stage with the authority, the fronts and the sites only; the test says what DNS and Vercel know."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wizard.config import App, AppKind, Config, Dns, DnsProviderName, OldHost, Project, Server, VercelProject
from wizard.net import GatewayNet
from wizard.rehearsal.acme.standin import AcmeStandin
from wizard.rehearsal.clock import ClockFile, StageClock
from wizard.rehearsal.faults import Faults
from wizard.rehearsal.fronts.standin import Fronts
from wizard.rehearsal.internet import Internet
from wizard.rehearsal.ledger import Ledger
from wizard.rehearsal.sites import Sites
from wizard.rehearsal.stage import Stage, StageLedger
from wizard.rehearsal.vercel.rules import EdgeRules

OLD, EDGE = "198.51.100.20", "198.51.100.76"
NEW_WEB, NEW_API = "203.0.113.10", "203.0.113.20"
OPERATOR = "192.0.2.10"


@dataclass
class Names:
    """Authoritative records by (name, type)."""

    records: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def lookup(self, name: str, kind: str) -> tuple[str, ...]:
        return self.records.get((name, kind), ())


@dataclass
class Edge:
    verdicts: dict[str, str] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)

    def serves(self, domain: str) -> str:
        return self.verdicts.get(domain, "ok")

    def visited(self, domain: str) -> None:
        """Nobody counts here."""

    def redirect(self, domain: str) -> str:
        return self.redirects.get(domain, "")

    def rules(self, domain: str) -> EdgeRules:
        """There is no vercel.json here."""
        return EdgeRules()


def example() -> Config:
    web = App(
        "web",
        "frontend",
        AppKind.DOCKERFILE,
        "owner/shop",
        "main",
        ("shop.example", "www.shop.example"),
        80,
        routes=("/", "/about"),
        health="/_app/version.json",
    )
    api = App(
        "api",
        "backend",
        AppKind.COMPOSE,
        "owner/shop",
        "main",
        ("api.shop.example",),
        8000,
        service="api",
        health="/health",
        routes=("/health", "/v1/apps"),
        allowed_origins=("https://shop.example",),
    )
    servers = tuple(Server(name, name, ("cx23",), ("fsn1",)) for name in ("frontend", "backend"))
    return Config(
        Project("shop", "admin@shop.example"),
        servers,
        (web, api),
        Dns(DnsProviderName.HETZNER, "shop.example"),
        old_host=OldHost(OLD),
        vercel=(VercelProject("shop-web", "web"),),
    )


@dataclass
class SmallWorld:
    stage: Stage
    names: Names
    edge: Edge
    net: GatewayNet
    trust: str


@contextlib.asynccontextmanager
async def small_world(
    folder: Path, *, speed: float = 600.0, faults: str = "none", config: Config | None = None
) -> AsyncIterator[SmallWorld]:
    clock = StageClock(ClockFile(folder / "clock", create=True), 1_790_000_000.0, speed)
    stage = Stage(
        config=config or example(),
        clock=clock,
        random=random.Random(7),
        faults=Faults(faults, 7),
        ledger=StageLedger(clock, Ledger()),
        internet=Internet(),
    )
    names, edge = Names(), Edge()
    loose: Any = stage
    loose.dns, loose.vercel = names, edge
    stage.sites = Sites(stage, Sites.begin(stage))
    stage.acme = AcmeStandin(stage, AcmeStandin.begin(stage))
    stage.fronts = Fronts(stage, Fronts.begin(stage))
    gateway = await stage.internet.start()
    try:
        await stage.acme.start()
        await stage.fronts.start()
        await stage.fronts.settle()
        stage.internet.attach(OLD, stage.fronts.of("old-backend"))
        stage.internet.attach(NEW_WEB, stage.fronts.of("frontend"))
        stage.internet.attach(NEW_API, stage.fronts.of("backend"))
        trust = folder / "root.pem"
        trust.write_text(stage.acme.root_pem)
        yield SmallWorld(stage, names, edge, GatewayNet(gateway, OPERATOR), str(trust))
    finally:
        await stage.close()
