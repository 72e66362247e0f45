"""The cutover: the world watching the flip, cache by cache, with the way back one key away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from screens.back import flipped, offer_back
from screens.base import Page
from screens.cutover_help import HELP
from screens.help import HelpPage
from screens.text import count, wrap
from screens.widgets.bars import Heading, Key, Tab, TabLine
from screens.widgets.curve import curve_lines
from screens.widgets.matrix import Matrix, legend
from screens.widgets.paint import Line, Lines
from screens.widgets.rows import Row, Rows
from screens.widgets.watch_rows import (
    authority_rows,
    cell_lines,
    certificate_rows,
    http_rows,
    next_rows,
    note_lines,
    share_lines,
)
from wizard.dns.view import Verdict, WatchView

PANES = ("curve", "next", "servers", "certificates", "web")
NOT_YET = (
    "Nothing is watched yet. The watch begins with cutover.flip: every resolver is then asked when its cache "
    "runs out, and this screen shows who answers with what."
)


class WatchLines(Lines):
    """Lines of the page's view; which ones, the page says by this widget's id."""

    def lines(self, width: int) -> Sequence[Line]:
        page = self.screen
        assert isinstance(page, CutoverPage)
        return page.lines_of(self.id or "", width)


class Curve(Lines):
    """As high as its pane lets it be."""

    DEFAULT_CSS = "Curve { height: 1fr; min-height: 4; }"

    def lines(self, width: int) -> Sequence[Line]:
        page = self.screen
        assert isinstance(page, CutoverPage)
        view = page.view
        if view is None or not self.size.height:
            return ()
        return curve_lines(view, page.session.now(), width, self.size.height, self.glyphs)


class CutoverPage(Page):
    CSS_PATH = "cutover.tcss"
    heading = "cutover"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "back", "back to the old records"),
        Binding("v", "verify", "ask again"),
        Binding("p", "pause", "pause or go on"),
        *(Binding(str(n), f"pane('{name}')", name) for n, name in enumerate(PANES, 1)),
        Binding("escape", "leave", "overview"),
    ]

    pane = "curve"

    @property
    def view(self) -> WatchView | None:
        entry = self.model.latest("watch")
        return entry[1] if entry and isinstance(entry[1], WatchView) else None

    def compose(self) -> ComposeResult:
        yield self.top_bar()
        yield WatchLines(id="share")
        yield Matrix(self._pointed)
        yield WatchLines(id="cell")
        yield TabLine(self._tabs, lambda: self.pane, id="tabs")
        with Horizontal(id="lower"):
            with Vertical(id="left"):
                with Vertical(id="curve-pane", classes="pane"):
                    yield Heading(lambda: self._tabs()[0])
                    yield Curve(id="curve")
                with Vertical(id="next-pane", classes="pane"):
                    yield Heading(lambda: self._tabs()[1])
                    yield Rows(self._next, id="next")
            with Vertical(id="right"):
                with Vertical(id="servers-pane", classes="pane"):
                    yield Heading(lambda: self._tabs()[2])
                    yield Rows(self._servers, id="servers")
                with Vertical(id="certificates-pane", classes="pane"):
                    yield Heading(lambda: self._tabs()[3])
                    yield Rows(self._certificates, id="certificates")
                with Vertical(id="web-pane", classes="pane"):
                    yield Heading(lambda: self._tabs()[4])
                    yield Rows(self._web, id="web")
        yield self.key_bar()
        yield self.notice_bar()

    def on_mount(self) -> None:
        self.query_one(Matrix).focus()
        self._show_pane()

    def paint(self) -> None:
        self.query_one(Matrix).show(self.view)
        self.set_class(self.view is None, "-empty")
        for rows in self.query(Rows):
            rows.paint()

    def _show_pane(self) -> None:
        for name in PANES:
            self.query_one(f"#{name}-pane").set_class(name == self.pane, "chosen")
        self.query_one("#left").set_class(self.pane in PANES[:2], "chosen")
        self.query_one("#right").set_class(self.pane in PANES[2:], "chosen")

    def lines_of(self, name: str, width: int) -> Sequence[Line]:
        view, now = self.view, self.session.now()
        if view is None:
            return [((text, "dim"),) for text in wrap(NOT_YET, width)] if name == "share" else ()
        if name == "share":
            return [*share_lines(view, now, self.glyphs, width), *note_lines(view, width), ()]
        matrix = self.query_one(Matrix)
        return [legend(self.glyphs), *cell_lines(view, matrix.column, matrix.row, now, self.glyphs, width)]

    def _tabs(self) -> Sequence[Tab]:
        view = self.view
        if view is None:
            return tuple(Tab(name, name.capitalize(), "") for name in PANES)
        old = sum(cell.verdict is Verdict.OLD for row in view.resolvers for cell in row.cells)
        agree = sum(all(v is Verdict.NEW for v in row.verdicts) for row in view.authorities)
        trusted = sum(item.trusted is True for item in view.certificates)
        same = sum(item.same is True for item in view.http)
        return (
            Tab("curve", "Curve", ""),
            Tab("next", "Next", f"{count(old, 'flip')}"),
            _of("servers", "Servers", agree, len(view.authorities)),
            _of("certificates", "Certificates", trusted, len(view.certificates)),
            _of("web", "Web", same, len(view.http)),
        )

    def _next(self, width: int) -> Sequence[Row]:
        return next_rows(self.view, self.session.now(), width) if self.view else ()

    def _servers(self, width: int) -> Sequence[Row]:
        return authority_rows(self.view, self.glyphs, width) if self.view else ()

    def _certificates(self, width: int) -> Sequence[Row]:
        return certificate_rows(self.view, self.glyphs, width) if self.view else ()

    def _web(self, width: int) -> Sequence[Row]:
        return http_rows(self.view, self.glyphs, width) if self.view else ()

    def keys(self) -> Sequence[Key]:
        back = (Key("b", "back to old", "back"),) if flipped(self.wizard) else ()
        return (
            *back,
            Key("v", "ask again", "verify"),
            Key("p", "go on" if self.session.paused else "pause", "pause"),
            Key("arrows", "cell", "focus('matrix')"),
            Key("o", "overview", "app.show('overview')"),
            Key("c", "copy", "app.copy"),
            Key("r", "report", "app.show('report')"),
            Key("q", "leave", "app.leave"),
        )

    def help_page(self) -> HelpPage:
        return HELP

    def copy_value(self) -> str:
        view = self.view
        if isinstance(self.focused, Rows) and self.focused.row is not None:
            return self.focused.row.copy
        matrix = self.query_one(Matrix)
        if view is None or matrix.column >= len(view.resolvers):
            return ""
        return view.resolvers[matrix.column].address

    def _pointed(self) -> None:
        self.query_one("#cell", WatchLines).paint()

    def on_tab_line_picked(self, message: TabLine.Picked) -> None:
        self.action_pane(message.name)

    def action_pane(self, name: str) -> None:
        self.pane = name
        self._show_pane()
        if name != "curve":
            self.query_one(f"#{name}").focus()
        self.call_after_refresh(self.repaint)

    def action_back(self) -> None:
        offer_back(self.wizard)

    def action_verify(self) -> None:
        entry = self.model.latest("watch")
        self.wizard.verify(entry[0] if entry else "cutover.watch")

    def action_pause(self) -> None:
        (self.session.resume if self.session.paused else self.session.pause)()
        self.repaint()


def _of(name: str, label: str, good: int, total: int) -> Tab:
    return Tab(name, label, f"{good}/{total}", "ok" if total and good == total else "dim")


PAGE = CutoverPage
