"""The DNS client against servers that answer well, late, falsely and too long."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

import pytest

from tests.dns.servers import reply, serve
from tests.dns.stage import dns_world
from wizard.dns.question import DnsClient
from wizard.dns.wire import parse, question
from wizard.endpoints import SocketAddress
from wizard.errors import UnreachableError


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


@pytest.mark.parametrize("spelling", ["::1", "0:0:0:0:0:0:0:1"])
async def test_an_ipv6_server_is_known_again_however_its_address_was_written(spelling: str) -> None:
    try:
        _, address = await serve(lambda query: [reply(query, "192.0.2.1")], "::1")
    except OSError as error:
        pytest.skip(f"no IPv6 on loopback: {error}")
    client = DnsClient()

    answer = await client.ask(SocketAddress(spelling, address.port), "name.test", "A")

    assert answer.values("A") == ("192.0.2.1",) and client.strangers == 0
    await client.aclose()


async def test_a_silent_server_is_asked_again_with_a_new_id() -> None:
    server, address = await serve(lambda query: [])
    server.answers = lambda query: [reply(query, "192.0.2.1")] if len(server.seen) == 2 else []
    client = DnsClient()

    answer = await client.ask(address, "name.test", "A", timeout=0.6)

    assert answer.values("A") == ("192.0.2.1",)
    assert server.seen[0][:2] != server.seen[1][:2]
    await client.aclose()


async def test_a_late_answer_is_dropped_and_disturbs_nothing() -> None:
    """Given an answer that comes after its time, the next question gets its own answer, not that one."""
    held: list[bytes] = []

    def answers(query: bytes) -> list[bytes]:
        held.append(query)
        return [reply(query, "192.0.2.2"), reply(held[0], "192.0.2.66")] if len(held) == 2 else []

    _, address = await serve(answers)
    client = DnsClient()

    answer = await client.ask(address, "name.test", "A", timeout=0.6)
    while not client.strangers:
        await asyncio.sleep(0)

    assert answer.values("A") == ("192.0.2.2",)
    await client.aclose()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_thousand_servers_are_asked_by_two_sockets_at_most() -> None:
    """Given a thousand addresses at once, none is lost and no socket is opened for each of them."""
    transport_of: list[SocketAddress] = []
    for _ in range(1000):
        transport_of.append((await serve(lambda query: [reply(query, "192.0.2.1")]))[1])
    client = DnsClient()
    before = open_files()

    asked = asyncio.gather(*(client.ask(at, "name.test", "A", timeout=60) for at in transport_of))
    await asyncio.sleep(0)
    during = open_files()
    answers = await asked

    assert all(answer.values("A") == ("192.0.2.1",) for answer in answers)
    assert during <= before + 2
    assert client.sent == 1000
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
