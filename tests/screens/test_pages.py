"""Plan, cutover, ports, report, help and the palette."""

from __future__ import annotations

import pytest

from screens.cutover import CutoverPage
from screens.help import Help
from screens.overview import Overview
from screens.plan import PlanPage
from screens.ports import PortsPage
from screens.report import Document, ReportPage
from screens.widgets.matrix import Matrix
from screens.widgets.rows import Rows
from tests.screens import scenes
from tests.screens.conftest import LARGE, SMALL, Opener
from tests.screens.fake_session import NOW
from wizard.engine.check import CheckState
from wizard.engine.events import StepChanged, StepState
from wizard.engine.plan import Failed, Plan, Skip, Wait
from wizard.errors import WizardError

BOTH = pytest.mark.parametrize("size", [SMALL, LARGE])


@BOTH
async def test_the_plan_page_shows_changes_and_costs(desk: Opener, size: tuple[int, int]) -> None:
    async with desk(scenes.approving(), size) as at:
        await at.press("l")
        assert isinstance(at.app.screen, PlanPage)
        assert "2 changes in 1 unfinished step" in at.words
        assert "-21.38 EUR" in at.words
        assert "cx33 in nbg1" in at.words
        await at.press("enter")
        assert isinstance(at.app.screen, Overview)
        assert at.app.overview.step == "provision.backend.server"


async def test_what_is_left_out_or_refused_is_not_called_known_later(desk: Opener) -> None:
    session = scenes.approving()
    session.planned("apps.web.deploy", Plan(hold=Failed("the panel is not there yet")))
    session.planned("settle.backups", Plan(hold=Skip("the repository answers the old names already")))
    session.planned("prepare.decide", Plan(hold=Failed("a choice is open")))
    session.planned("firewall.backend.host", Plan(hold=Wait(NOW + 60, "the packages are fetched")))
    async with desk(session) as at:
        await at.press("l")
        assert "2 changes in 5 unfinished steps, 1 known later, 1 left out, 1 refused" in at.words


@BOTH
async def test_the_cutover_page_shows_the_world(desk: Opener, size: tuple[int, int]) -> None:
    async with desk(scenes.flipped(), size) as at:
        await at.press("w")
        assert isinstance(at.app.screen, CutoverPage)
        assert "the world is new in 00:02:30" in at.words
        assert "4210 requests, 0 failed" in at.words
        assert "end 20:29:10" in at.words
        await at.press("2")
        assert "any moment" in at.words or "00:00:" in at.words
        await at.press("3")
        assert "helium.ns.hetzner.de" in at.words
        await at.press("4")
        assert "Let's Encrypt R11" in at.words
        await at.press("5")
        assert "old: 200, 61 ms new: 200, 23 ms" in at.words


async def test_the_matrix_is_walked_by_keys_and_mouse(desk: Opener) -> None:
    async with desk(scenes.flipped()) as at:
        await at.press("w", "right", "down")
        assert "Cloudflare 1 192.0.2.21" in at.words
        assert "openmates.org AAAA" in at.words
        await at.press("c")
        assert at.app.clipboard == "192.0.2.21"
        matrix = at.app.screen.query_one(Matrix)
        await at.pilot.click(Matrix, offset=(matrix._label_width() + 29, 1))
        await at.settle()
        assert "says something that is neither old nor new" in at.words
        assert "192.0.2.66" in at.words


async def test_more_resolvers_than_columns_go_into_bands(desk: Opener) -> None:
    async with desk(scenes.flipped(), (60, 40)) as at:
        await at.press("w")
        matrix = at.app.screen.query_one(Matrix)
        assert matrix.size.height == 2 * 5 + 1


async def test_back_says_when_the_world_is_back_and_goes_at_once(desk: Opener) -> None:
    async with desk(scenes.flipped()) as at:
        await at.press("w", "b")
        assert "The world is back at 20:27:40 UTC, in 1 min" in at.words
        assert at.session.calls == []
        await at.press("escape")
        assert at.session.calls == []
        await at.press("b", "enter")
        assert at.session.calls == [("back",)]


async def test_plans_of_the_way_back_are_agreed_to_already(desk: Opener) -> None:
    session = scenes.flipped()

    async def back() -> None:
        session.planned("cutover.flip", scenes.SERVER)
        session._approvals.append("cutover.flip")
        session.publish(StepChanged(session.at, "cutover.flip", StepState.ASKING))
        await settled.wait()

    import asyncio

    settled = asyncio.Event()
    session.back = back  # type: ignore[method-assign]
    async with desk(session) as at:
        await at.pilot.press("w", "b", "enter")
        await at.pilot.pause()
        await at.pilot.pause()
        assert ("approve", "cutover.flip", "yes") in session.calls
        settled.set()
        await at.settle()


async def test_a_refused_way_back_is_said(desk: Opener) -> None:
    session = scenes.flipped()
    session.fails = WizardError("Later phases rest on this: settle", next="Undo them first.")
    async with desk(session) as at:
        await at.press("w", "b", "enter")
        assert "Later phases rest on this" in at.words


