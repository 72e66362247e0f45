"""Which steps may begin: needs are ids or prefixes of ids within the same phase."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from wizard.engine.events import NOTHING, StepState
from wizard.engine.progress import Progress
from wizard.engine.step import Phase, Step
from wizard.errors import WizardError

FINISHED = (StepState.DONE, StepState.SKIPPED)


def of_phase(steps: Sequence[Step[Any]], phase: Phase) -> tuple[Step[Any], ...]:
    return tuple(step for step in steps if step.phase is phase)


def matches(step_id: str, need: str) -> bool:
    return step_id == need or step_id.startswith(f"{need}.")


def ready(
    steps: Sequence[Step[Any]], states: Mapping[str, StepState], begun: Collection[str]
) -> tuple[Step[Any], ...]:
    """Steps that are unfinished, not begun, and whose needs are all finished."""
    unfinished = {step.id for step in steps if states.get(step.id) not in FINISHED}
    return tuple(
        step
        for step in steps
        if step.id in unfinished
        and step.id not in begun
        and not any(matches(other, need) for other in unfinished - {step.id} for need in step.needs)
    )


def resting_on(steps: Sequence[Step[Any]], step: Step[Any]) -> tuple[Step[Any], ...]:
    """The other steps, of any phase, that have no purpose without `step`."""
    return tuple(
        other
        for other in steps
        if other is not step and any(matches(step.id, need) for need in other.rests_on)
    )


def needed_by(steps: Sequence[Step[Any]], chosen: Sequence[Step[Any]]) -> tuple[Step[Any], ...]:
    """`chosen` and every step of the same phases that needs one of them, in running order."""
    wanted = {step.id for step in chosen}
    phases = {step.phase for step in chosen}
    ordered = in_order([step for step in steps if step.phase in phases])
    for step in ordered:
        if any(matches(other, need) for other in wanted for need in step.needs):
            wanted.add(step.id)
    return tuple(step for step in ordered if step.id in wanted)


def in_order(steps: Sequence[Step[Any]]) -> tuple[Step[Any], ...]:
    """By phase, then so that needs come first, otherwise as given. Raises WizardError on a circle."""
    placed: list[Step[Any]] = []
    for phase in Phase:
        left = list(of_phase(steps, phase))
        while left:
            done = {step.id: StepState.DONE for step in placed}
            able = ready(left, done, ())
            if not able:
                names = ", ".join(step.id for step in left)
                raise WizardError(f"These steps need each other: {names}", next="Report this as a fault.")
            placed.append(able[0])
            left.remove(able[0])
    return tuple(placed)


def orphans(steps: Sequence[Step[Any]], progress: Progress) -> tuple[str, ...]:
    """Things of which something was done, and that no step is about any more: a server that was renamed in
    the configuration, an app that was taken out of it."""
    now = {_thing(step.id) for step in steps}
    begun = [_thing(step_id) for step_id, row in progress.steps.items() if row.state not in NOTHING]
    return tuple(dict.fromkeys(thing for thing in begun if thing and thing not in now))


def _thing(step_id: str) -> str:
    """``frontend`` of ``provision.frontend.server``; "" for a step that is about the whole."""
    parts = step_id.split(".")
    return parts[1] if len(parts) > 2 else ""
