"""A stage with Hetzner, hosts and a small zone: for tests of the client, the stand-in and the steps."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rehearsal.small_stage import OPERATOR, example
from tests.rehearsal.stage_clock import WizardClock
from wizard.config import Config
from wizard.endpoints import Endpoints
from wizard.net import GatewayNet
from wizard.rehearsal.clock import ClockFile, StageClock
from wizard.rehearsal.faults import Faults
from wizard.rehearsal.hetzner.standin import HetznerStandin
from wizard.rehearsal.hetzner.state import REHEARSAL_TOKEN
from wizard.rehearsal.hosts.standin import Hosts
from wizard.rehearsal.internet import Internet
from wizard.rehearsal.ledger import Ledger
from wizard.rehearsal.stage import Stage, StageLedger
from wizard.secrets import FileSecrets
from wizard.world import World


@dataclass
class Records:
    name: str
    type: str
    ttl: int
    values: tuple[str, ...]


@dataclass
class SmallZone:
    """The part of a zone that Hetzner's API edits."""

    rows: dict[tuple[str, str], Records] = field(default_factory=dict)

    def all(self) -> list[Records]:
        return list(self.rows.values())

    def get(self, name: str, kind: str) -> Records | None:
        return self.rows.get((name, kind))

    def put(self, name: str, kind: str, ttl: int, values: tuple[str, ...]) -> None:
        self.rows[name, kind] = Records(name, kind, ttl, tuple(values))

    def delete(self, name: str, kind: str) -> None:
        self.rows.pop((name, kind), None)


@dataclass
class SmallDns:
    one: SmallZone = field(default_factory=SmallZone)

    def zone(self, name: str) -> SmallZone:
        return self.one

    def maybe_lose(self, request: object) -> None:
        """No answer is lost here."""


@dataclass
class HetznerWorld:
    stage: Stage
    world: World
    zone: SmallZone


@contextlib.asynccontextmanager
async def hetzner_world(
    folder: Path,
    *,
    speed: float = 1200.0,
    faults: str = "none",
    config: Config | None = None,
    token: str = REHEARSAL_TOKEN,
) -> AsyncIterator[HetznerWorld]:
    clock = StageClock(ClockFile(folder / "clock", create=True), 1_790_000_000.0, speed)
    config = config or example()
    stage = Stage(
        config=config,
        clock=clock,
        random=random.Random(7),
        faults=Faults(faults, 7),
        ledger=StageLedger(clock, Ledger()),
        internet=Internet(),
    )
    dns, loose = SmallDns(), _loose(stage)
    dns.one.put("@", "NS", 3600, ("hydrogen.ns.hetzner.com.",))
    dns.one.put("@", "A", 3600, ("198.51.100.76",))
    loose.dns = dns
    stage.hosts = Hosts(stage, Hosts.begin(stage))
    stage.hetzner = HetznerStandin(stage, HetznerStandin.begin(stage))
    gateway = await stage.internet.start()
    await stage.hosts.start()
    await stage.hetzner.start()
    secrets = FileSecrets(folder / "secrets.json")
    if token:
        await secrets.put("HCLOUD_TOKEN", token)
    endpoints = Endpoints(hetzner=stage.hetzner.url, gateway=gateway)
    world = World(config, secrets, endpoints, WizardClock(clock), GatewayNet(gateway, OPERATOR), live=False)
    try:
        yield HetznerWorld(stage, world, dns.one)
    finally:
        await world.aclose()
        await stage.hosts.stop()
        await stage.close()


def _loose(stage: Stage) -> Any:
    return stage
