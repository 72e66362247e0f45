"""`check`: configuration, credentials and their rights, reachability, findings. Changes nothing."""

from __future__ import annotations

import argparse

from wizard.commands.lines import Paint, check_line, plan_lines, put_json, say
from wizard.commands.options import Options
from wizard.commands.place import opened
from wizard.engine.bus import Bus
from wizard.engine.events import Checked, Event, jsonable, to_json
from wizard.engine.order import of_phase
from wizard.engine.plan import Failed
from wizard.engine.run import Result
from wizard.engine.step import Phase
from wizard.errors import ExitCode

CREDENTIALS = "prepare.credentials"


def arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


async def run(options: Options, arguments: argparse.Namespace) -> ExitCode:
    """Ask whether every token works, then let each step of the first phase look and say what it found."""
    paint = Paint(options.color)

    def show(event: Event) -> None:
        if isinstance(event, Checked):
            put_json(to_json(event)) if options.json else say(check_line(event.check, paint))

    bus = Bus()
    bus.subscribe(show)
    async with opened(options) as place, place.engine(bus=bus) as engine:
        if not options.json:
            say(f"{paint.word('ok')}  {place.config.source} is sound: {len(engine.steps)} steps")
        result = await engine.verify((engine.step(CREDENTIALS),))
        if result is not Result.DONE:
            return ExitCode.FAILED
        failed = False
        for step in of_phase(engine.steps, Phase.PREPARE):
            if step.id == CREDENTIALS:
                continue
            plan = await engine.preview(step)
            failed = failed or isinstance(plan.hold, Failed)
            if options.json:
                put_json({"event": "plan", "step": step.id, "title": step.title, "plan": jsonable(plan)})
                continue
            say(f"{step.title}  ({step.id})")
            for line in plan_lines(plan):
                say(f"  {line}")
    return ExitCode.FAILED if failed else ExitCode.DONE
