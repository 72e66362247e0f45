"""Screens under a pilot: a scene, a size, and keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest
from textual.pilot import Pilot

from screens.app import WizardApp
from screens.widgets.paint import Lines, text_of
from screens.widgets.rows import Rows
from tests.screens.fake_session import FakeSession

SMALL = (80, 24)
LARGE = (200, 50)


@dataclass
class Desk:
    """A running application with its session."""

    app: WizardApp
    session: FakeSession
    pilot: Pilot[int]

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
        await self.settle()

    async def settle(self) -> None:
        """Let messages and callbacks run out, then have the screen painted."""
        await self.pilot.pause()
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()
        repaint = getattr(self.app.screen, "repaint", None)
        if repaint is not None:
            repaint()
        await self.pilot.pause()

    def text(self) -> str:
        """Everything that the top screen's painted widgets say, whole and unwrapped by widgets' heights."""
        parts = [text_of(widget.lines(widget.size.width)) for widget in self.app.screen.query(Lines)]
        for rows in self.app.screen.query(Rows):
            parts.append(text_of(spans for row in rows.rows for spans in row.lines))
        return "\n".join(parts)

    @property
    def words(self) -> str:
        """The same, with wrapped lines joined."""
        return " ".join(self.text().split())


Opener = Callable[..., AbstractAsyncContextManager[Desk]]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Opener:
    monkeypatch.delenv("NO_COLOR", raising=False)

    @asynccontextmanager
    async def opened(
        session: FakeSession, size: tuple[int, int] = SMALL, *, ascii_only: bool = False, start: bool = False
    ) -> AsyncIterator[Desk]:
        app = WizardApp(session, ascii_only=ascii_only, start=start)
        async with app.run_test(size=size) as pilot:
            found = Desk(app, session, pilot)
            await found.settle()
            yield found

    return opened
