"""The stage: what every stand-in shares, and where they find each other."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from wizard.endpoints import SocketAddress
from wizard.rehearsal.clock import StageClock
from wizard.rehearsal.faults import Faults
from wizard.rehearsal.internet import Internet
from wizard.rehearsal.ledger import GONE, Ledger

if TYPE_CHECKING:
    from wizard.config import Config
    from wizard.rehearsal.acme.standin import AcmeStandin
    from wizard.rehearsal.dns.standin import DnsStandin
    from wizard.rehearsal.fronts.standin import Fronts
    from wizard.rehearsal.git.standin import GitStandin
    from wizard.rehearsal.hetzner.standin import HetznerStandin
    from wizard.rehearsal.hosts.standin import Hosts
    from wizard.rehearsal.panels.standin import Panels
    from wizard.rehearsal.sites import Sites
    from wizard.rehearsal.vercel.standin import VercelStandin
    from wizard.rehearsal.visitors import Visitors


class StageLedger:
    """The ledger with the stage's clock."""

    def __init__(self, clock: StageClock, ledger: Ledger) -> None:
        self._clock = clock
        self.book = ledger

    def record(self, system: str, act: str, thing: str, detail: str = "") -> None:
        """`act` is "create" or "delete" for things that exist, any other word for acts."""
        self.book.add(self._clock.now(), system, act, thing, detail)

    def gone_with(self, system: str, machine: str) -> None:
        """What was made on a machine ends with it: things that have its name among their words."""
        for thing in self.book.standing():
            whose, _, name = thing.partition(": ")
            if whose == system and machine in name.split():
                self.record(system, GONE, name, "with its machine")

    def duplicates(self) -> tuple[str, ...]:
        return self.book.duplicates()

    def count(self, system: str = "", act: str = "", thing: str = "") -> int:
        return self.book.count(system, act, thing)


@dataclass
class Stage:
    """Shared by all stand-ins. `ports` remembers listeners by name, so that a restarted world keeps them."""

    config: Config
    clock: StageClock
    random: random.Random
    faults: Faults
    ledger: StageLedger
    internet: Internet
    ports: dict[str, int] = field(default_factory=dict)

    sites: Sites = field(init=False)
    dns: DnsStandin = field(init=False)
    acme: AcmeStandin = field(init=False)
    fronts: Fronts = field(init=False)
    hosts: Hosts = field(init=False)
    panels: Panels = field(init=False)
    hetzner: HetznerStandin = field(init=False)
    git: GitStandin = field(init=False)
    vercel: VercelStandin = field(init=False)
    visitors: Visitors = field(init=False)

    _runners: list[web.AppRunner] = field(default_factory=list, init=False)
    _tasks: set[asyncio.Task[object]] = field(default_factory=set, init=False)

    async def serve(self, app: web.Application, name: str = "") -> SocketAddress:
        """Serve an application on loopback; the port is kept under `name` over restarts."""
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", self.ports.get(name, 0))
        try:
            await site.start()
        except OSError:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
        assert site._server is not None
        port = int(site._server.sockets[0].getsockname()[1])  # type: ignore[attr-defined]
        if name:
            self.ports[name] = port
        return SocketAddress("127.0.0.1", port)

    async def runner(self, app: web.Application) -> web.AppRunner:
        """A runner without a port of its own, for `serve_socket`."""
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        self._runners.append(runner)
        return runner

    async def serve_socket(
        self, sock: socket.socket, runner: web.AppRunner, tls: ssl.SSLContext | None = None
    ) -> None:
        """Let `runner`'s application answer on an accepted socket, over TLS if a context is given."""
        assert runner.server is not None
        loop = asyncio.get_running_loop()
        # When the handshake fails, asyncio closes what it was given.
        with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
            await loop.connect_accepted_socket(
                runner.server, sock, ssl=tls, ssl_handshake_timeout=10 if tls else None
            )

    def spawn(self, work: asyncio.Future[object] | object) -> asyncio.Task[object]:
        """Run a coroutine for as long as the world lasts."""
        task: asyncio.Task[object] = asyncio.ensure_future(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                await asyncio.gather(*self._tasks, return_exceptions=True)
        for runner in reversed(self._runners):
            await runner.cleanup()
        await self.internet.stop()
