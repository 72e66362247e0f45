"""A whole cutover and the whole way back among real servers, by the steps of a live run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.cutover_scene import NEW_API, NEW_WEB, OLD, PLATFORM, real_scene
from wizard.phases.cutover import steps as cutover
from wizard.phases.cutover.flip import FlipStep
from wizard.phases.prepare.dns_zone import DnsZone

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(300)]


async def test_nobody_notices_among_real_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with real_scene(tmp_path, monkeypatch) as scene:
        bench, crowd = scene.bench, scene.crowd
        for step in (DnsZone(scene.config), *cutover.steps(scene.config)):
            turn = await bench.drive(step)
            assert turn.done, f"{step.id}: {turn.story}"
        # Whoever waited at the old proxy's listener when it was closed by a reload was handed on.
        assert Path("/proc/sys/net/ipv4/tcp_migrate_req").read_text().strip() == "1"  # noqa: ASYNC240
        there = crowd.requests
        crowd.served.clear()
        await crowd.until(there + 100)

        assert crowd.failures == []
        assert set(crowd.served) == {NEW_WEB, NEW_API}

        await bench.undo(FlipStep(scene.config))
        crowd.served.clear()
        await crowd.until(crowd.requests + 100)

        assert crowd.failures == []
        assert set(crowd.served) == {PLATFORM, OLD}
        assert crowd.requests > 1000
