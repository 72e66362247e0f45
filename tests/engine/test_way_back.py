"""The way back asks and waits as the way there does; nothing is called undone that was only asked about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.outside import Bench, Make
from wizard.engine import journal
from wizard.engine.events import Checked, Output, Planned, StepChanged, StepState
from wizard.engine.operator import Unattended
from wizard.engine.plan import Ask, Change, Choice, Plan, Question, Wait
from wizard.engine.progress import load
from wizard.engine.run import Result
from wizard.engine.step import Context
from wizard.errors import WizardError

QUESTION = Question("provision.a/back", "Type the old values.", choices=(Choice("begin", "I am typing"),))


class AsksOnTheWayBack(Make):
    """Its undo asks first, then waits until `calm`."""

    calm = 0.0
    back = QUESTION

    async def undo(self, ctx: Context) -> Plan:
        if QUESTION.id not in ctx.answers:
            return Plan(hold=Ask(self.back))
        if ctx.now() < self.calm:
            return Plan(hold=Wait(self.calm, "the copies run out"))
        return await super().undo(ctx)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def made(bench: Bench) -> AsksOnTheWayBack:
    step = AsksOnTheWayBack(bench.outside, "provision.a", ["1"])
    assert await bench.engine([step]).run() is Result.DONE
    return step


async def test_a_question_that_nobody_answers_leaves_the_step_as_it_is(bench: Bench) -> None:
    step = await made(bench)
    engine = bench.engine([step], Unattended(yes=True))
    assert await engine.undo("provision") is Result.WAITING
    assert bench.outside.things == {"1"}
    assert engine.progress.state("provision.a") is StepState.DONE
    assert bench.of(Planned)[-1].plan.hold == Ask(QUESTION)


async def test_an_answered_question_leads_on_to_the_changes(bench: Bench) -> None:
    step = await made(bench)
    step.back = replace(QUESTION, default="begin")
    step.calm = bench.clock.now() + 90
    engine = bench.engine([step], Unattended(yes=True))
    assert await engine.undo("provision") is Result.DONE
    assert bench.outside.things == set()
    assert bench.clock.now() >= step.calm
    assert engine.progress.state("provision.a") is StepState.UNDONE


async def test_what_was_answered_for_a_step_that_was_taken_back_is_asked_anew(bench: Bench) -> None:
    step = await made(bench)
    step.back = replace(QUESTION, default="begin")
    engine = bench.engine([step], Unattended(yes=True))
    engine.progress.answers["provision.b/other"] = "kept"
    await engine.undo("provision")
    assert engine.progress.answers == {"provision.b/other": "kept"}


async def test_only_a_rehearsal_s_stand_in_says_yes_to_what_is_only_to_be_read(bench: Bench) -> None:
    step = Make(bench.outside, "provision.a", ["1"])
    two = replace(QUESTION, choices=(*QUESTION.choices, Choice("no", "No")))
    assert await Unattended(yes=True).answer(step, QUESTION) is None
    assert await Unattended(yes=True, types_names=True).answer(step, QUESTION) == "begin"
    assert await Unattended(yes=True, types_names=True).answer(step, two) is None


class Killed(BaseException):
    """The process dies here."""


def dying_write(last: int) -> Callable[..., None]:
    """The journal's `write`, which kills the process after line number `last`."""
    written, original = 0, journal.Journal.write

    def write(self: journal.Journal, at: float, kind: journal.Entry, **fields: Any) -> None:
        nonlocal written
        original(self, at, kind, **fields)
        written += 1
        if written == last:
            raise Killed

    return write


def things(bench: Bench) -> list[Make]:
    return [
        Make(bench.outside, "provision.a", ["a-1", "a-2"]),
        Make(bench.outside, "provision.b", ["b-1", "b-2"], needs=("provision.a",)),
    ]


