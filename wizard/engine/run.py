"""The engine: takes steps to their end, in the order of their needs, side by side where they allow it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from wizard.engine import journal
from wizard.engine.back import WayBack
from wizard.engine.bus import Bus
from wizard.engine.check import Check, CheckState, Evidence
from wizard.engine.events import Checked, Planned, RunEnded, StepChanged, StepState
from wizard.engine.operator import Operator
from wizard.engine.order import FINISHED, of_phase, orphans, ready, resting_on
from wizard.engine.plan import Ask, Done, Failed, Outcome, Plan, Skip, Wait
from wizard.engine.progress import Progress
from wizard.engine.result import Result
from wizard.engine.step import Phase, Step, Stopped
from wizard.engine.turn import (
    Declined,
    Desk,
    ask_until_settled,
    preview,
    take_turn,
)
from wizard.engine.waiting import WaitingRoom
from wizard.errors import UsageError, WizardError
from wizard.redact import redact
from wizard.world import World

__all__ = ["Engine", "Result", "Tally", "engine_for"]

_VERIFIERS = 6
_WAY_BACK = "way back"
_SHOWN_AGAIN = (StepState.RUNNING, StepState.UNDOING)
"""States that a screen may have lost sight of while the operator was asked."""
_OUR_FAULT = "Run again; if it stays, run with --debug and report it."


@dataclass(frozen=True, slots=True)
class Tally:
    """What the summary line counts."""

    done: int
    failed: int
    skipped: int
    changes: int


class Engine:
    """One run over one progress file, whose lock the caller holds."""

    def __init__(
        self,
        steps: Sequence[Step[Any]],
        world: World,
        progress: Progress,
        records: journal.Journal,
        operator: Operator,
        bus: Bus | None = None,
    ) -> None:
        self.steps = tuple(steps)
        self.progress = progress
        self.bus = bus or Bus()
        self.problems: dict[str, BaseException] = {}
        """Errors that are not the operator's: faults of ours, for --debug."""
        gate = asyncio.Event()
        gate.set()
        self._desk = Desk(
            world=world,
            progress=progress,
            journal=records,
            bus=self.bus,
            operator=operator,
            waiting=WaitingRoom(world.clock),
            gate=gate,
            stopping=asyncio.Event(),
        )
        self._interrupted = journal.open_intents(progress.journal_path)
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._back = WayBack(self.steps, self._desk, self._set, self._interrupted)

    def step(self, step_id: str) -> Step[Any]:
        return next(step for step in self.steps if step.id == step_id)

    @property
    def tally(self) -> Tally:
        states = [self.progress.state(step.id) for step in self.steps]
        return Tally(
            done=states.count(StepState.DONE),
            failed=states.count(StepState.FAILED),
            skipped=states.count(StepState.SKIPPED),
            changes=self._desk.changes,
        )

    async def run(self, until: Phase | None = None) -> Result:
        """All phases up to and including `until`. A finished migration is asked again and left alone."""
        self._desk.stopping.clear()
        self._open_run()
        if self._back.halfway and (ended := await self._stoppable(self._back.go_on_or_forward())) is not None:
            return self._end(ended)
        over = all(self.progress.state(step.id) in FINISHED for step in self.steps)
        self._take_up_skipped()
        result = Result.DONE
        for phase in Phase:
            result = await self._run_phase(phase)
            if result is not Result.DONE or phase is until:
                break
        return self._end(await self.verify() if over and result is Result.DONE else result)

    async def plan(self, chosen: Collection[str] | None = None) -> dict[str, Plan]:
        """What every step, or every chosen one, that is not done would do, as far as it can be known now.
        Changes nothing."""
        plans: dict[str, Plan] = {}
        limit = asyncio.Semaphore(_VERIFIERS)
        unfinished = [
            step
            for step in self.steps
            if self.progress.state(step.id) is not StepState.DONE and (chosen is None or step.id in chosen)
        ]

        async def one(step: Step[Any]) -> None:
            async with limit:
                plans[step.id] = await self.preview(step)
            # The plan of a step at work is the one that it is carrying out.
            if step.id not in self._tasks:
                self.bus.publish(Planned(self._desk.now(), step.id, plans[step.id]))

        async with asyncio.TaskGroup() as group:
            for step in unfinished:
                group.create_task(one(step))
        for step in unfinished:
            if isinstance(plans[step.id].hold, Skip):
                plans |= {one.id: Plan(hold=plans[step.id].hold) for one in resting_on(self.steps, step)}
        return {step.id: plans[step.id] for step in unfinished}

    async def verify(self, steps: Sequence[Step[Any]] | None = None) -> Result:
        """Ask the outside again. Changes nothing, not even the steps' states."""
        chosen = steps if steps is not None else [s for s in self.steps if self._holds_still(s)]
        limit = asyncio.Semaphore(_VERIFIERS)

        async def one(step: Step[Any]) -> bool:
            async with limit:
                return all(check.ok for check in await self._ask_again(step))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(step)) for step in chosen]
        return Result.DONE if all(task.result() for task in tasks) else Result.FAILED

    async def undo(self, target: str) -> Result:
        """Take back a step, or every step of a phase, newest first. Raises UsageError for an unknown one."""
        self._desk.stopping.clear()
        return self._end(await self._stoppable(self._back.go(target)))

    async def _stoppable(self, way_back: Coroutine[Any, Any, Result | None]) -> Any:
        """As a run is: at a question or in a wait it ends at once, a change under way is finished first."""
        task = self._tasks[_WAY_BACK] = asyncio.create_task(way_back, name=_WAY_BACK)
        try:
            return await task
        except asyncio.CancelledError:
            if not self._desk.stopping.is_set():
                raise
            return Result.INTERRUPTED
        finally:
            self._tasks.pop(_WAY_BACK, None)

    def pause(self) -> None:
        """No further change begins; what is under way is finished."""
        self._desk.gate.clear()

    def resume(self) -> None:
        self._desk.gate.set()

    def wind_down(self) -> None:
        """From now on no change begins; what waits goes on waiting until `stop`."""
        self._desk.stopping.set()
        self._desk.gate.set()

    async def stop(self) -> None:
        """End the run. A mutation that is under way is finished and written down first."""
        self.wind_down()
        for task in list(self._tasks.values()):
            # Once is enough, and asked twice it would not wait for the change any more.
            if not task.cancelling():
                task.cancel()

    def _open_run(self) -> None:
        progress, now = self.progress, self._desk.now()
        project = self._desk.world.config.project.name
        if progress.project and progress.project != project:
            raise UsageError(
                f"{progress.path.name} belongs to the migration of {progress.project!r}, not of {project!r}",
                next="Choose another file with --progress.",
            )
        if lost := orphans(self.steps, progress):
            raise UsageError(
                f"config.toml no longer has {', '.join(lost)}, for which something was done already",
                "what was made for it would be forgotten, and be billed",
                f"Put {'it' if len(lost) == 1 else 'them'} back. To be rid of it, `undo` its steps first.",
            )
        self._desk.journal.write(now, journal.Entry.RUN, sync=True, project=project)
        if not progress.started:
            progress.project, progress.started = project, now
            progress.save()

    def _take_up_skipped(self) -> None:
        """What was left out is looked at again."""
        for step in self.steps:
            if self.progress.state(step.id) is StepState.SKIPPED:
                self._set(step, StepState.PENDING, f"left out before: {self.progress.step(step.id).why}")

    def _end(self, result: Result) -> Result:
        self.bus.publish(RunEnded(self._desk.now(), "", result.value))
        return result

    def _holds_still(self, step: Step[Any]) -> bool:
        if self.progress.state(step.id) is not StepState.DONE:
            return False
        over = all(self.progress.state(other.id) in FINISHED for other in self.steps)
        return step.enduring or not over

    async def _ask_again(self, step: Step[Any]) -> Sequence[Check]:
        try:
            return await ask_until_settled(step, self._desk)
        except WizardError as error:
            evidence = Evidence(redact(str(error)), "here", self._desk.now())
            check = Check(
                "asked", f"{step.title} can be asked about", CheckState.UNKNOWN, evidence, error.next
            )
            self.bus.publish(Checked(self._desk.now(), step.id, check))
            return (check,)

    async def preview(self, step: Step[Any]) -> Plan:
        """What one step would do, as far as it can be known now. Changes nothing."""
        return await preview(step, self._desk)

    async def _run_phase(self, phase: Phase) -> Result:
        steps = of_phase(self.steps, phase)
        begun: set[str] = set()
        async with asyncio.TaskGroup() as group:
            while not self._desk.stopping.is_set():
                states = {step.id: self.progress.state(step.id) for step in steps}
                for step in ready(steps, states, begun):
                    begun.add(step.id)
                    self._tasks[step.id] = group.create_task(self._take(step), name=step.id)
                if not self._tasks:
                    break
                await asyncio.wait(self._tasks.values(), return_when=asyncio.FIRST_COMPLETED)
                self._tasks = {name: task for name, task in self._tasks.items() if not task.done()}
        self._tasks.clear()
        return self._result(steps)

    def _result(self, steps: Sequence[Step[Any]]) -> Result:
        states = {self.progress.state(step.id) for step in steps}
        if self._desk.stopping.is_set():
            return Result.INTERRUPTED
        if StepState.FAILED in states:
            return Result.FAILED
        return Result.DONE if states <= set(FINISHED) else Result.WAITING

    async def _take(self, step: Step[Any]) -> None:
        """Turns of one step until it is done, has failed, or needs somebody."""
        self._desk.waiting.begin(step.id)
        try:
            await self._wait_as_written(step)
            while not self._desk.stopping.is_set():
                self._set(step, StepState.RUNNING)
                outcome = await take_turn(step, self._desk, self._interrupted.pop(step.id, ()))
                if not isinstance(outcome, Wait):
                    self._conclude(step, outcome)
                    return
                if outcome.until > self._desk.now():
                    self._set(step, StepState.WAITING, outcome.why, until=outcome.until)
                    await self._desk.waiting.wait(step.id, outcome.until)
        except (Declined, Stopped, asyncio.CancelledError) as error:
            declined = isinstance(error, Declined)
            self._set(
                step,
                StepState.ASKING if declined else StepState.PENDING,
                "its plan waits for approval" * declined,
            )
            if isinstance(error, asyncio.CancelledError) and not self._desk.stopping.is_set():
                raise
        except WizardError as error:
            self._set(step, StepState.FAILED, redact(str(error)), ways=(error.next,) if error.next else ())
        except Exception as error:  # a fault of ours must not take the other steps down
            self.problems[step.id] = error
            why = redact(f"unexpected {type(error).__name__}: {error}")
            self._set(step, StepState.FAILED, why, ways=(_OUR_FAULT,))
        finally:
            self._desk.waiting.end(step.id)

    async def _wait_as_written(self, step: Step[Any]) -> None:
        """A wait that an earlier run wrote down goes on, it does not start again."""
        until = self.progress.step(step.id).until
        if until is not None and until > self._desk.now():
            self._set(step, StepState.WAITING, self.progress.step(step.id).why, until=until)
            await self._desk.waiting.wait(step.id, until)

    def _conclude(self, step: Step[Any], outcome: Outcome) -> None:
        match outcome:
            case Done(note):
                self._set(step, StepState.DONE, note)
            case Ask(question):
                self._set(step, StepState.ASKING, question.text)
            case Failed(why, ways):
                self._set(step, StepState.FAILED, why, ways=ways)
            case Skip(why):
                for one in (step, *resting_on(self.steps, step)):
                    self._set(one, StepState.SKIPPED, why)

    def _set(
        self,
        step: Step[Any],
        state: StepState,
        why: str = "",
        *,
        until: float | None = None,
        ways: tuple[str, ...] = (),
    ) -> None:
        row, now = self.progress.step(step.id), self._desk.now()
        if (row.state, row.why, row.until) == (state, why, until) and state not in _SHOWN_AGAIN:
            return
        row.state, row.why, row.until, row.changed = state, why, until, now
        self._desk.journal.write(
            now, journal.Entry.STATE, step=step.id, state=state.value, why=why, until=until
        )
        self.progress.save()
        self.bus.publish(StepChanged(now, step.id, state, why, until, ways))


@contextlib.asynccontextmanager
async def engine_for(
    steps: Sequence[Step[Any]], world: World, progress: Progress, operator: Operator, bus: Bus | None = None
) -> AsyncIterator[Engine]:
    """An engine with its journal, closed at the end."""
    records = journal.Journal(progress.journal_path)
    try:
        yield Engine(steps, world, progress, records, operator, bus)
    finally:
        records.close()
