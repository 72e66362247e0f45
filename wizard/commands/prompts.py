"""Asks at a plain terminal, line by line: for --plain, screen readers and small consoles."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from typing import Any

from wizard.commands.lines import plan_lines, say
from wizard.engine.plan import Plan, Question
from wizard.engine.step import Step


class Prompts:
    """The operator at standard input. One question at a time, whatever runs side by side."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def approve(self, step: Step[Any], plan: Plan) -> bool:
        async with self._turn:
            say(f"\n{step.title}  ({step.id})", to=sys.stderr)
            for line in plan_lines(plan):
                say(f"  {line}", to=sys.stderr)
            for name in dict.fromkeys(change.confirm for change in plan.changes if change.confirm):
                typed = await _line(f"This cannot be undone. Type {name} to go on: ")
                if typed != name:
                    say("Not typed as shown: nothing was changed.", to=sys.stderr)
                    return False
            if all(change.confirm for change in plan.changes):
                return True
            return await _line("Make these changes? [y/N] ") in ("y", "yes")

    async def answer(self, step: Step[Any], question: Question) -> str | None:
        async with self._turn:
            say(f"\n{question.text}", to=sys.stderr)
            if question.why:
                say(f"  {question.why}", to=sys.stderr)
            for number, choice in enumerate(question.choices, 1):
                say(f"  {number}. {choice.text}", to=sys.stderr)
            return _chosen(question, await _line(_prompt(question), secret=question.secret))


def _prompt(question: Question) -> str:
    if question.typed:
        return f"Type {question.typed}: "
    return f"[{question.default}] " if question.default else "> "


def _chosen(question: Question, line: str | None) -> str | None:
    if line is None:
        return None
    if question.choices and line.isdigit() and 0 < int(line) <= len(question.choices):
        return question.choices[int(line) - 1].value
    return line or question.default or None


async def _line(prompt: str, *, secret: bool = False) -> str | None:
    """A line of standard input, stripped; None at its end.

    Read in a daemon thread: an interrupt must not have to wait for the next Enter.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str | None] = loop.create_future()

    def settle(line: str | None) -> None:
        if not answer.done():
            answer.set_result(line)

    def read() -> None:
        line = _read(prompt, secret)
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, line)

    threading.Thread(target=read, daemon=True, name="prompt").start()
    try:
        return await answer
    except asyncio.CancelledError:
        # What comes next begins on a line of its own, not behind the question.
        say(to=sys.stderr)
        raise


def _read(prompt: str, secret: bool) -> str | None:
    if secret and sys.stdin.isatty():
        import getpass

        return getpass.getpass(prompt, stream=sys.stderr)
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    return line.strip() if line else None
