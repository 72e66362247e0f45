"""A gap that was accepted ends name by name, holds for its own app alone, and its length is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.phases.cutover_stage import EDGE, NEW_WEB, CutoverWorld, cutover_world
from tests.rehearsal.small_stage import example
from wizard.checks.tls import look
from wizard.dns.records import ChangeSet, RecordChange, rrset
from wizard.engine.check import CheckState
from wizard.phases.cutover import authority, certificate_gap, certificate_wait, ready
from wizard.phases.cutover.authority import Seen
from wizard.phases.cutover.certificate_records import STEP, PlacedRecord
from wizard.phases.cutover.certificates import CertificatesStep
from wizard.phases.cutover.flip import FlipStep
from wizard.phases.cutover.old_proxy import OldProxy
from wizard.phases.cutover.preflight import Preflight
from wizard.phases.cutover.records import ProbeRecord
from wizard.phases.cutover.ttl import LowerTtl
from wizard.phases.prepare.dns_zone import DnsZone

pytestmark = pytest.mark.timeout(300)
APEX, WWW, API = "shop.example", "www.shop.example", "api.shop.example"
LED = ChangeSet(
    APEX, (RecordChange(APEX, "A", rrset(APEX, "A", 60, (EDGE,)), rrset(APEX, "A", 60, (NEW_WEB,))),)
)


async def with_a_gap(world: CutoverWorld) -> None:
    """As cutover.certificates leaves it when only the pages' certificate could not be proved."""
    world.stage.visitors.rate = 0
    saved = world.bench.context(STEP).saved
    turn = await world.bench.drive(CertificatesStep(world.config))
    assert turn.done, turn.story
    saved.save("placed_web", PlacedRecord("frontend", "", "", world.bench.context(STEP).now()))
    front = world.stage.fronts.of("frontend")
    front.state.uploaded, front.state.from_acme = [], []
    for row in world.panels["frontend"].domains:
        row["certificateType"] = "none"
        front.route(row["host"], "web", "", True, "none")


@contextlib.asynccontextmanager
async def gap_world(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, zone_looked_at: bool = False
) -> AsyncIterator[CutoverWorld]:
    """Where the operator allowed a gap, and the pages have one."""
    config = replace(example(), cutover=replace(example().cutover, allow_certificate_gap=True))
    async with cutover_world(folder, monkeypatch, config=config) as world:
        if zone_looked_at:
            await world.bench.drive(DnsZone(config))
        await with_a_gap(world)
        yield world


async def test_each_name_is_ordered_for_as_soon_as_it_leads_to_the_new_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gap_world(tmp_path, monkeypatch) as world:
        ctx = world.bench.context("cutover.flip")
        async with certificate_wait.opening(ctx, certificate_gap.bare(ctx), LED):
            world.zone.put("@", "A", 60, (NEW_WEB,))

        await certificate_gap.close_for(ctx, APEX)

        trust = world.bench.world.endpoints.trust
        assert (await look(world.bench.world.net, APEX, NEW_WEB, trust=trust)).trusted
        assert not (await look(world.bench.world.net, WWW, NEW_WEB, trust=trust)).trusted
        assert any(
            line.startswith(f"{APEX} was without a trusted certificate for") for line in world.bench.lines
        )
        assert not any(WWW in line for line in world.bench.lines if "without" in line)


def told(world: CutoverWorld, name: str) -> float:
    line = next(one for one in world.bench.lines if one.startswith(f"{name} was without"))
    return float(line.partition("at most ")[2].partition(" s")[0])


