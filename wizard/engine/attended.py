"""The operator at a screen: what the engine asks waits here for a command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from wizard.engine.events import Answered, Asked, Event, StepChanged, StepState
from wizard.engine.plan import Plan, Question
from wizard.engine.step import Phase, Step


class Attended:
    """The operator at a screen: approvals and answers arrive as commands."""

    def __init__(self, publish: Callable[[Event], None], now: Callable[[], float]) -> None:
        self._publish = publish
        self._now = now
        self._approvals: dict[str, asyncio.Future[bool]] = {}
        self._questions: dict[str, tuple[Question, str, asyncio.Future[str]]] = {}
        self._whole_phases: set[Phase] = set()

    async def approve(self, step: Step[Any], plan: Plan) -> bool:
        irreversible = any(change.confirm for change in plan.changes)
        if step.phase in self._whole_phases and not irreversible:
            return True
        self._publish(StepChanged(self._now(), step.id, StepState.ASKING, "its plan waits for approval"))
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._approvals[step.id] = future
        try:
            approved = await future
        finally:
            self._approvals.pop(step.id, None)
        if approved:
            self._publish(StepChanged(self._now(), step.id, StepState.RUNNING))
        return approved

    async def answer(self, step: Step[Any], question: Question) -> str | None:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._questions[question.id] = (question, step.id, future)
        self._publish(StepChanged(self._now(), step.id, StepState.ASKING, question.text))
        self._publish(Asked(self._now(), step.id, question))
        try:
            answer = await future
        finally:
            self._questions.pop(question.id, None)
        shown = "" if question.secret else answer
        self._publish(Answered(self._now(), step.id, question.id, shown))
        return answer

    def decide(self, step: str, yes: bool) -> bool:
        """Settle an approval; whether there was one to settle."""
        future = self._approvals.get(step)
        if future is None or future.done():
            return False
        future.set_result(yes)
        return True

    def trust(self, phase: Phase, waiting: Sequence[str]) -> None:
        """Approve every plan of `phase` that can be undone, now and later."""
        self._whole_phases.add(phase)
        for step in waiting:
            self.decide(step, True)

    def doubt(self) -> None:
        """Every plan is shown again before it is applied, as a way back is."""
        self._whole_phases.clear()

    def reply(self, question: str, text: str) -> bool:
        entry = self._questions.get(question)
        if entry is None or entry[2].done():
            return False
        entry[2].set_result(text)
        return True

    @property
    def questions(self) -> tuple[tuple[str, Question], ...]:
        """Without those that were answered a moment ago and whose step has not taken note yet."""
        return tuple(
            (step, question) for question, step, future in self._questions.values() if not future.done()
        )

    @property
    def waiting(self) -> tuple[str, ...]:
        return tuple(step for step, future in self._approvals.items() if not future.done())
