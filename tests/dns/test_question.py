"""The DNS client against servers that answer well, late, falsely and too long."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from tests.dns.stage import dns_world
from wizard.dns.question import DnsClient
from wizard.dns.wire import asked_part, parse, question
from wizard.endpoints import SocketAddress
from wizard.errors import UnreachableError


def reply(query: bytes, address: str) -> bytes:
    """An answer with one A record."""
    asked = asked_part(query)
    head = query[:2] + struct.pack("!HHHHH", 0x8580, 1, 1, 0, 0)
    return (
        head + asked + b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes(map(int, address.split(".")))
    )


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


async def serve(answers: Callable[[bytes], list[bytes]]) -> tuple[Server, SocketAddress]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: Server(answers), local_addr=("127.0.0.1", 0)
    )
    return server, SocketAddress(*transport.get_extra_info("sockname")[:2])


async def test_forged_answers_are_dropped_and_the_true_one_counts() -> None:
    """Given answers with a wrong id and a wrong question before the true one, only that is believed."""

    def answers(query: bytes) -> list[bytes]:
        wrong_id = struct.pack("!H", (struct.unpack("!H", query[:2])[0] + 1) & 0xFFFF)
        forged = reply(query, "192.0.2.66")
        other = reply(query[:2] + question("other.test", "A")[2:], "192.0.2.66")
        return [wrong_id + forged[2:], other, query, reply(query, "192.0.2.1")]

    _, address = await serve(answers)
    client = DnsClient()

    answer = await client.ask(address, "name.test", "A")

    assert answer.values("A") == ("192.0.2.1",)
    assert client.strangers == 3
    await client.aclose()


async def test_an_answer_from_another_address_is_dropped() -> None:
    """Given an answer sent from another port than the asked one, the client waits on, then gives up."""
    deaf, address = await serve(lambda query: [])
    stranger, _ = await serve(lambda query: [])
    deaf.answers = lambda query: []
    original = deaf.datagram_received

    def elsewhere(data: bytes, addr: tuple[str, int]) -> None:
        original(data, addr)
        stranger.transport.sendto(reply(data, "192.0.2.66"), addr)

    deaf.datagram_received = elsewhere  # type: ignore[method-assign]
    client = DnsClient()

    with pytest.raises(UnreachableError):
        await client.ask(address, "name.test", "A", timeout=0.1)

    assert client.strangers == 2
    await client.aclose()


async def test_a_silent_server_is_asked_again_with_a_new_id() -> None:
    server, address = await serve(lambda query: [])
    server.answers = lambda query: [reply(query, "192.0.2.1")] if len(server.seen) == 2 else []
    client = DnsClient()

    answer = await client.ask(address, "name.test", "A", timeout=0.2)

    assert answer.values("A") == ("192.0.2.1",)
    assert server.seen[0][:2] != server.seen[1][:2]
    await client.aclose()


async def test_a_truncated_answer_is_fetched_over_tcp(tmp_path: Path) -> None:
    """Given a record set that no packet can hold, all of it arrives."""
    async with dns_world(tmp_path) as world:
        texts = tuple(f'"{number}{"x" * 200}"' for number in range(12))
        world.dns.zone("openmates.org").put("long", "TXT", 60, texts)
        client = DnsClient()

        answer = await client.ask(world.dns.addresses["Berlin"], "long.openmates.org", "TXT")

        assert len(answer.values("TXT")) == 12
        await client.aclose()


async def test_authoritative_and_negative_answers(tmp_path: Path) -> None:
    """An authoritative server sets AA, and absence says how long it may be remembered."""
    async with dns_world(tmp_path) as world:
        client = DnsClient()
        server = world.endpoints.nameserver("203.0.113.241")

        there = await client.ask(server, "openmates.org", "A", recursive=False)
        absent = await client.ask(server, "openmates.org", "AAAA", recursive=False)

        assert there.authoritative and there.values("A") == ("198.51.100.76",)
        assert absent.values("AAAA") == () and absent.negative_ttl == 300
        await client.aclose()


@pytest.mark.parametrize("cut", range(0, 40, 3))
def test_damaged_messages_are_refused(cut: int) -> None:
    from wizard.dns.wire import BadMessageError

    whole = reply(question("name.test", "A"), "192.0.2.1")

    with pytest.raises(BadMessageError):
        parse(whole[: len(whole) - 1 - cut])