async def test_the_gap_counts_from_the_first_server_that_leads_here_and_not_from_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One server follows 40 s after the first: a visitor could be led here all that time."""
    async with gap_world(tmp_path, monkeypatch) as world:
        ctx, clock = world.bench.context("cutover.flip"), world.bench.world.clock
        answers: dict[str, str] = {}
        began = ctx.now()

        async def ask_all(*_: Any, **__: Any) -> tuple[Seen, ...]:
            return tuple(Seen(server, (answers.get(server, EDGE),), 60) for server in ("ns1", "ns2"))

        monkeypatch.setattr(authority, "ask_all", ask_all)
        async with certificate_wait.opening(ctx, certificate_gap.bare(ctx), LED):
            await clock.sleep(30.0)
            answers["ns1"], first = NEW_WEB, ctx.now()
            await clock.sleep(40.0)
        answers["ns2"] = NEW_WEB
        world.zone.put("@", "A", 60, (NEW_WEB,))
        await certificate_gap.close_for(ctx, APEX)

        assert told(world, APEX) >= 40.0
        record = ctx.saved.load(f"gap_{APEX}", certificate_wait.GapRecord)
        # Not from when somebody began to type either.
        assert record is not None and record.told and began < record.opened <= first


async def test_what_is_told_is_no_less_than_what_visitors_could_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole flip, looked at from outside: from a name's first answer to its last bad certificate."""
    async with gap_world(tmp_path, monkeypatch, zone_looked_at=True) as world:
        config = world.config
        for step in (Preflight(config), LowerTtl(config), OldProxy(config)):
            turn = await world.bench.drive(step)
            assert turn.done, f"{step.id}: {turn.story}"
        met: dict[str, tuple[float, float]] = {}

        async def visit(name: str) -> None:
            ctx, trust = world.bench.context("visitor"), world.bench.world.endpoints.trust
            while True:
                now = ctx.now()
                seen = await authority.ask_all(ctx, name, "A")
                if name in met or any(NEW_WEB in one.values for one in seen):
                    first = met.get(name, (ctx.now(), 0.0))[0]
                    if (await look(world.bench.world.net, name, NEW_WEB, trust=trust)).trusted:
                        return
                    met[name] = first, now
                await asyncio.sleep(0.01)

        visitors = [asyncio.create_task(visit(name)) for name in (APEX, WWW)]
        turn = await world.bench.drive(FlipStep(config))
        await asyncio.gather(*visitors)

        assert turn.done and met, turn.story
        assert any("meet a warning" in note for note in turn.plan.notes)
        for name, (first, last) in met.items():
            assert told(world, name) >= int(last - first)
        assert certificate_wait.still_open(world.bench.context("cutover.flip"), (APEX, WWW)) == ()


async def test_a_run_that_is_cut_off_counts_from_before_its_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gap_world(tmp_path, monkeypatch) as world:
        ctx = world.bench.context("cutover.flip")
        began = ctx.now()
        with pytest.raises(ConnectionError):
            async with certificate_wait.opening(ctx, certificate_gap.bare(ctx), LED):
                record = ctx.saved.load(f"gap_{APEX}", certificate_wait.GapRecord)
                assert record is not None and record.opened >= began
                world.zone.put("@", "A", 60, (NEW_WEB,))
                led = ctx.now()
                raise ConnectionError

        async with certificate_wait.opening(ctx, certificate_gap.bare(ctx), LED):
            await world.bench.world.clock.sleep(5.0)

        record = ctx.saved.load(f"gap_{APEX}", certificate_wait.GapRecord)
        assert record is not None and began <= record.opened <= led


async def test_the_gap_is_forecast_as_a_range_with_what_caches_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gap_world(tmp_path, monkeypatch) as world:
        ctx = world.bench.context("cutover.flip")
        world.bench.context("cutover.preflight").saved.save("probe", ProbeRecord("x", ("ns1",), 20.0, 1.0))

        text = certificate_wait.forecast(ctx, certificate_gap.bare(ctx))

        assert "5 to 83 s" in text and "up to 16 min where a name server lags" in text
        assert f"for up to {world.config.dns.cutover_ttl} s" in text and WWW in text and API not in text
        assert certificate_wait.forecast(ctx, ()) == ""


async def test_a_gap_of_one_app_leaves_the_others_forwarded_and_asked_over_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gap_world(tmp_path, monkeypatch) as world:
        turn = await world.bench.drive(OldProxy(world.config))

        assert turn.done and [one.key for one in turn.applied] == ["forward"], turn.story
        assert {one.name: one.state for one in turn.checks} == {f"{API}.forwarded": CheckState.PASSED}
        asked = {
            one.name: one.question for one in await ready.all_answer(world.bench.context("cutover.flip"))
        }
        assert "over trusted TLS" in asked[f"{API}.ready"] and "http://" in asked[f"{WWW}.ready"]
