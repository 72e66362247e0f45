"""Detached jobs, floods and foreign bytes over a real sshd with the real tools; needs no root."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from wizard import host_tools
from wizard.clients import commands
from wizard.clients.ssh import HostClient, SshClients, Target, generate_key
from wizard.clock import LiveClock
from wizard.net import LiveNet

pytestmark = pytest.mark.real


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """A server on loopback; the tools lie in the test's folder instead of /var/lib."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        reason = "OpenSSH's sshd is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    root = str(tmp_path / "lib")
    monkeypatch.setattr(host_tools, "FOLDER", root)
    monkeypatch.setattr(host_tools, "BIN", f"{root}/bin")
    plain = host_tools.text
    monkeypatch.setattr(host_tools, "text", lambda name: plain(name).replace("/var/lib/dokploy-wizard", root))
    login, public = generate_key()
    host_private, host_public = generate_key()
    (tmp_path / "host_key").write_text(host_private)
    (tmp_path / "host_key").chmod(0o600)
    (tmp_path / "authorized").write_text(public + "\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host_key\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {tmp_path}/authorized\nPidFile none\nPasswordAuthentication no\n"
        "PermitRootLogin yes\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen(
        [program, "-D", "-f", str(tmp_path / "sshd_config"), "-E", str(tmp_path / "log")]
    )
    user = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
    target = Target("real host", "127.0.0.1", port, user, host_key=host_public, key=login)
    try:
        yield target
    finally:
        process.kill()
        process.wait()


class AsRoot(HostClient):
    """Without sudo, whoever runs the test."""

    async def _start(self, command: commands.Command):  # type: ignore[no-untyped-def]
        return await super()._start(commands.Command(command.argv, command.stdin, login=True))


def client(target: Target) -> HostClient:
    return AsRoot(target, LiveNet(), LiveClock())


def counting(lines: int) -> commands.Script:
    """Prints numbers slowly enough to be interrupted, ends with exit status 7."""
    loop = f"for n in $(seq {lines}); do echo line $n; sleep 0.02; done; exit 7"
    return commands.script(commands.command("bash", "-c", loop))


async def test_a_job_outlives_connection_and_wizard_without_a_lost_or_doubled_byte(sshd: Target) -> None:
    first = client(sshd)
    assert await first.start_job("count", counting(150))
    seen = b""
    offset = 0
    async for after, chunk in first.follow_job("count"):
        seen, offset = seen + chunk, after
        if len(seen) > 300:
            break
    connection = await first.connect()
    connection.abort()

    second = client(sshd)
    assert not await second.start_job("count", counting(150))
    async for _, chunk in second.follow_job("count", offset):
        seen += chunk
        (await second.connect()).abort() if b"line 100" in chunk else None
    status = await second.job_status("count")
    await second.aclose()

    assert seen.decode() == "".join(f"line {n}\n" for n in range(1, 151))
    assert (status.state, status.exit_status, status.size) == ("done", 7, len(seen))


async def test_a_job_starts_once_however_often_it_is_asked(sshd: Target) -> None:
    host = client(sshd)
    await host.install_tools()
    results = await asyncio.gather(*(host.start_job("once", counting(5)) for _ in range(6)))
    async for _ in host.follow_job("once"):
        pass
    await host.forget_job("once")

    assert sorted(results) == [False] * 5 + [True]
    assert (await host.job_status("once")).state == "absent"
    await host.aclose()


async def test_a_script_that_was_torn_is_never_run(sshd: Target) -> None:
    host = client(sshd)
    await host.install_tools()
    torn = commands.job("start", "torn", "99").with_stdin("echo half")

    result = await host.run(torn, check=False)

    assert result.exit_status == 3
    assert (await host.job_status("torn")).state == "absent"
    await host.aclose()


async def test_a_killed_job_is_lost_not_running(sshd: Target) -> None:
    host = client(sshd)
    await host.start_job("killed", counting(500))
    while (await host.job_status("killed")).size == 0:
        pass
    await host.run(commands.job("stop", "killed"))
    while (status := await host.job_status("killed")).state == "running":
        pass

    assert status.state == "lost" and status.exit_status is None
    await host.aclose()


async def test_a_flood_leaves_memory_flat_and_foreign_bytes_break_nothing(sshd: Target) -> None:
    host = client(sshd)
    await host.run(commands.command("true"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    flood = commands.command(
        "sh", "-c", r"printf '\377\376'; head -c 100000000 /dev/zero | tr '\0' x; echo end"
    )

    result = await host.run(flood)

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert result.ok and result.stdout.startswith("\ufffd\ufffdxxx") and result.stdout.endswith("xend\n")
    assert result.left_out > 90_000_000
    assert grown < 40_000, f"{grown} KiB more"
    await host.aclose()


async def test_files_and_volumes_keep_bytes_modes_and_owners(sshd: Target, tmp_path: Path) -> None:
    host = client(sshd)
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "deep").mkdir(parents=True)
    target.mkdir()
    await host.upload(str(source / "deep" / "ä b"), bytes(range(256)) * 4096, 0o640)
    (source / "link").symlink_to("deep/ä b")
    await host.install_tools()
    tool = host_tools.path("dw-volume")
    move = commands.pipe(
        commands.command(tool, "pack", str(source)), commands.command(tool, "unpack", str(target))
    )
    await host.start_job("move", commands.script(move))
    async for _ in host.follow_job("move"):
        pass
    assert (await host.job_status("move")).exit_status == 0

    said = [(await host.run(commands.command(tool, "manifest", str(at)))).stdout for at in (source, target)]
    assert said[0] == said[1] and said[0].startswith("files 1 bytes 1048576 ")
    assert (target / "deep" / "ä b").stat().st_mode & 0o777 == 0o640
    again = await host.run(commands.command(tool, "unpack", str(target)), check=False)
    assert again.exit_status == 5, "a target that holds anything is refused"
    await host.aclose()


async def test_one_pool_holds_one_connection_for_a_login(sshd: Target) -> None:
    clients = SshClients(LiveNet(), LiveClock())

    assert clients.host(sshd) is clients.host(sshd)
    assert await clients.host(sshd).connect() is await clients.host(sshd).connect()
    await clients.aclose()
