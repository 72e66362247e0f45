"""The port matrix: who reaches which port of which host, seen from every vantage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from screens.base import Page
from screens.help import HelpPage
from screens.widgets.bars import Key
from screens.widgets.port_rows import port_rows
from screens.widgets.rows import Row, Rows

HELP = HelpPage(
    "The port matrix",
    "Each line is one vantage looking at one address of a host, each column a port. What was seen is held "
    "against what should be: a wrong one carries an exclamation mark.",
    (("v", "look again, at every host"), ("c", "copy the address of the line"), ("esc", "back")),
    (
        (
            "Why is no answer not enough?",
            "A broken vantage sees every port closed. So each one must also get an answer from a port that "
            "is open to it; where it does not, its line says so and counts as unknown.",
        ),
        (
            "Docker opened a port although ufw denies it?",
            "Published ports are routed before ufw's rules are asked. The wizard's own nft table and the "
            "Cloud Firewall stand in front of that.",
        ),
    ),
)


class PortsPage(Page):
    CSS_PATH = "ports.tcss"
    heading = "ports"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back"),
        Binding("v", "verify", "look again"),
    ]

    def compose(self) -> ComposeResult:
        yield self.top_bar()
        yield Rows(self._rows, id="ports")
        yield self.key_bar()
        yield self.notice_bar()

    def on_mount(self) -> None:
        self.query_one(Rows).focus()

    def paint(self) -> None:
        self.query_one(Rows).paint()

    def _rows(self, width: int) -> Sequence[Row]:
        matrices = sorted(self.model.details("ports").values(), key=lambda matrix: str(matrix.host))
        return port_rows(matrices, self.session.now(), self.glyphs, width)

    def keys(self) -> Sequence[Key]:
        return (
            Key("v", "look again", "verify"),
            Key("c", "copy address", "app.copy"),
            Key("esc", "back", "leave"),
            Key("w", "cutover", "app.show('cutover')"),
            Key("q", "leave", "app.leave"),
        )

    def help_page(self) -> HelpPage:
        return HELP

    def copy_value(self) -> str:
        row = self.query_one(Rows).row
        return row.copy if row else ""

    def action_verify(self) -> None:
        for step in self.model.details("ports"):
            self.wizard.verify(step)


PAGE = PortsPage
