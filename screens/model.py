"""What the screens paint from. Events go in here at once; painting happens later, and less often."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from screens.session import Session
from wizard.engine.check import Check, CheckState
from wizard.engine.events import (
    Answered,
    ChangeEnded,
    ChangeStarted,
    Detail,
    Event,
    Output,
    Planned,
    RunEnded,
    StepChanged,
    StepState,
)
from wizard.engine.info import Costs, StepInfo
from wizard.engine.plan import NOTHING, Plan, Question
from wizard.engine.step import Phase

KEPT_LINES = 5000
_FOLLOWED = (
    StepState.ASKING,
    StepState.FAILED,
    StepState.RUNNING,
    StepState.UNDOING,
    StepState.WAITING,
)
_AT_WORK = (StepState.RUNNING, StepState.UNDOING)


@dataclass(frozen=True, slots=True)
class OutputLine:
    """`number` counts the lines of a step from 1; old ones leave the ring but keep their number."""

    number: int
    at: float
    text: str
    role: str = ""


@dataclass(slots=True)
class StepView:
    """What a screen knows of a step beyond the session: its log and how its changes went."""

    output: deque[OutputLine] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    total: int = 0
    results: dict[str, str] = field(default_factory=dict)
    """By change key: running, applied, adopted, failed."""
    made: Plan | None = None
    """The last plan of which something was changed."""

    def say(self, at: float, text: str, role: str = "") -> None:
        if role and self.output and self.output[-1].text == text:
            # A step that waits again for the same says nothing new.
            return
        for single in text.splitlines() or [""]:
            self.total += 1
            self.output.append(OutputLine(self.total, at, single, role))


class Model:
    """Reads the event stream. `version` grows with every event, so that a screen knows when to paint."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.version = 0
        self.ended: str | None = None
        self._details: dict[str, dict[str, Any]] = {}
        """By topic and step; the step that published last comes last."""
        self._views: dict[str, StepView] = {}
        self._latest = ""
        self._costs: Costs | None = None
        self._remember()
        self._unsubscribe = session.subscribe(self.take)

    def close(self) -> None:
        self._unsubscribe()

    def renew(self) -> None:
        """Everything is to be asked of the session again: it is another than before."""
        self.version += 1
        self._costs = None
        self._remember()

    def _remember(self) -> None:
        for detail in self.session.remembered:
            self._details.setdefault(detail.topic, {}).setdefault(detail.step, detail.payload)

    # What screens ask.

    @property
    def steps(self) -> tuple[StepInfo, ...]:
        return self.session.steps

    def info(self, step: str) -> StepInfo | None:
        return next((info for info in self.steps if info.id == step), None)

    @property
    def costs(self) -> Costs:
        """As of the last step that changed its state."""
        if self._costs is None:
            self._costs = self.session.costs
        return self._costs

    def view(self, step: str) -> StepView:
        return self._views.setdefault(step, StepView())

    def plan(self, step: str) -> Plan | None:
        """The step's plan; when nothing is left to be changed, the one that was carried out."""
        plan = self.session.plan(step)
        made = self.view(step).made
        return made if made is not None and plan is not None and plan == NOTHING else plan

    def checks(self, step: str) -> Sequence[Check]:
        return self.session.checks(step)

    def awaits_approval(self, step: str) -> bool:
        return step in self.session.approvals

    def question(self, step: str) -> Question | None:
        return next((question for asker, question in self.session.questions if asker == step), None)

    def details(self, topic: str) -> dict[str, Any]:
        """What steps published under `topic`, by step; the newest comes last."""
        return self._details.get(topic, {})

    def latest(self, topic: str) -> tuple[str, Any] | None:
        """The newest payload of `topic`, and the step that published it."""
        return next(reversed(self.details(topic).items()), None)

    def phases(self) -> tuple[Phase, ...]:
        """All of them while no step is known yet."""
        return tuple(dict.fromkeys(info.phase for info in self.steps)) or tuple(Phase)

    def of_phase(self, phase: Phase) -> tuple[StepInfo, ...]:
        return tuple(info for info in self.steps if info.phase is phase)

    @property
    def needing(self) -> tuple[str, ...]:
        """Steps that need the operator: questions first, then plans, then failures."""
        asked = [step for step, _ in self.session.questions]
        failed = [info.id for info in self.steps if info.state is StepState.FAILED]
        return tuple(dict.fromkeys([*asked, *self.session.approvals, *failed]))

    @property
    def taken_back(self) -> bool:
        """Whether something was undone and not gone through again."""
        return any(info.state is StepState.UNDONE for info in self.steps)

    @property
    def over(self) -> bool:
        """Whether every step is finished."""
        steps = self.steps
        return bool(steps) and all(info.state in (StepState.DONE, StepState.SKIPPED) for info in steps)

    @property
    def current(self) -> str:
        """The step that an operator who follows wants to see."""
        asked = [step for step, _ in self.session.questions] + list(self.session.approvals)
        if asked:
            return asked[0]
        states = {info.id: info.state for info in self.steps}
        if states.get(self._latest) in _AT_WORK:
            return self._latest
        for wanted in _FOLLOWED:
            found = [step for step, state in states.items() if state is wanted]
            if found:
                return found[0]
        finished = [step for step, state in states.items() if state is StepState.DONE]
        pending = [step for step, state in states.items() if state in (StepState.PENDING, StepState.UNDONE)]
        return next(iter(pending), finished[-1] if finished else next(iter(states), ""))

    def tally(self, steps: Sequence[StepInfo]) -> tuple[int, int]:
        """Finished and all."""
        finished = sum(info.state in (StepState.DONE, StepState.SKIPPED) for info in steps)
        return finished, len(steps)

    def proven(self, step: str) -> tuple[int, int, bool]:
        """Checks that hold, all checks, and whether one is broken."""
        checks = self.checks(step)
        broken = any(check.state in (CheckState.FAILED, CheckState.UNKNOWN) for check in checks)
        return sum(check.ok for check in checks), len(checks), broken

    # What events do.

    def take(self, event: Event) -> None:
        self.version += 1
        match event:
            case StepChanged(step=step, state=state, why=why, ways=ways):
                self.ended = None
                self._costs = None
                self._state(event.at, step, state, why, ways)
            case Planned(step=step, plan=plan):
                self._costs = None
                if plan != NOTHING:
                    self.view(step).results.clear()
            case ChangeStarted(step=step, change=change):
                self.view(step).made = self.session.plan(step)
                self.view(step).results[change.key] = "running"
                self.view(step).say(event.at, f"{change.kind.value} {change.target}", "title")
            case ChangeEnded(step=step, change=change, result=result, why=why):
                self._ended(event.at, step, change.key, change.target, result, why)
            case Output(step=step, line=text):
                self.view(step).say(event.at, text)
            case Answered(step=step, answer=answer):
                self.view(step).say(event.at, f"answered: {answer or '(not shown)'}", "accent")
            case Detail(step=step, topic=topic, payload=payload):
                of_topic = self._details.setdefault(topic, {})
                of_topic.pop(step, None)
                of_topic[step] = payload
            case RunEnded(result=result):
                self.ended = result

    def _state(self, at: float, step: str, state: StepState, why: str, ways: tuple[str, ...]) -> None:
        if state in _AT_WORK:
            self._latest = step
        view = self.view(step)
        match state:
            case StepState.FAILED:
                view.say(at, f"failed: {why}", "bad")
                for way in ways:
                    view.say(at, f"way on: {way}", "accent")
            case StepState.WAITING:
                view.say(at, f"waits: {why}", "accent")
            case StepState.DONE | StepState.UNDONE | StepState.SKIPPED:
                view.say(at, f"{state.value}{': ' + why if why else ''}", "ok")

    def _ended(self, at: float, step: str, key: str, target: str, result: str, why: str) -> None:
        view = self.view(step)
        view.results[key] = result
        role = "bad" if result == "failed" else "ok"
        view.say(at, f"{result}: {target}{' · ' + why if why else ''}", role)
