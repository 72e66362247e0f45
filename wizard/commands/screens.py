"""The wizard itself: the engine behind the screens."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import sys
from collections.abc import AsyncIterator
from importlib import import_module
from typing import TYPE_CHECKING

from wizard.commands.options import Options
from wizard.errors import ExitCode

if TYPE_CHECKING:
    from wizard.session import EngineSession

SCREENS = "screens.app"
"""Imported by name: nothing in this package knows the screens, and it starts without them."""
_BEHIND = ("wizard.commands.place", "wizard.session", "wizard.phases")


def arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


async def run(options: Options, arguments: argparse.Namespace) -> ExitCode:
    """The full screen where there is one; otherwise the same run in lines, asking at standard input."""
    if options.plain or options.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        from wizard.commands import run as headless

        return await headless.run(options, argparse.Namespace(until=None))
    if not options.color:
        os.environ["NO_COLOR"] = "1"
    # Nothing made on the way to the first frame is garbage; looking for some would only hold it up.
    gc.disable()
    try:
        screens = import_module(SCREENS)
        return ExitCode(await screens.run(_session(options), live=options.rehearsal is None))
    finally:
        gc.enable()


@contextlib.asynccontextmanager
async def _session(options: Options) -> AsyncIterator[EngineSession]:
    """Opened while the first frame is on the screen already, so what it needs is loaded beside it."""
    gc.enable()
    for name in _BEHIND:
        await asyncio.to_thread(import_module, name)
    from wizard import phases
    from wizard.commands.place import opened
    from wizard.session import EngineSession

    async with opened(options, tell=False) as place:
        yield EngineSession(phases.steps(place.config), place.world, place.progress)
