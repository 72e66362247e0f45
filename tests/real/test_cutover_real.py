"""A whole cutover and the whole way back among real servers, by the steps of a live run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.cutover_scene import NEW_API, NEW_WEB, OLD, PLATFORM, ZONE, real_scene
from wizard.checks.tls import look
from wizard.phases.cutover import steps as cutover
from wizard.phases.cutover.certificates import CertificatesStep
from wizard.phases.cutover.flip import FlipStep
from wizard.phases.prepare.dns_zone import DnsZone

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(300)]


async def test_nobody_notices_among_real_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with real_scene(tmp_path, monkeypatch) as scene:
        bench, crowd = scene.bench, scene.crowd
        for step in (DnsZone(scene.config), *cutover.steps(scene.config)):
            turn = await bench.drive(step)
            assert turn.done, f"{step.id}: {turn.story}"
        # Whoever waits at the old proxy's listener is handed on for the length of a reload.
        assert Path("/proc/sys/net/ipv4/tcp_migrate_req").read_text().strip() == "0"  # noqa: ASYNC240
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


async def test_the_old_caddy_answers_the_authority_where_the_zone_has_no_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pebble looks at port 80 of the address that the name has today, and finds the proof at the old host."""
    async with real_scene(tmp_path, monkeypatch, by_hand=True) as scene:
        bench, name, before = scene.bench, f"api.{ZONE}", scene.old.file.read_text()

        turn = await bench.drive(CertificatesStep(scene.config))

        assert turn.done, turn.story
        assert [one.key for one in turn.applied][:2] == ["staging.api", "issue.api"]
        seen = await look(bench.world.net, name, NEW_API, trust=bench.world.endpoints.trust)
        assert seen.trusted and seen.certificate is not None and "Pebble" in seen.certificate.issuer
        assert scene.old.file.read_text() == before
        await scene.crowd.until(scene.crowd.requests + 50)
        assert scene.crowd.failures == [] and set(scene.crowd.served) == {OLD}
