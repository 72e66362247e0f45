"""`undo`: take a step or a phase back, newest first."""

from __future__ import annotations

import argparse

from wizard.commands.lines import reader
from wizard.commands.options import Options
from wizard.commands.place import opened
from wizard.commands.run import EXIT, conclude, operator_for, stopped_by_signals
from wizard.commands.summary import Counter
from wizard.commands.targets import chosen_steps
from wizard.engine.bus import Bus
from wizard.errors import ExitCode


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="STEP|PHASE", help="e.g. cutover.flip, or provision")


async def run(options: Options, arguments: argparse.Namespace) -> ExitCode:
    bus, counter = Bus(), Counter()
    bus.subscribe(counter.read)
    bus.subscribe(reader(options))
    async with opened(options) as place:
        counter.remember(place.progress)
        async with place.engine(operator_for(options), bus) as engine:
            chosen_steps(engine.steps, arguments.target)
            with stopped_by_signals(engine, bus):
                result = await engine.undo(arguments.target)
            await conclude(place, engine, counter, result)
    return EXIT[result]
