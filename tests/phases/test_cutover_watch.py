"""The step that watches caches let go, over the rehearsal's name servers and caches."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.clients.test_acme import MemorySecrets
from tests.dns.stage import DnsWorld, dns_world
from tests.phases.context import Bench, Turn
from tests.rehearsal.stage_clock import WizardClock
from wizard.config import Cutover
from wizard.dns.records import ChangeSet, RecordChange, rrset
from wizard.dns.view import Verdict, WatchView
from wizard.engine.check import Check, CheckState
from wizard.phases.cutover.records import FlipRecord
from wizard.phases.cutover.watch import WatchStep, watch_back
from wizard.world import World

ZONE, WEB, API = "openmates.org", "www.openmates.org", "api.openmates.org"
NEW = "203.0.113.99"
TTL = 60


@dataclass
class Scene:
    stage: DnsWorld
    world: World
    bench: Bench
    step: WatchStep

    def put(self, name: str, value: str, ttl: int = TTL) -> None:
        zone = self.stage.dns.zone(ZONE)
        zone.put(name.removesuffix(f".{ZONE}"), "A", ttl, (value,))

    async def flip(self) -> FlipRecord:
        """The records are lowered, waited for, warm again at all ages, and changed."""
        zone, changes = self.stage.dns.zone(ZONE), []
        olds = {}
        for name in (WEB, API):
            row = zone.get(name.removesuffix(f".{ZONE}"), "A")
            assert row is not None
            olds[name] = row.values[0]
            self.put(name, olds[name])
        await self.stage.stage.clock.leap(self.stage.dns.now() + 40.0)
        for cache in self.stage.dns.caches:
            for pool in cache.state.pools:
                pool.clear()
        await self.stage.dns.settle()
        started = self.stage.dns.now()
        for name, value in olds.items():
            old, new = rrset(name, "A", TTL, (value,)), rrset(name, "A", TTL, (NEW,))
            changes.append(RecordChange(name, "A", old, new))
            self.put(name, NEW)
        record = FlipRecord(ChangeSet(ZONE, tuple(changes)), self.stage.dns.now(), TTL, started)
        self.bench.context("cutover.flip").saved.save("flip", record)
        return record

    def held_old(self) -> list[str]:
        """Caches that, at this moment, still hold an old record of a name that moved."""
        now = self.stage.dns.now()
        return [
            cache.state.name
            for cache in self.stage.dns.caches
            for pool in cache.state.pools
            for (name, _), held in pool.items()
            if name in (WEB, API) and held.expires > now and held.chain[-1].values != (NEW,)
        ]

    @property
    def views(self) -> list[WatchView]:
        return self.bench.details("watch")


@contextlib.asynccontextmanager
async def scene(
    folder: Path, *, faults: str = "none", public: bool = True, speed: float = 40.0
) -> AsyncIterator[Scene]:
    async with dns_world(folder, speed=speed, faults=faults) as stage:
        config = replace(stage.stage.config, cutover=Cutover(watch_public=public))
        clock = WizardClock(stage.stage.clock)
        world = World(config, MemorySecrets(), stage.endpoints, clock)
        bench = Bench(world, folder)
        try:
            yield Scene(stage, world, bench, WatchStep(config))
        finally:
            bench.close()
            await world.aclose()


def named(turn: Turn, name: str) -> Check:
    return next(one for one in turn.checks if one.name == name)


async def test_done_only_when_no_cache_is_old(tmp_path: Path) -> None:
    """Given caches at all ages, one address with four, the step is done after the last has let go."""
    async with scene(tmp_path) as world:
        record = await world.flip()

        turn = await world.bench.drive(world.step)

        assert turn.done, turn.story
        assert world.held_old() == []
        assert world.stage.dns.now() >= record.at + TTL
        assert "24 resolvers" in named(turn, f"{WEB}.caches").evidence.vantage
        assert named(turn, f"{API}.servers").evidence.seen.count(NEW) == 3


async def test_the_view_foresees_the_end_and_the_way_back(tmp_path: Path) -> None:
    """Given a flip just made, the first view predicts a curve that reaches all at its end, and a return."""
    async with scene(tmp_path, speed=10.0) as world:
        record = await world.flip()

        await world.step.verify(world.bench.context(world.step))

        view = world.views[-1]
        assert view.flipped_at == record.at
        assert view.ends_at is not None and view.ends_at >= record.at + TTL
        shares = [point.share for point in view.predicted]
        assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)
        assert view.predicted[-1].at == pytest.approx(view.ends_at)
        assert view.back_at is not None and view.back_at >= view.at + TTL
        assert len(view.resolvers) == 24 and len(view.authorities) == 3
        assert {asked.name for asked in view.asked} == {WEB, API}


async def test_a_wizard_started_again_foresees_the_same_end(tmp_path: Path) -> None:
    """Given a watch whose process died, a new one rests on the flip's record, not on its own beginning."""
    async with scene(tmp_path, speed=10.0) as world:
        record = await world.flip()
        await world.step.verify(world.bench.context(world.step))
        await world.stage.stage.clock.leap(record.at + 30.0)

        again = WatchStep(world.world.config)
        await again.verify(world.bench.context(again))

        ends = world.views[-1].ends_at
        assert ends is not None and record.at + TTL < ends <= record.at + 95.0