async def test_before_the_flip_the_cutover_page_says_so_and_offers_no_way_back(desk: Opener) -> None:
    async with desk(scenes.running()) as at:
        await at.press("w")
        assert "Nothing is watched yet" in at.words
        assert "back to old" not in at.words
        await at.press("b")
        assert isinstance(at.app.screen, CutoverPage)
        await at.press("enter")
        assert ("back",) not in at.session.calls


@BOTH
async def test_before_the_flip_the_list_says_go_and_one_key_flips(
    desk: Opener, size: tuple[int, int]
) -> None:
    async with desk(scenes.going(), size) as at:
        await at.press("w")
        assert "GO 5 lines, asked 3s ago. f flips" in at.words
        assert "api.openmates.org AAAA: 2001:db8:1::7 (TTL 60)" in at.words
        assert "no cache holds an old TTL any more" in at.words
        assert "Nothing is watched yet" not in at.words
        await at.press("f")
        assert ("approve", "cutover.flip", "yes") in at.session.calls


@BOTH
async def test_a_line_that_says_no_blocks_the_key_with_its_reason(
    desk: Opener, size: tuple[int, int]
) -> None:
    async with desk(scenes.going(CheckState.FAILED), size) as at:
        await at.press("w")
        assert "NO-GO 1 line of 5 says no" in at.words
        await at.press("f")
        assert not [call for call in at.session.calls if call[0] == "approve"]
        (told,) = [one.message for one in at.app._notifications]
        assert told.startswith("No flip. no-go: 203.0.113.11 is ready for api.openmates.org")
        assert "self-signed certificate" in told and "self-signed certificate" in at.words


async def test_the_list_is_asked_again_by_its_key(desk: Opener) -> None:
    async with desk(scenes.going()) as at:
        await at.press("w", "v")
        assert ("verify", "cutover.flip") in at.session.calls


@BOTH
async def test_the_port_matrix_marks_what_is_wrong(desk: Opener, size: tuple[int, int]) -> None:
    async with desk(scenes.ports(), size) as at:
        await at.press("m")
        assert isinstance(at.app.screen, PortsPage)
        assert "open!" in at.words
        assert "proves nothing" in at.words
        await at.press("v")
        assert ("verify", "firewall.backend.ports") in at.session.calls


@BOTH
async def test_the_report_is_rendered(desk: Opener, size: tuple[int, int]) -> None:
    async with desk(scenes.failed(), size) as at:
        await at.press("r")
        assert isinstance(at.app.screen, ReportPage)
        document = at.app.screen.query_one(Document)
        text = "\n".join(strip.text for strip in document._strips)
        assert "Port 3000 is closed to the world" in text
        assert "|" not in text
        await at.press("c")
        assert at.app.clipboard.startswith("# Migration of openmates.org")


@pytest.mark.parametrize(
    ("key", "title"),
    [("", "The overview"), ("l", "Every plan"), ("w", "The cutover"), ("m", "The port"), ("r", "The report")],
)
async def test_every_page_has_help(desk: Opener, key: str, title: str) -> None:
    async with desk(scenes.flipped()) as at:
        await at.press(*([key] if key else []), "question_mark")
        assert isinstance(at.app.screen, Help)
        assert at.app.screen.frame_title.startswith(title)
        assert "Keys everywhere" in at.words
        await at.press("escape")
        assert not isinstance(at.app.screen, Help)


async def test_pages_lead_back(desk: Opener) -> None:
    async with desk(scenes.flipped()) as at:
        for key in ("l", "w", "m", "r"):
            await at.press(key)
            assert not isinstance(at.app.screen, Overview)
            assert len(at.app.screen_stack) == 2
            await at.press("escape" if key != "m" else "o")
            assert isinstance(at.app.screen, Overview)


@pytest.mark.parametrize(
    ("typed", "call"),
    [("verify", ("verify", "provision.backend.panel")), ("pause", ("pause",))],
)
async def test_the_palette_does_things(desk: Opener, typed: str, call: tuple[str, ...]) -> None:
    async with desk(scenes.running()) as at:
        await _palette(at, typed)
        assert call in at.session.calls


async def test_the_palette_jumps_to_a_step_and_opens_pages(desk: Opener) -> None:
    async with desk(scenes.flipped()) as at:
        await _palette(at, "go to cutover.flip")
        assert at.app.overview.step == "cutover.flip"
        await _palette(at, "report")
        assert isinstance(at.app.screen, ReportPage)
        await _palette(at, "back: the old")
        assert "Every record that was flipped" in at.words


async def _palette(at: object, typed: str) -> None:
    from textual.widgets import OptionList

    from tests.screens.conftest import Desk

    assert isinstance(at, Desk)
    await at.pilot.press("ctrl+p")
    await at.pilot.pause()
    await at.pilot.press(*("space" if letter == " " else letter for letter in typed))
    await at.settle()
    for _ in range(5000):
        found = at.app.screen.query(OptionList)
        if found and found.first().option_count and found.first().highlighted is not None:
            break
        await at.pilot.pause(0.02)
    await at.press("enter")


async def test_rows_keep_their_place_when_the_terminal_changes_its_size(desk: Opener) -> None:
    async with desk(scenes.failed()) as at:
        await at.press("3", "down")
        await at.pilot.resize_terminal(200, 50)
        await at.settle()
        assert at.app.screen.query_one("#checks", Rows).key == "backend.3000"
