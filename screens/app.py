"""The wizard's application: it holds the session and hands commands to it; screens do the rest."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import App
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel as Severity
from textual.screen import Screen

from screens.base import Page
from screens.glyphs import glyphs, wants_ascii
from screens.model import Model
from screens.opening import Opening
from screens.overview import Overview
from screens.palette import providers
from screens.session import Session
from screens.theme import NIGHT, THEMES
from wizard.engine.events import NOTHING, Detail, Event, RunEnded, StepChanged, StepState
from wizard.engine.plan import Plan
from wizard.engine.step import Phase
from wizard.errors import ExitCode, WizardError

if TYPE_CHECKING:
    from wizard.dns.view import WatchView


class WizardApp(App[int]):
    TITLE = "dokploy-wizard"
    # The styles of a default screen are not read by themselves.
    CSS_PATH = ["app.tcss", "overview.tcss"]  # noqa: RUF012
    COMMANDS = {providers}  # noqa: RUF012
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "show('overview')", "overview", show=False),
        Binding("l", "show('plan')", "all plans", show=False),
        Binding("w", "show('cutover')", "cutover", show=False),
        Binding("m", "show('ports')", "port matrix", show=False),
        Binding("r", "show('report')", "report", show=False),
        Binding("c", "copy", "copy", show=False),
        Binding("q,ctrl+q,ctrl+c", "leave", "leave", show=False),
    ]

    def __init__(self, session: Session, *, ascii_only: bool | None = None, start: bool = True) -> None:
        super().__init__()
        self.session = session
        self.model = Model(session)
        self.glyphs = glyphs(wants_ascii() if ascii_only is None else ascii_only)
        self.painted_plan: Plan | None = None
        """The plan that the operator has before their eyes: only that one can be applied."""
        self.opened_by: Callable[[], object] | None = None
        """Called when the first frame is there: it opens the session."""
        self._start = start
        self._way_back = False
        self._told = False
        self._offered: set[str] = set()
        self._watched: set[tuple[float | None, bool]] = set()
        self._unsubscribe = session.subscribe(self._hear)

    def get_default_screen(self) -> Screen[object]:
        return Overview(self.model)

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = NIGHT.name
        if self.glyphs.ascii:
            from screens.ascii import spare_scrollbars

            self.add_class("-ascii")
            spare_scrollbars()
        if self._start:
            self.go()
        if self.opened_by is not None:
            # What the engine needs is loaded behind the first frame, not before it.
            self.call_after_refresh(self.call_after_refresh, self.opened_by)

    @property
    def overview(self) -> Overview:
        found = self.screen_stack[0]
        assert isinstance(found, Overview)
        return found

    # Commands to the session.

    def go(self) -> None:
        if self.session.rebuilt and not self._told:
            self._told = True
            self.notify(self.session.rebuilt, severity="warning", timeout=30, markup=False)
        self.carry_out(self.session.start())

    def carry_out(self, work: Awaitable[object]) -> None:
        """Do it in the background; trouble is shown, never raised."""

        async def tried() -> None:
            try:
                await work
            except WizardError as error:
                self._tell(error)

        self.run_worker(tried(), exit_on_error=True)

    def _tell(self, error: WizardError) -> None:
        from screens.message import Trouble

        self.push_screen(Trouble(error))

    def apply(self, step: str) -> None:
        """Apply the plan that is on the screen, after the names of what cannot be undone were typed."""
        plan = self.session.plan(step)
        if plan is None or plan is not self.painted_plan or not self.model.awaits_approval(step):
            return
        names = dict.fromkeys(change.confirm for change in plan.changes if change.confirm)
        self._confirm_names(step, plan, tuple(names))

    def _confirm_names(self, step: str, plan: Plan, names: tuple[str, ...]) -> None:
        if not names:
            if self.session.plan(step) is plan:
                self.session.approve(step, True)
            return
        from screens.confirm import TypeName, irreversible

        name, *rest = names
        changes = [change for change in plan.changes if change.confirm == name]

        def typed(yes: bool | None) -> None:
            if yes:
                self._confirm_names(step, plan, tuple(rest))

        self.push_screen(TypeName(step, irreversible(changes), name), typed)

    def apply_phase(self, phase: Phase) -> None:
        from screens.confirm import Confirm

        text = [
            f"Every plan of {phase.value} is applied as soon as it is made, without asking again.",
            "Questions are still asked, and so are names of what cannot be undone. p pauses at any time.",
        ]

        def answered(yes: bool | None) -> None:
            if yes:
                self.session.approve_phase(phase)

        self.push_screen(Confirm(f"Apply all of {phase.value}", text, "apply them all"), answered)

    def ask(self, step: str) -> None:
        """Put the step's open question to the operator."""
        question = self.model.question(step)
        if question is None:
            return
        from screens.question import AskQuestion

        self._offered.add(question.id)

        def answered(text: str | None) -> None:
            if text is not None:
                self._offered.discard(question.id)
                self.session.answer(question.id, text)

        self.push_screen(AskQuestion(question, step), answered)

    def offer(self, step: str) -> None:
        """Ask by itself, once: a question that was put off waits for the operator."""
        question = self.model.question(step)
        if question is not None and question.id not in self._offered:
            self.ask(step)

    def verify(self, step: str) -> None:
        if not step:
            return

        async def asked() -> None:
            await self.session.verify(step)
            good, total, broken = self.model.proven(step)
            severity: Severity = "warning" if broken else "information"
            said = f"{step} was asked again: {good} of {total} checks hold"
            self.notify(said, severity=severity, timeout=4, markup=False)

        self.carry_out(asked())

    def undo(self, target: str) -> None:
        if not target:
            return
        from screens.confirm import Confirm

        info = self.model.info(target)
        if all(one.state in NOTHING for one in self.model.steps if target in (one.id, one.phase.value)):
            nothing = f"Nothing of {target} was done, so there is nothing to undo."
            self.notify(nothing, timeout=4, markup=False)
            return
        way_back = info.way_back if info and info.way_back else ""
        text = [
            f"The run is stopped, and {target} is taken back together with every step that needs it.",
            "Each plan of the way back is shown before it is applied.",
        ]
        if way_back:
            text.insert(1, f"Way back: {way_back}")

        def answered(yes: bool | None) -> None:
            if yes:
                self.carry_out(self.session.undo(target))

        self.push_screen(Confirm(f"Undo {target}", text, "undo it"), answered)

    def go_back(self) -> None:
        """Take the flip back at once: its plans are what the operator has just agreed to."""

        async def back() -> None:
            self._way_back = True
            try:
                await self.session.back()
            finally:
                self._way_back = False

        self.carry_out(back())

    def _hear(self, event: Event) -> None:
        if isinstance(event, Detail) and event.topic == "watch" and self.is_running:
            self._show_the_world(event.payload)
        if isinstance(event, RunEnded) and self.session.trouble is not None:
            self.call_later(self._tell, self.session.trouble)
        if self._way_back and isinstance(event, StepChanged) and event.state is StepState.ASKING:
            self.call_later(self._approve_way_back, event.step)

    def _approve_way_back(self, step: str) -> None:
        plan = self.session.plan(step)
        if plan is not None and not any(change.confirm for change in plan.changes):
            self.session.approve(step, True)

    def _show_the_world(self, view: WatchView) -> None:
        """Once for each flip, an operator who follows is taken to where it can be seen."""
        flip = (view.flipped_at, view.returning)
        if view.flipped_at is None or flip in self._watched:
            return
        self._watched.add(flip)
        if self.screen is self.overview and self.overview.following:
            self.call_later(self.action_show, "cutover")

    # From screen to screen.

    def action_show(self, name: str) -> None:
        if isinstance(self.screen, Page) and self.screen.name == name:
            return
        while len(self.screen_stack) > 1:
            self.pop_screen()
        if name != "overview":
            self.push_screen(self._page(name))

    def _page(self, name: str) -> Page:
        from importlib import import_module

        page: Page = import_module(f"screens.{name}").PAGE(self.model)
        return page

    def jump(self, step: str) -> None:
        self.action_show("overview")
        self.overview.jump(step)

    def action_copy(self) -> None:
        value = getattr(self.screen, "copy_value", str)()
        if value:
            self.copy_to_clipboard(value)
            self.notify(value, title="copied", timeout=3, markup=False)

    def action_help_quit(self) -> None:
        self.action_leave()

    def action_leave(self) -> None:
        from screens.confirm import Confirm

        if not self.session.running or not self.session.steps:
            self._leave(True)
            return
        text = [
            "The change under way is finished and written down first. Waits go on by the clock, "
            "and long work on the hosts goes on by itself.",
            "Start the wizard again to go on from here.",
        ]
        if not isinstance(self.screen, Confirm):
            self.push_screen(Confirm("Leave", text, "leave"), self._leave)

    def _leave(self, yes: bool | None) -> None:
        async def ended() -> None:
            await self.session.stop()
            self.exit(self.exit_code_now())

        if yes:
            self.carry_out(ended())

    def exit_code_now(self) -> int:
        """0 when every step is finished, 1 when one has failed, else 3: it waits for the operator."""
        states = {info.state for info in self.session.steps}
        if states and states <= {StepState.DONE, StepState.SKIPPED}:
            return ExitCode.DONE
        return ExitCode.FAILED if StepState.FAILED in states else ExitCode.WAITING


