"""Line-rendered widgets: text with roles in, prebuilt strips out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens.glyphs import UNICODE, Glyphs, plain

Span = tuple[str, str]
"""A text and its role: one of ROLES, or "" for the page's own colour."""
Line = tuple[Span, ...]

ROLES = (
    "dim", "strong", "title", "ok", "bad", "warn", "busy", "accent", "cursor", "match",
    "key", "live", "rehearsal", "old", "new", "rule",
)  # fmt: skip


def line(*spans: Span) -> Line:
    return tuple(spans)


def blank() -> Line:
    return ()


def text_of(lines: Iterable[Line]) -> str:
    """The bare text, for tests and for copying."""
    return "\n".join("".join(text for text, _ in spans).rstrip() for spans in lines)


class Painted(ScrollView):
    """A widget that paints lines of spans. Colours come from the theme's component classes."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"paint--{role}" for role in ROLES}
    can_focus = False

    DEFAULT_CSS = """
    Painted {
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        overflow-x: hidden;
        background: $background;
        color: $foreground;
        & > .paint--dim { color: $foreground 60%; }
        & > .paint--strong { text-style: bold; }
        & > .paint--title { color: $primary; text-style: bold; }
        & > .paint--ok { color: $success; }
        & > .paint--bad { color: $error; text-style: bold; }
        & > .paint--warn { color: $warning; text-style: bold; }
        & > .paint--busy { color: $primary; }
        & > .paint--accent { color: $accent; }
        & > .paint--cursor { background: $panel; }
        & > .paint--match { color: $background; background: $accent; }
        & > .paint--key { color: $accent; }
        & > .paint--live { color: $background; background: $error; text-style: bold; }
        & > .paint--rehearsal { color: $background; background: $success; text-style: bold; }
        & > .paint--old { color: $foreground 60%; }
        & > .paint--new { color: $success; text-style: bold; }
        & > .paint--rule { color: $foreground 25%; }
    }
    """

    _styles_of_roles: dict[str, Style] | None = None

    @property
    def glyphs(self) -> Glyphs:
        return getattr(self.app, "glyphs", UNICODE)

    def notify_style_update(self) -> None:
        self._styles_of_roles = None
        super().notify_style_update()

    def role(self, name: str) -> Style:
        if self._styles_of_roles is None:
            self._styles_of_roles = {
                known: self.get_component_rich_style(f"paint--{known}", partial=True) for known in ROLES
            }
            # A colour with an alpha needs the page beneath it.
            for faint in ("dim", "old", "rule"):
                full = self.get_component_rich_style(f"paint--{faint}")
                self._styles_of_roles[faint] = Style(color=full.color)
        return self._styles_of_roles.get(name, Style.null())

    def strip(self, spans: Line, width: int, *, selected: bool = False) -> Strip:
        """`spans` as a strip of exactly `width` cells."""
        base = self.rich_style
        if selected:
            base += self.role("cursor")
        segments = []
        for text, role in spans:
            # Pictures of a screen lose spaces that begin a text: they stand for themselves.
            bare = text.lstrip(" ")
            if len(bare) < len(text):
                segments.append(Segment(text[: len(text) - len(bare)], base + self.role(role)))
            if bare:
                segments.append(Segment(self.signs(bare), base + self.role(role)))
        return Strip(segments).adjust_cell_length(width, base)

    def signs(self, text: str) -> str:
        return plain(text) if self.glyphs.ascii else text


class Lines(Painted):
    """A few lines that are as high as they need to be; subclasses say what they are at a width."""

    DEFAULT_CSS = """
    Lines { height: auto; overflow-y: hidden; scrollbar-size-vertical: 0; }
    """

    _lines: Sequence[Line] = ()

    def lines(self, width: int) -> Sequence[Line]:
        raise AssertionError("a subclass says what its lines are")

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return len(self.lines(width))

    def on_resize(self) -> None:
        self._lines = self.lines(self.size.width)
        self.refresh()

    def paint(self) -> None:
        """Ask for the lines again; paints only what differs."""
        if not self.size.width:
            return
        lines = self.lines(self.size.width)
        if lines == self._lines:
            return
        higher = len(lines) != len(self._lines)
        self._lines = lines
        self.refresh(layout=higher)

    def render_line(self, y: int) -> Strip:
        spans = self._lines[y] if y < len(self._lines) else ()
        return self.strip(spans, self.size.width)
