"""What stands over a screen: a sheet to read, and the frame of questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen

from screens.glyphs import UNICODE, plain
from screens.widgets.paint import Line, Lines
from screens.widgets.rows import Row, Rows

T = TypeVar("T")


class Text(Lines):
    """Lines made once for a width."""

    def __init__(
        self, make: Callable[[int], Sequence[Line]], *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._make = make

    def lines(self, width: int) -> Sequence[Line]:

        return self._make(width)


class Modal(ModalScreen[T]):
    """A framed box in the middle; subclasses fill it."""

    CSS_PATH = "modal.tcss"
    frame_title = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="frame") as frame:
            sparing = getattr(self.app, "glyphs", UNICODE).ascii
            title = plain(self.frame_title) if sparing else self.frame_title
            frame.border_title = Content(title)
            yield from self.content()

    def content(self) -> ComposeResult:
        raise AssertionError("a subclass fills the frame")


class Sheet(Modal[None]):
    """Text to read, with a scroll bar where it needs one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "close", "close"),
        Binding("c", "app.copy", "copy"),
    ]

    def __init__(self, title: str) -> None:
        super().__init__()
        self.frame_title = title

    def content(self) -> ComposeResult:
        yield Rows(self.rows, id="sheet")
        yield Text(lambda width: ((("esc", "key"), (" close   ", "dim"), *self.more_keys()),), classes="hint")

    def rows(self, width: int) -> Sequence[Row]:
        raise AssertionError("a subclass says what is to be read")

    def more_keys(self) -> Line:
        return ()

    def copy_value(self) -> str:
        return ""

    def action_close(self) -> None:
        self.dismiss(None)