async def run(
    opens: AbstractAsyncContextManager[Session], *, live: bool, ascii_only: bool | None = None
) -> int:
    """Show the wizard at once and open its session behind the first frame; the exit code.

    Raises what opening the session raises.
    """
    session = Opening(live)
    app = WizardApp(cast("Session", session), ascii_only=ascii_only, start=False)
    left = asyncio.Event()

    async def held() -> None:
        try:
            async with opens as real:
                session.arrive(real)
                app.model.renew()
                app.go()
                await left.wait()
                await real.stop()
        finally:
            if not left.is_set():
                app.exit()

    holding: list[asyncio.Task[None]] = []
    app.opened_by = lambda: holding.append(asyncio.create_task(held()))
    code = await app.run_async()
    left.set()
    if not session.arrived:
        for task in holding:
            task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*holding)
    app.model.close()
    print(parting(app.session))
    return app.exit_code_now() if code is None else code


def parting(session: Session) -> str:
    """What the terminal says when the wizard is gone."""
    done = sum(info.state in (StepState.DONE, StepState.SKIPPED) for info in session.steps)
    if not session.steps:
        return "Nothing was begun."
    if done == len(session.steps):
        return f"All {done} steps are done and proven. The command `report` prints the proof."
    return f"{done} of {len(session.steps)} steps are done. The same command goes on from here."
