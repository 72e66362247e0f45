"""The cutover by the engine while the outside misbehaves: the truth is told, and the site stays up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.phases.cutover_stage import NEW_API, NEW_WEB, CutoverWorld, cutover_world, engine_of, whole
from tests.rehearsal.small_stage import example
from wizard.engine import journal, progress
from wizard.engine.check import Check, CheckState
from wizard.engine.events import Checked, StepChanged, StepState
from wizard.engine.run import Result
from wizard.phases.cutover.flip import FlipStep
from wizard.phases.cutover.records import FlipRecord, TtlRecord
from wizard.phases.cutover.ttl import LowerTtl
from wizard.rehearsal.faults import Faults

pytestmark = pytest.mark.timeout(300)
SEEDS = int(os.environ.get("CUTOVER_SEEDS", "20"))


def checks_of(world: CutoverWorld, step: str) -> dict[str, Check]:
    """The last answer of each check of a step."""
    found = [event for event in world.bench.events if isinstance(event, Checked) and event.step == step]
    return {event.check.name: event.check for event in found}


async def arrived(world: CutoverWorld) -> None:
    """Run to the end; every name leads to its new place and nobody noticed."""
    engine = engine_of(world, whole(world.config))
    result = await engine.run()
    states = {step.id: world.bench.progress.step(step.id).why for step in engine.steps}
    assert result is Result.DONE, f"{states} {engine.problems}"
    assert await world.now_reads("shop.example") == [NEW_WEB]
    assert await world.now_reads("api.shop.example") == [NEW_API]
    assert world.stage.visitors.requests > 50
    assert world.failures == ()
    assert world.stage.ledger.duplicates() == ()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
async def test_it_is_the_same_at_every_seed(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, seed=seed, speed=120) as world:
        await arrived(world)
        result = await engine_of(world, whole(world.config)).undo("cutover.flip")
        assert result is Result.DONE
        assert world.failures == ()


async def test_a_resolver_that_lies_is_named_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, faults="lying-resolver") as world:
        liar = world.stage.dns.caches[7].state.name
        await arrived(world)

        odd = [one for one in checks_of(world, "cutover.watch").values() if one.state is CheckState.WAIVED]
        assert {one.evidence.vantage.rpartition(" at ")[0] for one in odd} == {liar}
        assert all("192.0.2.66" in one.evidence.seen for one in odd)


async def test_a_resolver_that_serves_stale_answers_hurts_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, faults="stale-resolver") as world:
        await arrived(world)

        caches = checks_of(world, "cutover.watch")
        assert all(one.ok for one in caches.values())


async def test_a_name_server_that_lags_is_waited_for_before_the_flip_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, faults="lagging-nameserver") as world:
        await arrived(world)

        flip = world.bench.context("cutover.flip").saved.load("flip", FlipRecord)
        assert flip is not None and flip.at - flip.started >= 30.0


async def test_an_authority_that_refuses_twice_is_told_and_asked_a_third_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, faults="acme-refuses-twice") as world:
        steps = whole(world.config)
        results = []
        for _ in range(3):
            results.append(await engine_of(world, steps).run())
            if results[-1] is Result.DONE:
                break
        told = [
            event.why
            for event in world.bench.events
            if isinstance(event, StepChanged) and event.state is StepState.FAILED
        ]

        assert results[-1] is Result.DONE
        assert told and all("refused" in why or "certificate" in why for why in told)
        assert world.failures == ()


async def test_a_provider_that_commits_and_says_nothing_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        steps = [step for step in whole(world.config) if step.id != "cutover.proof"]
        before = steps[: next(at for at, step in enumerate(steps) if isinstance(step, FlipStep))]
        assert await engine_of(world, before).run() is Result.DONE
        writes = world.stage.ledger.count("hetzner", "dns")
        world.stage.faults = Faults("committed-then-lost", 7)

        await arrived(world)

        # Three record sets, each written once although each answer was lost.
        assert world.stage.ledger.count("hetzner", "dns") - writes == 3


async def test_the_wait_for_old_ttls_is_written_down_and_goes_on_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        world.stage.visitors.rate = 0
        steps = whole(example())[:3]
        first = engine_of(world, steps)

        async def stop_when_waiting(event: object) -> None:
            await first.stop()

        def seen(event: object) -> None:
            waits = isinstance(event, StepChanged) and event.step == "cutover.lower_ttl"
            if waits and event.state is StepState.WAITING:  # type: ignore[attr-defined]
                world.stage.spawn(stop_when_waiting(event))

        unsubscribe = world.bench.bus.subscribe(seen)
        assert await first.run() is Result.INTERRUPTED
        if callable(unsubscribe):
            unsubscribe()
        record = world.bench.context("cutover.lower_ttl").saved.load("ttl", TtlRecord)
        assert record is not None and world.bench.world.clock.now() < record.waited_out

        plan = await world.bench.plan(LowerTtl(world.config))
        assert getattr(plan.hold, "until", None) == record.waited_out
        kept = progress.load(world.bench.progress.path)
        assert kept.load_record("cutover.lower_ttl", "ttl", TtlRecord) == record
        assert any(
            entry.get("until") == record.waited_out
            for entry in journal.read(world.bench.progress.journal_path)
            if entry["kind"] == journal.Entry.STATE
        )
