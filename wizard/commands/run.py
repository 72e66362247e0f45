"""`run`: the whole migration, or up to a phase, without screens."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from wizard.commands.lines import put_json, reader, say
from wizard.commands.options import Options
from wizard.commands.place import Place, opened
from wizard.commands.prompts import Prompts
from wizard.commands.summary import Counter, sentence
from wizard.engine.bus import Bus
from wizard.engine.operator import Operator, Unattended
from wizard.engine.run import Engine, Result
from wizard.engine.step import Phase
from wizard.errors import ExitCode, WizardError

_AGAIN = "Then run again: it goes on from here."
_UNHEARD = "Nobody takes the output any more · the change under way is finished, then the run ends."
EXIT = {
    Result.DONE: ExitCode.DONE,
    Result.FAILED: ExitCode.FAILED,
    Result.WAITING: ExitCode.WAITING,
    Result.INTERRUPTED: ExitCode.INTERRUPTED,
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--until", choices=[phase.value for phase in Phase], metavar="PHASE", help="stop after this phase"
    )


async def run(options: Options, arguments: argparse.Namespace) -> ExitCode:
    bus, counter = Bus(), Counter()
    bus.subscribe(counter.read)
    bus.subscribe(reader(options))
    async with opened(options) as place:
        counter.remember(place.progress)
        async with place.engine(operator_for(options), bus) as engine:
            with stopped_by_signals(engine, bus):
                result = await engine.run(Phase(arguments.until) if arguments.until else None)
            await conclude(place, engine, counter, result)
    return EXIT[result]


def operator_for(options: Options) -> Operator:
    """Names of what cannot be undone are typed by a person; only a rehearsal types them by itself."""
    if not options.yes and not options.json and sys.stdin.isatty():
        return Prompts()
    return Unattended(yes=options.yes, types_names=options.rehearsal is not None)


async def conclude(place: Place, engine: Engine, counter: Counter, result: Result) -> None:
    """The last line, and what the operator has to do if this was not the end."""
    counted = None
    if place.door is not None:
        try:
            counted = await place.door.summary()
        except WizardError as error:
            say(str(error), to=sys.stderr)
    summary = counter.summary(result, engine.tally, counted)
    if place.options.json:
        put_json(summary)
    else:
        say(sentence(summary))
    if result is Result.WAITING:
        say("Waiting for you · a plan or a question was not answered · run `dokploy-wizard`.", to=sys.stderr)
    if result is Result.FAILED:
        for step in engine.steps:
            row = engine.progress.step(step.id) if step.id in engine.progress.steps else None
            if row is not None and row.state.value == "failed":
                say(f"{step.id} failed · {row.why} · {ways_on(counter.ways.get(step.id, ()))}", to=sys.stderr)
    if place.options.debug:
        _tracebacks(engine)


def ways_on(ways: Sequence[str]) -> str:
    """The step's own ways out of a failure, and that going on is as simple as running again."""
    again = () if any("run again" in way.lower() for way in ways) else (_AGAIN,)
    return " ".join((*ways, *(word if ways else word.removeprefix("Then ").capitalize() for word in again)))


def _tracebacks(engine: Engine) -> None:
    import traceback

    for step, error in engine.problems.items():
        say(f"{step}:\n" + "".join(traceback.format_exception(error)), to=sys.stderr)


@contextlib.contextmanager
def stopped_by_signals(engine: Engine, bus: Bus) -> Iterator[None]:
    """The first Ctrl-C ends the run once the change under way is written down; a second one at once.

    A terminal that is closed, and output that nobody takes any more, end it as the first one does.
    """
    loop = asyncio.get_running_loop()
    running = asyncio.current_task()
    stops: set[asyncio.Task[None]] = set()

    def stop() -> None:
        if stops:
            if running is not None:
                running.cancel()
            return
        end()

    def end() -> None:
        if not stops:
            engine.wind_down()
            stops.add(loop.create_task(engine.stop()))

    def hush(_: OSError) -> None:
        _silence(sys.stdout)
        try:
            say(_UNHEARD, to=sys.stderr)
        except OSError:
            _silence(sys.stderr)
        end()

    numbers = [signal.SIGINT, signal.SIGTERM]
    for number in numbers:
        loop.add_signal_handler(number, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        # Under nohup it goes on.
        numbers.append(signal.SIGHUP)
        loop.add_signal_handler(signal.SIGHUP, end)
    bus.when_lost = hush
    try:
        yield
    finally:
        bus.when_lost = None
        for number in numbers:
            loop.remove_signal_handler(number)


def _silence(stream: TextIO) -> None:
    """What is still to be said goes nowhere; the exit code tells how it ended."""
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
