"""An attended run: the engine behind a screen. Screens read events and give commands; nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from wizard.engine import journal
from wizard.engine.attended import Attended
from wizard.engine.bus import Bus, Reader
from wizard.engine.check import Check, settled
from wizard.engine.events import (
    Checked,
    Detail,
    Event,
    Planned,
    RunEnded,
    StepChanged,
    StepState,
)
from wizard.engine.info import Costs, StepInfo
from wizard.engine.order import FINISHED, in_order, matches
from wizard.engine.plan import Money, Plan, Question
from wizard.engine.progress import Progress
from wizard.engine.run import Engine, Result
from wizard.engine.step import Phase, Step
from wizard.errors import WizardError
from wizard.phases.costs import costs_of, foreseen, prices_in, total
from wizard.world import World

BACK = "cutover.flip"
WAY_BACK = "way back"


class EngineSession:
    """One attended run over one progress file, whose lock the caller holds."""

    def __init__(self, steps: Sequence[Step[Any]], world: World, progress: Progress) -> None:
        self._bus = Bus()
        self._world = world
        self._progress = progress
        self._journal = journal.Journal(progress.journal_path)
        self._operator = Attended(self._bus.publish, world.clock.now)
        self._engine = Engine(in_order(steps), world, progress, self._journal, self._operator, self._bus)
        self._running: asyncio.Task[Result] | None = None
        self._foresight: asyncio.Task[None] | None = None
        self._plans: dict[str, Plan] = {}
        self._checks: dict[str, dict[str, Check]] = {}
        self._infos = {step.id: self._info(step) for step in self._engine.steps}
        self._before: tuple[Money, ...] = ()
        self.paused = False
        self.trouble: WizardError | None = None
        """What ended the last run altogether, so that no step could note it."""
        self._bus.subscribe(self._note)
        self.remembered = _remember(progress, self._checks)
        """The last snapshots of earlier runs."""

    @property
    def live(self) -> bool:
        return self._world.live

    @property
    def rebuilt(self) -> str:
        """Why the progress file had to be rebuilt, "" if it had not."""
        return self._progress.rebuilt

    @property
    def title(self) -> str:
        return self._world.config.project.name

    @property
    def steps(self) -> tuple[StepInfo, ...]:
        return tuple(self._infos.values())

    @property
    def running(self) -> bool:
        return self._running is not None and not self._running.done()

    @property
    def questions(self) -> tuple[tuple[str, Question], ...]:
        """Open questions with the step that asks."""
        return self._operator.questions

    @property
    def approvals(self) -> tuple[str, ...]:
        """Steps whose plan waits for approval."""
        return self._operator.waiting

    @property
    def problems(self) -> Mapping[str, BaseException]:
        return self._engine.problems

    @property
    def costs(self) -> Costs:
        config, progress = self._world.config, self._progress
        known = costs_of(config, progress)
        return replace(known, after=total([*known.after, *foreseen(config, progress, self._plans)]))

    @property
    def elapsed(self) -> float:
        """Seconds of the world's time since the migration began; when all is done, those that it took."""
        rows = self._progress.steps
        over = all(info.state in FINISHED for info in self._infos.values())
        until = max((row.changed for row in rows.values()), default=0.0) if over else self.now()
        return max(0.0, until - self._progress.started) if self._progress.started else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds until the last moment that is known to be waited for; None if none is."""
        moments = [info.until for info in self._infos.values() if info.until]
        return max(0.0, max(moments) - self.now()) if moments else None

    def now(self) -> float:
        return self._world.clock.now()

    def subscribe(self, reader: Reader) -> Callable[[], None]:
        return self._bus.subscribe(reader)

    def checks(self, step: str) -> tuple[Check, ...]:
        return tuple(self._checks.get(step, {}).values())

    def plan(self, step: str) -> Plan | None:
        return self._plans.get(step)

    async def preview(self) -> dict[str, Plan]:
        """Every unfinished step's plan, as far as it can be known now."""
        return await self._engine.plan()

    async def report(self) -> str:
        """What was done and proven so far, as Markdown."""
        from wizard.report import gather as report
        from wizard.report.render import Form, render

        costs = costs_of(self._world.config, self._progress)
        gathered = report.gather(
            self._world.config, self._engine.steps, self._progress, costs.before, costs.after
        )
        return await asyncio.to_thread(render, gathered, Form.MARKDOWN)

    async def start(self) -> None:
        """Run in the background; a run that goes on already is left alone."""
        if not self.running:
            self._running = asyncio.create_task(self._go_on(), name="migration")
        if self._foresight is None:
            self._foresight = asyncio.create_task(self._foresee(), name="foresight")

    async def _go_on(self) -> Result:
        self.trouble = None
        try:
            return await self._engine.run()
        except* WizardError as group:
            self.trouble = _first(group)
        self._bus.publish(RunEnded(self.now(), "", Result.FAILED.value))
        return Result.FAILED

    async def _foresee(self) -> None:
        """Plan early what has a price, so that the cost is known before the first server is ordered."""
        await self._engine.plan(prices_in(self._world.config))

    def pause(self) -> None:
        self.paused = True
        self._engine.pause()

    def resume(self) -> None:
        self.paused = False
        self._engine.resume()

    def approve(self, step: str, yes: bool) -> None:
        self._operator.decide(step, yes)

    def approve_phase(self, phase: Phase) -> None:
        of_phase = [step for step in self._operator.waiting if self._infos[step].phase is phase]
        reversible = [
            step for step in of_phase if not any(change.confirm for change in self._plans[step].changes)
        ]
        self._operator.trust(phase, reversible)

    def answer(self, question: str, text: str) -> None:
        self._operator.reply(question, text)

    async def verify(self, step: str) -> None:
        await self._engine.verify((self._engine.step(step),))

    async def undo(self, target: str) -> Result:
        """Stop what runs, then take `target` (a step or a phase) back."""
        await self._halt()
        self._operator.doubt()
        self._running = asyncio.create_task(self._engine.undo(target), name=WAY_BACK)
        return await asyncio.shield(self._running)

    async def back(self) -> Result:
        """The way back of the cutover: first of what was done after it, then the old records again."""
        await self._halt()
        for phase in reversed(self.behind_back):
            result = await self.undo(phase)
            if result is not Result.DONE:
                return result
        return await self.undo(BACK)

    @property
    def behind_back(self) -> tuple[Phase, ...]:
        """Later phases that have begun, and so are taken back before the flip is."""
        later = list(Phase)[list(Phase).index(Phase.CUTOVER) + 1 :]
        rests = (StepState.DONE, StepState.UNDOING)
        begun = {info.phase for info in self._infos.values() if info.state in rests}
        return tuple(phase for phase in later if phase in begun)

    async def stop(self) -> None:
        """Finish the mutation under way, end the run, close the journal."""
        await self._halt()
        if self._foresight is not None:
            self._foresight.cancel()
            await asyncio.wait((self._foresight,))
        self._journal.close()

    async def _halt(self) -> None:
        if self._running is None or self._running.done():
            return
        await self._engine.stop()
        if self._running.get_name() == WAY_BACK and not self._running.cancelling():
            # A run ends by itself; a way back may stand at a question.
            self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError, WizardError):
            await self._running

    def _info(self, step: Step[Any]) -> StepInfo:
        row = self._progress.step(step.id) if step.id in self._progress.steps else None
        return StepInfo(
            step.id,
            step.title,
            step.phase,
            step.way_back,
            step.point_of_no_return,
            row.state if row else StepState.PENDING,
            row.why if row else "",
            row.until if row else None,
            needs=tuple(
                other.id
                for other in self._engine.steps
                if other.phase is step.phase and any(matches(other.id, need) for need in step.needs)
            ),
        )

    def _note(self, event: Event) -> None:
        match event:
            case StepChanged(step=step, state=state, why=why, until=until, ways=ways):
                self._infos[step] = replace(self._infos[step], state=state, why=why, until=until, ways=ways)
                if state is StepState.DONE:
                    self._checks[step] = settled(self._checks.get(step, {}))
            case Planned(step=step, plan=plan) if step not in self._operator.waiting:
                self._plans[step] = plan
            case Checked(step=step, check=check):
                self._checks.setdefault(step, {})[check.name] = check


