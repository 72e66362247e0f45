"""Over a step: what it is, how it stands, and the way back."""

from __future__ import annotations

from screens.glyphs import Glyphs
from screens.model import Model
from screens.text import duration, wrap
from screens.widgets.paint import Line
from screens.widgets.rail import STATE_ROLES
from wizard.engine.events import StepState
from wizard.engine.info import StepInfo

_WORDS = {
    StepState.PENDING: "not begun",
    StepState.RUNNING: "running",
    StepState.WAITING: "waiting",
    StepState.ASKING: "needs you",
    StepState.DONE: "done",
    StepState.FAILED: "failed",
    StepState.UNDOING: "being taken back",
    StepState.UNDONE: "undone",
    StepState.SKIPPED: "skipped",
}
_WITH_WHY = (StepState.WAITING, StepState.FAILED, StepState.UNDOING, StepState.SKIPPED)


def head_lines(model: Model, info: StepInfo, glyphs: Glyphs, width: int, most: int = 12) -> list[Line]:
    """A reason of more than `most` lines is cut: the ways on stay in sight, and the output has it whole."""
    lines: list[Line] = [((text, "title"),) for text in wrap(info.title, width)]
    state = _state(model, info, glyphs, width)
    if len(state) > most:
        state[most - 1 :] = [((f"{glyphs.more} all of it stands in the output", "dim"),)]
    lines.extend(state)
    for way in info.ways:
        lines.extend(_labelled("way on", way, width, "accent"))
    if info.point_of_no_return and info.state is not StepState.DONE:
        lines.extend(
            _labelled("careful", "point of no return: there is no way back from this.", width, "bad")
        )
    if info.way_back:
        lines.extend(_labelled("way back", info.way_back, width, "dim"))
    return lines


def _state(model: Model, info: StepInfo, glyphs: Glyphs, width: int) -> list[Line]:
    word = _WORDS[info.state]
    if info.state is StepState.ASKING:
        if model.question(info.id):
            word = "a question for you"
        elif model.awaits_approval(info.id):
            word = "its plan waits for you"
    if info.until is not None and info.state is StepState.WAITING:
        word += f" {duration(info.until - model.session.now())}"
    why = info.why if info.state in _WITH_WHY else ""
    role = STATE_ROLES[info.state]
    head = f"{glyphs.of_step(info.state)} {word}"
    if not why:
        return (
            [((head, role), (f"  {info.id}", "dim"))]
            if len(head) + len(info.id) + 2 <= width
            else [((head, role),)]
        )
    first, *rest = wrap(f"{head}: {why}", width)
    return [
        ((first[: len(head)], role), (first[len(head) :], "")),
        *(((text, ""),) for text in rest),
    ]


def _labelled(label: str, text: str, width: int, role: str) -> list[Line]:
    indent = len(label) + 2
    pieces = wrap(text, width - indent)
    return [
        ((f"{label}: " if index == 0 else " " * indent, "dim"), (piece, role))
        for index, piece in enumerate(pieces)
    ]
