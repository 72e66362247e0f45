"""The engine's promises, on a small outside."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.outside import Before, Bench, Make
from wizard.engine import progress
from wizard.engine.check import Check, CheckState, Evidence
from wizard.engine.events import ChangeStarted, Checked, RunEnded, StepChanged, StepState
from wizard.engine.journal import open_intents
from wizard.engine.operator import Unattended
from wizard.engine.order import in_order
from wizard.engine.plan import Change, Choice, Question
from wizard.engine.progress import load
from wizard.engine.run import Result
from wizard.engine.step import Context, Phase
from wizard.errors import UnreachableError, UsageError, WizardError


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def two_phases(bench: Bench) -> list[Make]:
    return [
        Make(bench.outside, "prepare.look", ["inventory"]),
        Make(bench.outside, "provision.a.server", ["a"]),
        Make(bench.outside, "provision.b.server", ["b"]),
        Make(bench.outside, "provision.network", ["net"], needs=("provision.a", "provision.b")),
    ]


async def test_everything_is_made_once_and_proven(bench: Bench) -> None:
    assert await bench.engine(two_phases(bench)).run() is Result.DONE
    assert bench.outside.things == {"inventory", "a", "b", "net"}
    assert set(bench.outside.made.values()) == {1}
    assert all(event.check.ok and event.check.evidence.seen for event in bench.of(Checked))
    assert bench.of(RunEnded)[-1].result == "done"


async def test_needs_come_first_and_independent_steps_run_side_by_side(bench: Bench) -> None:
    await bench.engine(two_phases(bench)).run()
    order = [event.change.target for event in bench.of(ChangeStarted)]
    assert order.index("net") > max(order.index("a"), order.index("b"))
    assert order[0] == "inventory"
    assert bench.outside.most_at_once == 2


async def test_a_second_run_changes_nothing_and_asks_the_outside_again(bench: Bench) -> None:
    await bench.engine(two_phases(bench)).run()
    asked = bench.outside.verified.copy()
    again = bench.engine(two_phases(bench))
    assert await again.run() is Result.DONE
    assert again.tally.changes == 0
    assert set(bench.outside.made.values()) == {1}
    assert all(bench.outside.verified[step] == asked[step] + 1 for step in asked)


async def test_what_is_nearly_known_is_asked_again_before_a_finished_migration_is_judged(
    bench: Bench,
) -> None:
    steps = two_phases(bench)
    await bench.engine(steps).run()
    steps[0].ready_at = bench.clock.now() + 12
    assert await bench.engine(steps).run() is Result.DONE


async def test_what_is_far_from_known_is_not_waited_for(bench: Bench) -> None:
    steps = two_phases(bench)
    await bench.engine(steps).run()
    began, steps[0].ready_at = bench.clock.now(), bench.clock.now() + 7 * 86400
    assert await bench.engine(steps).verify() is Result.FAILED
    assert bench.clock.now() == began


async def test_a_finished_migration_that_broke_outside_is_told(bench: Bench) -> None:
    await bench.engine(two_phases(bench)).run()
    bench.outside.things.remove("a")
    assert await bench.engine(two_phases(bench)).run() is Result.FAILED
    assert bench.of(Checked)[-1].check.state in (CheckState.FAILED, CheckState.PASSED)
    assert any(event.check.state is CheckState.FAILED for event in bench.of(Checked))


async def test_a_failed_step_lets_the_others_finish_and_the_next_run_goes_on(bench: Bench) -> None:
    steps = two_phases(bench)
    steps[1].breaks = WizardError("No capacity", "all are sold out", "Choose another type.")
    assert await bench.engine(steps).run() is Result.FAILED
    assert bench.outside.things == {"inventory", "b"}
    failed = next(event for event in bench.of(StepChanged) if event.state is StepState.FAILED)
    assert failed.why == "No capacity · all are sold out" and failed.ways == ("Choose another type.",)
    assert await bench.engine(two_phases(bench)).run() is Result.DONE
    assert set(bench.outside.made.values()) == {1}


async def test_a_fault_of_ours_is_told_without_a_traceback_and_kept(bench: Bench) -> None:
    steps = two_phases(bench)
    steps[2].breaks = ZeroDivisionError("oops")
    engine = bench.engine(steps)
    assert await engine.run() is Result.FAILED
    assert isinstance(engine.problems["provision.b.server"], ZeroDivisionError)


async def test_a_lost_answer_is_tried_again(bench: Bench) -> None:
    steps = two_phases(bench)
    steps[1].breaks = UnreachableError("The line went dead")
    assert await bench.engine(steps).run() is Result.DONE
    assert bench.outside.made["a"] == 1


class Flickers(Make):
    """The line goes dead `often` times before each thing."""

    often = 0
    left = 0

    async def apply(self, change: Change, ctx: Context) -> None:
        if self.left > 0:
            self.left -= 1
            raise UnreachableError("The line went dead")
        self.left = self.often
        await super().apply(change, ctx)


async def test_tries_are_counted_anew_after_each_change(bench: Bench) -> None:
    step = Flickers(bench.outside, "provision.a", ["1", "2", "3"])
    step.often = step.left = 3
    assert await bench.engine([step]).run() is Result.DONE
    assert bench.outside.made == {"1": 1, "2": 1, "3": 1}


async def test_a_line_that_stays_dead_fails_with_a_way_on(bench: Bench) -> None:
    step = Flickers(bench.outside, "provision.a", ["1"])
    step.left = 1000
    engine = bench.engine([step])
    assert await engine.run() is Result.FAILED
    assert bench.of(StepChanged)[-1].ways == ("Check the network, then run again: it goes on from here.",)
    assert bench.outside.made == {}


class Mute(Make):
    """Nobody can be asked whether it is true."""

    async def verify(self, ctx: Context) -> Sequence[Check]:
        return (Check("there", "it is there", CheckState.UNKNOWN, Evidence("the line is cut", "test", 0.0)),)


async def test_silence_is_not_told_as_if_something_were_wrong(bench: Bench) -> None:
    assert await bench.engine([Mute(bench.outside, "provision.a", ["1"])]).run() is Result.FAILED
    assert bench.of(StepChanged)[-1].why == "not known whether it is there: the line is cut"


async def test_a_lost_answer_is_tried_again_on_the_way_back(bench: Bench) -> None:
    step = Flickers(bench.outside, "provision.a", ["1"])
    assert await bench.engine([step]).run() is Result.DONE
    step.often = step.left = 2
    assert await bench.engine([step]).undo("provision") is Result.DONE
    assert bench.outside.things == set()


async def test_what_was_saved_about_a_step_goes_with_its_undo(bench: Bench) -> None:
    step = Make(bench.outside, "provision.a", ["1"])
    await bench.engine([step]).run()
    engine = bench.engine([step])
    assert engine.progress.load_record("provision.a", "before", Before) is not None
    await engine.undo("provision")
    assert engine.progress.load_record("provision.a", "before", Before) is None
    assert load(bench.folder / "progress.toml").steps["provision.a"].saved == {}


async def test_a_record_that_outlives_the_undo_is_kept(bench: Bench) -> None:
    class Keeps(Make):
        keeps = ("bef",)

    step = Keeps(bench.outside, "provision.a", ["1"])
    await bench.engine([step]).run()
    engine = bench.engine([step])
    await engine.undo("provision")
    assert engine.progress.load_record("provision.a", "before", Before) is not None


async def test_a_step_that_proves_nothing_is_not_done(bench: Bench) -> None:
    assert await bench.engine([Make(bench.outside, "prepare.x", ["x"], claims=False)]).run() is Result.FAILED


async def test_a_wait_is_written_down_and_goes_on_after_a_restart(bench: Bench) -> None:
    moment = bench.clock.now() + 3600
    first = bench.engine([Make(bench.outside, "cutover.lower", ["ttl"], hold_until=moment)])
    await first.run()
    assert bench.clock.now() >= moment and moment in bench.clock.leaps
    waiting = next(event for event in bench.of(StepChanged) if event.state is StepState.WAITING)
    assert waiting.until == moment and waiting.why == "the old copies run out"


async def test_a_pending_check_is_asked_again_at_its_moment(bench: Bench) -> None:
    moment = bench.clock.now() + 50
    step = Make(bench.outside, "apps.deploy", ["app"], ready_at=moment)
    assert await bench.engine([step]).run() is Result.DONE
    assert bench.outside.verified["apps.deploy"] == 2
    assert bench.outside.made["app"] == 1


QUESTION = Question("go", "Go?", choices=(Choice("yes", "Yes"), Choice("no", "No")), default="yes")


async def test_an_answer_is_kept_with_its_question(bench: Bench) -> None:
    step = Make(bench.outside, "cutover.go", ["go"], question=QUESTION)
    assert await bench.engine([step], Unattended(yes=False)).run() is Result.WAITING
    assert bench.outside.things == set()
    engine = bench.engine([step], Unattended(yes=True))
    assert await engine.run() is Result.DONE
    assert engine.progress.answers == {"go": "yes"}


async def test_an_answer_that_stops_a_step_is_asked_for_again_and_is_no_dead_end(bench: Bench) -> None:
    step = Make(bench.outside, "cutover.go", ["go"], question=replace(QUESTION, default="no"))
    engine = bench.engine([step], Unattended(yes=True))
    assert await engine.run() is Result.FAILED
    assert engine.progress.answers == {}
    assert progress.rebuild(engine.progress.path, "lost").answers == {}, "the journal knows it too"
    step.question = QUESTION
    assert await bench.engine([step], Unattended(yes=True)).run() is Result.DONE


async def test_without_approval_nothing_is_changed(bench: Bench) -> None:
    assert await bench.engine(two_phases(bench), Unattended(yes=False)).run() is Result.WAITING
    assert bench.outside.things == set()


async def test_plan_changes_nothing(bench: Bench) -> None:
    plans = await bench.engine(two_phases(bench)).plan()
    assert [change.target for change in plans["provision.network"].changes] == ["net"]
    assert bench.outside.things == set()
    assert not (bench.folder / "progress.toml").exists()


async def test_undo_takes_back_what_was_made_newest_first(bench: Bench) -> None:
    bench.outside.things.add("b")
    steps = two_phases(bench)
    await bench.engine(steps).run()
    bench.events.clear()
    assert await bench.engine(steps).undo("provision") is Result.DONE
    assert bench.outside.things == {"inventory", "b"}, "b was there before us"
    assert bench.of(ChangeStarted)[0].change.target == "net"
    assert await bench.engine(steps).run() is Result.DONE
    assert "net" in bench.outside.things


async def test_undo_of_a_step_takes_back_what_needs_it(bench: Bench) -> None:
    steps = two_phases(bench)
    await bench.engine(steps).run()
    await bench.engine(steps).undo("provision.a.server")
    assert bench.outside.things == {"inventory", "b"}


async def test_undo_is_refused_while_later_phases_rest_on_it(bench: Bench) -> None:
    steps = two_phases(bench)
    await bench.engine(steps).run()
    with pytest.raises(WizardError, match="provision"):
        await bench.engine(steps).undo("prepare")
    with pytest.raises(UsageError):
        await bench.engine(steps).undo("nowhere")


async def test_nothing_is_undone_beneath_a_step_that_cannot_be(bench: Bench) -> None:
    class Final(Make):
        point_of_no_return = True
        way_back = "None."

    steps = [
        Make(bench.outside, "decommission.pause", ["paused"]),
        Final(bench.outside, "decommission.delete", ["gone"], needs=("decommission.pause",)),
        Make(bench.outside, "decommission.tokens", ["listed"], needs=("decommission.delete",)),
    ]
    await bench.engine(steps).undo("decommission")
    await bench.engine(steps).run()
    for target in ("decommission", "decommission.pause", "decommission.delete"):
        with pytest.raises(WizardError, match="cannot be taken back"):
            await bench.engine(steps).undo(target)
    assert bench.outside.things == {"paused", "gone", "listed"}
    assert await bench.engine(steps).undo("decommission.tokens") is Result.DONE
    assert bench.outside.things == {"paused", "gone"}


async def test_until_stops_after_the_phase(bench: Bench) -> None:
    assert await bench.engine(two_phases(bench)).run(Phase.PREPARE) is Result.DONE
    assert bench.outside.things == {"inventory"}


def test_a_circle_of_needs_is_a_fault(bench: Bench) -> None:
    circle = [
        Make(bench.outside, "apps.a", ["a"], needs=("apps.b",)),
        Make(bench.outside, "apps.b", ["b"], needs=("apps.a",)),
    ]
    with pytest.raises(WizardError, match="need each other"):
        in_order(circle)


async def test_a_stop_ends_at_once_where_only_looked_on_and_the_next_run_looks_on_again(bench: Bench) -> None:
    begun = asyncio.Event()

    class Long(Make):
        async def apply(self, change: Change, ctx: Context) -> None:
            begun.set()
            if not self.outside.made["tried"]:
                self.outside.made["tried"] += 1
                await ctx.until_stopped(asyncio.Event().wait())
            await super().apply(change, ctx)

    engine = bench.engine([Long(bench.outside, "prepare.long", ["panel"])])
    run = asyncio.create_task(engine.run())
    await begun.wait()
    await engine.stop()
    assert await asyncio.wait_for(run, 120) is Result.INTERRUPTED
    assert bench.outside.things == set()
    path = engine.progress.journal_path
    assert open_intents(path) == {"prepare.long": ("make:panel",)}, "whether it will be made is not known yet"

    assert await bench.engine([Long(bench.outside, "prepare.long", ["panel"])]).run() is Result.DONE
    assert bench.outside.things == {"panel"} and open_intents(path) == {}


async def test_what_is_looked_on_hands_back_its_result_and_its_errors(bench: Bench) -> None:
    async def work(error: Exception | None) -> int:
        if error:
            raise error
        return 3

    class Looks(Make):
        async def apply(self, change: Change, ctx: Context) -> None:
            assert await ctx.until_stopped(work(None)) == 3
            await ctx.until_stopped(work(WizardError("it went wrong")))

    assert await bench.engine([Looks(bench.outside, "prepare.long", ["panel"])]).run() is Result.FAILED
