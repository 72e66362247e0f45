"""`status`: where the migration stands, from the progress file alone."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from typing import Any

from wizard import phases
from wizard.clock import moment_text
from wizard.commands.lines import Paint, put_json, say
from wizard.commands.options import Options
from wizard.commands.place import configuration, loaded
from wizard.engine.events import NOTHING, StepState
from wizard.engine.progress import Progress, load
from wizard.engine.step import Phase, Step
from wizard.errors import ExitCode

_LOOK_AGAIN = 1.0
_WAY_BACK = "The way back of {0} was begun and is not over: `undo {0}` goes on, `run` does it again.\n"
_SHOWN = (
    StepState.RUNNING,
    StepState.WAITING,
    StepState.ASKING,
    StepState.FAILED,
    StepState.UNDOING,
    StepState.SKIPPED,
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--watch", action="store_true", help="go on, a line for each change; ends when all is done"
    )


async def run(options: Options, arguments: argparse.Namespace) -> ExitCode:
    steps = phases.steps(configuration(options))
    progress = loaded(options)
    _show(options, steps, progress)
    while arguments.watch and not _over(steps, progress):
        await asyncio.sleep(_LOOK_AGAIN)
        progress, before = load(options.progress), progress
        _show_changes(options, steps, before, progress)
    return _code(steps, progress)


def _over(steps: tuple[Step[Any], ...], progress: Progress) -> bool:
    return all(progress.state(step.id) in (StepState.DONE, StepState.SKIPPED) for step in steps)


def _code(steps: tuple[Step[Any], ...], progress: Progress) -> ExitCode:
    states = {progress.state(step.id) for step in steps}
    if StepState.FAILED in states:
        return ExitCode.FAILED
    return ExitCode.WAITING if StepState.ASKING in states else ExitCode.DONE


def _row(step: Step[Any], progress: Progress) -> dict[str, Any]:
    row = progress.steps.get(step.id)
    data: dict[str, Any] = {
        "event": "status",
        "step": step.id,
        "phase": step.phase.value,
        "title": step.title,
    }
    data["state"] = progress.state(step.id).value
    if row is not None:
        data |= {"why": row.why, "until": row.until, "changed": row.changed or None}
    return data


def _show(options: Options, steps: tuple[Step[Any], ...], progress: Progress) -> None:
    if options.json:
        for step in steps:
            put_json(_row(step, progress))
        if progress.taking_back:
            put_json({"event": "way_back", "target": progress.taking_back})
        return
    paint = Paint(options.color)
    if progress.taking_back:
        say(_WAY_BACK.format(progress.taking_back))
    for phase in Phase:
        states = Counter(progress.state(step.id) for step in steps if step.phase is phase)
        done = states[StepState.DONE] + states[StepState.SKIPPED]
        total = sum(states.values())
        word = "done" if done == total else _word(states, total)
        say(f"{phase.value:<14}{done:>3} of {total:<4}{paint.word(word)}")
        for step in steps:
            if step.phase is phase and progress.state(step.id) in _SHOWN:
                say(f"    {_line(step, progress, paint)}")


def _word(states: Counter[StepState], total: int) -> str:
    if states[StepState.PENDING] == total:
        return "not begun"
    nothing = sum(states[state] for state in NOTHING) == total
    return "taken back" if nothing and states[StepState.UNDONE] else "under way"


def _line(step: Step[Any], progress: Progress, paint: Paint) -> str:
    row = progress.step(step.id)
    later = f" until {moment_text(row.until)}" if row.until else ""
    return f"{step.id:<34}{paint.word(row.state.value)}{later}" + (f": {row.why}" if row.why else "")


def _show_changes(options: Options, steps: tuple[Step[Any], ...], before: Progress, after: Progress) -> None:
    paint = Paint(options.color)
    for step in steps:
        old, new = before.steps.get(step.id), after.steps.get(step.id)
        if new is None or (old is not None and (old.state, old.why) == (new.state, new.why)):
            continue
        if options.json:
            put_json(_row(step, after))
        else:
            say(_line(step, after, paint))
