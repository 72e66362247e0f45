"""The way back: from a settled migration to where everything began, and forward again from there."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rehearsal.whole import Ran, Rehearsal
from wizard import configfile, phases
from wizard.engine.bus import Bus
from wizard.engine.context import StepContext
from wizard.engine.events import StepState
from wizard.engine.journal import Journal
from wizard.engine.progress import load
from wizard.engine.step import Phase
from wizard.rehearsal.door import Wish, enter

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
_BACK = (Phase.SETTLE, Phase.CUTOVER, Phase.DATA, Phase.APPS, Phase.FIREWALL, Phase.PROVISION, Phase.PREPARE)
_STRIDE = 12
"""In synced lines of the journal."""


@dataclass(frozen=True)
class Outside:
    """What an operator would look at to see that nothing is left of it."""

    standing: tuple[str, ...]
    records: dict[tuple[str, str, str], tuple[int, tuple[str, ...]]]
    containers: dict[str, tuple[str, str]]
    read_only: dict[str, bool]
    files: dict[str, bytes]
    domains: dict[str, tuple[str, ...]]


def look(rehearsal: Rehearsal) -> Outside:
    kept = rehearsal.kept()
    old = next(host for name, host in kept.parts["hosts"].hosts.items() if name.startswith("old"))
    return Outside(
        kept.ledger.standing(),
        {
            (zone.name, row.name, row.type): (row.ttl, row.values)
            for zone in kept.parts["dns"].zones.values()
            for row in zone.rows.values()
        },
        {box.name: (box.state, box.restart) for box in old.docker.containers.values()},
        {
            name: base.read_only
            for volume in old.docker.volumes.values()
            for name, base in volume.databases.items()
        },
        {path: file.content for path, file in old.files.items() if "/var/lib/dokploy-wizard/" not in path},
        {project.name: tuple(project.domains) for project in kept.parts["vercel"].projects.values()},
    )


@dataclass(frozen=True)
class Journey:
    rehearsal: Rehearsal
    before: Outside
    there: Ran
    changed_by_plans: tuple[str, ...]
    kills: int
    back: tuple[Ran, ...]
    after: Outside
    again: Ran


async def plan_all_ways_back(rehearsal: Rehearsal) -> None:
    """Of every step that is done, as `undo` does before it asks."""
    with configfile.example_file() as example:
        config = configfile.load(example)
        async with enter(config, example, rehearsal.progress, Wish()) as door:
            state, bus = load(rehearsal.progress), Bus()
            records = Journal(state.journal_path)
            for step in phases.steps(config):
                if state.state(step.id) is StepState.DONE:
                    await step.undo(StepContext(step.id, door.world, state, records, bus))
            records.close()


def changed_by_planning(rehearsal: Rehearsal) -> tuple[str, ...]:
    """What of our files and of the outside is another than before."""

    def found() -> dict[str, object]:
        kept = {path.name: path.read_bytes() for path in (rehearsal.progress, rehearsal.journal)}
        return {**kept, "ledger": rehearsal.ask("summary")["standing"]}

    before = found()
    asyncio.run(plan_all_ways_back(rehearsal))
    after = found()
    return tuple(name for name in before if before[name] != after[name])


def taken_back(rehearsal: Rehearsal, stride: int) -> int:
    """All phases, killed again and again after lines that no process before wrote; how many kills."""
    kills, seen = 0, str(rehearsal.folder / "seen.txt")
    for phase in _BACK:
        while rehearsal.killed(stride, what=seen, command=("undo", phase.value)) == -signal.SIGKILL:
            kills += 1
            assert kills < 3000
    return kills


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    rehearsal = Rehearsal(tmp_path_factory.mktemp("back"))
    try:
        rehearsal.run("plan", "--json")
        before = look(rehearsal)
        there = rehearsal.run("run", "--until", "settle", "--yes", "--json")
        changed = changed_by_planning(rehearsal)
        kills = taken_back(rehearsal, _STRIDE)
        back = tuple(rehearsal.run("undo", phase.value, "--yes", "--json") for phase in _BACK)
        after = look(rehearsal)
        yield Journey(rehearsal, before, there, changed, kills, back, after, rehearsal.run())
    finally:
        rehearsal.end()


def test_a_way_back_that_is_only_planned_changes_nothing(journey: Journey) -> None:
    assert journey.changed_by_plans == ()


def test_every_phase_is_taken_back_whatever_kills_it(journey: Journey) -> None:
    assert journey.kills >= 10


def test_every_phase_is_taken_back(journey: Journey) -> None:
    assert journey.there.code == 0, journey.there.story
    for phase, ran in zip(_BACK, journey.back, strict=True):
        assert ran.code == 0, f"undo {phase.value}: {ran.story}"
    assert journey.back[-1].summary["steps"]["done"] == 0


def test_the_outside_is_as_it_was_before(journey: Journey) -> None:
    """All but the accounts at the certificate authority, which cost nothing and hold nothing."""
    left = [thing for thing in journey.after.standing if not thing.startswith("acme")]
    assert left == []
    assert journey.after.records == journey.before.records
    assert journey.after.containers == journey.before.containers
    assert journey.after.read_only == journey.before.read_only
    assert journey.after.files == journey.before.files
    assert journey.after.domains == journey.before.domains


def test_no_visitor_notices_the_way_back(journey: Journey) -> None:
    """Although caches held the new addresses with the raised TTL when the flip was taken back."""
    visitors = journey.back[-1].summary["visitors"]
    assert visitors["requests"] > 200
    assert visitors["failed"] == 0, journey.rehearsal.ask("summary")["failures"]


def test_from_there_it_goes_forward_to_the_end(journey: Journey) -> None:
    assert journey.again.code == 0, journey.again.story
    summary = journey.again.summary
    assert summary["checks"]["failed"] == summary["duplicates"] == summary["steps"]["failed"] == 0
    assert summary["visitors"]["failed"] == 0, journey.rehearsal.ask("summary")["failures"]


def test_past_the_point_of_no_return_nothing_is_taken_back(journey: Journey, tmp_path: Path) -> None:
    for target in ("decommission", "decommission.pause"):
        ran = journey.rehearsal.run("undo", target, "--yes", "--json")
        assert ran.code == 1
        assert "decommission.delete cannot be taken back" in ran.errors
    ran = journey.rehearsal.run("undo", "settle", "--yes", "--json")
    assert ran.code == 1
    assert "decommission" in ran.errors
    states = {row.state for row in journey.rehearsal.state().steps.values()}
    assert states == {StepState.DONE}
