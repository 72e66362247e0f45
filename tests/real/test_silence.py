"""A host that stops answering without closing, and floods in a log, over a real sshd."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.phases.context import Bench
from tests.real.sshd import AsRoot, Sshd, relocate_tools, serving
from tests.rehearsal.hosts_stage import CONFIG
from wizard import voice
from wizard.clients import commands, ssh, ssh_login
from wizard.clock import LiveClock
from wizard.engine.bus import Bus
from wizard.engine.events import Event, Output
from wizard.errors import UnreachableError
from wizard.net import LiveNet
from wizard.phases.jobs import run_job
from wizard.secrets import FileSecrets
from wizard.world import World

pytestmark = [pytest.mark.real, pytest.mark.slow]


class Cable:
    """A network in which packets can stop arriving while every connection stays open."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.open = asyncio.Event()
        self.open.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)

    async def connect(self, address: str, port: int, *, timeout: float = 10.0) -> socket.socket:
        assert self._server is not None
        if not self.open.is_set():
            raise TimeoutError
        return await LiveNet().connect("127.0.0.1", self._server.sockets[0].getsockname()[1])

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", self.port)
        for source, target in ((reader, there[1]), (there[0], writer)):
            task = asyncio.create_task(self._pump(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(65536):
                if not self.open.is_set():
                    # What was on its way is lost, and this connection never carries anything again.
                    await asyncio.Event().wait()
                target.write(chunk)
                await target.drain()
            target.close()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        assert self._server is not None
        self._server.close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    relocate_tools(monkeypatch, str(tmp_path / "lib"))
    monkeypatch.setattr(ssh_login, "KEEPALIVE_INTERVAL", 1)
    monkeypatch.setattr(ssh_login, "KEEPALIVE_COUNT", 2)
    monkeypatch.setattr(ssh, "_AWAY_NAP", 0.1)
    with serving(tmp_path / "sshd") as served:
        yield served


@pytest_asyncio.fixture
async def cable(server: Sshd) -> AsyncIterator[Cable]:
    made = Cable(server.target.port)
    await made.start()
    yield made
    await made.stop()


async def test_a_command_on_a_silent_host_ends_and_says_that_its_end_is_not_known(
    server: Sshd, cable: Cable
) -> None:
    host = AsRoot(server.target, cable, LiveClock())
    await host.run(commands.command("true"))
    running = asyncio.create_task(host.run(commands.command("sleep", "60")))
    await asyncio.sleep(0)
    cable.open.clear()

    with pytest.raises(UnreachableError, match=r"lost during sleep|does not answer"):
        await running
    await host.aclose()


async def test_a_log_goes_on_after_silence_and_the_operator_is_told(server: Sshd, cable: Cable) -> None:
    host = AsRoot(server.target, cable, LiveClock())
    heard: list[str] = []

    def hear(line: str) -> None:
        heard.append(line)
        if "does not answer SSH" in line:
            cable.open.set()

    voice.listen(hear)
    loop = "for n in $(seq 400); do echo line $n; sleep 0.01; done; exit 3"
    await host.start_job("install", commands.script(commands.command("bash", "-c", loop)))
    seen = b""
    async for offset, chunk in host.follow_job("install"):
        seen += chunk
        assert offset == len(seen)
        if b"line 100\n" in seen and cable.open.is_set() and not heard:
            cable.open.clear()
    status = await host.job_status("install")

    assert seen.decode() == "".join(f"line {n}\n" for n in range(1, 401))
    assert (status.state, status.exit_status) == ("done", 3)
    assert any("does not answer SSH" in line and "install goes on there" in line for line in heard), heard
    await host.aclose()


async def test_a_hundred_megabytes_of_log_without_a_line_end_stay_whole_and_leave_memory_flat(
    server: Sshd, tmp_path: Path
) -> None:
    host = AsRoot(server.target, LiveNet(), LiveClock())
    bench = Bench(World(CONFIG, FileSecrets(tmp_path / "secrets.json")), tmp_path)
    digest, shown = hashlib.sha256(), 0

    def count(event: Event) -> None:
        nonlocal shown
        if isinstance(event, Output):
            digest.update(event.line.encode())
            shown += len(event.line)

    bench.bus = Bus()
    bench.bus.subscribe(count)
    flood = commands.command("sh", "-c", "head -c 100000000 /dev/zero | tr '\\0' x")
    await host.run(commands.command("true"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    await run_job(bench.context("provision.backend.panel"), host, "flood", commands.script(flood))

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert shown == 100_000_000
    assert digest.hexdigest() == hashlib.sha256(b"x" * 100_000_000).hexdigest()
    assert grown < 40_000, f"{grown} KiB more"
    await host.aclose()
    bench.close()
