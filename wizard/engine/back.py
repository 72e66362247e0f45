"""The way back: steps are taken back newest first. One that an interruption left half taken back is marked
so, and the next run asks whether to go on with the way back or forward again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from wizard.engine import journal
from wizard.engine.events import NOTHING, Output, Planned, StepChanged, StepState
from wizard.engine.order import needed_by
from wizard.engine.plan import Ask, Choice, Failed, Plan, Question, Wait
from wizard.engine.result import Result
from wizard.engine.step import Context, Phase, Step, Stopped
from wizard.engine.turn import (
    Declined,
    Desk,
    approve,
    ask,
    forget_answer,
    forget_answers,
    insist,
    make,
    settle_intents,
)
from wizard.errors import UsageError, WizardError
from wizard.redact import redact

_RESTS = (StepState.DONE, StepState.UNDOING)
FORWARD, BACK = "forward", "back"
_AGAIN = "Run `undo {0}` again: it goes on from here. Or `run`: what was taken back is done again."


class SetState(Protocol):
    def __call__(
        self, step: Step[Any], state: StepState, why: str = "", *, ways: tuple[str, ...] = ()
    ) -> None: ...


class WayBack:
    """Takes back what one engine has done. `interrupted`: keys of changes whose end is not known, by step."""

    def __init__(
        self,
        steps: Sequence[Step[Any]],
        desk: Desk,
        set_state: SetState,
        interrupted: dict[str, tuple[str, ...]],
    ) -> None:
        self._steps = steps
        self._desk = desk
        self._set = set_state
        self._interrupted = interrupted

    @property
    def halfway(self) -> str:
        """The step or phase whose way back was begun and has not come to its end; "" without one."""
        undoing = [step.id for step in self._steps if self._state(step) is StepState.UNDOING]
        return self._desk.progress.taking_back or next(iter(undoing), "")

    async def go(self, target: str) -> Result:
        """Take back a step, or every step of a phase. Raises UsageError for an unknown one, and WizardError
        where it is not possible, before anything was changed."""
        for step in self._way(target):
            outcome = await self._one(step, target)
            if outcome is Result.WAITING:
                self._note("")
                self._show(step)
            if outcome is not Result.DONE:
                return outcome
        self._note("")
        return Result.DONE

    async def go_on_or_forward(self) -> Result | None:
        """Tell of a way back that was interrupted, and ask. None: forward, all is done again."""
        target = self.halfway
        try:
            step = next(iter(self._way(target)), None)
        except WizardError:
            step = None
        if step is None:
            self._note("")
            return None
        text = f"The way back of {target} was interrupted at {step.id}: {step.title}."
        self._desk.bus.publish(Output(self._desk.now(), step.id, text))
        question = Question(
            f"{step.id}/half-way",
            f"{text} Part of it may be taken back already. How is it to go on?",
            (
                Choice(FORWARD, "forward: what was taken back is done again"),
                Choice(BACK, f"back: {target} is taken back to the end"),
            ),
            default=FORWARD,
            why="a run goes forward; nothing is changed before you have answered",
        )
        if isinstance(await ask(step, question, self._desk), Ask):
            return Result.WAITING
        answer = self._desk.progress.answers[question.id]
        forget_answer(step, question.id, self._desk)
        if answer == BACK:
            return await self.go(target)
        self._note("")
        self._show(step)
        return None

    def _state(self, step: Step[Any]) -> StepState:
        return self._desk.progress.state(step.id)

    def _way(self, target: str) -> Sequence[Step[Any]]:
        """The steps to be taken back, newest first."""
        chosen = [step for step in self._steps if step.id == target or step.phase == target]
        if not chosen:
            raise UsageError(f"There is no step or phase {target!r}", next="`status` lists them.")
        self._refuse_out_of_order(chosen)
        whole = needed_by(self._steps, chosen)
        self._refuse_the_impossible(whole)
        return [step for step in reversed(whole) if self._state(step) not in NOTHING]

    def _refuse_out_of_order(self, chosen: Sequence[Step[Any]]) -> None:
        last = max(list(Phase).index(step.phase) for step in chosen)
        later = [
            step
            for step in self._steps
            if list(Phase).index(step.phase) > last and self._state(step) in _RESTS
        ]
        if later:
            phases = ", ".join(dict.fromkeys(step.phase.value for step in reversed(later)))
            raise WizardError(
                f"Later phases rest on this: {phases}",
                next=f"Undo them first, newest first: `undo {later[-1].phase.value}`.",
            )

    def _refuse_the_impossible(self, chosen: Sequence[Step[Any]]) -> None:
        """Nothing is taken back beneath a step that cannot be: half of a way back leads nowhere."""
        for step in chosen:
            if step.point_of_no_return and self._state(step) is StepState.DONE:
                raise WizardError(
                    f"{step.id} cannot be taken back", step.way_back, "Steps that do not rest on it can be."
                )

    async def _one(self, step: Step[Any], target: str) -> Result:
        self._desk.waiting.begin(step.id)
        try:
            return await insist(step, self._desk, lambda: self._take_back(step, target))
        except Declined:
            return Result.WAITING
        except Stopped:
            return Result.INTERRUPTED
        except WizardError as error:
            self._set(step, StepState.FAILED, redact(str(error)), ways=(_AGAIN.format(target),))
            return Result.FAILED
        finally:
            self._desk.waiting.end(step.id)

    async def _take_back(self, step: Step[Any], target: str) -> Result:
        ctx = self._desk.context(step)
        plan = await self._planned(step, ctx)
        if isinstance(plan.hold, Failed):
            self._set(step, StepState.FAILED, plan.hold.why, ways=plan.hold.ways)
            return Result.FAILED
        if plan.hold is not None:
            return Result.WAITING
        settle_intents(step.id, plan, self._desk, self._interrupted.pop(step.id, ()))
        if plan.changes:
            await approve(step, plan, self._desk)
            # Before the first change: a kill must not leave the step looking done.
            self._note(target)
            self._set(step, StepState.UNDOING, f"`undo {target}` goes on with it")
        for change in plan.changes:
            await make(step, change, ctx, self._desk)
        ctx.saved.forget(step.keeps)
        forget_answers(step, self._desk)
        self._set(step, StepState.UNDONE)
        return Result.DONE

    async def _planned(self, step: Step[Any], ctx: Context) -> Plan:
        """What taking `step` back would change, once its questions are answered and its waits are over.

        A hold that is left is a refusal, or a question that nobody answered.
        """
        while not self._desk.stopping.is_set():
            plan = await step.undo(ctx)
            self._desk.bus.publish(Planned(self._desk.now(), step.id, plan))
            match plan.hold:
                case Ask(question) if isinstance(await ask(step, question, self._desk), Wait):
                    continue
                case Wait(until):
                    await self._desk.waiting.wait(step.id, until)
                case _:
                    return plan
        raise Stopped

    def _show(self, step: Step[Any]) -> None:
        """Its state as it is written: while the operator is asked, screens show that."""
        row = self._desk.progress.step(step.id)
        self._desk.bus.publish(StepChanged(self._desk.now(), step.id, row.state, row.why, row.until))

    def _note(self, target: str) -> None:
        """What is being taken back, on disk when this returns."""
        progress = self._desk.progress
        if progress.taking_back != target:
            progress.taking_back = target
            self._desk.journal.write(self._desk.now(), journal.Entry.BACK, sync=True, target=target)
            progress.save()