async def killed_on_the_way_back(bench: Bench, line: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether it was killed: there are no more lines than that otherwise."""
    assert await bench.engine(things(bench)).run() is Result.DONE
    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "write", dying_write(line))
        try:
            await bench.engine(things(bench)).undo("provision")
        except (Killed, BaseExceptionGroup):
            return True
    return False


@pytest.mark.parametrize("then", ["undo", "run", "back"])
async def test_a_kill_after_every_line_of_a_way_back_leaves_nothing_half_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    line, told = 0, 0
    while True:
        line += 1
        bench = Bench(tmp_path / str(line))
        if not await killed_on_the_way_back(bench, line, monkeypatch):
            break
        done = {step for step in ("a", "b") if load_state(bench, f"provision.{step}") is StepState.DONE}
        for step in done:
            assert {f"{step}-1", f"{step}-2"} <= bench.outside.things, f"{step} looks done, line {line}"
        bench.events.clear()
        answers = Answers("back" if then == "back" else "forward")
        engine = bench.engine(things(bench), answers)
        left = {engine.progress.state(step.id) for step in engine.steps} != {StepState.UNDONE}
        began = left and bool(engine.progress.taking_back)
        result = await (engine.undo("provision") if then == "undo" else engine.run())
        assert result is Result.DONE, line
        gone = then == "undo" or (then == "back" and began)
        assert bench.outside.things == (set() if gone else {"a-1", "a-2", "b-1", "b-2"}), line
        assert engine.progress.taking_back == "" and engine.progress.answers == {}
        assert journal.open_intents(engine.progress.journal_path) == {}
        if then != "undo" and began:
            assert any("was interrupted" in event.line for event in bench.of(Output))
            told += 1
    assert line > 15
    assert told > 8 or then == "undo"


def load_state(bench: Bench, step: str) -> StepState:
    return load(bench.folder / "progress.toml").state(step)


class Answers(Unattended):
    """Says yes to every plan, and this to a way back that was interrupted."""

    def __init__(self, answer: str) -> None:
        super().__init__(yes=True)
        self._answer = answer

    async def answer(self, step: Any, question: Question) -> str | None:
        assert question.id.endswith("/half-way")
        return self._answer


async def test_without_an_answer_a_way_back_that_was_interrupted_stays_where_it_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await killed_on_the_way_back(bench, 7, monkeypatch)
    there = set(bench.outside.things)
    assert 0 < len(there) < 4
    engine = bench.engine(things(bench), Unattended(yes=False))
    assert await engine.run() is Result.WAITING
    assert bench.outside.things == there
    assert engine.progress.taking_back == "provision"
    assert StepState.UNDOING in {row.state for row in engine.progress.steps.values()}
    assert "provision" in load(engine.progress.path).taking_back


async def test_a_way_back_that_nobody_approves_leaves_no_trace(bench: Bench) -> None:
    steps = things(bench)
    await bench.engine(steps).run()
    engine = bench.engine(steps, Unattended(yes=False))
    assert await engine.undo("provision") is Result.WAITING
    assert engine.progress.taking_back == ""
    assert bench.of(StepChanged)[-1].state is StepState.DONE, "no screen goes on saying that it asks"


async def test_a_way_back_that_fails_says_how_to_go_on(bench: Bench) -> None:
    class Sticks(Make):
        async def apply(self, change: Change, ctx: Context) -> None:
            if change.key == "undo:2":
                raise WizardError("it is in use", next="Free it.")
            await super().apply(change, ctx)

    step = Sticks(bench.outside, "provision.a", ["1", "2"])
    await bench.engine([step]).run()
    assert await bench.engine([step]).undo("provision.a") is Result.FAILED
    failed = bench.of(StepChanged)[-1]
    assert failed.state is StepState.FAILED and "undo provision.a" in failed.ways[-1]
    bench.events.clear()
    assert await bench.engine([step]).run() is Result.DONE
    assert bench.outside.things == {"1", "2"}
    assert any("was interrupted" in event.line for event in bench.of(Output))


async def test_a_stop_ends_a_way_back_that_waits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    step = await made(bench)
    step.back = replace(QUESTION, default="begin")
    step.calm = bench.clock.now() + 90
    waits = asyncio.Event()

    async def long(moment: float) -> None:
        waits.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(bench.clock, "wait_until", long)
    engine = bench.engine([step], Unattended(yes=True))
    run = asyncio.create_task(engine.undo("provision"))
    await waits.wait()
    await engine.stop()
    assert await asyncio.wait_for(run, 20) is Result.INTERRUPTED
    assert bench.outside.things == {"1"}
    assert load_state(bench, "provision.a") is StepState.DONE


async def test_what_is_asked_of_a_step_that_was_taken_back_is_shown_and_proves_nothing(bench: Bench) -> None:
    steps = things(bench)
    await bench.engine(steps).run()
    await bench.engine(steps).undo("provision")
    engine = bench.engine(steps)
    lines = journal.length(engine.progress.journal_path)
    bench.events.clear()
    assert await engine.verify(steps) is Result.FAILED
    assert len(bench.of(Checked)) == 2
    assert journal.length(engine.progress.journal_path) == lines, "no report counts it"
