"""Which resolvers are asked: the packaged list, files, addresses; and the test that they have to pass."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.dns.servers import reply, serve
from wizard.clock import LiveClock
from wizard.dns import selftest
from wizard.dns.asking import Asker
from wizard.dns.question import DnsClient
from wizard.dns.resolvers import Vantage, from_file, given, packaged, parse, socket_address
from wizard.dns.selftest import self_test
from wizard.dns.wire import asked_part
from wizard.endpoints import SocketAddress
from wizard.errors import UsageError


class QuickClock(LiveClock):
    """Real time whose time-outs are short."""

    def real(self, seconds: float) -> float:
        return seconds / 20


def test_the_packaged_list_is_as_large_as_promised() -> None:
    """At least fifty operators' addresses over IPv4, some over IPv6, some by HTTPS, all rows distinct."""
    found = packaged()

    four = [one for one in found if ":" not in one.address.host]
    assert len(four) >= 50
    assert len({(one.address, one.over_https) for one in found}) == len(found)
    assert len({one.name for one in found}) == len(found)
    assert sum(":" in one.address.host for one in found) >= 10
    assert sum(bool(one.doh) for one in found) >= 30
    assert all(one.doh.startswith("https://") for one in found if one.over_https)
    assert len({one.place for one in found}) >= 20


def test_a_file_of_addresses_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("# ours\n192.0.2.53 office in Berlin\n[2001:db8::53]:5353\n\n192.0.2.54:5300 # lab\n")

    found = from_file(file)

    assert [(one.name, str(one.address)) for one in found] == [
        ("office in Berlin", "192.0.2.53:53"),
        ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
        ("192.0.2.54:5300", "192.0.2.54:5300"),
    ]


def test_a_file_in_the_packaged_form_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[[resolvers]]\nname = "Mine"\nipv4 = ["192.0.2.1", "192.0.2.2"]\nplace = "DE"\n')

    assert [one.name for one in from_file(file)] == ["Mine", "Mine 2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[resolvers]]\nname = "x"\nipv4 = ["nonsense"]', "nonsense"),
        ('[[resolvers]]\nname = "x"\nipv5 = ["192.0.2.1"]', "ipv5"),
        ('[[resolvers]]\nipv4 = ["192.0.2.1"]', "name"),
        ('[[resolvers]]\nname = "x"\nipv4 = ["192.0.2.1"]\nplain = false', "doh"),
        ("[[resolvers]", "resolvers"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, "mine.toml")

    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "name.test", "192.0.2.1:0", "192.0.2.1:99999", "[2001:db8::1", "1.2.3"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        socket_address(text)


def refuse(query: bytes) -> list[bytes]:
    return [query[:2] + struct.pack("!HHHHH", 0x8185, 1, 0, 0, 0) + asked_part(query)]


async def test_listed_resolvers_that_do_not_answer_are_dropped_and_named_ones_stay() -> None:
    """Given one that answers, one that refuses, one that is silent, only the first of the listed is kept."""
    _, good = await serve(lambda query: [reply(query, "192.0.2.1")])
    _, refusing = await serve(refuse)
    _, silent = await serve(lambda query: [])
    listed = [Vantage(name, at) for name, at in (("good", good), ("no", refusing), ("deaf", silent))]
    named = given(str(silent))
    client, clock = DnsClient(), QuickClock()

    tested = await self_test(Asker(client, clock), [*listed, named], clock)

    assert [one.name for one in tested.kept] == ["good", str(silent)]
    assert {one.name for one in tested.dropped} == {"no", "deaf"}
    assert not tested.intercepted
    assert any("2 of 4" in note for note in tested.notes)
    await client.aclose()


async def test_interception_of_port_53_is_told_and_https_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an answer from an address where nobody is, port 53 is not believed: HTTPS, or left out."""
    canary, at = await serve(lambda query: [reply(query, "192.0.2.1")])
    monkeypatch.setattr(selftest, "NOBODY", at)
    asked: list[Vantage] = []

    async def answers(asker: Asker, way: Vantage, clock: object) -> bool:
        asked.append(way)
        return False

    monkeypatch.setattr(selftest, "_answers", answers)
    client, clock = DnsClient(), QuickClock()
    listed = [
        Vantage("with", SocketAddress("8.8.8.8", 53), doh="https://dns.google/dns-query"),
        Vantage("without", SocketAddress("4.2.2.2", 53)),
    ]

    tested = await self_test(Asker(client, clock), listed, clock)

    assert canary.seen
    assert tested.intercepted
    assert [(one.name, one.over_https) for one in tested.kept] == [("with", True)]
    assert all(one.over_https for one in asked)
    assert any("intercepted" in note for note in tested.notes)
    await client.aclose()


async def test_without_public_addresses_no_canary_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    canary, at = await serve(lambda query: [])
    monkeypatch.setattr(selftest, "NOBODY", at)
    _, good = await serve(lambda query: [reply(query, "192.0.2.1")])
    client, clock = DnsClient(), QuickClock()

    await self_test(Asker(client, clock), [Vantage("good", good)], clock)

    assert canary.seen == []
    await client.aclose()


async def test_several_caches_behind_an_address_show_before_the_watch() -> None:
    """Given answers to a well-known name with ends far apart, the address is known to have several caches."""
    ttls = iter((60, 20, 41))

    def answers(query: bytes) -> list[bytes]:
        whole = reply(query, "192.0.2.1")
        return [whole[:-10] + struct.pack("!I", next(ttls)) + whole[-6:]]

    _, at = await serve(answers)
    client, clock = DnsClient(), QuickClock()

    tested = await self_test(Asker(client, clock), [Vantage("many", at, anycast=True)], clock)

    assert tested.kept[0].anycast
    await client.aclose()
