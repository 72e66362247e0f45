"""A list of rows, each of one line or more, with a cursor: the house's only kind of table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from screens.widgets.paint import Line, Painted


@dataclass(frozen=True, slots=True)
class Row:
    """`key` names what the row stands for; rows without one are not selectable. `copy` is its value."""

    key: str
    lines: tuple[Line, ...]
    copy: str = ""


Builder = Callable[[int], Sequence[Row]]


class Rows(Painted):
    """Shows what a builder makes at the present width; keeps its cursor on the same key."""

    can_focus = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home", "edge(-1)", "first", show=False),
        Binding("end", "edge(1)", "last", show=False),
    ]
    DEFAULT_CSS = "Rows { scrollbar-gutter: stable; }"

    class Moved(Message):
        """The operator moved the cursor to `key`."""

        def __init__(self, rows: Rows, key: str) -> None:
            super().__init__()
            self.rows = rows
            self.key = key

        @property
        def control(self) -> Rows:
            return self.rows

    class Chosen(Message):
        """A row was clicked while it was selected already."""

        def __init__(self, rows: Rows, key: str) -> None:
            super().__init__()
            self.rows = rows
            self.key = key

        @property
        def control(self) -> Rows:
            return self.rows

    def __init__(self, builder: Builder, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._builder = builder
        self._rows: Sequence[Row] = ()
        self._flat: list[tuple[int, Line]] = []
        self._starts: list[int] = []
        self._taken_at = 0
        self.key = ""

    @property
    def row(self) -> Row | None:
        return next((row for row in self._rows if row.key and row.key == self.key), None)

    @property
    def rows(self) -> Sequence[Row]:
        return self._rows

    @property
    def width(self) -> int:
        return self.scrollable_content_region.width

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return sum(len(row.lines) for row in self._builder(max(1, width - 1)))

    def on_resize(self) -> None:
        if self.width > 0 and self._taken_at != self.width:
            self._take(self._builder(self.width))
        self.virtual_size = Size(self.width, len(self._flat))

    def on_show(self) -> None:
        # What changed while it was out of sight was not painted.
        self.paint()

    def paint(self) -> None:
        """Ask the builder again; paints only when something differs."""
        if self.width <= 0 or not self.display:
            return
        rows = self._builder(self.width)
        if rows != self._rows:
            self._take(rows)

    def select(self, key: str, *, visible: bool = True) -> None:
        """Put the cursor on `key` without telling anybody."""
        if key == self.key:
            return
        self.key = key
        self.refresh()
        if visible:
            self._show_cursor()

    def _take(self, rows: Sequence[Row]) -> None:
        self._lay(rows)
        self.virtual_size = Size(self.width, len(self._flat))
        self.refresh()

    def _lay(self, rows: Sequence[Row]) -> None:
        self._rows, self._taken_at = rows, self.width
        self._flat = [(index, spans) for index, row in enumerate(rows) for spans in row.lines]
        self._starts = []
        top = 0
        for row in rows:
            self._starts.append(top)
            top += len(row.lines)
        if self.row is None:
            self.key = next((row.key for row in rows if row.key), "")

    def render_line(self, y: int) -> Strip:
        if self._taken_at != self.width > 0:
            # The very first frame comes before the word that there is a size.
            self._lay(self._builder(self.width))
        index = y + self.scroll_offset.y
        if index >= len(self._flat):
            return self.strip((), self.width)
        row, spans = self._flat[index]
        key = self._rows[row].key
        selected = bool(key) and key == self.key and self._marks_cursor()
        return self.strip(spans, self.width, selected=selected)

    def _marks_cursor(self) -> bool:
        return self.has_focus

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def action_move(self, by: int) -> None:
        keys = [row.key for row in self._rows if row.key]
        if not keys:
            self.scroll_relative(y=by, animate=False)
            return
        at = keys.index(self.key) if self.key in keys else 0
        self._move_to(keys[max(0, min(len(keys) - 1, at + by))])

    def action_page(self, by: int) -> None:
        keys = [row.key for row in self._rows if row.key]
        if keys:
            self.action_move(by * max(1, self.size.height - 2))
        else:
            self.scroll_relative(y=by * max(1, self.size.height - 1), animate=False)

    def action_edge(self, side: int) -> None:
        keys = [row.key for row in self._rows if row.key]
        if keys:
            self._move_to(keys[0] if side < 0 else keys[-1])
        (self.scroll_home if side < 0 else self.scroll_end)(animate=False)

    def _move_to(self, key: str) -> None:
        if key != self.key:
            self.key = key
            self.refresh()
            self.post_message(self.Moved(self, key))
        self._show_cursor()

    def _show_cursor(self) -> None:
        for start, row in zip(self._starts, self._rows, strict=True):
            if row.key == self.key:
                region = Region(0, start, self.width, len(row.lines))
                self.scroll_to_region(region, animate=False, force=True)

    def on_click(self, event: events.Click) -> None:
        index = event.y + self.scroll_offset.y
        if index >= len(self._flat):
            return
        key = self._rows[self._flat[index][0]].key
        if not key:
            return
        if key == self.key:
            self.post_message(self.Chosen(self, key))
        else:
            self._move_to(key)
