"""TCP connections to hosts: the real network, or a rehearsal's gateway.

The gateway is a socket on loopback. A client sends one line, ``CONNECT <source> <address> <port>\\n``,
and reads one byte: ``+`` the connection stands (all that follows is the peer's), ``-`` it was refused,
``!`` no such host. When packets would be dropped, the gateway stays silent, as a firewall does.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from wizard.endpoints import SocketAddress
from wizard.errors import UnreachableError

_SPOT = re.compile(
    r"(?:\[(?P<six>[\da-fA-F:.]+)\]|(?P<name>[^\s:\[\]@/]+))(?::(?P<port>\d{1,5}))?"
    r"|(?P<bare>[\da-fA-F.]*(?::[\da-fA-F.]*){2,})"
)
_START_AGAIN = "Start the same command again: it goes on from there."


def spot(word: str) -> tuple[str, str, int]:
    """User ("" if none is named), address and port of ``[user@]address[:port]``, as ssh takes it: an IPv6
    address with a port stands in brackets. Raises ValueError."""
    user, _, rest = word.removeprefix("ssh://").rpartition("@")
    found = _SPOT.fullmatch(rest)
    if found is None or not 0 < int(found["port"] or 22) < 65536:
        raise ValueError(f"{word!r} is no place to log in at")
    return user, found["six"] or found["bare"] or found["name"], int(found["port"] or 22)


class Reach(StrEnum):
    """What a probe of a port saw."""

    OPEN = "open"
    REFUSED = "refused"
    FILTERED = "filtered"


class Net(Protocol):
    """`connect` raises ConnectionRefusedError, TimeoutError or OSError, like a socket does."""

    async def connect(self, address: str, port: int, *, timeout: float = 10.0) -> socket.socket:
        """A connected non-blocking socket. `timeout` is in real seconds."""
        ...


class LiveNet:
    """The operator's own network."""

    async def connect(self, address: str, port: int, *, timeout: float = 10.0) -> socket.socket:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout):
            family, kind, proto, _, sockaddr = (
                await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM)
            )[0]
            sock = socket.socket(family, kind, proto)
            try:
                sock.setblocking(False)
                await loop.sock_connect(sock, sockaddr)
            except BaseException:
                sock.close()
                raise
            return sock


@dataclass(frozen=True, slots=True)
class GatewayNet:
    """Connections through a rehearsal's gateway, as seen from the address `source`.

    `six`: whether there is a way out over IPv6.
    """

    gateway: SocketAddress
    source: str
    six: bool = True

    async def connect(self, address: str, port: int, *, timeout: float = 10.0) -> socket.socket:
        if ":" in address and not self.six:
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            async with asyncio.timeout(timeout):
                await self._reach_gateway(sock)
                await loop.sock_sendall(sock, f"CONNECT {self.source} {address} {port}\n".encode())
                verdict = await loop.sock_recv(sock, 1)
            if verdict == b"+":
                return sock
            if verdict == b"-":
                raise ConnectionRefusedError(f"{address} port {port} refused the connection")
            if verdict == b"!":
                raise OSError(f"no route to {address}")
            raise UnreachableError("The rehearsal's network ended", next=_START_AGAIN)
        except BaseException:
            sock.close()
            raise

    async def _reach_gateway(self, sock: socket.socket) -> None:
        """A world that is gone says nothing about any host: its refusal is not theirs."""
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(sock, (self.gateway.host, self.gateway.port))
        except ConnectionError as error:
            raise UnreachableError("The rehearsal's world is gone", str(error), _START_AGAIN) from error


async def probe(net: Net, address: str, port: int, *, timeout: float = 3.0) -> Reach:
    """Open, refused or filtered. Other errors of the network count as filtered: nothing answered."""
    try:
        sock = await net.connect(address, port, timeout=timeout)
    except ConnectionRefusedError:
        return Reach.REFUSED
    except (TimeoutError, OSError):
        return Reach.FILTERED
    sock.close()
    return Reach.OPEN
