"""The host layer, the port matrix and isolation against the rehearsal's hosts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.phases.context import Bench
from tests.phases.test_hosts_provision import Scene
from tests.rehearsal.hosts_stage import CONFIG, hosts_world
from wizard.clients import ssh
from wizard.engine import journal
from wizard.engine.check import CheckState
from wizard.engine.plan import Wait
from wizard.errors import WizardError
from wizard.net import Reach, probe
from wizard.phases.firewall.host import Applied, HostFirewall, let_in
from wizard.phases.firewall.isolation import Isolation
from wizard.phases.firewall.ports import PortsClosed
from wizard.phases.snapshots import restored
from wizard.rehearsal.hosts.old import OLD_HOST
from wizard.rehearsal.hosts.state import Container


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Both new hosts with their panels, no firewall of their own yet."""
    async with hosts_world(tmp_path, speed=120.0) as small:
        bench = Bench(small.world, tmp_path)
        scene = Scene(small, bench)
        for number, name in ((9, "frontend"), (10, "backend")):
            host = scene.server(name, number)
            await small.stage.clock.leap(host.state.booted + 20)
            await bench.drive(scene.login(name))
            host.docker.version = "28.5.0"
            for port in (80, 443, 3000):
                host.listen(port, _nobody, "docker", published=True)
        yield scene
        bench.close()


async def _nobody(sock, source: str) -> None:  # type: ignore[no-untyped-def]
    sock.close()


def host_step(name: str) -> HostFirewall:
    return HostFirewall(CONFIG.server(name), CONFIG)


async def close_both(scene: Scene) -> None:
    for name in ("frontend", "backend"):
        turn = await scene.bench.drive(host_step(name))
        assert turn.done, turn.story


async def test_a_host_is_closed_and_still_lets_the_operator_in(scene: Scene) -> None:
    await close_both(scene)

    backend = scene.small.stage.hosts.get("backend")
    assert backend is not None
    internet = scene.small.stage.internet
    assert await probe(scene.small.world.net, backend.ipv4, 3000) is Reach.OPEN
    assert internet.reach("203.0.113.77", backend.ipv4, 3000) is Reach.FILTERED
    assert internet.reach("2001:db8::77", backend.ipv6, 3000) is Reach.FILTERED
    assert internet.reach("203.0.113.77", backend.ipv4, 443) is Reach.OPEN
    assert (await scene.bench.plan(host_step("backend"))).empty