async def test_long_after_the_flip_one_look_is_enough(tmp_path: Path) -> None:
    async with scene(tmp_path) as world:
        record = await world.flip()
        await world.stage.stage.clock.leap(record.at + 3600.0)

        checks = await world.step.verify(world.bench.context(world.step))

        assert all(one.state is CheckState.PASSED for one in checks), checks


async def test_a_lying_resolver_is_named_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """Given a resolver that answers something else, it is told with its address, waived, and never passed."""
    async with scene(tmp_path, faults="lying-resolver") as world:
        await world.flip()

        turn = await world.bench.drive(world.step)

        liar = world.stage.dns.caches[7].state.name
        assert turn.done, turn.story
        odd = [one for one in turn.checks if one.state is CheckState.WAIVED]
        assert {one.name.partition(".")[0] for one in odd} == {"www", "api"}
        assert all("192.0.2.66" in one.evidence.seen and liar in one.question for one in odd)
        assert any("192.0.2.66" in line and liar in line for line in world.bench.lines)
        assert "neither" in named(turn, f"{WEB}.caches").evidence.seen


async def test_a_stale_resolver_is_waited_for_and_named(tmp_path: Path) -> None:
    """Given one that serves stale for 45 s after its TTL, done waits for it and its row says so."""
    async with scene(tmp_path, faults="stale-resolver", speed=10.0) as world:
        await world.flip()

        turn = await world.bench.drive(world.step)

        stale = world.stage.dns.caches[8].state.name
        row = next(row for row in world.views[-1].resolvers if row.name == stale)
        assert turn.done, turn.story
        assert all(cell.verdict is Verdict.NEW for cell in row.cells)
        assert "stale" in row.note
        assert world.held_old() == []


async def test_a_lagging_server_moves_the_end(tmp_path: Path) -> None:
    """Given a server that is 30 s behind, caches may fetch the old values until then: the end is later."""
    async with scene(tmp_path, faults="lagging-nameserver") as world:
        record = await world.flip()

        turn = await world.bench.drive(world.step)

        assert turn.done, turn.story
        assert any(
            "Not yet changed at the authoritative server" in note
            for view in world.views
            for note in view.notes
        )
        ends = world.views[-1].ends_at
        assert ends is not None and ends >= record.at + 30.0 + TTL
        assert world.held_old() == []


async def test_records_that_somebody_else_changed_are_no_propagation(tmp_path: Path) -> None:
    async with scene(tmp_path) as world:
        record = await world.flip()
        world.put(WEB, "198.51.100.250")
        await world.stage.stage.clock.leap(record.at + 1000.0)

        checks = await world.bench.prove(world.step)

        servers = next(one for one in checks if one.name == f"{WEB}.servers")
        assert servers.state is CheckState.FAILED
        assert "198.51.100.250" in servers.evidence.seen


async def test_without_public_resolvers_the_old_ttl_decides(tmp_path: Path) -> None:
    """Given watch_public = false, no cache is asked and nothing is done before the old TTL has passed."""
    async with scene(tmp_path, public=False) as world:
        record = await world.flip()
        asked = [cache.state.asked for cache in world.stage.dns.caches]

        turn = await world.bench.drive(world.step)

        assert turn.done, turn.story
        assert [cache.state.asked for cache in world.stage.dns.caches] == asked
        assert world.stage.dns.now() > record.at + TTL
        assert "alone" in named(turn, f"{WEB}.caches").evidence.vantage


async def test_without_a_flip_nothing_is_proven(tmp_path: Path) -> None:
    async with scene(tmp_path) as world:
        checks = await world.step.verify(world.bench.context(world.step))

        assert [one.state for one in checks] == [CheckState.UNKNOWN]


async def test_the_way_back_is_watched_to_its_end(tmp_path: Path) -> None:
    """Given the flip taken back, the watch says so and ends when every cache has the old records again."""
    async with scene(tmp_path) as world:
        record = await world.flip()
        await world.bench.drive(world.step)
        for change in record.changes.changes:
            assert change.old is not None
            world.put(change.name, change.old.values[0])

        view = await watch_back(world.bench.context("cutover.flip"), record)

        assert view.returning
        assert [
            (row, cell) for row in view.resolvers for cell in row.cells if cell.verdict is not Verdict.NEW
        ] == []
        assert view.asked[0].new == record.changes.inverse().changes[0].new.values  # type: ignore[union-attr]
