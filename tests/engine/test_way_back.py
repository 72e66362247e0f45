"""The way back asks and waits as the way there does; nothing is called undone that was only asked about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.outside import Bench, Make
from wizard.engine.events import Planned, StepState
from wizard.engine.operator import Unattended
from wizard.engine.plan import Ask, Choice, Plan, Question, Wait
from wizard.engine.run import Result
from wizard.engine.step import Context

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
