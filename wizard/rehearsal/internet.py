"""Machines on addresses, and the gateway through which everybody reaches them (see `wizard.net`)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from wizard.endpoints import SocketAddress
from wizard.net import Reach

Listener = Callable[[socket.socket, str], Awaitable[None]]
"""Takes over an accepted, non-blocking socket; the second argument is the address it comes from."""

OPERATOR_V4 = "192.0.2.10"
OPERATOR_V6 = "2001:db8:ffff::10"


class Machine(Protocol):
    name: str

    def admits(self, source: str, address: str, port: int) -> Reach:
        """What a packet from `source` to `port` of `address` meets: firewalls first, then the socket."""
        ...

    def listener(self, address: str, port: int) -> Listener | None: ...


class Internet:
    """Addresses lead to machines. Connections are real sockets on loopback."""

    def __init__(self) -> None:
        self._machines: dict[str, Machine] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: socket.socket | None = None

    def attach(self, address: str, machine: Machine) -> None:
        self._machines[address] = machine

    def detach(self, address: str) -> None:
        self._machines.pop(address, None)

    def machine(self, address: str) -> Machine | None:
        return self._machines.get(address)

    async def start(self, port: int = 0) -> SocketAddress:
        self._server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._server.setblocking(False)
        try:
            self._server.bind(("127.0.0.1", port))
        except OSError:
            self._server.bind(("127.0.0.1", 0))
        self._server.listen(512)
        self._spawn(self._accept(self._server))
        return SocketAddress(*self._server.getsockname()[:2])

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()

    async def connect(
        self, source: str, address: str, port: int, *, timeout: float = 5.0
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection between machines. Raises like a socket: refused, timed out, unreachable."""
        sock = await self.dial(source, address, port, timeout=timeout)
        return await asyncio.open_connection(sock=sock)

    async def dial(self, source: str, address: str, port: int, *, timeout: float = 5.0) -> socket.socket:
        machine = self._machines.get(address)
        if machine is None or not source:
            raise OSError(f"no route to {address}")
        reach = machine.admits(source, address, port)
        listener = machine.listener(address, port)
        if reach is Reach.FILTERED:
            await asyncio.sleep(timeout)
            raise TimeoutError(f"{address} port {port} does not answer")
        if reach is Reach.REFUSED or listener is None:
            raise ConnectionRefusedError(f"{address} port {port} refused the connection")
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        self._spawn(self._hand_over(listener, theirs, source))
        return ours

    def reach(self, source: str, address: str, port: int) -> Reach:
        """The verdict without a connection: for programs on a host that probe another.

        Without a `source` the machine has no address of that family, and no way out.
        """
        machine = self._machines.get(address)
        if machine is None or not source:
            return Reach.FILTERED
        reach = machine.admits(source, address, port)
        if reach is Reach.OPEN and machine.listener(address, port) is None:
            return Reach.REFUSED
        return reach

    async def _accept(self, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(server)
            sock.setblocking(False)
            self._spawn(self._greet(sock))

    async def _greet(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(10):
                source, address, port = await _read_wish(sock)
            machine = self._machines.get(address)
            reach = machine.admits(source, address, port) if machine else Reach.FILTERED
            listener = machine.listener(address, port) if machine else None
            if machine is None:
                await loop.sock_sendall(sock, b"!")
            elif reach is Reach.FILTERED:
                # Silence until the client gives up, as a firewall that drops.
                async with asyncio.timeout(60):
                    await loop.sock_recv(sock, 1)
            elif reach is Reach.REFUSED or listener is None:
                await loop.sock_sendall(sock, b"-")
            else:
                await loop.sock_sendall(sock, b"+")
                await self._hand_over(listener, sock, source)
                return
        except (OSError, TimeoutError, ValueError):
            pass
        sock.close()

    async def _hand_over(self, listener: Listener, sock: socket.socket, source: str) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            await listener(sock, source)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _read_wish(sock: socket.socket) -> tuple[str, str, int]:
    """The client's line, read byte by byte: what follows belongs to the listener."""
    loop = asyncio.get_running_loop()
    line = b""
    while not line.endswith(b"\n") and len(line) < 256:
        piece = await loop.sock_recv(sock, 1)
        if not piece:
            break
        line += piece
    word, source, address, port = line.decode("ascii", "replace").split()
    if word != "CONNECT":
        raise ValueError(word)
    return source, address, int(port)
