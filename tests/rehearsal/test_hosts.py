"""The rehearsal's machines: firewalls in their real order, jobs, timers, data."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.rehearsal.hosts_stage import HostsWorld, hosts_world
from wizard.clients import commands, postgres
from wizard.clients.ssh import (
    CommandError,
    CutError,
    HostClient,
    HostKeyError,
    LoginError,
    Target,
    generate_key,
)
from wizard.errors import UnreachableError
from wizard.net import Reach, probe
from wizard.phases.hosts import old_host_target
from wizard.rehearsal.hosts.standin import CloudRule, Host


@pytest_asyncio.fixture
async def small(tmp_path: Path) -> AsyncIterator[HostsWorld]:
    async with hosts_world(tmp_path) as world:
        yield world


def target_of(host: Host, login: str) -> Target:
    return Target(host.name, host.ipv4, host_key=host.text("/etc/ssh/ssh_host_ed25519_key.pub"), key=login)


async def client_of(small: HostsWorld, host: Host) -> HostClient:
    await small.stage.clock.leap(host.state.booted)
    return small.world.ssh.host(target_of(host, small.login[0]))


async def old_client(small: HostsWorld) -> HostClient:
    class Ctx:
        config, world = small.stage.config, small.world

    return small.world.ssh.host(await old_host_target(Ctx()))  # type: ignore[arg-type]


async def test_a_new_host_is_entered_by_its_pinned_key_only(small: HostsWorld) -> None:
    host = small.boot("backend", 10)
    client = await client_of(small, host)

    assert (await client.run(commands.command("echo", "a b", "c|d"))).stdout == "a b c|d\n"

    other = small.world.ssh.fresh(
        Target("backend", host.ipv4, host_key=generate_key()[1], key=small.login[0])
    )
    with pytest.raises(HostKeyError, match="not the known one"):
        await other.run(commands.processors())
    stranger = small.world.ssh.fresh(target_of(host, generate_key()[0]))
    with pytest.raises(LoginError):
        await stranger.run(commands.processors())


async def test_files_arrive_whole_with_their_mode(small: HostsWorld) -> None:
    host = small.boot("backend", 10)
    client = await client_of(small, host)

    await client.upload("/etc/x y.conf", b"\xff binary", 0o640)

    assert host.state.files["/etc/x y.conf"].content == b"\xff binary"
    assert host.state.files["/etc/x y.conf"].mode == 0o640
    assert await client.read("/etc/x y.conf") == "\ufffd binary"
    assert await client.read("/etc/absent") is None


def cut_sessions(small: HostsWorld, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The next sessions end in the middle of what they do."""
    left = itertools.repeat("cut", times)
    roll = small.stage.faults.roll

    def play(system: str, act: str) -> str | None:
        return next(left, None) if (system, act) == ("ssh", "session") else roll(system, act)

    monkeypatch.setattr(small.stage.faults, "roll", play)


