"""The report as it stands, rendered: every check with its evidence, every change, the way back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip

from screens.base import Page
from screens.help import HelpPage
from screens.widgets.bars import Key
from screens.widgets.paint import Painted
from wizard.errors import WizardError

HELP = HelpPage(
    "The report",
    "What was really done and proven, from the journal: every box of the checklist with its evidence, costs, "
    "points of no return, and how to get back. `dokploy-wizard report` prints it as Markdown, HTML or JSON.",
    (("R", "make it again"), ("up, down, page keys", "scroll"), ("c", "copy all of it as Markdown")),
)


class Document(Painted):
    """Markdown, laid out in a thread of its own so that a long one holds nothing up."""

    can_focus = True
    DEFAULT_CSS = "Document { scrollbar-gutter: stable; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__(id="document")
        self.markdown = ""
        self._strips: Sequence[Strip] = ()
        self._laid_out = (0, "")

    @property
    def width(self) -> int:
        return self.scrollable_content_region.width

    def show(self, markdown: str) -> None:
        self.markdown = markdown
        self._lay_out()

    def on_resize(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        wanted = (self.width, self.markdown)
        if self.width > 0 and wanted != self._laid_out:
            self._laid_out = wanted
            self.run_worker(self._paint_from(self.markdown, self.width), exclusive=True)

    async def _paint_from(self, markdown: str, width: int) -> None:
        strips = await asyncio.to_thread(render, markdown, width, self.glyphs.ascii)
        self._strips = strips
        self.virtual_size = Size(width, len(strips))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        index = y + self.scroll_offset.y
        if index >= len(self._strips):
            waits = y == 0 and not self._strips
            return self.strip((("The report is being made …", "dim"),) if waits else (), self.width)
        return (
            self._strips[index].apply_style(self.rich_style).adjust_cell_length(self.width, self.rich_style)
        )


def render(markdown: str, width: int, ascii_only: bool) -> list[Strip]:
    """Markdown as strips of `width` cells."""
    import io

    from rich.console import Console
    from rich.markdown import Markdown
    from rich.theme import Theme

    from screens.glyphs import plain

    console = Console(
        width=width,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
        theme=Theme(_STYLES),
    )
    lines = console.render_lines(Markdown(markdown, hyperlinks=False), pad=False)
    if ascii_only:
        lines = [[Segment(plain(text.translate(_BOXES)), style) for text, style, _ in line] for line in lines]
    return [Strip(line) for line in lines]


_STYLES = {
    "markdown.h1": "bold",
    "markdown.h2": "bold #7aa2f7",
    "markdown.h3": "bold",
    "markdown.code": "#e0af68",
    "markdown.table.header": "bold",
    "markdown.table.border": "dim",
    "markdown.item.bullet": "#7aa2f7",
}
_BOXES = str.maketrans(
    {
        **dict.fromkeys("━─═", "-"),
        **dict.fromkeys("┃│║▌", "|"),
        **dict.fromkeys("┏┓┗┛┡┩└┘┌┐├┤┬┴┼╇╈╔╗╚╝╞╡╪", "+"),
    }
)


class ReportPage(Page):
    CSS_PATH = "report.tcss"
    heading = "report"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back"),
        Binding("R", "make", "make it again"),
    ]

    def compose(self) -> ComposeResult:
        yield self.top_bar()
        yield Document()
        yield self.key_bar()
        yield self.notice_bar()

    def on_mount(self) -> None:
        self.query_one(Document).focus()
        self.action_make()

    def action_make(self) -> None:
        self.run_worker(self._make(), exclusive=True)

    async def _make(self) -> None:
        try:
            self.query_one(Document).show(await self.session.report())
        except WizardError as error:
            from screens.message import Trouble

            self.app.push_screen(Trouble(error))

    def keys(self) -> Sequence[Key]:
        return (
            Key("R", "make it again", "make"),
            Key("c", "copy as Markdown", "app.copy"),
            Key("esc", "back", "leave"),
        )

    def help_page(self) -> HelpPage:
        return HELP

    def copy_value(self) -> str:
        return self.query_one(Document).markdown


PAGE = ReportPage
