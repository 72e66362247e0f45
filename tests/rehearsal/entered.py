"""The whole rehearsal world in the test's own process, as a wizard meets it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import cattrs

from tests.rehearsal.stage_clock import WizardClock
from wizard import configfile
from wizard.config import Config
from wizard.endpoints import Endpoints
from wizard.net import GatewayNet
from wizard.rehearsal.internet import OPERATOR_V4
from wizard.rehearsal.ledger import MADE
from wizard.rehearsal.stage import Stage
from wizard.rehearsal.world import RehearsalWorld
from wizard.secrets import FileSecrets
from wizard.world import World


@dataclass
class Entered:
    stage: Stage
    world: World
    secrets: FileSecrets

    @property
    def made(self) -> tuple[str, ...]:
        """Everything that was created anywhere."""
        return tuple(one.thing for one in self.stage.ledger.book.entries if one.act == MADE)


@contextlib.asynccontextmanager
async def entered(
    folder: Path, *, config: Config | None = None, faults: str = "none", speed: float = 600.0
) -> AsyncIterator[Entered]:
    config = config or configfile.example()
    inside = RehearsalWorld(folder / "world", config, seed=3, faults=faults, speed=speed)
    await inside.start()
    try:
        described = json.loads((folder / "world" / "world.json").read_text())
        endpoints = cattrs.structure(described["endpoints"], Endpoints)
        assert endpoints.gateway is not None
        secrets = FileSecrets(folder / "world" / "secrets.json")
        world = World(
            config,
            secrets,
            endpoints,
            WizardClock(inside.stage.clock),
            GatewayNet(endpoints.gateway, OPERATOR_V4),
            live=False,
        )
        try:
            yield Entered(inside.stage, world, secrets)
        finally:
            await world.aclose()
    finally:
        await inside.close()
