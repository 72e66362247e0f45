"""Our own DNS client: one socket a family for any number of servers, so that a watch needs no more.

An answer counts when it comes from the asked address and port, with the id and the question that are being
waited for; anything else is dropped. The source port changes every minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import struct
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import cast

from wizard.clock import Clock, LiveClock
from wizard.dns.wire import BadMessageError, Reply, asked_part, parse, question, same_question
from wizard.endpoints import SocketAddress
from wizard.errors import UnreachableError

TIMEOUT = 2.0
_TRIES = 2
_ROTATE = 60.0
_LINGER = 5.0
_AT_ONCE = 400
_PER_ADDRESS = 0.02
_TCP_LIMIT = 64
_BUFFER = 4 * 1024 * 1024

Key = tuple[str, int, int]


@dataclass
class _Pending:
    asked: bytes
    future: asyncio.Future[bytes]


@dataclass
class _Door(asyncio.DatagramProtocol):
    """One socket and who waits at it. `strangers` counts packets that nobody had asked for."""

    pending: dict[Key, _Pending] = field(default_factory=dict)
    strangers: int = 0
    opened: float = 0.0
    transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) < 12 or not data[2] & 0x80:
            self.strangers += 1
            return
        key = (addr[0], addr[1], data[0] << 8 | data[1])
        waiting = self.pending.get(key)
        if waiting is None or not same_question(waiting.asked, data) or waiting.future.done():
            self.strangers += 1
            return
        waiting.future.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """An unreachable port is told by the time-out: one socket serves everybody."""


@cache
def _as_heard(host: str) -> str:
    """An address as a socket tells who sent a packet: IPv6 has many spellings."""
    try:
        return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, host))
    except OSError:
        return host


class DnsClient:
    """`ask` never raises for what a server says, only when none of the tries got an answer."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or LiveClock()
        self._doors: dict[int, _Door] = {}
        self._opening: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._queries: dict[tuple[str, str, bool], tuple[bytes, bytes]] = {}
        self._free: dict[SocketAddress, float] = {}
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._tcp = asyncio.Semaphore(_TCP_LIMIT)
        self._closing: set[asyncio.TimerHandle] = set()
        self.sent = 0

    @property
    def strangers(self) -> int:
        """Packets dropped on the open sockets because nobody waited for them: late or forged."""
        return sum(door.strangers for door in self._doors.values())

    async def ask(
        self,
        server: SocketAddress,
        name: str,
        kind: str,
        *,
        recursive: bool = True,
        timeout: float | None = None,
    ) -> Reply:
        """Over UDP, twice; over TCP when that fails or is truncated. `timeout` in real seconds a try.

        Raises UnreachableError when nothing answers.
        """
        query, asked = self._query(name, kind, recursive)
        limit = TIMEOUT if timeout is None else timeout
        for _ in range(_TRIES):
            await self._turn(server)
            try:
                reply = parse(await self._udp(server, query, asked, limit))
            except (TimeoutError, OSError, BadMessageError):
                continue
            if not reply.truncated:
                return reply
            break
        try:
            return parse(await self._over_tcp(server, query, asked, limit))
        except (TimeoutError, OSError, BadMessageError, asyncio.IncompleteReadError) as error:
            raise UnreachableError(
                f"{server} does not answer for {name} {kind}",
                f"over UDP and TCP, {type(error).__name__}",
                "Check the network: port 53 must be open from here.",
            ) from error

    async def reachable(self, server: SocketAddress, name: str, kind: str, *, timeout: float) -> bool:
        """Whether one UDP packet is answered at all: for canaries."""
        query, asked = self._query(name, kind, True)
        try:
            await self._udp(server, query, asked, timeout)
        except (TimeoutError, OSError):
            return False
        return True

    async def aclose(self) -> None:
        for handle in self._closing:
            handle.cancel()
        for door in self._doors.values():
            if door.transport is not None:
                door.transport.abort()
        self._doors.clear()

    def _query(self, name: str, kind: str, recursive: bool) -> tuple[bytes, bytes]:
        key = (name, kind, recursive)
        if key not in self._queries:
            query = question(name, kind, recursive=recursive)
            self._queries[key] = (query, asked_part(query))
        return self._queries[key]

    async def _turn(self, server: SocketAddress) -> None:
        """No more than some questions a second to one address."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._free.get(server, 0.0))
        self._free[server] = at + _PER_ADDRESS
        if at > now:
            await asyncio.sleep(at - now)

    async def _udp(self, server: SocketAddress, query: bytes, asked: bytes, limit: float) -> bytes:
        async with self._gate:
            door = await self._door(server.host)
            number = secrets.randbits(16)
            host = _as_heard(server.host)
            while (host, server.port, number) in door.pending:
                number = secrets.randbits(16)
            key = (host, server.port, number)
            future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            door.pending[key] = _Pending(asked, future)
            assert door.transport is not None
            self.sent += 1
            try:
                door.transport.sendto(struct.pack("!H", number) + query[2:], (server.host, server.port))
                async with asyncio.timeout(limit):
                    return await future
            finally:
                door.pending.pop(key, None)

    async def _door(self, host: str) -> _Door:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        loop = asyncio.get_running_loop()
        async with self._opening[family]:
            door = self._doors.get(family)
            if door is not None and loop.time() - door.opened < _ROTATE and door.transport is not None:
                return door
            fresh = _Door(opened=loop.time())
            sock = socket.socket(family, socket.SOCK_DGRAM)
            sock.setblocking(False)
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))
            await loop.create_datagram_endpoint(lambda: fresh, sock=sock)
            self._doors[family] = fresh
            if door is not None and door.transport is not None:
                self._closing.add(loop.call_later(_LINGER, door.transport.abort))
            return fresh

    async def _over_tcp(self, server: SocketAddress, query: bytes, asked: bytes, limit: float) -> bytes:
        number = secrets.token_bytes(2)
        async with self._tcp, asyncio.timeout(limit):
            reader, writer = await asyncio.open_connection(server.host, server.port)
            try:
                writer.write(struct.pack("!H", len(query)) + number + query[2:])
                self.sent += 1
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                data = await reader.readexactly(length)
            finally:
                writer.close()
        if data[:2] != number or not same_question(asked, data):
            raise BadMessageError("The answer is to another question")
        return data
