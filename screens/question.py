"""A step's question: choices, a text, a secret, or a name to be typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from screens.confirm import allowance, paragraphs
from screens.modal import READING, Modal, Scroll, Text
from screens.text import with_roles, wrap
from screens.widgets.paint import Line
from screens.widgets.rows import Row, Rows
from wizard.engine.plan import Question


class AskQuestion(Modal[str | None]):
    """Gives the answer, or None when the operator wants to answer later."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *READING,
        Binding("escape", "later", "later"),
        Binding("enter", "pick", "answer"),
    ]

    def __init__(self, question: Question, step: str) -> None:
        super().__init__(classes="danger" if question.typed else "")
        self.frame_title = step
        self._question = question
        self._wrong = ""

    def content(self) -> ComposeResult:
        question = self._question
        yield Scroll(self._body)
        if question.typed:
            yield Text(lambda width: (allowance(question.typed),), classes="gap")
        if question.choices:
            yield Rows(self._choices, id="choices")
        else:
            yield Input(
                value="" if question.secret or question.typed else question.default,
                placeholder=question.typed,
                password=question.secret,
                id="answer",
                compact=True,
            )
        yield Text(self._hint, id="hint", classes="hint")

    def on_mount(self) -> None:
        if self._question.choices:
            rows = self.query_one("#choices", Rows)
            rows.key = self._question.default
            rows.focus()
        else:
            self.query_one(Input).focus()

    def _body(self, width: int) -> list[Line]:
        question = self._question
        lines: list[Line] = [((text, "strong"),) for text in wrap(question.text, width)]
        if question.why:
            lines.append(())
            for text, role in with_roles(question.why.splitlines(), "dim"):
                lines += [((piece, role),) for piece in wrap(text, width)]
        if question.secret:
            lines += [(), *paragraphs(["It is not shown, and kept in the secret store only."], width)]
        return lines

    def _choices(self, width: int) -> Sequence[Row]:
        chosen = self.query_one("#choices", Rows).key
        rows = []
        for number, choice in enumerate(self._question.choices, 1):
            mark = self.query_one(Rows).glyphs.marker if choice.value == chosen else " "
            pieces = wrap(choice.text, width - 5)
            lines: list[Line] = [((f"{mark} ", "busy"), (f"{number} ", "key"), (pieces[0], ""))]
            lines += [((" " * 4, ""), (piece, "")) for piece in pieces[1:]]
            rows.append(Row(choice.value, tuple(lines)))
        return rows

    def _hint(self, width: int) -> list[Line]:
        if self._wrong:
            return [((text, "bad"),) for text in wrap(self._wrong, width)]
        return [(("enter", "key"), (" answer   ", ""), ("esc", "key"), (" later", ""))]

    def on_rows_moved(self, message: Rows.Moved) -> None:
        message.rows.paint()

    def on_rows_chosen(self) -> None:
        self.action_pick()

    def on_key(self, event: events.Key) -> None:
        if self._question.choices and (event.character or "").isdigit():
            at = int(event.character or 0) - 1
            if 0 <= at < len(self._question.choices):
                # Else the page beneath, uncovered by the answer, would take the number as its own key.
                event.stop()
                self.dismiss(self._question.choices[at].value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        question = self._question
        if question.typed and event.value != question.typed:
            self._say(f"That is not {question.typed!r}. Nothing was changed.")
        elif not event.value.strip():
            self._say("Type an answer, or press Escape to answer later.")
        else:
            self.dismiss(event.value if question.secret else event.value.strip())

    def _say(self, wrong: str) -> None:
        self._wrong = wrong
        self.query_one("#hint", Text).paint()

    def action_pick(self) -> None:
        if self._question.choices:
            self.dismiss(self.query_one("#choices", Rows).key)

    def action_later(self) -> None:
        self.dismiss(None)
