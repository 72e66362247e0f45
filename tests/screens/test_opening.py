"""The first frame comes before the session; and what happens when the session never does."""

from __future__ import annotations

from screens.app import WizardApp, parting
from screens.model import Model
from screens.opening import Opening
from screens.overview import Overview
from tests.screens import scenes
from tests.screens.conftest import Desk
from wizard.engine.events import Output


def opening() -> WizardApp:
    return WizardApp(Opening(live=False), ascii_only=False, start=False)  # type: ignore[arg-type]


async def test_the_frame_is_there_before_the_session_and_offers_nothing() -> None:
    app = opening()
    async with app.run_test(size=(80, 24)) as pilot:
        at = Desk(app, app.session, pilot)  # type: ignore[arg-type]
        await at.settle()
        assert "REHEARSAL" in at.words
        assert "decommission" in at.words
        assert "the rehearsal's world starts" in at.words
        await at.press("a", "A", "v", "l", "escape", "m", "escape", "w", "escape", "r", "escape")
        assert isinstance(app.screen, Overview)
        assert parting(app.session) == "Nothing was begun."
        assert app.exit_code_now() == 3


async def test_the_session_is_shown_as_soon_as_it_arrives() -> None:
    app = opening()
    async with app.run_test(size=(80, 24)) as pilot:
        session = scenes.approving()
        app.session.arrive(session)  # type: ignore[attr-defined]
        app.model.renew()
        at = Desk(app, session, pilot)
        await at.settle()
        assert "its plan waits for you" in at.words
        await at.press("a")
        assert session.calls == [("approve", "provision.backend.server", "yes")]


def test_who_subscribed_early_hears_what_comes_later() -> None:
    late = Opening(live=True)
    model = Model(late)  # type: ignore[arg-type]
    session = scenes.approving()
    late.arrive(session)
    session.publish(Output(session.at, "provision.backend.server", "hello"))
    assert model.view("provision.backend.server").output[-1].text == "hello"
