"""`verify`: ask the outside again about what is done. Changes nothing."""

from __future__ import annotations

import argparse

from wizard.commands.lines import reader
from wizard.commands.options import Options
from wizard.commands.place import opened
from wizard.commands.run import EXIT
from wizard.commands.targets import chosen_steps
from wizard.engine.bus import Bus
from wizard.errors import ExitCode


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "step", nargs="?", default="", metavar="STEP", help="a step, a phase, or all that is done"
    )


async def run(options: Options, arguments: argparse.Namespace) -> ExitCode:
    bus = Bus()
    bus.subscribe(reader(options))
    async with opened(options) as place, place.engine(bus=bus) as engine:
        steps = chosen_steps(engine.steps, arguments.step) if arguments.step else None
        return EXIT[await engine.verify(steps)]
