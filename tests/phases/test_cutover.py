"""The cutover from its first look to its last proof, and all the way back, with visitors on the site."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.phases.cutover_stage import EDGE, NEW_API, NEW_WEB, OLD, CutoverWorld, cutover_world
from tests.rehearsal.small_stage import example
from wizard.config import DnsProviderName
from wizard.engine.plan import Ask
from wizard.phases.cutover import steps as cutover
from wizard.phases.cutover.flip import FlipStep
from wizard.phases.cutover.old_proxy import OldProxy
from wizard.phases.cutover.records import FlipRecord, TtlRecord
from wizard.phases.cutover.ttl import LowerTtl
from wizard.phases.prepare.dns_zone import DnsZone
from wizard.phases.settle.ttl import RaiseTtl

pytestmark = pytest.mark.timeout(300)


async def go_through(world: CutoverWorld) -> None:
    """Every step of the cutover, each one to its end; questions get their defaults."""
    look = DnsZone(world.config)
    while isinstance((plan := await world.bench.plan(look)).hold, Ask):
        question = plan.hold.question
        world.bench.progress.answers[question.id] = question.default
    for step in (DnsZone(world.config), *cutover.steps(world.config)):
        turn = await world.bench.drive(step)
        assert turn.done, f"{step.id}: {turn.story}"


async def test_nobody_notices_the_flip_nor_the_way_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        await go_through(world)

        assert await world.now_reads("shop.example") == [NEW_WEB]
        assert await world.now_reads("api.shop.example") == [NEW_API]
        assert world.stage.visitors.state.new > 20
        assert world.failures == ()

        await world.bench.undo(FlipStep(world.config))

        assert await world.now_reads("shop.example") == [EDGE]
        assert await world.now_reads("api.shop.example") == [OLD]
        assert world.stage.visitors.requests > 100
        assert world.failures == ()


@pytest.mark.parametrize("provider", ["cloudflare", "vercel", "rfc2136"])
async def test_nobody_notices_whoever_keeps_the_zone(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"server": "198.51.100.53", "key_name": "wizard"} if provider == "rfc2136" else {}
    config = example()
    config = replace(config, dns=replace(config.dns, provider=DnsProviderName(provider), ttl=300, **given))
    async with cutover_world(tmp_path, monkeypatch, config=config) as world:
        await go_through(world)
        await world.bench.undo(FlipStep(world.config))

        assert await world.now_reads("shop.example") == [EDGE]
        assert world.stage.visitors.requests > 50
        assert world.failures == ()


async def test_after_the_way_back_everything_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        before = {(row.name, row.type): (row.ttl, row.values) for row in world.zone.all()}
        caddyfile = world.stage.hosts.get("old-backend").text("/opt/shop/Caddyfile")
        await go_through(world)

        for step in (FlipStep(world.config), OldProxy(world.config), LowerTtl(world.config)):
            await world.bench.undo(step)

        assert {(row.name, row.type): (row.ttl, row.values) for row in world.zone.all()} == before
        assert world.stage.hosts.get("old-backend").text("/opt/shop/Caddyfile") == caddyfile
        assert world.bench.context("cutover.flip").saved.load("flip", FlipRecord) is None
        assert world.failures == ()


async def test_the_ttl_is_raised_again_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        await go_through(world)

        turn = await world.bench.drive(RaiseTtl(world.config))

        assert turn.done, turn.story
        assert {row.ttl for row in world.zone.all() if row.type == "A"} == {world.config.dns.ttl}


async def test_the_flip_waits_until_no_cache_can_hold_the_old_ttl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        await go_through(world)

        ttl = world.bench.context("cutover.lower_ttl").saved.load("ttl", TtlRecord)
        flip = world.bench.context("cutover.flip").saved.load("flip", FlipRecord)
        assert ttl is not None and flip is not None
        assert ttl.old_ttl == world.config.dns.ttl
        assert flip.started >= ttl.waited_out + world.config.cutover.quiet_seconds
        assert flip.old_ttl == world.config.dns.cutover_ttl
