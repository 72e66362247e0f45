"""What screens need of a run: `wizard.session.EngineSession` is one, tests have another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from wizard.engine.check import Check
    from wizard.engine.events import Detail, Event
    from wizard.engine.info import Costs, StepInfo
    from wizard.engine.plan import Plan, Question
    from wizard.engine.step import Phase
    from wizard.errors import WizardError


class Session(Protocol):
    """One attended migration. Moments and durations are seconds of the world's time."""

    paused: bool
    trouble: WizardError | None
    """What ended the last run altogether."""

    @property
    def live(self) -> bool: ...

    @property
    def rebuilt(self) -> str:
        """Why the progress file had to be rebuilt, "" if it had not."""
        ...

    @property
    def title(self) -> str: ...

    @property
    def steps(self) -> tuple[StepInfo, ...]:
        """In running order, with the states of now."""
        ...

    @property
    def running(self) -> bool: ...

    @property
    def questions(self) -> tuple[tuple[str, Question], ...]:
        """Open questions, each with the step that asks."""
        ...

    @property
    def approvals(self) -> tuple[str, ...]:
        """Steps whose plan waits for approval."""
        ...

    @property
    def costs(self) -> Costs: ...

    @property
    def elapsed(self) -> float: ...

    @property
    def remaining(self) -> float | None:
        """Until the last moment that is known to be waited for; None if none is."""
        ...

    def now(self) -> float: ...

    def subscribe(self, reader: Callable[[Event], None], /) -> Callable[[], object]:
        """Called at once for every event; returns what ends it."""
        ...

    def checks(self, step: str, /) -> tuple[Check, ...]: ...

    def plan(self, step: str, /) -> Plan | None: ...

    async def preview(self) -> dict[str, Plan]:
        """Every unfinished step's plan, as far as it can be known now. Changes nothing."""
        ...

    async def report(self) -> str:
        """What was done and proven so far, as Markdown."""
        ...

    async def start(self) -> None:
        """Go on in the background; returns at once."""
        ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def approve(self, step: str, yes: bool, /) -> None: ...

    def approve_phase(self, phase: Phase, /) -> None:
        """Approve every plan of `phase` that can be undone, now and later."""
        ...

    def answer(self, question: str, text: str, /) -> None: ...

    async def verify(self, step: str, /) -> None: ...

    async def undo(self, target: str, /) -> Any:
        """Take back a step or a phase; its plan waits for approval like any other."""
        ...

    @property
    def remembered(self) -> tuple[Detail, ...]:
        """The last snapshots of earlier runs, oldest first."""
        ...

    @property
    def behind_back(self) -> tuple[Phase, ...]:
        """Later phases that have begun, and so are taken back before the flip is."""
        ...

    async def back(self) -> Any:
        """Take the flip back, and what came after it before that."""
        ...

    async def stop(self) -> None:
        """Finish the mutation under way, then end."""
        ...
