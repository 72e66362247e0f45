"""A plan as rows: what changes, from what to what, why, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping

from rich.cells import cell_len

from screens.glyphs import Glyphs
from screens.text import with_roles, wrap
from screens.widgets.paint import Line
from screens.widgets.rows import Row
from wizard.engine.plan import Ask, Change, Failed, Kind, Plan, Skip, Wait

KIND_ROLES = {
    Kind.CREATE: "ok",
    Kind.UPDATE: "busy",
    Kind.REPLACE: "accent",
    Kind.DELETE: "bad",
    Kind.RUN: "busy",
    Kind.ASK: "warn",
}
_RESULT_ROLES = {"running": "busy", "applied": "ok", "adopted": "ok", "failed": "bad"}


def plan_rows(
    plan: Plan | None,
    results: Mapping[str, str],
    glyphs: Glyphs,
    width: int,
    prefix: str = "",
    *,
    early: bool = False,
) -> list[Row]:
    """`prefix` keeps keys of several plans in one list apart. `early`: what it needs is not done yet."""
    if plan is None:
        return [_note("The plan is made when the step begins; l previews every plan.", width)]
    rows = [_row(change, results.get(change.key, ""), glyphs, width, prefix) for change in plan.changes]
    if plan.hold is not None:
        rows.append(_hold(plan.hold, width, early))
    elif not plan.changes:
        rows.append(_note("Nothing to change: the outside is as wished.", width))
    rows.extend(_note(note, width, role) for note, role in with_roles(plan.notes, "dim"))
    return rows


def _row(change: Change, result: str, glyphs: Glyphs, width: int, prefix: str) -> Row:
    sign = f"{glyphs.of_kind(change.kind)} {change.kind.value:<8}"
    tail = _tail(change, result, glyphs)
    room = width - len(sign) - cell_len(tail) - 2
    first, *rest = wrap(change.target, max(12, room))
    gap = " " * max(1, width - len(sign) - cell_len(first) - cell_len(tail) - 1)
    lines: list[Line] = [
        (
            (sign, KIND_ROLES[change.kind]),
            (first, "strong"),
            (gap, ""),
            (tail, _RESULT_ROLES.get(result, "accent")),
        )
    ]
    pad = " " * len(sign)
    lines.extend(((pad, ""), (text, "strong")) for text in rest)
    if change.before or change.after:
        lines.extend(_transition(change, glyphs, pad, width))
    if change.why:
        lines.extend(((pad, ""), (text, "dim")) for text in wrap(change.why, width - len(pad) - 1))
    if change.way_back:
        lines.extend(_tagged("way back: ", change.way_back, pad, width, "dim"))
    if change.confirm:
        lines.extend(_tagged("cannot be undone: ", f"type {change.confirm} to allow it", pad, width, "bad"))
    return Row(prefix + change.key, tuple(lines), change.after or change.target)


def _tail(change: Change, result: str, glyphs: Glyphs) -> str:
    if result:
        sign = {"running": glyphs.running, "failed": glyphs.failed}.get(result, glyphs.done)
        return f"{sign} {result}"
    return str(change.monthly).replace("/month", "/mo") if change.monthly else ""


def _transition(change: Change, glyphs: Glyphs, pad: str, width: int) -> list[Line]:
    room = width - len(pad) - 1
    whole = f"{change.before} {glyphs.arrow} {change.after}" if change.before else change.after
    if change.before and change.after and cell_len(whole) <= room:
        return [((pad, ""), (change.before, "old"), (f" {glyphs.arrow} ", "dim"), (change.after, ""))]
    lines: list[Line] = []
    if change.before:
        lines.extend(_tagged("now:  ", change.before, pad, width, "old"))
    if change.after:
        lines.extend(_tagged("then: " if change.before else "", change.after, pad, width, ""))
    return lines


def _tagged(tag: str, text: str, pad: str, width: int, role: str) -> list[Line]:
    pieces = wrap(text, width - len(pad) - len(tag) - 1)
    return [
        ((pad, ""), (tag if index == 0 else " " * len(tag), role), (piece, role))
        for index, piece in enumerate(pieces)
    ]


def _hold(hold: Wait | Ask | Failed | Skip, width: int, early: bool) -> Row:
    match hold:
        case Failed(why=why) if early:
            text, role = f"Known later: {why}.", "dim"
        case Wait(why=why):
            text, role = f"Waits before any change: {why}", "accent"
        case Skip(why=why):
            text, role = f"Left out: {why}", "dim"
        case Ask(question=question):
            text, role = f"Asks first: {question.text}", "warn"
        case Failed(why=why, ways=ways):
            text, role = " ".join([f"Refuses itself: {why}.", *ways]), "bad"
    return Row("hold", tuple(((piece, role),) for piece in wrap(text, width - 1)), text)


def _note(text: str, width: int, role: str = "dim") -> Row:
    return Row("", tuple(((piece, role),) for piece in wrap(text, width - 1)))
