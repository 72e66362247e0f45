"""Line-rendered widgets: text with roles in, prebuilt strips out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens.glyphs import UNICODE, Glyphs, plain

Span = tuple[str, str]
"""A text and its role: one of `styles_of`, or "" for the page's own colour."""
Line = tuple[Span, ...]


def line(*spans: Span) -> Line:
    return tuple(spans)


def blank() -> Line:
    return ()


def text_of(lines: Iterable[Line]) -> str:
    """The bare text, for tests and for copying."""
    return "\n".join("".join(text for text, _ in spans).rstrip() for spans in lines)


_BY_THEME: dict[str, dict[str, Style]] = {}


def styles_of(app: App[object]) -> dict[str, Style]:
    """The style of every role in the theme of now, made once for all widgets."""
    found = _BY_THEME.get(app.theme)
    if found is None:
        found = _BY_THEME[app.theme] = _styles(app.theme_variables)
    return found


def _styles(colours: Mapping[str, str]) -> dict[str, Style]:
    page, ink = Color.parse(colours["background"]), Color.parse(colours["foreground"])

    def of(colour: str, behind: str = "", *, bold: bool = False) -> Style:
        return Style(
            color=Color.parse(colours[colour]).rich_color if colour else None,
            bgcolor=Color.parse(colours[behind]).rich_color if behind else None,
            bold=bold or None,
        )

    faint, fainter = (Style(color=page.blend(ink, share).rich_color) for share in (0.6, 0.25))
    return {
        "dim": faint,
        "old": faint,
        "rule": fainter,
        "strong": Style(bold=True),
        "title": of("primary", bold=True),
        "busy": of("primary"),
        "ok": of("success"),
        "new": of("success", bold=True),
        "bad": of("error", bold=True),
        "warn": of("warning", bold=True),
        "accent": of("accent"),
        "key": of("accent"),
        "cursor": of("", "panel"),
        "match": of("background", "accent"),
        "live": of("background", "error", bold=True),
        "rehearsal": of("background", "success", bold=True),
    }


class Painted(ScrollView):
    """A widget that paints lines of spans."""

    DEFAULT_CSS = """
    Painted {
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        overflow-x: hidden;
        background: $background;
        color: $foreground;
    }
    """

    @property
    def glyphs(self) -> Glyphs:
        return getattr(self.app, "glyphs", UNICODE)

    def strip(self, spans: Line, width: int, *, selected: bool = False) -> Strip:
        """`spans` as a strip of exactly `width` cells."""
        base, styles, ascii_only = self.rich_style, styles_of(self.app), self.glyphs.ascii
        if selected:
            base += styles["cursor"]
        segments = []
        for text, role in spans:
            style = base + styles[role] if role else base
            # Pictures of a screen lose spaces that begin a text: they stand for themselves.
            bare = text.lstrip(" ")
            if len(bare) < len(text):
                segments.append(Segment(text[: len(text) - len(bare)], style))
            if bare:
                segments.append(Segment(plain(bare) if ascii_only else bare, style))
        return Strip(segments).adjust_cell_length(width, base)


class Lines(Painted):
    """A few lines that are as high as they need to be; subclasses say what they are at a width."""

    DEFAULT_CSS = """
    Lines { height: auto; overflow-y: hidden; scrollbar-size-vertical: 0; }
    """

    _lines: Sequence[Line] = ()
    _asked_at = 0
    """The width that the lines were made for."""

    def lines(self, width: int) -> Sequence[Line]:
        raise AssertionError("a subclass says what its lines are")

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return len(self.lines(width))

    def on_resize(self) -> None:
        if self._asked_at != self.size.width:
            self._asked_at = self.size.width
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
        self._lines, self._asked_at = lines, self.size.width
        self.refresh(layout=higher)

    def render_line(self, y: int) -> Strip:
        if self._asked_at != self.size.width:
            # The very first frame comes before the word that there is a size.
            self._asked_at = self.size.width
            self._lines = self.lines(self.size.width)
        spans = self._lines[y] if y < len(self._lines) else ()
        return self.strip(spans, self.size.width)