def _remember(progress: Progress, checks: dict[str, dict[str, Check]]) -> tuple[Detail, ...]:
    """Checks and snapshots of earlier runs, from the journal, so that a restarted screen shows them with
    their age. Of a step that was taken back or left out there are none."""
    from wizard.engine.progress import decode
    from wizard.phases.snapshots import restored

    details: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in journal.read(progress.journal_path):
        step = str(entry.get("step", ""))
        if entry["kind"] == journal.Entry.CHECK:
            check = decode(entry["check"], Check)
            checks.setdefault(step, {})[check.name] = check
        elif entry["kind"] == journal.Entry.STATE and entry["state"] == StepState.DONE:
            checks[step] = settled(checks.get(step, {}))
        elif entry["kind"] == journal.Entry.DETAIL:
            details.pop((step, entry["topic"]), None)
            details[step, entry["topic"]] = entry
        elif entry["kind"] == journal.Entry.STATE and entry["state"] in (StepState.UNDONE, StepState.SKIPPED):
            checks.pop(step, None)
            details = {key: kept for key, kept in details.items() if key[0] != step}
    found = (
        Detail(entry["moment"], step, topic, restored(topic, entry["payload"]))
        for (step, topic), entry in details.items()
    )
    return tuple(detail for detail in found if detail.payload is not None)


def _first(group: BaseExceptionGroup[WizardError]) -> WizardError:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, WizardError)
    return found
