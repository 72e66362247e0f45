"""The wizard itself: the engine behind the screens."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from wizard import phases
from wizard.commands import run as headless
from wizard.commands.options import Options
from wizard.commands.place import opened
from wizard.engine.session import EngineSession
from wizard.errors import ExitCode

SCREENS = "screens.app"
"""Imported by name: nothing in this package knows the screens, and it starts without them."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


async def run(options: Options, arguments: argparse.Namespace) -> ExitCode:
    """The full screen where there is one; otherwise the same run in lines, asking at standard input."""
    if options.plain or options.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return await headless.run(options, argparse.Namespace(until=None))
    if not options.color:
        os.environ["NO_COLOR"] = "1"
    screens = import_module(SCREENS)
    async with opened(options) as place:
        session = EngineSession(phases.steps(place.config), place.world, place.progress)
        try:
            return ExitCode(await screens.run(session))
        finally:
            await session.stop()
