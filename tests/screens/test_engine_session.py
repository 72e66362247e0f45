"""The screens over the real engine: a small migration walked to its end and back by keys alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from screens.app import WizardApp
from screens.message import Trouble
from screens.overview import Overview
from screens.question import AskQuestion
from screens.widgets.detail_rows import detail_rows
from tests.engine.outside import CONFIG, LeapingClock, Make, Outside
from tests.screens.conftest import Desk
from wizard.engine import journal, progress
from wizard.engine.check import Check
from wizard.engine.events import StepState
from wizard.engine.info import Costs
from wizard.engine.plan import Choice, Question
from wizard.engine.step import Context, Phase
from wizard.errors import DiskError
from wizard.phases.apps.parity import ParityTable
from wizard.secrets import FileSecrets
from wizard.session import EngineSession
from wizard.world import World

LONG_ENOUGH = 10_000
"""Looks, not seconds: on a busy machine each takes its time."""
SURE = Question("sure", "Is it so?", (Choice("yes", "yes, it is"), Choice("no", "no")), default="yes")


class Session(EngineSession):
    """Without the real phases, whose costs nobody asks for here."""

    costs = Costs()


def session(folder: Path, outside: Outside, *more: Make) -> Session:
    clock = LeapingClock()
    steps = [
        Make(outside, "prepare.look", ["inventory"], question=SURE),
        Make(outside, "provision.a.server", ["a"]),
        Make(outside, "provision.b.server", ["b"], hold_until=clock.now() + 60),
        Make(outside, "apps.web.deploy", ["web"], ready_at=clock.now() + 300),
        Make(outside, "cutover.flip", ["flip"]),
        *more,
    ]
    world = World(CONFIG, FileSecrets(folder / "secrets.json"), clock=clock)
    return Session(steps, world, progress.load(folder / "progress.toml"))


async def until(at: Desk, holds: Callable[[], bool]) -> None:
    for _ in range(LONG_ENOUGH):
        if holds():
            return
        await at.pilot.pause(0.01)
    raise AssertionError("it did not come to that")


def state(at: Desk, step: str) -> StepState:
    return next(info.state for info in at.app.session.steps if info.id == step)


async def walk(at: Desk, over: Callable[[], bool]) -> None:
    """Answer and apply whatever the screen asks for, by Enter, until it is over."""
    for _ in range(LONG_ENOUGH):
        if over():
            return
        app = at.app
        if isinstance(app.screen, AskQuestion) or (
            isinstance(app.screen, Overview) and app.model.awaits_approval(app.overview.step)
        ):
            await at.pilot.press("enter")
        await at.pilot.pause(0.01)
    raise AssertionError("it did not come to its end")


async def test_a_migration_is_walked_to_its_end_and_the_flip_back_by_keys(tmp_path: Path) -> None:
    outside = Outside()
    app = WizardApp(session(tmp_path, outside), ascii_only=False)
    async with app.run_test(size=(80, 24)) as pilot:
        at = Desk(app, app.session, pilot)  # type: ignore[arg-type]
        await walk(at, lambda: app.model.ended == "done")
        assert outside.things == {"inventory", "a", "b", "web", "flip"}
        assert set(outside.made.values()) == {1}
        assert {info.state for info in app.session.steps} == {StepState.DONE}

        await pilot.press("w", "b", "enter")
        await until(at, lambda: state(at, "cutover.flip") is StepState.UNDONE)
        assert "flip" not in outside.things

        await pilot.press("o", "g")
        await walk(at, lambda: state(at, "cutover.flip") is StepState.DONE)
        assert outside.made["flip"] == 2
        await pilot.press("q", "enter")
        await until(at, lambda: app.return_value is not None)
    assert app.return_value == 0


async def test_a_second_wizard_shows_what_the_first_one_proved(tmp_path: Path) -> None:
    outside = Outside()
    first = WizardApp(session(tmp_path, outside), ascii_only=False)
    async with first.run_test(size=(80, 24)) as pilot:
        at = Desk(first, first.session, pilot)  # type: ignore[arg-type]
        await walk(at, lambda: first.model.ended == "done")
        await first.session.stop()
    again = WizardApp(session(tmp_path, outside), ascii_only=False, start=False)
    async with again.run_test(size=(80, 24)) as pilot:
        at = Desk(again, again.session, pilot)  # type: ignore[arg-type]
        await at.settle()
        again.jump("provision.a.server")
        await at.press("3")
        assert "a exist" in at.words
        assert "Checks 1/1" in at.words
        await again.session.stop()


async def test_an_answered_question_is_not_put_again_while_the_step_takes_note(tmp_path: Path) -> None:
    first = session(tmp_path, Outside())
    await first.start()
    for _ in range(LONG_ENOUGH):
        if first.questions:
            break
        await asyncio.sleep(0.01)
    assert [question.id for _, question in first.questions] == ["sure"]
    first.answer("sure", "yes")
    assert first.questions == ()
    await first.stop()


async def test_a_way_back_is_asked_about_even_where_the_phase_was_trusted(tmp_path: Path) -> None:
    outside = Outside()
    app = WizardApp(session(tmp_path, outside), ascii_only=False)
    async with app.run_test(size=(80, 24)) as pilot:
        at = Desk(app, app.session, pilot)  # type: ignore[arg-type]
        app.session.approve_phase(Phase.CUTOVER)
        await walk(at, lambda: app.model.ended == "done")
        app.carry_out(app.session.undo("cutover.flip"))
        await until(at, lambda: app.model.awaits_approval("cutover.flip"))
        assert "flip" in outside.things
        assert app.session.running
        await app.session.stop()
        assert "flip" in outside.things


async def test_the_way_back_takes_back_first_what_was_done_after_the_flip(tmp_path: Path) -> None:
    outside = Outside()
    later = Make(outside, "settle.raise", ["raised"]), Make(outside, "settle.last", ["last"], question=SURE)
    app = WizardApp(session(tmp_path, outside, *later), ascii_only=False)
    async with app.run_test(size=(80, 24)) as pilot:
        at = Desk(app, app.session, pilot)  # type: ignore[arg-type]
        await walk(at, lambda: state(at, "settle.raise") is StepState.DONE)
        await pilot.press("w", "b")
        await until(at, lambda: "What settle did so far" in at.words)
        await pilot.press("enter")
        await until(at, lambda: state(at, "cutover.flip") is StepState.UNDONE)
        assert state(at, "settle.raise") is StepState.UNDONE
        assert outside.things.isdisjoint({"raised", "flip"})
        await app.session.stop()


async def test_a_restarted_wizard_shows_the_last_comparison_until_it_is_made_anew(tmp_path: Path) -> None:
    outside = Outside()

    class Compares(Make):
        async def verify(self, ctx: Context) -> Sequence[Check]:
            table = ParityTable("web", "198.51.100.7", "203.0.113.10", 12, False, ctx.now())
            ctx.detail("parity", table, keep=True)
            ctx.detail("watch", {"too": "much"})
            return await super().verify(ctx)

    step = Compares(outside, "apps.web.routes", ["routes"])
    first = session(tmp_path, outside, step)
    assert first.remembered == ()
    await first.verify(step.id)
    await first.stop()
    again = session(tmp_path, outside, step)
    app = WizardApp(again, ascii_only=False, start=False)
    rows = detail_rows(app.model, step.id, app.glyphs, 78)
    assert any("12 requests" in text for row in rows for line in row.lines for text, _ in line)
    assert app.model.latest("watch") is None, "what passes by is not kept"
    await again.stop()


async def test_a_table_of_another_version_is_left_out(tmp_path: Path) -> None:
    records = journal.Journal(tmp_path / "journal.jsonl")
    for payload in ({"was": "different"}, [], None):
        records.write(1.0, journal.Entry.DETAIL, step="apps.web.routes", topic="parity", payload=payload)
        records.write(1.0, journal.Entry.DETAIL, step="apps.web.routes", topic="other", payload=payload)
    records.close()
    found = session(tmp_path, Outside())
    assert found.remembered == ()
    await found.stop()


async def test_a_full_disk_is_told_on_the_screen_and_the_wizard_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside, full = Outside(), True
    append = journal.Journal._append

    def refuses(self: journal.Journal, text: bytes) -> None:
        if full and b'"intent"' in text:
            raise OSError(28, "No space left on device")
        append(self, text)

    monkeypatch.setattr(journal.Journal, "_append", refuses)
    monkeypatch.setattr(journal.Journal, "write", _stuck_after_an_intent(journal.Journal.write))
    app = WizardApp(session(tmp_path, outside), ascii_only=False)
    async with app.run_test(size=(80, 24)) as pilot:
        at = Desk(app, app.session, pilot)  # type: ignore[arg-type]
        await walk(at, lambda: isinstance(app.screen, Trouble))
        assert "no space left" in app.screen.copy_value().lower()  # type: ignore[attr-defined]
        assert not outside.things and not app.session.running
        full = False
        _stuck.clear()
        await pilot.press("escape")
        app.go()
        await walk(at, lambda: app.model.ended == "done")
        assert set(outside.made.values()) == {1}
    await app.session.stop()


_stuck: list[OSError] = []


def _stuck_after_an_intent(write: Callable[..., None]) -> Callable[..., None]:
    """A disk that is full stays so for every line after the first that it refused."""

    def written(self: journal.Journal, *words: Any, **fields: Any) -> None:
        if _stuck:
            raise DiskError(self.path.name, "no space left on device")
        try:
            write(self, *words, **fields)
        except DiskError:
            _stuck.append(OSError(28))
            raise

    return written
