"""Questions and names that must be typed."""

from __future__ import annotations

from screens.confirm import TypeName
from screens.modal import Scroll
from screens.overview import Overview
from screens.question import AskQuestion
from screens.text import with_roles, wrap
from tests.screens import scenes
from tests.screens.conftest import Opener
from wizard.engine.plan import Change, Kind, Plan, Question


async def test_a_question_opens_by_itself_and_takes_the_default_on_enter(desk: Opener) -> None:
    async with desk(scenes.asking()) as at:
        assert isinstance(at.app.screen, AskQuestion)
        assert "2 of 9 environment variables" in at.words
        await at.press("enter")
        assert at.session.calls == [("answer", "prepare.decide.lost", "accept")]


async def test_a_choice_is_picked_by_arrow_or_number(desk: Opener) -> None:
    async with desk(scenes.asking()) as at:
        await at.press("down", "enter")
        assert at.session.calls == [("answer", "prepare.decide.lost", "stop")]
    async with desk(scenes.asking()) as at:
        await at.press("2")
        assert at.session.calls == [("answer", "prepare.decide.lost", "stop")]


async def test_a_question_put_off_waits_and_is_not_forced_again(desk: Opener) -> None:
    async with desk(scenes.asking()) as at:
        await at.press("escape")
        assert isinstance(at.app.screen, Overview)
        await at.settle()
        assert isinstance(at.app.screen, Overview)
        assert at.session.calls == []
        assert "a question for you" in at.words
        await at.press("enter")
        assert isinstance(at.app.screen, AskQuestion)


async def test_a_text_needs_an_answer(desk: Opener) -> None:
    session = scenes.running()
    async with desk(session) as at:
        session.ask("provision.backend.panel", Question("mail", "Whom should certificates' mail reach?"))
        await at.settle()
        await at.press("enter")
        assert "Type an answer" in at.words
        await at.press(*"a@b.org", "enter")
        assert session.calls[-1] == ("answer", "mail", "a@b.org")


async def test_a_secret_is_never_on_the_screen(desk: Opener) -> None:
    session = scenes.running()
    async with desk(session) as at:
        session.ask("provision.backend.panel", Question("token", "The token, please", secret=True))
        await at.settle()
        await at.press(*"hushhush")
        assert "hushhush" not in at.app.export_screenshot()
        await at.press("enter")
        assert session.calls[-1] == ("answer", "token", "hushhush")


async def test_a_typed_question_takes_the_exact_name_only(desk: Opener) -> None:
    session = scenes.running()
    async with desk(session) as at:
        session.ask("provision.backend.panel", Question("sure", "End the subscription?", typed="openmates"))
        await at.settle()
        await at.press(*"openmate", "enter")
        assert "That is not 'openmates'" in at.words
        assert isinstance(at.app.screen, AskQuestion)
        await at.press("s", "enter")
        assert session.calls[-1] == ("answer", "sure", "openmates")


async def test_what_cannot_be_undone_needs_its_name_typed(desk: Opener) -> None:
    async with desk(scenes.deleting()) as at:
        assert "there is no way back from this" in at.words
        await at.press("a")
        assert isinstance(at.app.screen, TypeName)
        await at.press(*"openmates", "enter")
        assert isinstance(at.app.screen, TypeName)
        assert "Nothing was changed" in at.words
        assert at.session.calls == []
        await at.press(*"-web", "enter")
        assert at.session.calls == [("approve", "decommission.delete", "yes")]


async def test_escape_leaves_what_cannot_be_undone_alone(desk: Opener) -> None:
    async with desk(scenes.deleting()) as at:
        await at.press("a", "escape")
        assert at.session.calls == []
        assert isinstance(at.app.screen, Overview)


async def test_a_long_question_scrolls_and_its_answer_stays_in_sight(desk: Opener) -> None:
    session = scenes.running()
    why = "\n".join(f"finding {number}: this must change before production" for number in range(40))
    async with desk(session) as at:
        session.ask("provision.backend.panel", Question("edits", "Accept all edits?", default="all", why=why))
        await at.settle()
        answer = at.app.screen.query_one("#answer")
        assert answer.region.bottom < at.app.screen.size.height
        text = at.app.screen.query_one(Scroll)
        assert text.scroll_offset.y == 0
        await at.press("pagedown")
        assert text.scroll_offset.y > 0
        await at.press("enter")
        assert session.calls[-1] == ("answer", "edits", "all")


async def test_what_one_name_allows_is_listed_whole_and_typed_once(desk: Opener) -> None:
    session = scenes.running()
    plan = Plan(
        tuple(
            Change(Kind.DELETE, name, f"domain {name}", before="served", confirm="openmates-web")
            for name in ("openmates.org", "www.openmates.org")
        )
    )
    async with desk(session) as at:
        session.propose("decommission.delete", plan)
        at.app.jump("decommission.delete")
        await at.settle()
        await at.press("a")
        assert "Delete domain openmates.org" in at.words
        assert "Delete domain www.openmates.org" in at.words
        await at.press(*"openmates-web", "enter")
        assert session.calls[-1] == ("approve", "decommission.delete", "yes")


async def test_the_number_of_an_answer_is_no_key_of_the_page_beneath(desk: Opener) -> None:
    async with desk(scenes.asking()) as at:
        await at.press("1")
        assert at.session.calls == [("answer", "prepare.decide.lost", "accept")]
        assert at.app.overview.pane == "output"


def test_a_diff_is_told_by_colour_and_nothing_else_is() -> None:
    lines = [
        "- a remark",
        "--- a.yml (now)",
        "+++ a.yml",
        "@@ -1,2 +1,2 @@",
        " name: x",
        "-old",
        "+new",
        "",
        "+ 1",
    ]
    roles = [role for _, role in with_roles(lines, "dim")]
    assert roles == ["dim", "dim", "dim", "dim", "dim", "bad", "ok", "dim", "dim"]


def test_what_is_too_long_keeps_its_indent_in_every_line() -> None:
    assert wrap("    image: a b c", 12) == ["    image: a", "    b c"]
