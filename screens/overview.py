"""The overview: the rail of steps, and of one step its plan, its output and its proof."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from screens.base import Page
from screens.text import count, wrap
from screens.widgets.bars import Heading, Key, Tab, TabLine
from screens.widgets.check_rows import check_rows
from screens.widgets.detail_rows import detail_rows
from screens.widgets.log import Log
from screens.widgets.paint import Line, Lines
from screens.widgets.plan_rows import plan_rows
from screens.widgets.rail import rail_rows
from screens.widgets.rows import Row, Rows
from screens.widgets.step_head import head_lines
from wizard.engine.events import StepState
from wizard.engine.step import Phase

if TYPE_CHECKING:
    from screens.help import HelpPage

PANES = ("plan", "output", "checks")
_MOST_OF_A_REASON = {False: 5, True: 12}
"""Lines over the panes of a screen that is low, and of one that is not."""


class StepHead(Lines):
    """Title, state, ways on and way back of the step shown."""

    def lines(self, width: int) -> Sequence[Line]:
        page = self.screen
        assert isinstance(page, Overview)
        info = page.model.info(page.step)
        most = _MOST_OF_A_REASON[page.size.height >= 36]
        return head_lines(page.model, info, self.glyphs, width, most) if info else ()


class Overview(Page):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "apply", "apply this plan"),
        Binding("enter", "enter", "apply, answer or look closer"),
        Binding("A", "apply_phase", "apply every plan of this phase"),
        Binding("x", "not_now", "do not apply it now"),
        Binding("v", "verify", "ask the outside again"),
        Binding("u", "undo", "take this back"),
        Binding("n", "next", "next that needs you"),
        Binding("full_stop", "follow", "follow what happens"),
        Binding("p", "pause", "pause or go on"),
        Binding("g", "go", "run again"),
        Binding("1", "pane('plan')", "plan"),
        Binding("2", "pane('output')", "output"),
        Binding("3", "pane('checks')", "checks"),
        Binding("space", "fold", "open or close the phase"),
        Binding("slash", "search", "search the output"),
        Binding("f", "found(1)", "next find"),
        Binding("F", "found(-1)", "previous find"),
    ]

    step = ""
    pane = "plan"
    following = True
    _pane_chosen = False

    def compose(self) -> ComposeResult:
        yield self.top_bar()
        with Horizontal(id="body"):
            yield Rows(self._rail, id="rail")
            with Vertical(id="step"):
                yield StepHead(id="head")
                yield TabLine(self._tabs, lambda: self.pane, id="tabs")
                with Horizontal(id="upper"):
                    with Vertical(id="plan-pane", classes="pane"):
                        yield Heading(self._plan_tab)
                        yield Rows(self._plan, id="plan")
                    with Vertical(id="checks-pane", classes="pane"):
                        yield Heading(self._checks_tab)
                        yield Rows(self._checks, id="checks")
                with Vertical(id="output-pane", classes="pane"):
                    yield Heading(self._output_tab)
                    yield Log(id="output")
        yield self.key_bar()
        yield self.notice_bar()

    def on_mount(self) -> None:
        self._opened: set[Phase] = set()
        self._folded: set[Phase] = set()
        self.step = self.model.current
        rail = self.query_one("#rail", Rows)
        rail.key = self.step
        rail.focus()
        self._show_pane()

    # Painting.

    def paint(self) -> None:
        if self.following and self.model.current != self.step:
            self._show(self.model.current)
        if not self._pane_chosen:
            self._choose_pane()
        for rows in self.query(Rows):
            rows.paint()
        self.query_one(Log).show(self.model.view(self.step))
        self.wizard.painted_plan = self.model.plan(self.step)
        if self.following and self.is_current:
            self.wizard.offer(self.step)

    def _show(self, step: str) -> None:
        self.step = step
        self._pane_chosen = False
        rail = self.query_one("#rail", Rows)
        rail.paint()
        rail.select(step)

    def _choose_pane(self) -> None:
        """What is worth seeing: a plan that waits, the output of what runs, the proof of what is done."""
        info = self.model.info(self.step)
        if info is None:
            return
        wanted = {
            StepState.RUNNING: "output",
            StepState.UNDOING: "output",
            StepState.FAILED: "output",
            StepState.WAITING: "checks" if self.model.checks(self.step) else "output",
            StepState.DONE: "checks",
        }.get(info.state, "plan")
        if wanted != self.pane:
            self.pane = wanted
            self._show_pane()

    def _show_pane(self) -> None:
        for name in PANES:
            self.query_one(f"#{name}-pane").set_class(name == self.pane, "chosen")
        self.query_one("#upper").set_class(self.pane in ("plan", "checks"), "chosen")
        if self.size.height < 36 and isinstance(self.focused, Rows | Log) and self.focused.id in PANES:
            self.query_one(f"#{self.pane}").focus()

    def _rail(self, width: int) -> Sequence[Row]:
        return rail_rows(self.model, self._open_phases(), self.step, self.glyphs, width)

    def _open_phases(self) -> frozenset[Phase]:
        info = self.model.info(self.step)
        shown = {info.phase} if info else set()
        return frozenset((shown | self._opened) - self._folded)

    def _plan(self, width: int) -> Sequence[Row]:
        plan, results = self.model.plan(self.step), self.model.view(self.step).results
        info = self.model.info(self.step)
        if plan is None and info is not None and info.state is StepState.DONE:
            text = "This was done before; the report tells what was changed, the checks what is true now."
            return (Row("", tuple(((piece, "dim"),) for piece in wrap(text, width - 1))),)
        return plan_rows(plan, results, self.glyphs, width)

    def _checks(self, width: int) -> Sequence[Row]:
        rows = check_rows(self.model.checks(self.step), self.session.now(), self.glyphs, width)
        return [*rows, *detail_rows(self.model, self.step, self.glyphs, width)]

    def _tabs(self) -> Sequence[Tab]:
        return (self._plan_tab(), self._output_tab(), self._checks_tab())

    def _plan_tab(self) -> Tab:
        plan = self.model.plan(self.step)
        waits = self.model.awaits_approval(self.step)
        tally = count(len(plan.changes), "change") if plan else ""
        return Tab("plan", "Plan", tally, "warn" if waits else "dim")

    def _output_tab(self) -> Tab:
        return Tab("output", "Output", count(self.model.view(self.step).total, "line"))

    def _checks_tab(self) -> Tab:
        good, total, broken = self.model.proven(self.step)
        role = "bad" if broken else ("ok" if total and good == total else "dim")
        tally = f"{good} of {total} hold" if self.size.width >= 120 else f"{good}/{total}"
        return Tab("checks", "Checks", tally if total else "", role)

    def notice(self) -> Line:
        if not self.model.steps:
            world = "the migration is read" if self.session.live else "the rehearsal's world starts"
            return ((f" One moment: {world} …", "dim"),)
        others = [step for step in self.model.needing if step != self.step]
        if others:
            many = count(len(others), "step needs", "steps need")
            return ((f" {many} you: ", "warn"), (others[0], ""), ("  n goes there", "dim"))
        if not self.session.running and self.model.over:
            proven = f" All {len(self.model.steps)} steps are done and proven."
            return ((proven, "ok"), ("  r shows the report, g asks every check again", "dim"))
        if not self.session.running and self.model.ended:
            what = "It was taken back" if self.model.taken_back else f"The run has ended: {self.model.ended}"
            if self.model.ended == "done" and not self.model.taken_back:
                # A run that is done has nothing left to do, so this was a way back.
                what = "There was nothing to take back"
            return ((f" {what}.", "warn"), ("  g goes on from here", "dim"))
        if not self.following:
            return ((" Not following what happens", "dim"), ("  . follows again", "dim"))
        return ()

    # Keys.

    def keys(self) -> Sequence[Key]:
        found: list[Key] = []
        if self.model.question(self.step):
            found.append(Key("enter", "answer", "enter"))
        elif self.model.awaits_approval(self.step):
            found += [Key("a", "apply", "apply"), Key("A", "apply phase", "apply_phase")]
        elif not self.session.running:
            found.append(Key("g", "check all" if self.model.over else "go on", "go"))
        if self.model.needing and self.model.needing != (self.step,):
            found.append(Key("n", "next", "next"))
        found += [Key("v", "verify", "verify"), Key("u", "undo", "undo")]
        found.append(Key("l", "all plans", "app.show('plan')"))
        if self.model.latest("watch"):
            found.append(Key("w", "cutover", "app.show('cutover')"))
        if self.model.latest("ports"):
            found.append(Key("m", "ports", "app.show('ports')"))
        found += [
            Key("p", "go on" if self.session.paused else "pause", "pause"),
            Key("r", "report", "app.show('report')"),
            Key("/", "search", "search"),
            Key("c", "copy", "app.copy"),
            Key("^p", "commands", "app.command_palette"),
            Key("q", "leave", "app.leave"),
        ]
        return found

    def help_page(self) -> HelpPage:
        from screens.overview_help import HELP

        return HELP

    def copy_value(self) -> str:
        focused = self.focused
        if isinstance(focused, Log):
            return focused.line
        if isinstance(focused, Rows) and focused.row is not None:
            return focused.row.copy
        return self.step

    def action_apply(self) -> None:
        self.wizard.apply(self.step)

    def action_enter(self) -> None:
        if self.focused is not None and self.focused.id == "checks":
            self._evidence()
        elif self.model.question(self.step):
            self.wizard.ask(self.step)
        elif self.model.awaits_approval(self.step):
            self.wizard.apply(self.step)
        elif self.focused is not None and self.focused.id == "rail":
            self.action_pane("checks" if self.model.checks(self.step) else "plan")

    def action_apply_phase(self) -> None:
        info = self.model.info(self.step)
        if info is not None:
            self.wizard.apply_phase(info.phase)

    def action_not_now(self) -> None:
        self.session.approve(self.step, False)

    def action_verify(self) -> None:
        self.action_pane("checks")
        self.wizard.verify(self.step)

    def action_undo(self) -> None:
        rail = self.query_one("#rail", Rows)
        self.wizard.undo(rail.key if rail.has_focus and rail.key else self.step)

    def action_next(self) -> None:
        needing = self.model.needing
        if needing:
            later = needing.index(self.step) + 1 if self.step in needing else 0
            self._show(needing[later % len(needing)])
            self.following = False
            self.repaint()
            if self.model.question(self.step):
                self.wizard.ask(self.step)

    def action_follow(self) -> None:
        self.following = True
        self.repaint()

    def action_pause(self) -> None:
        (self.session.resume if self.session.paused else self.session.pause)()
        self.repaint()

    def action_go(self) -> None:
        if self.session.running:
            said = "The run goes on with what it can; when it has ended, g tries again what failed."
            self.notify(said, timeout=6, markup=False)
            return
        self.wizard.go()
        self.action_follow()

    def action_pane(self, name: str) -> None:
        self.pane, self._pane_chosen = name, True
        self._show_pane()
        self.query_one(f"#{name}").focus()
        self.repaint()

    def action_fold(self) -> None:
        key = self.query_one("#rail", Rows).key
        info = self.model.info(key)
        self._fold(info.phase if info else Phase(key))

    def _fold(self, phase: Phase) -> None:
        if phase in self._open_phases():
            self._folded.add(phase)
            self._opened.discard(phase)
        else:
            self._opened.add(phase)
            self._folded.discard(phase)
        rail = self.query_one("#rail", Rows)
        rail.select(phase.value)
        self.repaint()

    def jump(self, step: str) -> None:
        """Show `step`, and stop following."""
        self.following = False
        info = self.model.info(step)
        if info is not None:
            self._folded.discard(info.phase)
        self._show(step)
        self.repaint()

    def action_search(self) -> None:
        from screens.widgets.search import SearchLine

        self.action_pane("output")
        if not self.query(SearchLine):
            self.query_one("#output-pane").mount(SearchLine(self.query_one(Log)))
        self.query_one(SearchLine).begin()

    def action_found(self, by: int) -> None:
        log = self.query_one(Log)
        place, total = log.step_found(by)
        if total:
            self.notify(f"{place} of {total}", timeout=2, markup=False)

    # Mouse and cursor.

    @on(Rows.Moved, "#rail")
    def _rail_moved(self, message: Rows.Moved) -> None:
        if self.model.info(message.key):
            self.jump(message.key)

    @on(Rows.Chosen, "#rail")
    def _rail_chosen(self, message: Rows.Chosen) -> None:
        if not self.model.info(message.key):
            self._fold(Phase(message.key))

    @on(Rows.Chosen, "#checks")
    def _check_chosen(self) -> None:
        self._evidence()

    def _evidence(self) -> None:
        from screens.evidence import EvidenceView

        key = self.query_one("#checks", Rows).key
        check = next((check for check in self.model.checks(self.step) if check.name == key), None)
        if check is not None:
            self.app.push_screen(EvidenceView(check, self.step, self.session.now))

    def on_tab_line_picked(self, message: TabLine.Picked) -> None:
        self.action_pane(message.name)
