"""The line at the top, the line of keys at the bottom, and the line of panes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.message import Message

from screens.model import Model
from screens.text import duration, money, yearly
from screens.widgets.paint import Line, Lines, Span


def width_of(spans: Sequence[Span]) -> int:
    return sum(cell_len(text) for text, _ in spans)


class TopBar(Lines):
    """REHEARSAL or LIVE, the project, what it costs, how long it took and will take."""

    DEFAULT_CSS = "TopBar { dock: top; height: 1; background: $surface; }"

    def __init__(self, model: Model, title: str = "") -> None:
        super().__init__()
        self._model = model
        self._title = title

    def lines(self, width: int) -> Sequence[Line]:
        session = self._model.session
        banner: Span = (" LIVE ", "live") if session.live else (" REHEARSAL ", "rehearsal")
        left: list[Span] = [banner, (f" {session.title}", "strong")]
        if self._title:
            left.append((f" {self.glyphs.dot} {self._title}", ""))
        if session.paused:
            left += [(" ", ""), (" PAUSED ", "match")]
        facts = next((facts for facts in self._facts() if width_of(left) + width_of(facts) + 2 <= width), [])
        gap = width - width_of(left) - width_of(facts) - 1
        return (((*left, (" " * max(1, gap), ""), *facts)),)

    def _facts(self) -> Iterator[list[Span]]:
        """Cost, elapsed and remaining time: in full, then shorter and shorter; the cost goes last."""
        session, glyphs = self._model.session, self.glyphs
        costs = self._model.costs
        cost: list[Span] = []
        if costs.before or costs.after:
            cost = [(f"{money(costs.before)} {glyphs.arrow} {money(costs.after)}/mo", "")]
        took = duration(session.elapsed)
        left = duration(session.remaining) if session.remaining else ""
        remaining: list[Span] = [(f"  {left} left", "accent")] if left else []
        year = [(f"  {yearly(costs.after)}", "dim")] if costs.after else []
        yield [*cost, *year, (f"  {took} so far", "dim"), *remaining]
        yield [*cost, (f"  {took} so far", "dim"), *remaining]
        yield [*cost, (f"  {took}", "dim"), *remaining]
        yield [*cost, *remaining]
        yield cost or remaining


@dataclass(frozen=True, slots=True)
class Key:
    """One key in the footer: what is shown, what it does in a word, and the action it runs."""

    key: str
    label: str
    action: str


class KeyBar(Lines):
    """As many keys as fit, most useful first; `?` shows all of them. Every key can be clicked."""

    DEFAULT_CSS = "KeyBar { dock: bottom; height: 1; background: $surface; }"

    class Pressed(Message):
        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, keys: Callable[[], Sequence[Key]]) -> None:
        super().__init__()
        self._keys = keys
        self._regions: list[tuple[int, int, str]] = []

    def lines(self, width: int) -> Sequence[Line]:
        last = Key("?", "help", "help")
        room = width - _width(last)
        spans: list[Span] = []
        self._regions = []
        at = 0
        for key in self._keys():
            if at + _width(key) > room:
                break
            self._regions.append((at, at + _width(key), key.action))
            spans += [(f" {key.key}", "key"), (f" {key.label} ", "")]
            at += _width(key)
        self._regions.append((room, width, last.action))
        spans += [(" " * (room - at), ""), (f" {last.key}", "key"), (f" {last.label} ", "")]
        return (tuple(spans),)

    def on_click(self, event: events.Click) -> None:
        for start, end, action in self._regions:
            if start <= event.x < end:
                self.post_message(self.Pressed(action))


def _width(key: Key) -> int:
    return cell_len(key.key) + cell_len(key.label) + 3


@dataclass(frozen=True, slots=True)
class Tab:
    name: str
    label: str
    tally: str
    role: str = "dim"


class TabLine(Lines):
    """The panes of a small screen, of which one is shown."""

    DEFAULT_CSS = "TabLine { height: 1; }"

    class Picked(Message):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, tabs: Callable[[], Sequence[Tab]], active: Callable[[], str], *, id: str) -> None:
        super().__init__(id=id)
        self._tabs = tabs
        self._active = active
        self._regions: list[tuple[int, int, str]] = []

    def lines(self, width: int) -> Sequence[Line]:
        spans: list[Span] = []
        self._regions = []
        at, active = 0, self._active()
        for number, tab in enumerate(self._tabs(), 1):
            chosen = tab.name == active
            piece: list[Span] = [
                (f"{number} ", "key"),
                (tab.label, "title" if chosen else "dim"),
                (f" {tab.tally}" if tab.tally else "", tab.role),
            ]
            before, after = "[]" if chosen else "  "
            piece = [(before, "title"), *piece, (after, "title")]
            end = at + width_of(piece) + 1
            self._regions.append((at, end, tab.name))
            spans += [*piece, (" ", "")]
            at = end
        return (tuple(spans),)

    def on_click(self, event: events.Click) -> None:
        for start, end, name in self._regions:
            if start <= event.x < end:
                self.post_message(self.Picked(name))


class Heading(Lines):
    """A pane's name with a tally, over a thin rule."""

    DEFAULT_CSS = "Heading { height: 1; }"

    def __init__(self, tab: Callable[[], Tab], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tab = tab

    def lines(self, width: int) -> Sequence[Line]:
        tab = self._tab()
        label = f"{tab.label} "
        tally = f"{tab.tally} " if tab.tally else ""
        rule = self.glyphs.rule * max(0, width - cell_len(label) - cell_len(tally))
        return (((label, "title"), (tally, tab.role), (rule, "rule")),)


class Notice(Lines):
    """One line over the keys that says what needs the operator; not there when nothing does."""

    DEFAULT_CSS = "Notice { dock: bottom; margin-bottom: 1; background: $panel; }"

    def __init__(self, say: Callable[[], Line]) -> None:
        super().__init__()
        self._say = say

    def lines(self, width: int) -> Sequence[Line]:
        spans = self._say()
        return (spans,) if spans else ()
