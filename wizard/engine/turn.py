"""One turn of one step: observe, plan, ask, apply, verify."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from wizard import voice
from wizard.engine import journal
from wizard.engine.bus import Bus
from wizard.engine.check import Check, CheckState
from wizard.engine.context import StepContext
from wizard.engine.events import NOTHING, ChangeEnded, ChangeStarted, Checked, Output, Planned, jsonable
from wizard.engine.operator import Operator
from wizard.engine.plan import Ask, Change, Done, Failed, Outcome, Plan, Question, Skip, Wait
from wizard.engine.progress import Progress
from wizard.engine.step import Skipped, Step, Stopped
from wizard.engine.waiting import WaitingRoom
from wizard.errors import UnreachableError, WizardError
from wizard.redact import redact
from wizard.world import World

T = TypeVar("T")
_TRIES = 4
"""Without an answer and without a change made in between."""
_MOST_TRIES = 12
_LEAST_NAP = 1.0
_SOON = 30.0
_SOON_TRIES = 6
_LONG = 120.0
"""A check that is pending for longer ends the turn: its moment is written down, as that of a wait."""
_CHECK_NETWORK = "Check the network, then run again: it goes on from here."


class Declined(Exception):
    """The operator did not approve the plan, or nobody was there to be asked."""


@dataclass
class Desk:
    """What the turns of one run share."""

    world: World
    progress: Progress
    journal: journal.Journal
    bus: Bus
    operator: Operator
    waiting: WaitingRoom
    gate: asyncio.Event
    """Set while changes may begin; cleared by pause."""
    stopping: asyncio.Event
    made: Counter[str] = field(default_factory=Counter)
    """How many changes each step has made."""

    @property
    def changes(self) -> int:
        return self.made.total()

    def now(self) -> float:
        return self.world.clock.now()

    def context(self, step: Step[Any]) -> StepContext:
        return StepContext(step.id, self.world, self.progress, self.journal, self.bus, self.stopping)


async def take_turn(step: Step[Any], desk: Desk, interrupted: tuple[str, ...] = ()) -> Outcome:
    """Bring `step` as far as it goes now. `interrupted`: keys of changes whose end is not known.

    Raises Declined and Stopped; every other trouble becomes Failed.
    """
    ctx = desk.context(step)
    voice.listen(ctx.output)
    try:
        return await insist(step, desk, lambda: _turn(step, ctx, desk, interrupted))
    except Skipped as told:
        return Skip(redact(str(told)))
    except UnreachableError as error:
        return Failed(redact(str(error)), (_CHECK_NETWORK,))
    except WizardError as error:
        why = " · ".join(part for part in (error.what, error.why) if part)
        return Failed(redact(why), (error.next,) if error.next else ())


async def preview(step: Step[Any], desk: Desk) -> Plan:
    """What one step would do, as far as it can be known now. Changes nothing."""
    try:
        return step.plan(await step.observe(desk.context(step)))
    except WizardError as error:
        return Plan(hold=Failed(redact(error.what), (error.next,) if error.next else ()))


async def insist(step: Step[Any], desk: Desk, work: Callable[[], Awaitable[T]]) -> T:
    """Do `work`, which begins by looking, and do it again while no answer comes: a few times, and anew
    after each change that was made. Raises UnreachableError in the end."""
    lost = 0
    for tried in range(1, _MOST_TRIES + 1):
        made = desk.made[step.id]
        try:
            return await work()
        except UnreachableError as error:
            lost = 1 if desk.made[step.id] > made else lost + 1
            if lost == _TRIES or tried == _MOST_TRIES:
                raise
            again = f"{error} — trying again ({lost} of {_TRIES - 1})"
            desk.bus.publish(Output(desk.now(), step.id, redact(again)))
            await desk.world.clock.sleep(2.0**lost)
    raise AssertionError("unreachable")


async def _turn(step: Step[Any], ctx: StepContext, desk: Desk, interrupted: tuple[str, ...]) -> Outcome:
    plan = step.plan(await step.observe(ctx))
    desk.bus.publish(Planned(desk.now(), step.id, plan))
    if isinstance(plan.hold, Ask):
        return await ask(step, plan.hold.question, desk)
    if plan.hold is not None:
        if isinstance(plan.hold, Failed) and plan.hold.answer in desk.progress.answers:
            forget_answer(step, plan.hold.answer, desk)
        return plan.hold
    settle_intents(step.id, plan, desk, interrupted)
    if plan.changes:
        await approve(step, plan, desk)
        for change in plan.changes:
            await make(step, change, ctx, desk)
    return await prove(step, ctx, desk)


async def ask(step: Step[Any], question: Question, desk: Desk) -> Ask | Wait:
    """A wait that is over at once when there was an answer, the question again when nobody gave one."""
    with desk.waiting.idle(step.id):
        answer = await desk.operator.answer(step, question)
    if answer is None:
        return Ask(question)
    _validate(question, answer)
    if not question.secret:
        desk.progress.answers[question.id] = answer
        desk.journal.write(
            desk.now(), journal.Entry.ANSWER, sync=True, step=step.id, question=question.id, answer=answer
        )
        desk.progress.save()
    else:
        await desk.world.secrets.put(question.id, answer)
    return Wait(desk.now(), "the answer is taken into account")


def forget_answers(step: Step[Any], desk: Desk) -> None:
    """What was answered for a step that is taken back is asked anew when it is done again."""
    for question in [one for one in desk.progress.answers if one.startswith(f"{step.id}/")]:
        forget_answer(step, question, desk)


def forget_answer(step: Step[Any], question: str, desk: Desk) -> None:
    """An answer that stops a step must not stop it for ever: the next run asks again."""
    del desk.progress.answers[question]
    desk.journal.write(
        desk.now(), journal.Entry.ANSWER, sync=True, step=step.id, question=question, answer=None
    )
    desk.progress.save()


def _validate(question: Question, answer: str) -> None:
    if question.typed and answer != question.typed:
        raise WizardError("The name was not typed as shown", next=f"Type exactly: {question.typed}")
    if question.choices and answer not in {choice.value for choice in question.choices}:
        offered = ", ".join(choice.value for choice in question.choices)
        raise WizardError(f"{answer!r} is not one of the choices", next=f"Choose one of: {offered}.")


def settle_intents(step: str, plan: Plan, desk: Desk, interrupted: tuple[str, ...]) -> None:
    """An open intent that the plan no longer holds was carried out: the outside has it."""
    planned = {change.key for change in plan.changes}
    for key in interrupted:
        if key not in planned:
            desk.journal.write(
                desk.now(), journal.Entry.OUTCOME, sync=True, step=step, key=key, result="adopted"
            )


async def approve(step: Step[Any], plan: Plan, desk: Desk) -> None:
    with desk.waiting.idle(step.id):
        if not await desk.operator.approve(step, plan):
            raise Declined(step.id)
    desk.journal.write(desk.now(), journal.Entry.PLAN, step=step.id, changes=jsonable(plan.changes))


async def make(step: Step[Any], change: Change, ctx: StepContext, desk: Desk) -> None:
    """Intent on disk, the change, its outcome on disk. Never cancelled half-way."""
    await desk.gate.wait()
    if desk.stopping.is_set():
        raise Stopped
    record = {"step": step.id, "key": change.key}
    desk.journal.write(desk.now(), journal.Entry.INTENT, sync=True, **record, target=change.target)
    desk.bus.publish(ChangeStarted(desk.now(), step.id, change))
    work = asyncio.ensure_future(step.apply(change, ctx))
    cancelled = await finished(work)
    try:
        work.result()
    except Stopped:
        # It goes on without us: the intent stays open, and the next run looks on again.
        raise
    except Exception as error:
        why = redact(str(error) or type(error).__name__)
        result = "left out" if isinstance(error, Skipped) else "failed"
        # Without an answer nothing is known: the intent stays open and is settled by observing.
        if not isinstance(error, UnreachableError):
            desk.journal.write(desk.now(), journal.Entry.OUTCOME, sync=True, **record, result=result, why=why)
        desk.bus.publish(ChangeEnded(desk.now(), step.id, change, result, why))
        if cancelled:
            raise asyncio.CancelledError from error
        raise
    desk.made[step.id] += 1
    desk.journal.write(desk.now(), journal.Entry.OUTCOME, sync=True, **record, result="applied")
    desk.bus.publish(ChangeEnded(desk.now(), step.id, change, "applied"))
    if cancelled:
        raise asyncio.CancelledError


async def finished(work: asyncio.Future[Any]) -> bool:
    """Wait until `work` has ended, even if we are cancelled meanwhile; whether we were.

    Cancelled once more we end at once, and leave it.
    """
    try:
        await asyncio.wait((work,))
    except asyncio.CancelledError:
        await asyncio.wait((work,))
        return True
    return False


async def prove(step: Step[Any], ctx: StepContext, desk: Desk) -> Outcome:
    """Ask the outside until every check is settled. Done only if all hold."""
    while True:
        checks = await ask_checks(step, ctx, desk)
        pending = [check for check in checks if check.state is CheckState.PENDING]
        broken = [check for check in checks if not check.ok and check not in pending]
        if broken:
            advice = tuple(dict.fromkeys(check.advice for check in broken if check.advice))
            return Failed("; ".join(map(_told, broken)), advice)
        if not checks:
            return Failed("nothing was proven: the step asked no question", ("Report this as a fault.",))
        if not pending:
            return Done()
        if desk.stopping.is_set():
            raise Stopped
        first = min(pending, key=lambda check: check.again or desk.now())
        moment = first.again or desk.now()
        if moment - desk.now() > _LONG:
            return Wait(moment, f"not before then: {first.question}")
        await desk.waiting.wait(step.id, max(moment, desk.now() + _LEAST_NAP))


def _told(check: Check) -> str:
    """Silence is no answer: it is not told as if something were wrong."""
    if check.state is CheckState.UNKNOWN:
        return f"not known whether {check.question}: {check.evidence.seen}"
    return f"not true: {check.question}"


async def ask_until_settled(step: Step[Any], desk: Desk) -> Sequence[Check]:
    """The answers, pending ones asked again for as long as they soon know more: a few times, no longer."""
    ctx = desk.context(step)
    checks = await ask_checks(step, ctx, desk)
    for _ in range(_SOON_TRIES):
        soon = [check.again for check in checks if check.state is CheckState.PENDING and check.again]
        if not soon or min(soon) > desk.now() + _SOON or desk.stopping.is_set():
            break
        await desk.world.clock.sleep(max(min(soon) - desk.now(), _LEAST_NAP))
        checks = await ask_checks(step, ctx, desk)
    return checks


async def ask_checks(step: Step[Any], ctx: StepContext, desk: Desk) -> Sequence[Check]:
    checks = await step.verify(ctx)
    # An answer about what is not done proves nothing: it is shown, and not kept.
    kept = desk.progress.state(step.id) not in NOTHING
    for check in checks:
        desk.bus.publish(Checked(desk.now(), step.id, check))
        if not kept:
            continue
        desk.journal.write(desk.now(), journal.Entry.CHECK, step=step.id, check=jsonable(check))
    return checks
