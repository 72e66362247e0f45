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


READING: tuple[BindingType, ...] = (
    Binding("pageup", "read(-1)", "read up", show=False),
    Binding("pagedown", "read(1)", "read down", show=False),
)
"""For a box whose text may be longer than it: the keys go to the text wherever the cursor is."""


class Scroll(Rows):
    """A text that scrolls where the box has no room for all of it."""

    can_focus = False

    def __init__(self, make: Callable[[int], Sequence[Line]]) -> None:
        super().__init__(lambda width: (Row("", tuple(make(width))),), id="text")


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

    def on_resize(self) -> None:
        """The text gives way to what is below it, which must never be out of sight."""
        self.call_after_refresh(self._make_room)

    def _make_room(self) -> None:
        for text in self.query(Scroll):
            frame = self.query_one("#frame")
            others = sum(child.outer_size.height + child.styles.margin.height for child in frame.children)
            others -= text.outer_size.height + text.styles.margin.height
            room = max(3, self.size.height * 9 // 10 - frame.gutter.height - others)
            text.styles.max_height = room
            more = text.virtual_size.height > room
            frame.border_subtitle = Content("page keys: more to read") if more else None

    def action_read(self, by: int) -> None:
        for text in self.query(Scroll):
            text.scroll_relative(y=by * max(1, text.size.height - 1), animate=False)


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
