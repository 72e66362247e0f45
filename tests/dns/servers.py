"""Small servers that answer what a test wants."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import cast

from wizard.dns.wire import asked_part
from wizard.endpoints import SocketAddress


def reply(query: bytes, address: str, *, ttl: int = 60, authoritative: bool = False) -> bytes:
    """An answer with one A record."""
    asked = asked_part(query)
    head = query[:2] + struct.pack("!HHHHH", 0x8580 if authoritative else 0x8180, 1, 1, 0, 0)
    record = struct.pack("!HHIH", 1, 1, ttl, 4) + bytes(map(int, address.split(".")))
    return head + asked + b"\xc0\x0c" + record


class Server(asyncio.DatagramProtocol):
    """Sends what `answers` makes of a query."""

    def __init__(self, answers: Callable[[bytes], list[bytes]]) -> None:
        self.answers = answers
        self.seen: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.seen.append(data)
        for answer in self.answers(data):
            self.transport.sendto(answer, addr)


async def serve(
    answers: Callable[[bytes], list[bytes]], host: str = "127.0.0.1"
) -> tuple[Server, SocketAddress]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: Server(answers), local_addr=(host, 0))
    return server, SocketAddress(*transport.get_extra_info("sockname")[:2])
