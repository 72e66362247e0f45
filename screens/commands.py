"""What the command palette offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from screens.back import flipped, offer_back

if TYPE_CHECKING:
    from screens.app import WizardApp

Command = tuple[str, str, Callable[[], object]]


class Commands(Provider):
    """Commands on what is shown, then the screens, then every step by its name."""

    @property
    def wizard(self) -> WizardApp:
        return cast("WizardApp", self.app)

    def _general(self) -> Iterator[Command]:
        wizard = self.wizard
        step = wizard.overview.step
        session = wizard.session
        yield f"Verify {step}", "ask the outside again", lambda: wizard.verify(step)
        yield f"Undo {step}", "take it back; its plan is shown first", lambda: wizard.undo(step)
        if flipped(wizard):
            yield "Back: the old records again", "take the flip of the cutover back", self._back
        if session.paused:
            yield "Go on", "let changes begin again", session.resume
        else:
            yield "Pause", "no further change begins", session.pause
        if not session.running:
            yield "Run again", "go on from where it stands; when all is done, ask every check", wizard.go
        yield "Overview", "phases, steps, plan, output, checks", lambda: wizard.action_show("overview")
        yield "Plan", "every change that is to come, with its costs", lambda: wizard.action_show("plan")
        yield "Cutover", "the world watching the flip", lambda: wizard.action_show("cutover")
        yield "Ports", "who reaches which port from where", lambda: wizard.action_show("ports")
        yield "Report", "every check with its evidence", lambda: wizard.action_show("report")
        yield "Copy", "copy what is selected", wizard.action_copy
        yield "Light or dark", "change the page's colours", self._turn_theme
        yield "Leave", "finish the change under way, then end", wizard.action_leave

    def _back(self) -> None:
        offer_back(self.wizard)

    def _turn_theme(self) -> None:
        names = [name for name in ("wizard-night", "wizard-day") if name != self.wizard.theme]
        self.wizard.theme = names[0]

    def _steps(self) -> Iterator[Command]:
        wizard = self.wizard
        for info in wizard.model.steps:

            def jump(step: str = info.id) -> None:
                wizard.jump(step)

            yield f"Go to {info.id}", f"{info.title} ({info.state.value})", jump

    async def discover(self) -> Hits:
        for name, text, run in self._general():
            yield DiscoveryHit(name, run, help=text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, text, run in (*self._general(), *self._steps()):
            score = max(matcher.match(name), matcher.match(text) * 0.8)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, help=text)
