"""Names against resolvers, one sign for each pair: old, new, neither at a glance."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from screens.glyphs import Glyphs
from screens.text import fit
from screens.widgets.paint import Line, Painted
from wizard.dns.view import Cell, Verdict, WatchView

_LONGEST_LABEL = 32


def sign(cell: Cell, glyphs: Glyphs) -> tuple[str, str]:
    """A cell's sign and role."""
    if cell.verdict is Verdict.OLD and 0 < cell.caches_new < cell.caches:
        return glyphs.half, "accent"
    return {
        Verdict.NEW: (glyphs.cell, "new"),
        Verdict.OLD: (glyphs.empty, "old"),
        Verdict.NEITHER: (glyphs.failed, "bad"),
        Verdict.SILENT: (glyphs.unknown, "warn"),
        Verdict.UNASKED: (glyphs.dot, "dim"),
    }[cell.verdict]


def legend(glyphs: Glyphs) -> Line:
    return (
        (glyphs.cell, "new"), (" new  ", "dim"),
        (glyphs.half, "accent"), (" some of its caches  ", "dim"),
        (glyphs.empty, "old"), (" old  ", "dim"),
        (glyphs.failed, "bad"), (" neither  ", "dim"),
        (glyphs.unknown, "warn"), (" silent", "dim"),
    )  # fmt: skip


class Matrix(Painted):
    """Every cell can be reached by arrows and mouse; strips are built once for each view."""

    can_focus = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "walk(-1,0)", "left", show=False),
        Binding("right", "walk(1,0)", "right", show=False),
        Binding("up", "walk(0,-1)", "up", show=False),
        Binding("down", "walk(0,1)", "down", show=False),
    ]
    DEFAULT_CSS = "Matrix { height: auto; overflow-y: hidden; scrollbar-size-vertical: 0; }"

    def __init__(self, pointed: Callable[[], None] = lambda: None) -> None:
        """`pointed` is called at once when another cell is under the cursor: one frame shows both."""
        super().__init__(id="matrix")
        self._pointed = pointed
        self._view: WatchView | None = None
        self._strips: list[Strip] = []
        self.column = 0
        self.row = 0

    def show(self, view: WatchView | None) -> None:
        if view is self._view:
            return
        before = self._shape
        self._view = view
        self._build()
        self.refresh(layout=self._shape != before)

    @property
    def _shape(self) -> tuple[int, int]:
        view = self._view
        return (len(view.asked), len(view.resolvers)) if view else (0, 0)

    def _label_width(self) -> int:
        assert self._view is not None
        longest = max((cell_len(_label(asked.name, asked.type)) for asked in self._view.asked), default=0)
        return min(longest, _LONGEST_LABEL) + 2

    def _pitch(self, width: int) -> int:
        """Cells between one resolver and the next: two where there is room."""
        _, resolvers = self._shape
        return 2 if resolvers * 2 <= width - self._label_width() else 1

    def _per_band(self, width: int) -> int:
        return max(1, (width - self._label_width()) // self._pitch(width))

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        names, resolvers = self._shape
        if not names or not resolvers:
            return 0
        bands = -(-resolvers // self._per_band(width))
        return bands * names + bands - 1

    def on_resize(self) -> None:
        self._build()
        self.refresh()

    def on_focus(self) -> None:
        self._build()
        self.refresh()

    def on_blur(self) -> None:
        self._build()
        self.refresh()

    def _build(self) -> None:
        view, width = self._view, self.size.width
        self._strips = []
        if view is None or not width:
            return
        per_band = self._per_band(width)
        for first in range(0, len(view.resolvers), per_band):
            if first:
                self._strips.append(self.strip((), width))
            for row in range(len(view.asked)):
                self._strips.append(self.strip(self._line(view, row, first, per_band), width))

    def _build_line(self, column: int, row: int) -> None:
        """The line of one name in the band of that column."""
        width, (names, resolvers) = self.size.width, self._shape
        if self._view is None or row >= names or column >= resolvers:
            return
        per_band = self._per_band(width)
        band = column // per_band
        spans = self._line(self._view, row, band * per_band, per_band)
        self._strips[band * (names + 1) + row] = self.strip(spans, width)

    def _line(self, view: WatchView, row: int, first: int, per_band: int) -> Line:
        asked = view.asked[row]
        label_width, pitch = self._label_width(), self._pitch(self.size.width)
        label = fit(_label(asked.name, asked.type), label_width - 2, self.glyphs.more) + "  "
        gap = " " * (pitch - 1)
        spans: list[tuple[str, str]] = [(label, "")]
        for column in range(first, min(first + per_band, len(view.resolvers))):
            shown, role = sign(view.resolvers[column].cells[row], self.glyphs)
            if self.has_focus and (column, row) == (self.column, self.row):
                shown = self.glyphs.pointer
            if spans[-1][1] == role:
                # One span for as long as cells are alike: fewer of them are painted sooner.
                spans[-1] = (f"{spans[-1][0]}{shown}{gap}", role)
            else:
                spans.append((f"{shown}{gap}", role))
        return tuple(spans)

    def render_line(self, y: int) -> Strip:
        return self._strips[y] if y < len(self._strips) else self.strip((), self.size.width)

    def action_walk(self, right: int, down: int) -> None:
        names, resolvers = self._shape
        if names and resolvers:
            self._point(
                max(0, min(resolvers - 1, self.column + right)), max(0, min(names - 1, self.row + down))
            )

    def _point(self, column: int, row: int) -> None:
        """Only the two lines that change are built again: a key is answered within a frame."""
        before = (self.column, self.row)
        self.column, self.row = column, row
        for place in {before, (column, row)}:
            self._build_line(*place)
        self.refresh()
        self._pointed()

    def on_click(self, event: events.Click) -> None:
        names, resolvers = self._shape
        if not names:
            return
        width = self.size.width
        band, row = divmod(event.y, names + 1)
        column = band * self._per_band(width) + (event.x - self._label_width()) // self._pitch(width)
        if event.x >= self._label_width() and row < names and column < resolvers:
            self._point(column, row)


def _label(name: str, type_: str) -> str:
    return f"{name} {type_}"
