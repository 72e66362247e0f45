"""The rail: phases with their progress, and the steps of those that are open."""

from __future__ import annotations

from collections.abc import Sequence

from screens.glyphs import Glyphs
from screens.model import Model
from screens.text import fit, fit_ends, right
from screens.widgets.paint import Line
from screens.widgets.rows import Row
from wizard.engine.events import StepState
from wizard.engine.info import StepInfo
from wizard.engine.step import Phase

STATE_ROLES = {
    StepState.PENDING: "dim",
    StepState.RUNNING: "busy",
    StepState.WAITING: "accent",
    StepState.ASKING: "warn",
    StepState.DONE: "ok",
    StepState.FAILED: "bad",
    StepState.UNDOING: "warn",
    StepState.UNDONE: "accent",
    StepState.SKIPPED: "dim",
}
_LOUDEST = (
    StepState.FAILED,
    StepState.ASKING,
    StepState.RUNNING,
    StepState.WAITING,
    StepState.UNDOING,
    StepState.UNDONE,
)
TITLES_FROM = 40
"""From this width on the rail shows titles, below it the steps' short names."""


def short(step: str) -> str:
    return step.partition(".")[2] or step


def phase_state(steps: Sequence[StepInfo]) -> StepState:
    """The loudest state of its steps; done when all are finished."""
    states = {info.state for info in steps}
    for state in _LOUDEST:
        if state in states:
            return state
    if states and states <= {StepState.DONE, StepState.SKIPPED}:
        return StepState.DONE
    return StepState.PENDING


def rail_rows(model: Model, opened: frozenset[Phase], selected: str, glyphs: Glyphs, width: int) -> list[Row]:
    rows: list[Row] = []
    for phase in model.phases():
        steps = model.of_phase(phase)
        is_open = phase in opened
        rows.append(Row(phase.value, (_phase(model, phase, steps, is_open, glyphs, width),), phase.value))
        if is_open:
            rows.extend(
                Row(info.id, (_step(info, info.id == selected, glyphs, width),), info.id) for info in steps
            )
    return rows


def _phase(
    model: Model, phase: Phase, steps: Sequence[StepInfo], is_open: bool, glyphs: Glyphs, width: int
) -> Line:
    state = phase_state(steps)
    finished, total = model.tally(steps)
    tally = f"{finished}/{total}" if total else ""
    left = 3 + len(tally) + 3
    fold = glyphs.opened if is_open else glyphs.closed
    return (
        (f" {fold} ", "dim"),
        (fit(phase.value, width - left, glyphs.more), "strong"),
        (right(tally, len(tally)), "dim"),
        (f" {glyphs.of_step(state)} ", STATE_ROLES[state]),
    )


def _step(info: StepInfo, selected: bool, glyphs: Glyphs, width: int) -> Line:
    mark = glyphs.marker if selected else " "
    quiet = info.state in (StepState.PENDING, StepState.SKIPPED)
    end = " !" if info.point_of_no_return and info.state is not StepState.DONE else ""
    room = width - 5 - len(end)
    wide = width >= TITLES_FROM
    name = fit(info.title, room, glyphs.more) if wide else fit_ends(short(info.id), room, glyphs.more)
    role = "strong" if selected else ("dim" if quiet else "")
    return (
        (f"{mark}  ", "busy"),
        (f"{glyphs.of_step(info.state)} ", STATE_ROLES[info.state]),
        (name, role),
        (end, "bad"),
    )
