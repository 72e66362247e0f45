"""The cutover: the world watching the flip, cache by cache, with the way back one key away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from screens.back import FLIP, flipped, offer_back
from screens.base import Page
from screens.cutover_help import HELP
from screens.help import HelpPage
from screens.text import count, wrap
from screens.widgets.bars import Heading, Key, Tab, TabLine
from screens.widgets.curve import curve_lines
from screens.widgets.go_rows import go_rows, verdict_lines
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
from wizard.engine.events import StepState
from wizard.phases.cutover.go_list import TOPIC, GoList

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
        Binding("f", "flip", "flip, when the list says go"),
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
        yield Rows(self._go, id="go")
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

    @property
    def go_list(self) -> GoList | None:
        """The list before the flip; None once the flip is made, or before anything was asked."""
        entry, info = self.model.latest(TOPIC), self.model.info(FLIP)
        found = entry[1] if entry and isinstance(entry[1], GoList) else None
        if found is None or (info is not None and info.state is StepState.DONE):
            return None
        return found if self.view is None or self.view.at <= found.at else None

    def on_mount(self) -> None:
        self.query_one(Matrix).focus()
        self._show_pane()

    def paint(self) -> None:
        self.query_one(Matrix).show(self.view)
        going = self.go_list is not None
        self.set_class(self.view is None or going, "-empty")
        self.set_class(going, "-go")
        if going and self.focused is not self.query_one("#go"):
            self.query_one("#go").focus()
        self.wizard.painted_plan = self.session.plan(FLIP) if going else None
        for rows in self.query(Rows):
            rows.paint()

    def _show_pane(self) -> None:
        for name in PANES:
            self.query_one(f"#{name}-pane").set_class(name == self.pane, "chosen")
        self.query_one("#left").set_class(self.pane in PANES[:2], "chosen")
        self.query_one("#right").set_class(self.pane in PANES[2:], "chosen")

    def lines_of(self, name: str, width: int) -> Sequence[Line]:
        view, now = self.view, self.session.now()
        found = self.go_list
        if found is not None:
            ready = self.model.awaits_approval(FLIP)
            return self._before(found, now, width, ready) if name == "share" else ()
        if view is None:
            return [((text, "dim"),) for text in wrap(NOT_YET, width)] if name == "share" else ()
        if name == "share":
            return [*share_lines(view, now, self.glyphs, width), *note_lines(view, width), ()]
        matrix = self.query_one(Matrix)
        return [legend(self.glyphs), *cell_lines(view, matrix.column, matrix.row, now, self.glyphs, width)]

    def _before(self, found: GoList, now: float, width: int, ready: bool) -> list[Line]:
        """The verdict, then what the flip would do or is doing."""
        lines = verdict_lines(found, now, width, ready=ready)
        plan, results = self.model.plan(FLIP), self.model.view(FLIP).results
        for change in plan.changes if plan else ():
            done = results.get(change.key, "")
            mark, role = {"": (" ", "dim"), "failed": (self.glyphs.failed, "bad")}.get(
                done, (self.glyphs.done, "ok") if done != "running" else (self.glyphs.pending, "accent")
            )
            text = f"{change.target}: {change.before} {self.glyphs.arrow} {change.after}"
            if not change.before:
                text = f"{change.target}: {change.after}"
            pieces = wrap(text, width - 8)
            lines.append(((f"    {mark} ", role), (pieces[0], "" if done else "dim")))
        return [*lines, ()]

    def _go(self, width: int) -> Sequence[Row]:
        found = self.go_list
        return go_rows(found, self.session.now(), self.glyphs, width) if found else ()

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
        found = self.go_list
        first: tuple[Key, ...] = (Key("b", "back to old", "back"),) if flipped(self.wizard) else ()
        if found is not None:
            first = (Key("f", "flip", "flip"),) if found.go and self.model.awaits_approval(FLIP) else ()
        return (
            *first,
            Key("v", "ask again", "verify"),
            Key("p", "go on" if self.session.paused else "pause", "pause"),
            *((Key("arrows", "cell", "focus('matrix')"),) if found is None else ()),
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

    def action_flip(self) -> None:
        """Refused with the reason unless every line said yes a moment ago."""
        found = self.go_list
        if found is None or not self.model.awaits_approval(FLIP):
            self._tell("The flip is not asked for yet.")
        elif found.no_go:
            self._tell(f"No flip. {found.why_not}")
        else:
            # The step asks the list once more itself when it has grown old.
            self.wizard.apply(FLIP)

    def _tell(self, text: str) -> None:
        self.wizard.notify(text, timeout=8, markup=False)

    def action_verify(self) -> None:
        if self.go_list is not None:
            self.wizard.verify(FLIP)
            return
        entry = self.model.latest("watch")
        self.wizard.verify(entry[0] if entry else "cutover.watch")

    def action_pause(self) -> None:
        (self.session.resume if self.session.paused else self.session.pause)()
        self.repaint()


def _of(name: str, label: str, good: int, total: int) -> Tab:
    return Tab(name, label, f"{good}/{total}", "ok" if total and good == total else "dim")


PAGE = CutoverPage
