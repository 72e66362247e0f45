"""First login and panel installation against the rehearsal's hosts."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.phases.context import Bench
from tests.rehearsal.hosts_stage import CONFIG, HostsWorld, hosts_world
from wizard.clients.ssh import HostKeyError, generate_key
from wizard.engine.plan import Failed
from wizard.phases.hosts import new_host
from wizard.phases.provision.login import Login
from wizard.phases.provision.panel import Panel
from wizard.records import HostKeyRecord, ServerRecord
from wizard.rehearsal.hosts.standin import Host


@dataclass
class Scene:
    small: HostsWorld
    bench: Bench

    def server(self, name: str, number: int) -> Host:
        """A machine as provision.<server>.server leaves it."""
        private, public = generate_key()
        indented = "\n".join(f"    {line}" for line in private.strip().splitlines())
        data = f"#cloud-config\nssh_keys:\n  ed25519_private: |\n{indented}\n  ed25519_public: {public}\n"
        host = self.small.stage.hosts.boot(
            name,
            f"203.0.113.{number}",
            f"2001:db8::{number}",
            f"172.31.0.{number}",
            user_data=data,
            authorized_keys=[self.small.login[1]],
            memory_mb=8192,
        )
        saved = self.bench.context(f"provision.{name}.server").saved
        saved.save(
            "server", ServerRecord(name, number, "cx23", "fsn1", host.ipv4, host.ipv6, host.private_ip)
        )
        saved.save("host_key", HostKeyRecord(public))
        return host

    def login(self, name: str) -> Login:
        return Login(CONFIG.server(name))

    def panel(self, name: str) -> Panel:
        return Panel(CONFIG.server(name), CONFIG.network)


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with hosts_world(tmp_path) as small:
        bench = Bench(small.world, tmp_path)
        yield Scene(small, bench)
        bench.close()


async def test_the_first_login_ends_with_a_key_that_never_left_the_host(scene: Scene) -> None:
    host = scene.server("backend", 10)
    injected = host.state.host_key
    step = scene.login("backend")

    turn = await scene.bench.drive(step)

    assert turn.done, turn.story
    assert [change.key for change in turn.applied if change.key != "enter"] == ["tools", "rotate"]
    assert host.state.host_key != injected
    assert (await scene.bench.plan(step)).empty


async def test_a_rotation_that_was_interrupted_is_finished(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = scene.server("backend", 10)
    step = scene.login("backend")
    await scene.bench.drive(step)
    saved = scene.bench.context(step).saved
    kept = saved.load("host_key", HostKeyRecord)
    assert kept is not None
    saved.save("next_host_key", kept)
    saved.drop("host_key")

    turn = await scene.bench.drive(step)

    assert turn.done, turn.story
    assert [change.key for change in turn.applied] == ["rotate"]
    assert host.text("/etc/ssh/ssh_host_ed25519_key.pub").strip() == kept.public_key


async def test_a_host_with_another_key_is_a_hard_stop(scene: Scene) -> None:
    host = scene.server("backend", 10)
    host.state.host_key = generate_key()[0]
    await scene.small.stage.clock.leap(host.state.booted)

    with pytest.raises(HostKeyError, match="not the known one"):
        await scene.bench.drive(scene.login("backend"))


async def test_the_panel_is_installed_once_and_its_log_is_shown(scene: Scene) -> None:
    host = scene.server("backend", 10)
    await scene.bench.drive(scene.login("backend"))
    step = scene.panel("backend")

    turn = await scene.bench.drive(step)

    assert turn.done, turn.story
    assert host.docker.pool == "172.30.0.0/16" and host.docker.advertise == "172.31.0.10"
    assert "Swarm initialized" in scene.bench.lines
    assert (await scene.bench.plan(step)).empty
    assert scene.small.stage.ledger.count("host", "create", "panel backend") == 1


async def test_what_the_installer_would_stumble_over_is_said_before(scene: Scene) -> None:
    host = scene.server("backend", 10)
    await scene.bench.drive(scene.login("backend"))

    async def nobody(sock: object, source: str) -> None: ...

    host.listen(443, nobody, "nginx")
    host.state.memory_mb = 1024

    turn = await scene.bench.drive(scene.panel("backend"))

    assert isinstance(turn.hold, Failed)
    assert "port 443" in turn.hold.why and "memory" in turn.hold.why
    assert not host.state.jobs


async def test_a_lost_connection_and_a_new_wizard_take_the_installation_up(scene: Scene) -> None:
    host = scene.server("backend", 10)
    await scene.bench.drive(scene.login("backend"))
    step = scene.panel("backend")
    client = await new_host(scene.bench.context(step), "backend")
    from wizard.phases.provision.panel import JOB, install_script

    await client.start_job(JOB, install_script("https://example.org/i", "172.31.0.10", "172.30.0.0/16"))
    host.cut_connections()

    turn = await scene.bench.drive(step)

    assert turn.done, turn.story
    assert scene.small.stage.ledger.count("host", "job") == 1
    assert "\n".join(scene.bench.lines).count("Swarm initialized") == 1


async def test_a_machine_of_the_operators_own_is_entered_by_the_agent_and_then_by_the_wizards_key(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = generate_key("operator")
    host = scene.server("backend", 10)
    host.state.authorized_keys[:] = [public]
    saved = scene.bench.context("provision.backend.server").saved
    record = saved.load("server", ServerRecord)
    assert record is not None
    saved.save("server", dataclasses.replace(record, adopted=True))
    step = scene.login("backend")

    with agent_with(private, tmp_path, monkeypatch):
        turn = await scene.bench.drive(step)
        assert turn.done, turn.story
    again = await scene.bench.prove(step)

    assert [change.key for change in turn.applied if change.key != "enter"] == ["authorize", "tools"]
    assert {check.name for check in turn.checks} == {"pinned", "cloud_init", "own_key"}
    assert all(check.ok for check in again), "the agent is gone, the wizard still gets in"
    assert scene.small.login[1].split()[1] in host.text("/root/.ssh/authorized_keys")

    await scene.bench.undo(step)
    assert scene.small.login[1].split()[1] not in host.text("/root/.ssh/authorized_keys")


@contextlib.contextmanager
def agent_with(private: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """A running ssh-agent that holds one key. Skips without one; fails where CI=true."""
    if shutil.which("ssh-agent") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("ssh-agent is not installed")
        pytest.skip("ssh-agent is not installed")
    path, key = folder / "agent", folder / "operator_key"
    key.touch(0o600)
    key.write_text(private)
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        while not path.exists():
            assert process.poll() is None
        with patch.context() as here:
            here.setenv("SSH_AUTH_SOCK", str(path))
            subprocess.run(["ssh-add", "-q", str(key)], check=True)
            yield
    finally:
        process.kill()
        process.wait()
