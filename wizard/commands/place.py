"""What a command works on: configuration, world, progress file and its lock."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wizard import configfile, phases
from wizard.commands.options import Options
from wizard.config import Config, DnsProviderName
from wizard.engine.bus import Bus
from wizard.engine.lock import locked
from wizard.engine.operator import Operator, Unattended
from wizard.engine.progress import Progress, load
from wizard.engine.run import Engine, engine_for
from wizard.errors import LockedError
from wizard.secrets import FILE_VARIABLE, FileSecrets, KeyringSecrets, LayeredSecrets
from wizard.world import World

if TYPE_CHECKING:
    from wizard.rehearsal.door import Door


@dataclass(frozen=True)
class Place:
    """`door` leads to the rehearsal's world; None when this is live.

    `shared`: another wizard works on the progress file, which is only read here.
    """

    options: Options
    config: Config
    world: World
    progress: Progress
    door: Door | None
    shared: bool = False

    @contextlib.asynccontextmanager
    async def engine(self, operator: Operator | None = None, bus: Bus | None = None) -> AsyncIterator[Engine]:
        """The engine over this migration's steps. Without an operator nothing is approved."""
        steps = phases.steps(self.config)
        reader = operator or Unattended(yes=False)
        if self.door is not None and self.config.dns.provider is DnsProviderName.MANUAL:
            reader = self.door.with_hands(reader)
        async with engine_for(steps, self.world, self.progress, reader, bus) as engine:
            yield engine


def configuration(options: Options) -> Config:
    """The operator's, or the packaged example in a rehearsal that names none."""
    if options.rehearsal is not None and options.config is None:
        return configfile.example()
    return configfile.load(options.config_path)


def loaded(options: Options) -> Progress:
    """The progress file; that it had to be rebuilt is told on standard error."""
    from wizard.commands.lines import say

    progress = load(options.progress)
    if progress.rebuilt:
        say(progress.rebuilt, to=sys.stderr)
    return progress


@contextlib.asynccontextmanager
async def opened(options: Options, *, tell: bool = True) -> AsyncIterator[Place]:
    """Everything a command needs that works on the migration; locked against a second wizard.

    `tell`: on standard error, when the progress file had to be rebuilt.
    """
    config = configuration(options)
    with locked(options.progress):
        progress = loaded(options) if tell else load(options.progress)
        async with _outside(options, config) as (world, door):
            yield Place(options, config, world, progress, door)


@contextlib.asynccontextmanager
async def squeezed_in(options: Options) -> AsyncIterator[Place]:
    """As `opened`, but also while another wizard works, for what touches nothing of that one's."""
    config = configuration(options)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(options.progress))
            shared = False
        except LockedError:
            shared = True
        async with _outside(options, config) as (world, door):
            yield Place(options, config, world, load(options.progress), door, shared)


@contextlib.asynccontextmanager
async def beside(options: Options) -> AsyncIterator[World]:
    """The world alone, for a command that only looks on: without a lock, beside a wizard that works."""
    async with _outside(options, configuration(options)) as (world, _):
        yield world


@contextlib.asynccontextmanager
async def _outside(options: Options, config: Config) -> AsyncIterator[tuple[World, Any]]:
    if options.rehearsal is None:
        world = World(config, live_secrets(config))
        try:
            yield world, None
        finally:
            await world.aclose()
        return
    from wizard.rehearsal.door import Wish, enter

    wish = Wish(options.rehearsal.seed, options.rehearsal.faults, options.rehearsal.speed)
    with _config_file(options) as path:
        async with enter(config, path, options.progress, wish) as door:
            yield door.world, door


@contextlib.contextmanager
def _config_file(options: Options) -> Any:
    if options.config is not None:
        yield options.config
        return
    with configfile.example_file() as path:
        yield path


def live_secrets(config: Config) -> LayeredSecrets:
    """Environment, then the file that the operator opted into, else the system's keyring."""
    chosen = os.environ.get(FILE_VARIABLE, "")
    store = FileSecrets(Path(chosen).expanduser()) if chosen else KeyringSecrets(config.project.name)
    return LayeredSecrets(store)
