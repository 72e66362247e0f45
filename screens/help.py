"""Contextual help: what the screen shows, its keys, and answers to questions an operator has there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from screens.modal import Sheet
from screens.text import wrap
from screens.widgets.paint import Line
from screens.widgets.rows import Row


@dataclass(frozen=True, slots=True)
class HelpPage:
    """`keys` are pairs of keys and what they do; `answers` pairs of a question and its answer."""

    title: str
    about: str
    keys: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, str], ...] = ()


EVERYWHERE = (
    ("?", "this help"),
    ("ctrl+p", "every command by name"),
    ("c", "copy what is selected"),
    ("o", "the overview"),
    ("l", "every plan that is to come, with its costs"),
    ("w", "the cutover"),
    ("m", "the port matrix"),
    ("r", "the report"),
    ("q", "finish the change under way, then leave; the wizard goes on from here next time"),
    ("tab", "from pane to pane; arrows, page keys, home and end inside one"),
)


class Help(Sheet):
    """Shows a help page; any of ?, Escape or q closes it."""

    def __init__(self, page: HelpPage) -> None:
        super().__init__(page.title)
        self._page = page

    def rows(self, width: int) -> Sequence[Row]:
        page = self._page
        lines: list[Line] = [((text, ""),) for text in wrap(page.about, width)]
        lines += [(), (("Keys here", "title"),), *_table(page.keys, width)]
        lines += [(), (("Keys everywhere", "title"),), *_table(EVERYWHERE, width)]
        for question, answer in page.answers:
            lines += [(), *(((text, "title"),) for text in wrap(question, width))]
            lines += [((text, ""),) for text in wrap(answer, width)]
        return (Row("", tuple(lines)),)


def _table(pairs: Sequence[tuple[str, str]], width: int) -> list[Line]:
    column = max(len(key) for key, _ in pairs) + 2
    lines: list[Line] = []
    for key, text in pairs:
        for index, piece in enumerate(wrap(text, width - column)):
            lines.append(((key.ljust(column) if index == 0 else " " * column, "key"), (piece, "")))
    return lines