async def test_what_only_looks_is_asked_again_when_the_connection_is_cut(
    small: HostsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await client_of(small, small.boot("backend", 10))
    await client.upload("/opt/list", "kept")
    cut_sessions(small, monkeypatch, 2)
    assert await client.read("/opt/list") == "kept"
    cut_sessions(small, monkeypatch, 2)
    await client.upload("/opt/list", "changed")
    assert await client.read("/opt/list") == "changed"


async def test_a_cut_is_never_taken_for_an_answer(small: HostsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await client_of(small, small.boot("backend", 10))
    cut_sessions(small, monkeypatch, 1)
    with pytest.raises(CutError, match="lost during ufw"):
        await client.run(commands.ufw("allow", "22/tcp"), check=False)
    cut_sessions(small, monkeypatch, 99)
    with pytest.raises(UnreachableError):
        await client.run(commands.nft("list", "table", "inet", "wizfw"), check=False)


async def test_an_unknown_command_fails_like_in_a_shell(small: HostsWorld) -> None:
    client = await client_of(small, small.boot("backend", 10))

    with pytest.raises(CommandError) as caught:
        await client.run(commands.command("frobnicate"))

    assert caught.value.exit_status == 127


async def test_a_job_survives_the_connection_and_its_log_has_no_gap(small: HostsWorld) -> None:
    host = small.boot("backend", 10)
    client = await client_of(small, host)
    script = commands.script(
        commands.command("curl", "-o", "install.sh", "https://example.org"),
        commands.command("sh", "install.sh"),
        env={"DOKPLOY_VERSION": "v0.30.2"},
    )

    assert await client.start_job("panel", script)
    assert not await client.start_job("panel", script)
    seen = b""
    async for _, chunk in client.follow_job("panel"):
        seen += chunk
        if b"Swarm initialized" in seen and b"dokploy-postgres" not in seen:
            host.cut_connections()
    status = await client.job_status("panel")

    assert (status.state, status.exit_status) == ("done", 0)
    assert seen == bytes(host.state.jobs["panel"].log)
    assert small.panels.installed == ["backend"]
    assert host.docker.services["dokploy"].image.endswith("v0.30.2")


async def test_the_installer_refuses_to_run_over_itself(small: HostsWorld) -> None:
    host = small.boot("backend", 10)
    client = await client_of(small, host)
    for name in ("first", "second"):
        await client.start_job(name, commands.script(commands.command("sh", "install.sh")))
        async for _ in client.follow_job(name):
            pass

    assert (await client.job_status("second")).exit_status == 1


async def test_ufw_does_not_cover_what_docker_publishes_but_nft_does(small: HostsWorld) -> None:
    host = small.boot("backend", 10)
    client = await client_of(small, host)
    await host.shell("sh install.sh")
    net = small.world.net

    await client.run(commands.ufw("allow", "22/tcp"))
    await client.run(commands.ufw("--force", "enable"))
    assert await probe(net, host.ipv4, 3000) is Reach.OPEN
    assert await probe(net, host.ipv6, 3000, timeout=0.3) is Reach.FILTERED

    rules = (
        "table inet wizfw {\n set closed { type inet_service; elements = { 3000 } }\n"
        " set admin4 { type ipv4_addr; elements = { 192.0.2.99 } }\n}\n"
    )
    await client.run(commands.nft("-f", "-", stdin=rules))
    assert await probe(net, host.ipv4, 3000, timeout=0.3) is Reach.FILTERED
    assert await probe(net, host.ipv4, 22) is Reach.OPEN


async def test_the_cloud_firewall_does_not_cover_the_private_network(small: HostsWorld) -> None:
    front, back = small.boot("frontend", 9), small.boot("backend", 10)
    await small.stage.clock.leap(back.state.booted)
    back.cloud_rules = (CloudRule("tcp", "443", ("0.0.0.0/0", "::/0")),)
    client = small.world.ssh.host(target_of(front, small.login[0]))

    said = await client.run(commands.probe(2, ((back.ipv4, 22), (back.private_ip, 22))))

    assert said.stdout.splitlines() == [f"{back.ipv4} 22 filtered", f"{back.private_ip} 22 open"]


async def test_a_dead_mans_timer_reverts_unless_confirmed(small: HostsWorld) -> None:
    host = small.boot("backend", 10)
    client = await client_of(small, host)
    await client.install_tools()
    revert = "ufw --force disable\n"
    for name in ("left", "kept"):
        await client.run(commands.deadman("arm", name, "9000").with_stdin(revert))
    await client.run(commands.ufw("--force", "enable"))
    host.state.ufw.rules.clear()
    with pytest.raises(UnreachableError):
        await small.world.ssh.fresh(target_of(host, small.login[0])).connect()

    await client.run(commands.deadman("confirm", "kept"))
    await small.stage.clock.leap(small.stage.clock.now() + 9001)

    assert not host.state.ufw.active
    assert (await client.run(commands.deadman("status", "left"))).stdout == "reverted 0\n"
    assert (await client.run(commands.deadman("status", "kept"))).stdout == "confirmed\n"


async def test_the_old_host_holds_the_stack_of_the_configuration(small: HostsWorld) -> None:
    client = await old_client(small)

    names = (await client.run(commands.containers_of("shop"))).stdout.split()
    env = await client.read("/opt/shop/.env")
    login = postgres.Login("cms-database", "directus", "directus")
    seen = postgres.read_fingerprint((await client.run(postgres.fingerprint(login))).stdout)

    assert {"api", "cms-database", "vault", "task-worker", "cache", "caddy"} <= set(names)
    assert env is not None and "DATABASE_PASSWORD=" in env
    assert seen.rows > 1000 and dict(seen.sequences)["public.users_id_seq"] == "240"


async def test_a_database_goes_from_host_to_host_in_one_transaction(small: HostsWorld) -> None:
    host = small.boot("backend", 10)
    await small.stage.clock.leap(host.state.booted)
    await host.shell("sh install.sh")
    old = await old_client(small)
    host.docker.containers["db"] = _postgres("db")
    private, public = generate_key()
    await old.upload("/k", private)
    await old.upload("/hosts", f"{host.ipv4} {host.text('/etc/ssh/ssh_host_ed25519_key.pub')}")
    here, there = postgres.Login("cms-database", "directus", "directus"), postgres.Login("db", "u", "fresh")
    await host.shell(postgres.create(there, "UTF8").line(), postgres.create(there, "UTF8").stdin)
    line = commands.pipe(
        postgres.dump(here),
        commands.through_ssh("/k", "/hosts", "root", host.ipv4, 22, postgres.restore(there)),
    )

    await old.start_job("refused", commands.script(line))
    async for _ in old.follow_job("refused"):
        pass
    assert (await old.job_status("refused")).exit_status == 255

    host.write("/root/.ssh/authorized_keys", public.encode())
    await old.start_job("move", commands.script(line))
    async for _ in old.follow_job("move"):
        pass
    assert (await old.job_status("move")).exit_status == 0
    left = postgres.read_fingerprint((await old.run(postgres.fingerprint(here))).stdout)
    _, right = await host.shell(postgres.fingerprint(there).line(), postgres.fingerprint(there).stdin)
    assert left.differences(postgres.read_fingerprint(right.decode())) == ()


def _postgres(name: str):  # type: ignore[no-untyped-def]
    from wizard.rehearsal.hosts.state import Container

    return Container(name, "postgres:13-alpine", env={"POSTGRES_USER": "u"})
