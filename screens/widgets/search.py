"""The line at the foot of an output pane in which a search is typed."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from screens.widgets.log import Log


class SearchLine(Input):
    """Marks finds while typing; Enter keeps them and goes back to the log, Escape drops them."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "drop", "drop the search", show=False)]
    DEFAULT_CSS = """
    SearchLine, SearchLine:focus { height: 1; border: none; padding: 0 1; background: $panel; }
    """

    def __init__(self, log: Log) -> None:
        super().__init__(placeholder="search the output", compact=True)
        self._log = log

    def begin(self) -> None:
        self.display = True
        self.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._log.search(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        found = len(self._log.found)
        self.display = False
        self._log.focus()
        text = f"{found} found; f next, F previous" if found else f"Nothing holds {event.value!r}"
        self.app.notify(text, timeout=3, markup=False)

    def action_drop(self) -> None:
        self.value = ""
        self._log.search("")
        self.display = False
        self._log.focus()