async def test_rules_that_lock_out_undo_themselves(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from wizard.phases.firewall import rules as firewall_rules

    forgetful = lambda self: (("allow", "80/tcp"), ("allow", "443/tcp"))  # noqa: E731
    monkeypatch.setattr(firewall_rules.Wanted, "ufw_rules", forgetful)
    monkeypatch.setattr(ssh, "_LEAST_TIMEOUT", 1.0)
    step = host_step("backend")

    with pytest.raises(WizardError, match="nobody could log in"):
        await scene.bench.drive(step)
    plan = await scene.bench.plan(step)
    assert isinstance(plan.hold, Wait)
    monkeypatch.undo()
    turn = await scene.bench.drive(step)

    assert turn.done, turn.story


async def test_the_matrix_passes_only_behind_the_rules(scene: Scene) -> None:
    step = PortsClosed(CONFIG.server("backend"), CONFIG)
    before = await scene.bench.prove(step)
    await close_both(scene)
    after = await scene.bench.drive(step)

    kept = [entry for entry in journal.read(scene.bench.progress.journal_path) if entry["kind"] == "detail"]
    assert restored("ports", kept[-1]["payload"]) == scene.bench.details("ports")[-1], "as a restart shows it"
    wrong = {check.name for check in before if not check.ok}
    assert {"port_3000.frontend.ipv4", "port_3000.frontend.private", "port_3000.old_host.ipv4"} <= wrong
    assert after.done, after.story
    assert {row.view.path for row in scene.bench.details("ports")[-1].rows} == {"IPv4", "IPv6", "private"}


async def test_a_vantage_that_sees_nothing_proves_nothing(scene: Scene) -> None:
    await close_both(scene)
    backend = scene.small.stage.hosts.get("backend")
    assert backend is not None
    backend.close(443)

    checks = await scene.bench.prove(PortsClosed(CONFIG.server("backend"), CONFIG))

    states = {check.name: check.state for check in checks}
    assert states["port_3000.old_host.ipv4"] is CheckState.UNKNOWN


async def test_a_vantage_that_is_out_of_reach_is_said_so_and_the_others_are_asked(scene: Scene) -> None:
    await close_both(scene)
    old = scene.small.stage.hosts.get(OLD_HOST)
    assert old is not None
    old.state.running = False
    await scene.small.world.ssh.aclose()

    checks = await scene.bench.prove(PortsClosed(CONFIG.server("backend"), CONFIG))

    unknown = [check for check in checks if check.state is CheckState.UNKNOWN]
    assert {check.name for check in unknown} == {"ports.old_host.ipv4", "ports.old_host.ipv6"}
    assert all(check.advice and check.evidence.seen for check in unknown)
    assert all(check.ok for check in checks if check not in unknown)


async def test_isolation_finds_a_secret_and_an_open_door(scene: Scene) -> None:
    step = Isolation(CONFIG)
    open_door = {check.name: check.state for check in await scene.bench.prove(step)}
    await close_both(scene)
    kept_apart = await scene.bench.drive(step)
    frontend = scene.small.stage.hosts.get("frontend")
    assert frontend is not None
    frontend.docker.containers["web"] = Container(
        "web", "web", env={"STRIPE_API_KEY": "x", "VITE_TOKEN": "y"}
    )
    leaking = {check.name: check for check in await scene.bench.prove(step)}

    assert open_door["backend.reached"] is CheckState.FAILED
    assert kept_apart.done, kept_apart.story
    assert leaking["frontend.no_secret"].state is CheckState.FAILED
    assert "web: STRIPE_API_KEY" in leaking["frontend.no_secret"].evidence.seen
    assert "VITE_TOKEN" not in leaking["frontend.no_secret"].evidence.seen


async def test_undo_takes_the_rules_away(scene: Scene) -> None:
    await close_both(scene)

    plan = await scene.bench.undo(host_step("backend"))

    backend = scene.small.stage.hosts.get("backend")
    assert backend is not None
    assert len(plan.changes) == 1
    assert not backend.state.ufw.active and backend.state.nft is None and not backend.state.ufw.rules


@pytest.mark.parametrize("keep", [False, True])
async def test_a_moved_operator_takes_their_old_address_s_place_on_the_host_too(
    scene: Scene, keep: bool
) -> None:
    await close_both(scene)
    backend = scene.small.stage.hosts.get("backend")
    assert backend is not None
    internet, step = scene.small.stage.internet, host_step("backend")
    before = scene.bench.context(step).saved.load("applied", Applied)
    assert before is not None and internet.reach("198.51.100.99", backend.ipv4, 3000) is Reach.FILTERED

    assert await let_in(scene.bench.context(step), "backend", ("198.51.100.99/32",), keep=keep)

    assert internet.reach("198.51.100.99", backend.ipv4, 3000) is Reach.OPEN
    assert internet.reach(before.admins[0], backend.ipv4, 3000) is Reach.FILTERED
    after = scene.bench.context(step).saved.load("applied", Applied)
    assert after is not None and (after == before) is keep
    assert "198.51.100.99" in "".join(after.admins) or keep
    assert {a for a in before.admins if ":" in a} <= set(after.admins), "IPv6 keeps who it had"
    told = {check.name: check for check in await step.verify(scene.bench.context(step))}
    # The test itself has not moved, so the rules are for somebody else now.
    assert [name for name, check in told.items() if not check.ok] == ["operator"]
    assert "allow-me" in told["operator"].advice and "198.51.100.99" in told["operator"].evidence.seen
    assert not await let_in(scene.bench.context(step), "backend", ("198.51.100.99/32",), keep=keep)


async def test_a_host_without_rules_of_ours_is_left_alone(scene: Scene) -> None:
    context = scene.bench.context(host_step("backend"))
    assert not await let_in(context, "backend", ("198.51.100.99/32",), keep=False)
