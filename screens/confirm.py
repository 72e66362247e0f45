"""Asking before something that matters: yes or no, or the name typed for what cannot be undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from screens.modal import READING, Modal, Scroll, Text
from screens.text import wrap
from screens.widgets.paint import Line
from wizard.engine.plan import Change


class Confirm(Modal[bool]):
    """Enter says yes, Escape no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "yes", "yes"),
        Binding("escape,n", "no", "no"),
    ]

    def __init__(self, title: str, text: Sequence[str], yes: str) -> None:
        super().__init__()
        self.frame_title = title
        self._text = tuple(text)
        self._yes = yes

    def content(self) -> ComposeResult:
        yield Text(self._body)
        yield Text(
            lambda width: ((("enter", "key"), (f" {self._yes}   ", ""), ("esc", "key"), (" not now", "")),),
            classes="hint",
        )

    def _body(self, width: int) -> list[Line]:
        return paragraphs(self._text, width)

    def action_yes(self) -> None:
        self.dismiss(True)

    def action_no(self) -> None:
        self.dismiss(False)


class TypeName(Modal[bool]):
    """For what cannot be undone: only the exact name, typed, says yes."""

    BINDINGS: ClassVar[list[BindingType]] = [*READING, Binding("escape", "no", "not now")]

    def __init__(self, title: str, text: Sequence[str], name: str) -> None:
        super().__init__(classes="danger")
        self.frame_title = title
        self._text = tuple(text)
        self._wanted = name
        self._wrong = ""

    def content(self) -> ComposeResult:
        yield Scroll(self._body)
        yield Text(lambda width: (allowance(self._wanted),), classes="gap")
        yield Input(placeholder=self._wanted, id="answer", compact=True)
        yield Text(self._hint, id="hint", classes="hint")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def _body(self, width: int) -> list[Line]:
        return paragraphs(self._text, width)

    def _hint(self, width: int) -> list[Line]:
        if self._wrong:
            return [((text, "bad"),) for text in wrap(self._wrong, width)]
        return [(("enter", "key"), (" allow   ", ""), ("esc", "key"), (" not now", ""))]

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.value == self._wanted:
            self.dismiss(True)
            return
        self._wrong = f"That is not {self._wanted!r}. Nothing was changed."
        self.query_one("#hint", Text).paint()

    def action_no(self) -> None:
        self.dismiss(False)


def allowance(name: str) -> Line:
    return (("Type ", ""), (name, "strong"), (" to allow it.", ""))


def irreversible(changes: Sequence[Change]) -> list[str]:
    """What is lost when `changes` are made: each with its before and after."""
    text = []
    for change in changes:
        first = f"{change.kind.value.capitalize()} {change.target}"
        now = f"Now: {change.before}" if change.before else ""
        then = f"Then: {change.after}" if change.after else ""
        text.append("\n".join(piece for piece in (first, now, then) if piece))
    reasons = dict.fromkeys(change.why for change in changes if change.why)
    return [*text, *reasons, "This cannot be undone."]


def paragraphs(texts: Sequence[str], width: int) -> list[Line]:
    """Wrapped texts with an empty line between."""
    lines: list[Line] = []
    for text in texts:
        if lines:
            lines.append(())
        lines.extend(((piece, ""),) for piece in wrap(text, width))
    return lines
