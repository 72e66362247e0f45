"""The overview: what is shown, and that every key does what it says."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.containers import Vertical

from screens.evidence import EvidenceView
from screens.message import Trouble
from screens.overview import Overview, StepHead
from screens.text import fit_ends
from screens.theme import NIGHT
from screens.widgets.log import Log
from screens.widgets.paint import text_of
from screens.widgets.rows import Row, Rows
from tests.screens import scenes
from tests.screens.conftest import LARGE, SMALL, Opener
from tests.screens.fake_session import FakeSession
from wizard.engine.events import StepState
from wizard.engine.plan import Change, Kind, Plan
from wizard.errors import WizardError

BOTH = pytest.mark.parametrize("size", [SMALL, LARGE])
BACKEND = "provision.backend.server"


@BOTH
@pytest.mark.parametrize("key", ["a", "enter"])
async def test_the_plan_on_the_screen_is_applied(desk: Opener, size: tuple[int, int], key: str) -> None:
    async with desk(scenes.approving(), size) as at:
        assert "cx33 in nbg1" in at.words
        assert "its plan waits for you" in at.words
        await at.press(key)
        assert at.session.calls == [("approve", BACKEND, "yes")]


async def test_a_plan_that_was_not_painted_yet_cannot_be_applied(desk: Opener) -> None:
    async with desk(scenes.approving()) as at:
        newer = Plan((Change(Kind.DELETE, "other", "something else"),))
        at.session.planned(BACKEND, newer)
        at.app.apply(BACKEND)
        assert at.session.calls == []
        await at.settle()
        at.app.apply(BACKEND)
        assert at.session.calls == [("approve", BACKEND, "yes")]


async def test_not_now_declines(desk: Opener) -> None:
    async with desk(scenes.approving()) as at:
        await at.press("x")
        assert at.session.calls == [("approve", BACKEND, "no")]


async def test_a_whole_phase_is_applied_after_one_more_enter(desk: Opener) -> None:
    async with desk(scenes.approving()) as at:
        await at.press("A")
        assert at.session.calls == []
        await at.press("enter")
        assert at.session.calls == [("approve_phase", "provision")]


async def test_a_step_is_asked_again(desk: Opener) -> None:
    async with desk(scenes.running()) as at:
        await at.press("v")
        assert at.session.calls[-1] == ("verify", "provision.backend.panel")


async def test_trouble_is_said_with_what_to_do(desk: Opener) -> None:
    session = scenes.running()
    session.fails = WizardError("backend does not answer", "connection refused", "Look at the firewall.")
    async with desk(session) as at:
        await at.press("v")
        assert isinstance(at.app.screen, Trouble)
        assert "Look at the firewall." in at.words
        await at.press("escape")
        assert isinstance(at.app.screen, Overview)


async def test_undo_tells_the_way_back_and_asks_first(desk: Opener) -> None:
    async with desk(scenes.running()) as at:
        await at.press("u")
        assert "remove the panel with its server" in at.words
        await at.press("escape")
        assert ("undo", "provision.backend.panel") not in at.session.calls
        await at.press("u", "enter")
        assert at.session.calls[-1] == ("undo", "provision.backend.panel")


async def test_a_phase_is_undone_when_the_rail_stands_on_it(desk: Opener) -> None:
    async with desk(scenes.running()) as at:
        at.app.screen.query_one("#rail", Rows).select("prepare")
        await at.press("u", "enter")
        assert at.session.calls[-1] == ("undo", "prepare")


@BOTH
async def test_evidence_opens_on_enter(desk: Opener, size: tuple[int, int]) -> None:
    async with desk(scenes.failed(), size) as at:
        await at.press("3", "down", "enter")
        assert isinstance(at.app.screen, EvidenceView)
        assert "203.0.113.11:3000 accepted the connection" in at.words
        assert "frontend, 203.0.113.10" in at.words
        assert "apply firewall.backend.host again" in at.words
        await at.press("escape")
        assert isinstance(at.app.screen, Overview)


@BOTH
async def test_a_failed_step_says_why_and_the_ways_on(desk: Opener, size: tuple[int, int]) -> None:
    async with desk(scenes.failed(), size) as at:
        assert "failed: not true: Port 3000 of backend is closed from the world" in at.words
        assert "way on: Docker publishes past ufw" in at.words
        assert "The run has ended: failed." in at.words


async def test_the_run_goes_on_by_g(desk: Opener) -> None:
    async with desk(scenes.failed()) as at:
        await at.press("g")
        assert at.session.calls[-1] == ("start",)


async def test_a_long_reason_leaves_the_ways_on_in_sight_and_is_whole_in_the_output(desk: Opener) -> None:
    session, why = scenes.running(), " / ".join(f"line {number} of the build's log" for number in range(40))
    session.set("provision.backend.panel", StepState.FAILED, why, ways=("Take a larger server.",))
    async with desk(session) as at:
        head = text_of(at.app.overview.query_one(StepHead).lines(50))
        assert "Take a larger server." in head
        assert "all of it stands in the output" in head
        assert len(head.splitlines()) < 12
        assert "line 39 of" in text_of(spans for _, spans in at.app.overview.query_one(Log)._lines)


async def test_g_in_a_run_that_goes_on_says_when_what_failed_is_tried_again(desk: Opener) -> None:
    async with desk(scenes.running()) as at:
        before = list(at.session.calls)
        await at.press("g")
        assert at.session.calls == before
        assert [toast.message for toast in at.app._notifications] == [
            "The run goes on with what it can; when it has ended, g tries again what failed."
        ]


async def test_pause_and_go_on(desk: Opener) -> None:
    async with desk(scenes.running()) as at:
        await at.press("p")
        assert at.session.calls[-1] == ("pause",)
        assert "PAUSED" in at.words
        await at.press("p")
        assert at.session.calls[-1] == ("resume",)


async def test_moving_in_the_rail_stops_following_and_a_dot_follows_again(desk: Opener) -> None:
    async with desk(scenes.running()) as at:
        overview = at.app.overview
        await at.press("up")
        assert overview.step == "provision.backend.server"
        at.session.output("provision.backend.panel", "more")
        await at.settle()
        assert overview.step == "provision.backend.server"
        assert "Not following" in at.words
        await at.press("full_stop")
        assert overview.step == "provision.backend.panel"


async def test_the_screen_follows_what_needs_the_operator(desk: Opener) -> None:
    async with desk(scenes.running()) as at:
        at.session.propose("firewall.backend.host", scenes.SERVER)
        await at.settle()
        assert at.app.overview.step == "firewall.backend.host"


async def test_n_goes_from_need_to_need(desk: Opener) -> None:
    session = scenes.approving()
    session.propose("provision.frontend.server", scenes.SERVER)
    async with desk(session) as at:
        assert "1 step needs you" in at.words
        await at.press("n")
        assert at.app.overview.step == "provision.frontend.server"
        await at.press("n")
        assert at.app.overview.step == BACKEND


async def test_search_marks_finds_and_goes_through_them(desk: Opener) -> None:
    async with desk(scenes.running()) as at:
        log = at.app.screen.query_one(Log)
        await at.press("slash", *"swarm", "enter")
        assert len(log.found) == 1
        assert log.has_focus
        await at.press("slash", *"zzz")
        assert log.found == []
        await at.press("escape")
        assert log.needle == ""


async def test_the_log_follows_until_it_is_scrolled_and_keeps_a_bounded_ring(desk: Opener) -> None:
    async with desk(scenes.running()) as at:
        log = at.app.screen.query_one(Log)
        at.session.output("provision.backend.panel", *(f"line {n}" for n in range(7000)))
        await at.press("2")
        assert log.is_vertical_scroll_end
        assert len(log._lines) == 5000
        await at.press("pageup")
        before = log.scroll_offset.y
        at.session.output("provision.backend.panel", "one more")
        await at.settle()
        assert not log.following
        assert log.scroll_offset.y == before
        await at.press("end")
        assert log.is_vertical_scroll_end


async def test_copy_takes_the_value_under_the_cursor(desk: Opener) -> None:
    async with desk(scenes.failed()) as at:
        await at.press("3", "down", "c")
        assert at.app.clipboard == "203.0.113.11:3000 accepted the connection"


async def test_a_phase_opens_by_mouse_and_keyboard(desk: Opener) -> None:
    async with desk(scenes.running()) as at:
        rail = at.app.screen.query_one("#rail", Rows)
        assert "credentials" not in at.text()
        rail.select("prepare")
        await at.press("space")
        assert "credentials" in at.text()
        await at.pilot.click("#rail", offset=(5, 0))
        await at.settle()
        assert "credentials" not in at.text()


async def test_keys_in_the_footer_can_be_clicked(desk: Opener) -> None:
    async with desk(scenes.approving()) as at:
        await at.pilot.click("KeyBar", offset=(2, 0))
        await at.settle()
        assert at.session.calls == [("approve", BACKEND, "yes")]


@BOTH
async def test_costs_and_times_and_the_banner_are_on_top(desk: Opener, size: tuple[int, int]) -> None:
    async with desk(scenes.running(), size) as at:
        assert "REHEARSAL" in at.words
        assert "52.40 EUR → 31.02 EUR/mo" in at.words
        assert "2 h 14 min" in at.words
        assert "41 min left" in at.words
    async with desk(scenes.deleting(), size) as at:
        assert "LIVE" in at.words


@BOTH
async def test_nothing_is_cut_off_without_a_sign(desk: Opener, size: tuple[int, int]) -> None:
    for scene in (scenes.approving, scenes.running, scenes.failed):
        async with desk(scene(), size) as at:
            for rows in (rows for rows in at.app.screen.query(Rows) if rows.width):
                for row in rows.rows:
                    for spans in row.lines:
                        assert sum(len(text) for text, _ in spans) <= rows.width, row


async def test_the_migration_begins_by_itself(desk: Opener) -> None:
    async with desk(FakeSession(), start=True) as at:
        assert at.session.calls == [("start",)]


async def test_leaving_a_running_migration_asks_and_stops_it(desk: Opener) -> None:
    async with desk(scenes.running()) as at:
        await at.press("q")
        assert ("stop",) not in at.session.calls
        await at.press("enter")
        assert at.session.calls[-1] == ("stop",)
        assert at.app.return_value == 3


async def test_the_exit_code_tells_a_failure(desk: Opener) -> None:
    async with desk(scenes.failed()) as at:
        await at.press("q")
        assert at.app.return_value == 1


async def test_the_exit_code_is_zero_when_all_is_done(desk: Opener) -> None:
    session = FakeSession()
    session.done_until("nothing")
    async with desk(session) as at:
        await at.press("q")
        assert at.app.return_value == 0
        assert {info.state for info in session.steps} == {StepState.DONE}


def test_names_of_a_family_can_be_told_apart_in_a_narrow_rail() -> None:
    volumes = ("vault-data", "vault-setup-data", "directus-uploads", "openobserve-data")
    shown = [fit_ends(f"openmates-{name}.move", 20, "~") for name in volumes]
    assert len(set(shown)) == len(volumes)
    assert all(len(text) == 20 and text.endswith(".move") for text in shown)
    assert fit_ends("cms.move", 20, "~") == "cms.move".ljust(20)


async def test_what_was_never_done_is_not_undone(desk: Opener) -> None:
    async with desk(scenes.running()) as at:
        calls = list(at.session.calls)
        at.app.undo("decommission.delete")
        at.app.undo("decommission")
        await at.pilot.pause()
        assert at.app.screen is at.app.overview
        assert at.session.calls == calls


async def test_a_list_that_comes_back_into_sight_is_not_an_old_one() -> None:
    """No plan of another step may stand there, however short a time, when `a` applies the present one."""
    said = ["the plan of one step"]
    rows = Rows(lambda width: (Row("", (((said[0], ""),),)),))
    app = _Alone(rows)
    async with app.run_test(size=SMALL) as pilot:
        assert "one step" in text_of(rows.rows[0].lines)
        app.box.display = False
        await pilot.pause()
        said[0] = "the plan of the next"
        rows.paint()
        app.box.display = True
        await pilot.pause()
        assert "the next" in text_of(rows.rows[0].lines)


class _Alone(App[None]):
    """One list in a box that can be hidden."""

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self.register_theme(NIGHT)
        self.theme = NIGHT.name
        self.box = Vertical(rows)

    def compose(self) -> ComposeResult:
        yield self.box
