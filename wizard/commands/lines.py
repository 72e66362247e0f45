"""The headless readers: lines for people, JSON objects for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, TextIO

from wizard.clock import moment_text
from wizard.commands.options import Options
from wizard.engine.check import Check, CheckState
from wizard.engine.events import (
    Asked,
    ChangeEnded,
    Checked,
    Event,
    Output,
    Planned,
    StepChanged,
    StepState,
    to_json,
)
from wizard.engine.plan import Change, Failed, Kind, Plan, Skip
from wizard.redact import redact

_WIDTH = 34
_SIGNS = {
    Kind.CREATE: "+",
    Kind.UPDATE: "~",
    Kind.REPLACE: "±",
    Kind.DELETE: "-",
    Kind.RUN: ">",
    Kind.ASK: "?",
}
_CHECK_WORDS = {
    CheckState.PASSED: "ok",
    CheckState.FAILED: "NOT TRUE",
    CheckState.PENDING: "not yet",
    CheckState.UNKNOWN: "UNKNOWN",
    CheckState.WAIVED: "waived",
}
_COLORS = {"ok": "32", "done": "32", "waived": "33", "not yet": "33", "waiting": "33", "asking": "36"}
_ALARM = "31;1"


class Paint:
    """Colour where the terminal has it; the words say everything without."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def word(self, word: str) -> str:
        code = _COLORS.get(word) or (_ALARM if word.isupper() or word == "failed" else "")
        return f"\x1b[{code}m{word}\x1b[0m" if self.on and code else word


def say(text: str = "", *, to: TextIO | None = None) -> None:
    """A line for the operator, without secrets. A reader that went away (head, less) is no error."""
    print(redact(text), file=to or sys.stdout, flush=True)


def put_json(data: dict[str, Any]) -> None:
    say(json.dumps(data, ensure_ascii=False))


def reader(options: Options) -> Callable[[Event], None]:
    """Writes every event to standard output, in the form that the options ask for."""
    if options.json:
        return lambda event: put_json(to_json(event))
    paint = Paint(options.color)

    def write(event: Event) -> None:
        for text in _texts(event, paint):
            say(f"{moment_text(event.at)[11:19]}  {event.step:<{_WIDTH}} {text}")

    return write


def _texts(event: Event, paint: Paint) -> list[str]:
    match event:
        case StepChanged(state=StepState.PENDING | StepState.RUNNING):
            return []
        case StepChanged(state=state, why=why, until=until, ways=ways):
            later = f" (until {moment_text(until)})" if until else ""
            head = paint.word(state.value) + (f": {why}" if why else "") + later
            return [head, *(f"  way on: {way}" for way in ways)]
        case Planned(plan=plan):
            return [f"note: {note}" for note in plan.notes]
        case ChangeEnded(change=change, result=result, why=why):
            return [f"{change_line(change)} — {paint.word(result)}" + (f": {why}" if why else "")]
        case Checked(check=check):
            return [check_line(check, paint)]
        case Output(line=line):
            return [f"| {line}"]
        case Asked(question=question):
            return [f"? {question.text}"]
    return []


def check_line(check: Check, paint: Paint) -> str:
    line = f"{paint.word(_CHECK_WORDS[check.state])}  {check.question}: {check.evidence.seen}"
    line += f" (from {check.evidence.vantage})" if check.evidence.vantage else ""
    return line if check.ok or not check.advice else f"{line} · {check.advice}"


def change_line(change: Change) -> str:
    """One line of a plan: sign, target, before and after, its price."""
    line = f"{_SIGNS[change.kind]} {change.kind} {change.target}"
    if change.before and change.after:
        line += f": {change.before} → {change.after}"
    elif change.after or change.before:
        line += f": {change.after or change.before}"
    return line + (f"  [{change.monthly}]" if change.monthly else "")


def plan_lines(plan: Plan) -> list[str]:
    """A whole plan for people, with what cannot be undone said."""
    lines = [f"note: {note}" for note in plan.notes]
    for change in plan.changes:
        lines.append(change_line(change))
        if change.why:
            lines.append(f"    why: {change.why}")
        if change.confirm:
            lines.append(f"    cannot be undone; {change.confirm!r} has to be typed")
        elif change.way_back:
            lines.append(f"    way back: {change.way_back}")
    if isinstance(plan.hold, Failed):
        lines.append(f"held: {plan.hold.why}")
        lines.extend(f"    way on: {way}" for way in plan.hold.ways)
    elif isinstance(plan.hold, Skip):
        lines.append(f"left out: {plan.hold.why}")
    elif plan.hold is not None:
        held = plan.hold
        lines.append(f"waits: {held.why}" if hasattr(held, "why") else f"asks: {held.question.text}")
    return lines or ["nothing to do"]
