"""Live output of a step: a bounded ring that follows, wraps and can be searched."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip

from screens.model import OutputLine, StepView
from screens.text import wrap
from screens.widgets.paint import Line, Painted


class Log(Painted):
    """Shows one step's output at a time. New lines are appended; nothing is built twice."""

    can_focus = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "by(-1)", "up", show=False),
        Binding("down,j", "by(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home", "first", "first", show=False),
        Binding("end", "last", "follow", show=False),
    ]
    DEFAULT_CSS = "Log { scrollbar-gutter: stable; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view: StepView | None = None
        self._seen = 0
        self._lines: list[tuple[int, Line]] = []
        self._texts: dict[int, str] = {}
        self.following = True
        self.needle = ""
        self.found: list[int] = []
        self._at = -1

    @property
    def width(self) -> int:
        return self.scrollable_content_region.width

    @property
    def line(self) -> str:
        """What `c` copies: the line found last, or the newest one."""
        number = self.found[self._at] if self.found else max(self._texts, default=0)
        return self._texts.get(number, "")

    def show(self, view: StepView) -> None:
        if view is not self._view:
            self._view = view
            self._again()
        else:
            self._append()

    def on_resize(self) -> None:
        self._again()

    def _again(self) -> None:
        self._lines, self._texts, self._seen = [], {}, 0
        self.found, self._at = [], -1
        self.following = True
        self._append(force=True)

    def _append(self, force: bool = False) -> None:
        view = self._view
        if view is None or self.width <= 0 or (view.total == self._seen and not force):
            return
        fresh = view.total - self._seen
        for entry in list(view.output)[-fresh:] if fresh else ():
            self._add(entry)
        self._seen = view.total
        self._evict(view.output[0].number if view.output else 0)
        self.virtual_size = Size(self.width, len(self._lines))
        if self.following:
            self._stick()
            # The pane may have got its size just now: once more when that is known.
            self.call_after_refresh(self._stick)
        self.refresh()

    def _stick(self) -> None:
        if self.following:
            self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)

    def _add(self, entry: OutputLine) -> None:
        self._texts[entry.number] = entry.text
        for piece in wrap(entry.text, self.width - 1):
            self._lines.append((entry.number, ((piece, entry.role),)))
        if self.needle and self.needle in entry.text.lower():
            self.found.append(entry.number)

    def _evict(self, oldest: int) -> None:
        if not self._lines or self._lines[0][0] >= oldest:
            return
        keep = next((i for i, (number, _) in enumerate(self._lines) if number >= oldest), len(self._lines))
        del self._lines[:keep]
        self._texts = {number: text for number, text in self._texts.items() if number >= oldest}
        self.found = [number for number in self.found if number >= oldest]
        self._at = min(self._at, len(self.found) - 1)

    def search(self, needle: str) -> int:
        """Mark every line that holds `needle` (any case) and go to the newest; how many there are."""
        self.needle = needle.lower()
        self.found = [n for n, text in self._texts.items() if self.needle and self.needle in text.lower()]
        self._at = len(self.found) - 1
        self._reveal()
        return len(self.found)

    def step_found(self, by: int) -> tuple[int, int]:
        """Go to the next or previous find; its place, counted from 1, and how many there are."""
        if self.found:
            self._at = (self._at + by) % len(self.found)
            self._reveal()
        return self._at + 1, len(self.found)

    def _reveal(self) -> None:
        if self.found:
            number = self.found[self._at]
            top = next(i for i, (n, _) in enumerate(self._lines) if n == number)
            self.following = False
            self.scroll_to(y=max(0, top - self.size.height // 2), animate=False)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        index = y + self.scroll_offset.y
        if index >= len(self._lines):
            if not self._lines and y == 0:
                return self.strip((("Nothing was said yet.", "dim"),), self.width)
            return self.strip((), self.width)
        number, spans = self._lines[index]
        here = bool(self.found) and number == self.found[self._at]
        return self.strip(self._marked(spans) if self.needle else spans, self.width, selected=here)

    def _marked(self, spans: Line) -> Line:
        (text, role), *_ = spans
        parts: list[tuple[str, str]] = []
        at, lowered = 0, text.lower()
        while (hit := lowered.find(self.needle, at)) >= 0:
            parts += [(text[at:hit], role), (text[hit : hit + len(self.needle)], "match")]
            at = hit + len(self.needle)
        return (*parts, (text[at:], role))

    def _look(self) -> None:
        self.following = self.scroll_offset.y >= self.max_scroll_y

    def action_by(self, by: int) -> None:
        self.scroll_relative(y=by, animate=False, immediate=True)
        self._look()

    def action_page(self, by: int) -> None:
        self.action_by(by * max(1, self.size.height - 1))

    def action_first(self) -> None:
        self.scroll_home(animate=False, immediate=True)
        self._look()

    def action_last(self) -> None:
        self.following = True
        self.scroll_end(animate=False, immediate=True)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.following = False

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.call_after_refresh(self._look)
