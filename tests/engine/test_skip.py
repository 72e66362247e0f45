"""What is left out: the migration goes on without it, and the next run looks again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engine.outside import Bench, Make
from wizard.commands.summary import Counter
from wizard.engine.events import ChangeEnded, StepChanged, StepState
from wizard.engine.plan import Plan, Skip
from wizard.engine.run import Result
from wizard.engine.step import Phase, Skipped, Step

WHY = "there is no room for it"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class Spare(Make):
    """Can be had while `room`."""

    room = False

    def plan(self, facts: frozenset[str]) -> Plan:
        return super().plan(facts) if self.room else Plan(hold=Skip(WHY))


def migration(bench: Bench, spare: type[Make] = Spare) -> list[Make]:
    steps = [
        Make(bench.outside, "provision.a.server", ["a"]),
        spare(bench.outside, "provision.b.server", ["b"]),
        Make(bench.outside, "provision.b.login", ["login b"], needs=("provision.b.server",)),
        Make(bench.outside, "provision.panels", ["panels"], needs=("provision.a", "provision.b")),
        Make(bench.outside, "settle.b.alerts", ["alerts b"]),
    ]
    for step in steps:
        if ".b." in step.id:
            step.rests_on = ("provision.b.server",)
    return steps


def states(bench: Bench, steps: list[Make]) -> dict[str, StepState]:
    engine = bench.engine(steps)
    return {step.id: engine.progress.state(step.id) for step in steps}


async def test_a_step_that_is_skipped_takes_with_it_what_rests_on_it_and_nothing_else(bench: Bench) -> None:
    steps = migration(bench)
    engine = bench.engine(steps)
    assert await engine.run() is Result.DONE
    assert bench.outside.things == {"a", "panels"}
    assert (engine.tally.done, engine.tally.failed, engine.tally.skipped) == (2, 0, 3)
    reasons = {row.why for row in engine.progress.steps.values() if row.state is StepState.SKIPPED}
    assert reasons == {WHY}
    assert {e.step for e in bench.of(StepChanged) if e.state is StepState.SKIPPED} == {
        "provision.b.server",
        "provision.b.login",
        "settle.b.alerts",
    }


async def test_the_next_run_takes_up_what_was_left_out_once_it_can_be_had(bench: Bench) -> None:
    await bench.engine(migration(bench)).run()
    again = migration(bench)
    assert await bench.engine(again).run() is Result.DONE
    assert states(bench, again)["provision.b.login"] is StepState.SKIPPED
    assert isinstance(again[1], Spare)
    again[1].room = True
    assert await bench.engine(again).run() is Result.DONE
    assert bench.outside.things == {"a", "b", "login b", "panels", "alerts b"}
    assert set(states(bench, again).values()) == {StepState.DONE}
    assert set(bench.outside.made.values()) == {1}


async def test_a_finished_migration_with_a_step_left_out_is_asked_again_too(bench: Bench) -> None:
    await bench.engine(migration(bench)).run()
    bench.outside.things.remove("a")
    assert await bench.engine(migration(bench)).run() is Result.FAILED


class GivenUp(Make):
    """Seems to be there to be had until somebody asks for it."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.breaks = Skipped(WHY)


async def test_a_change_can_find_that_there_is_nothing_to_be_had(bench: Bench) -> None:
    steps = migration(bench, GivenUp)
    engine = bench.engine(steps)
    assert await engine.run() is Result.DONE
    assert engine.progress.step("provision.b.server").why == WHY
    assert engine.tally.skipped == 3 and bench.outside.things == {"a", "panels"}
    ended = [(one.step, one.result) for one in bench.of(ChangeEnded) if one.result != "applied"]
    assert ended == [("provision.b.server", "left out")], "no failure of anybody's"


async def test_a_plan_says_what_is_left_out_and_why(bench: Bench) -> None:
    steps = migration(bench)
    await bench.engine(steps).run(Phase.PROVISION)
    plans = await bench.engine(steps).plan()
    assert plans["provision.b.server"].hold == Skip(WHY)


class Nameless(Make):
    """Cannot be looked at before there is a server."""

    async def observe(self, ctx: object) -> frozenset[str]:
        from wizard.errors import WizardError

        raise WizardError("Server b does not exist yet")


async def test_what_rests_on_it_is_planned_as_left_out_and_not_as_trouble(bench: Bench) -> None:
    steps: list[Step[Any]] = [*migration(bench)]
    login = Nameless(bench.outside, "provision.b.login", ["login b"], needs=("provision.b.server",))
    login.rests_on = ("provision.b.server",)
    steps[2] = login
    await bench.engine(steps).run(Phase.PROVISION)
    plans = await bench.engine(steps).plan()
    assert plans["provision.b.login"].hold == Skip(WHY)


async def test_checks_of_what_is_left_out_count_no_more(bench: Bench) -> None:
    steps = migration(bench)
    assert isinstance(steps[1], Spare)
    before = Make(bench.outside, "provision.b.address", ["address b"])
    before.rests_on = ("provision.b.server",)
    steps[1].needs = ("provision.b.address",)
    await bench.engine([*steps[:1], before, *steps[1:]]).run()
    counter = Counter()
    counter.remember(bench.engine(steps).progress)
    assert {step for step, _ in counter.answers} == {"provision.a.server", "provision.panels"}
