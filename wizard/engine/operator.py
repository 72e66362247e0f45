"""The operator, as the engine sees one: somebody who approves plans and answers questions."""

from __future__ import annotations

from typing import Any, Protocol

from wizard.engine.plan import Plan, Question
from wizard.engine.step import Step


class Operator(Protocol):
    async def approve(self, step: Step[Any], plan: Plan) -> bool:
        """Whether `plan` may be applied; changes with `confirm` need that name typed."""
        ...

    async def answer(self, step: Step[Any], question: Question) -> str | None:
        """The answer, or None when nobody is there to give one: the run then ends as waiting."""
        ...


class Unattended:
    """A headless run. With `yes` plans are approved and questions get their defaults.

    `types_names` lets it type the names of what cannot be undone, and say yes to a question that only asks
    whether it has read: only a rehearsal's door sets it.
    """

    def __init__(self, *, yes: bool, types_names: bool = False) -> None:
        self.yes = yes
        self.types_names = types_names

    async def approve(self, step: Step[Any], plan: Plan) -> bool:
        if not self.yes:
            return False
        return self.types_names or not any(change.confirm for change in plan.changes)

    async def answer(self, step: Step[Any], question: Question) -> str | None:
        if not self.yes:
            return None
        if question.typed:
            return question.typed if self.types_names else None
        if question.default or not self.types_names or len(question.choices) != 1:
            return question.default or None
        return question.choices[0].value
