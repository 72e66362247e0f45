"""What every screen shares: it paints from the model, at most twenty times a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.screen import Screen

from screens.glyphs import Glyphs
from screens.text import count
from screens.widgets.bars import Key, KeyBar, Notice, TopBar
from screens.widgets.paint import Line, Lines

if TYPE_CHECKING:
    from screens.app import WizardApp
    from screens.help import HelpPage
    from screens.model import Model
    from screens.session import Session

FRAME = 1 / 20
TICK = 1.0


class Page(Screen[Any]):
    """A full screen with the top bar and the line of keys. Subclasses compose the rest and `paint`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help", show=False),
        Binding("n", "next", "next that needs you", show=False),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide"), (160, "-vast")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (36, "-high")]  # noqa: RUF012
    heading = ""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self._painted = -1
        self._painted_at = 0.0

    @property
    def wizard(self) -> WizardApp:
        return cast("WizardApp", self.app)

    @property
    def session(self) -> Session:
        return self.model.session

    @property
    def glyphs(self) -> Glyphs:
        return self.wizard.glyphs

    def top_bar(self) -> TopBar:
        return TopBar(self.model, self.heading)

    def key_bar(self) -> KeyBar:
        return KeyBar(self.keys)

    def notice_bar(self) -> Notice:
        return Notice(self.notice)

    def notice(self) -> Line:
        """What needs the operator elsewhere; empty when nothing does."""
        needing = self.model.needing
        if not needing:
            return ()
        many = count(len(needing), "step needs", "steps need")
        return ((f" {many} you: ", "warn"), (needing[0], ""), ("  n goes there", "dim"))

    def keys(self) -> Sequence[Key]:
        """The keys of the present moment, most useful first."""
        return ()

    def help_page(self) -> HelpPage:
        raise AssertionError("every page has help")

    def on_mount(self) -> None:
        self.set_interval(FRAME, self._frame)
        self.set_interval(TICK, self.repaint)
        self.call_after_refresh(self.repaint)

    def _frame(self) -> None:
        if self.is_active and self.model.version != self._painted:
            self.repaint()

    def repaint(self) -> None:
        """Paint now, whatever changed; beneath a question too, so that nobody decides by an old picture."""
        if not self.is_active:
            return
        self._painted = self.model.version
        self.paint()
        for bar in self.query(Lines):
            bar.paint()

    def paint(self) -> None:
        """Bring the widgets up to the model; lines with text of their own follow by themselves."""

    def on_screen_resume(self) -> None:
        self.repaint()

    def on_key_bar_pressed(self, message: KeyBar.Pressed) -> None:
        self.call_next(self.run_action, message.action)

    def action_help(self) -> None:
        from screens.help import Help

        self.app.push_screen(Help(self.help_page()))

    def action_next(self) -> None:
        if self.model.needing:
            self.wizard.action_show("overview")
            self.wizard.overview.action_next()

    def action_leave(self) -> None:
        self.dismiss(None)
