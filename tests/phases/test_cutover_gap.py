"""A gap that was accepted ends name by name, holds for its own app alone, and its length is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.phases.cutover_stage import NEW_WEB, CutoverWorld, cutover_world
from tests.rehearsal.small_stage import example
from wizard.checks.tls import look
from wizard.engine.check import CheckState
from wizard.phases.cutover import certificate_gap, ready
from wizard.phases.cutover.certificate_records import STEP, PlacedRecord
from wizard.phases.cutover.certificates import CertificatesStep
from wizard.phases.cutover.old_proxy import OldProxy

pytestmark = pytest.mark.timeout(300)
APEX, WWW, API = "shop.example", "www.shop.example", "api.shop.example"


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


async def test_each_name_is_ordered_for_as_soon_as_it_leads_to_the_new_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(example(), cutover=replace(example().cutover, allow_certificate_gap=True))
    async with cutover_world(tmp_path, monkeypatch, config=config) as world:
        await with_a_gap(world)
        ctx = world.bench.context("cutover.flip")
        world.zone.put("@", "A", 60, (NEW_WEB,))

        await certificate_gap.close_for(ctx, APEX)

        trust = world.bench.world.endpoints.trust
        assert (await look(world.bench.world.net, APEX, NEW_WEB, trust=trust)).trusted
        assert not (await look(world.bench.world.net, WWW, NEW_WEB, trust=trust)).trusted
        assert any(
            line.startswith(f"{APEX} was without a trusted certificate for") for line in world.bench.lines
        )
        assert not any(WWW in line for line in world.bench.lines if "without" in line)


async def test_a_gap_of_one_app_leaves_the_others_forwarded_and_asked_over_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(example(), cutover=replace(example().cutover, allow_certificate_gap=True))
    async with cutover_world(tmp_path, monkeypatch, config=config) as world:
        await with_a_gap(world)

        turn = await world.bench.drive(OldProxy(config))

        assert turn.done and [one.key for one in turn.applied] == ["forward"], turn.story
        assert {one.name: one.state for one in turn.checks} == {f"{API}.forwarded": CheckState.PASSED}
        asked = {
            one.name: one.question for one in await ready.all_answer(world.bench.context("cutover.flip"))
        }
        assert "over trusted TLS" in asked[f"{API}.ready"] and "http://" in asked[f"{WWW}.ready"]
