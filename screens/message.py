"""Trouble said in three sentences: what happened, why, what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from screens.modal import Sheet
from screens.text import wrap
from screens.widgets.paint import Line
from screens.widgets.rows import Row
from wizard.errors import WizardError
from wizard.redact import redact


class Trouble(Sheet):
    def __init__(self, error: WizardError) -> None:
        super().__init__("This did not work")
        self._error = error

    def rows(self, width: int) -> Sequence[Row]:
        error = self._error
        lines: list[Line] = [((text, "bad"),) for text in wrap(redact(error.what), width)]
        if error.why:
            lines += [(), *(((text, ""),) for text in wrap(redact(error.why), width))]
        if error.next:
            lines += [(), *(((text, "accent"),) for text in wrap(redact(error.next), width))]
        return (Row("", tuple(lines)),)

    def copy_value(self) -> str:
        return redact(str(self._error))
