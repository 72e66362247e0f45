"""Steps driven one at a time, over the engine's own context, against any world.

    bench = Bench(world, tmp_path)
    turn = await bench.drive(step)
    assert turn.done

Records and answers are kept between the steps of one bench, as the progress file keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wizard import voice
from wizard.engine import journal, progress
from wizard.engine.bus import Bus
from wizard.engine.check import Check, CheckState
from wizard.engine.context import StepContext
from wizard.engine.events import Detail, Event, Output
from wizard.engine.plan import Ask, Change, Failed, Plan, Skip, Wait
from wizard.engine.step import Step
from wizard.world import World

_TURNS = 8
_ASKED_AGAIN = 400


@dataclass(frozen=True, slots=True)
class Turn:
    """How a step ended: its hold if something held it, else what was changed and the last checks."""

    plan: Plan
    applied: tuple[Change, ...] = ()
    checks: tuple[Check, ...] = ()
    hold: Wait | Ask | Failed | Skip | None = None

    @property
    def done(self) -> bool:
        return self.hold is None and bool(self.checks) and all(check.ok for check in self.checks)

    @property
    def story(self) -> str:
        """Why it is not done, for a failing assertion."""
        return f"{self.hold}\n" + "\n".join(
            f"{check.state}: {check.question}: {check.evidence.seen} {check.advice}" for check in self.checks
        )


@dataclass
class Bench:
    """One progress file and one stream of events."""

    world: World
    folder: Path
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.progress = progress.load(self.folder / "progress.toml")
        self.journal = journal.Journal(self.progress.journal_path)
        self.bus = Bus()
        self.bus.subscribe(self.events.append)

    def context(self, step: Step[Any] | str) -> StepContext:
        step_id = step if isinstance(step, str) else step.id
        return StepContext(step_id, self.world, self.progress, self.journal, self.bus)

    @property
    def lines(self) -> list[str]:
        return [event.line for event in self.events if isinstance(event, Output)]

    def details(self, topic: str) -> list[Any]:
        return [event.payload for event in self.events if isinstance(event, Detail) and event.topic == topic]

    async def plan(self, step: Step[Any]) -> Plan:
        return step.plan(await step.observe(self.context(step)))

    async def drive(self, step: Step[Any], answers: Mapping[str, str] | None = None) -> Turn:
        """Observe, plan, apply, verify; moments are waited for. Questions are answered from `answers`."""
        ctx = self.context(step)
        voice.listen(ctx.output)
        plan = Plan()
        for _ in range(_TURNS):
            plan = step.plan(await step.observe(ctx))
            match plan.hold:
                case Wait(until):
                    await self.world.clock.wait_until(until)
                case Ask(question) if answers and question.id in answers:
                    self.progress.answers[question.id] = answers[question.id]
                case None:
                    for change in plan.changes:
                        await step.apply(change, ctx)
                    return Turn(plan, plan.changes, tuple(await self.prove(step)))
                case hold:
                    return Turn(plan, hold=hold)
        return Turn(plan, hold=plan.hold)

    async def prove(self, step: Step[Any]) -> Sequence[Check]:
        """Verify until no check is pending."""
        ctx = self.context(step)
        for _ in range(_ASKED_AGAIN):
            checks = await step.verify(ctx)
            pending = [check for check in checks if check.state is CheckState.PENDING]
            if not pending:
                return checks
            await self.world.clock.wait_until(max(min(check.again or 0 for check in pending), ctx.now() + 1))
        raise AssertionError(f"{step.id} never settles: {pending}")

    async def undo(self, step: Step[Any]) -> Plan:
        ctx = self.context(step)
        plan = await step.undo(ctx)
        if plan.hold is None:
            for change in plan.changes:
                await step.apply(change, ctx)
            ctx.saved.forget(step.keeps)
        return plan

    def close(self) -> None:
        self.journal.close()
