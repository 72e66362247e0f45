"""A whole rehearsal in this process, brought as far as the apps phase: servers, panels, accounts."""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.phases.context import Bench, Turn
from tests.rehearsal.stage_clock import WizardClock
from wizard.config import Config
from wizard.engine.step import Step
from wizard.net import GatewayNet
from wizard.phases.apps import steps as apps
from wizard.phases.provision import steps as provision
from wizard.rehearsal.hosts.standin import Host
from wizard.rehearsal.internet import OPERATOR_V4
from wizard.rehearsal.stage import Stage
from wizard.rehearsal.world import RehearsalWorld
from wizard.secrets import FileSecrets
from wizard.world import World

SPEED = 300.0


@dataclass
class Scene:
    """`drive` takes one step of the apps phase by its id, with the answers of a headless run."""

    rehearsal: RehearsalWorld
    bench: Bench
    config: Config
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def stage(self) -> Stage:
        return self.rehearsal.stage

    def step(self, step: str) -> Step[Any]:
        return next(one for one in apps.steps(self.config) if one.id == step)

    def panel(self, server: str) -> Any:
        return self.stage.panels.of(server)

    def host(self, name: str) -> Host:
        """A machine of the rehearsal; the old one is old-backend."""
        found = self.stage.hosts.get(name)
        assert found is not None
        return found

    def repository_file(self, app: str, path: str) -> bytes:
        """A file of an app's branch."""
        wish = self.config.app(app)
        found = self.stage.git.state.find(wish.repository)
        head = found.head(wish.branch) if found else None
        assert head is not None
        return head.files[path]

    def row(self, app: str) -> dict[str, Any]:
        """What the panel holds of an app."""
        panel = self.panel(self.config.app(app).server)
        rows = [*panel.table("application").values(), *panel.table("compose").values()]
        return next(row for row in rows if row["name"] == app)

    async def drive(self, step: Step[Any] | str) -> Turn:
        one = self.step(step) if isinstance(step, str) else step
        for _ in range(20):
            turn = await self.bench.drive(one, self.answers)
            question = getattr(turn.hold, "question", None)
            if question is None or question.id in self.answers or not (question.default or question.typed):
                return turn
            self.answers[question.id] = question.default or question.typed
        raise AssertionError(f"{one.id} asks for ever")

    async def until(self, step: str) -> Turn:
        """Everything that `step` needs, then itself."""
        steps = {one.id: one for one in apps.steps(self.config)}
        done: set[str] = set()

        async def go(name: str) -> Turn:
            for need in steps[name].needs:
                for other in [one for one in steps if one == need and one not in done]:
                    turn = await go(other)
                    assert turn.done, f"{other}: {turn.story}"
            turn = await self.drive(steps[name])
            done.add(name)
            return turn

        return await go(step)


@contextlib.asynccontextmanager
async def rehearsal(
    folder: Path, config: Config, *, faults: str = "none", speed: float = SPEED
) -> AsyncIterator[RehearsalWorld]:
    world = RehearsalWorld(folder / "world", config, seed=7, faults=faults, speed=speed)
    # A copy of a world that was ended takes ports of its own.
    world.state.ports.clear()
    await world.start()
    try:
        yield world
    finally:
        await world.close()


@contextlib.asynccontextmanager
async def scene(
    folder: Path,
    config: Config,
    *,
    faults: str = "none",
    servers: Sequence[str] = (),
    until: str = "",
    speed: float = SPEED,
) -> AsyncIterator[Scene]:
    """Provisioned servers (all, or those named), their panels with accounts, and the apps phase gone through
    as far as the step `until`; faults begin after that."""
    shutil.copytree(await _prepared(config, tuple(servers), until), folder, dirs_exist_ok=True)
    async with _entered(folder, config, speed) as found:
        found.rehearsal.state.faults.profile = faults
        found.stage.random = random.Random(7)
        yield found


_KEPT = tempfile.TemporaryDirectory(prefix="prepared-", ignore_cleanup_errors=True)
_MADE: dict[tuple[str, tuple[str, ...], str], Path] = {}


async def _prepared(config: Config, servers: tuple[str, ...], until: str) -> Path:
    """A world that was brought that far and ended: made once for each configuration, then copied."""
    key = (repr(config), servers, until)
    if key not in _MADE:
        before = await _prepared(config, servers, "") if until else None
        folder = Path(_KEPT.name) / str(len(_MADE))
        if before:
            shutil.copytree(before, folder)
        async with _entered(folder, config, SPEED) as found:
            if until:
                turn = await found.until(until)
                assert turn.done, f"{until}: {turn.story}"
            else:
                await _provision(found, servers)
            found.bench.progress.save()
        _MADE[key] = folder
    return _MADE[key]


async def _provision(found: Scene, servers: tuple[str, ...]) -> None:
    for step in provision.steps(found.config):
        if not servers or not _of_another(step.id, found.config, servers):
            turn = await found.drive(step)
            assert turn.done, f"{step.id}: {turn.story}"


@contextlib.asynccontextmanager
async def _entered(folder: Path, config: Config, speed: float) -> AsyncIterator[Scene]:
    async with rehearsal(folder, config, speed=speed) as made:
        endpoints = made._endpoints(made.state.ports["gateway"])
        assert endpoints.gateway is not None
        world = World(
            config=config,
            secrets=FileSecrets(made.folder / "secrets.json"),
            endpoints=endpoints,
            clock=WizardClock(made.clock),
            net=GatewayNet(endpoints.gateway, OPERATOR_V4),
            live=False,
        )
        bench = Bench(world, folder)
        try:
            yield Scene(made, bench, config)
        finally:
            await world.aclose()
            bench.close()


def _of_another(step: str, config: Config, servers: Sequence[str]) -> bool:
    words = step.split(".")
    return words[1] in {server.name for server in config.servers} and words[1] not in servers


def example() -> Config:
    """The packaged configuration."""
    from wizard import configfile

    return configfile.load(Path(__file__).parents[2] / "config.toml.example")
