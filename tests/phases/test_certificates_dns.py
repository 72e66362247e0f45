"""Proofs are published and awaited on every authoritative server, over real UDP, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from tests.clients.test_acme import MemorySecrets
from tests.phases.context import Bench
from tests.rehearsal.small_stage import example
from wizard.clients.acme import TxtRecord
from wizard.endpoints import Endpoints, SocketAddress
from wizard.errors import UnreachableError
from wizard.phases import dns01
from wizard.world import World

PROOF = TxtRecord("_acme-challenge.shop.example", ("one", "two"))
Records = dict[tuple[str, str], tuple[str, ...]]


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """Answers from `records`; `lag` hides new ones for that many questions."""

    records: Records
    lag: int = 0
    asked: list[tuple[str, str, bool]] = field(default_factory=list)
    port: int = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, source: Any) -> None:
        query = dns.message.from_wire(data)
        name, kind = query.question[0].name.to_text(True), dns.rdatatype.to_text(query.question[0].rdtype)
        self.asked.append((name, kind, bool(query.flags & dns.flags.RD)))
        answer = dns.message.make_response(query)
        values = self.records.get((name, kind), ())
        if kind == "TXT" and self.lag > 0:
            self.lag -= 1
            values = values[:1]
        if values:
            answer.answer = [dns.rrset.from_text(f"{name}.", 60, "IN", kind, *values)]
        self.transport.sendto(answer.to_wire(), source)


class Hurried:
    """The Clock protocol without waiting."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)

    async def wait_until(self, moment: float) -> None:
        self.time = max(self.time, moment)

    def real(self, seconds: float) -> float:
        return seconds


class Provider:
    def __init__(self, records: Records) -> None:
        self.records = records

    async def set_txt(self, name: str, values: Sequence[str]) -> None:
        self.records[(name, "TXT")] = tuple(values)

    async def remove_txt(self, name: str) -> None:
        self.records.pop((name, "TXT"), None)


@dataclass
class Scene:
    records: Records
    servers: list[NameServer]
    resolver: NameServer
    bench: Bench

    @property
    def ctx(self) -> Any:
        return self.bench.context("cutover.certificates")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    loop = asyncio.get_running_loop()
    records: Records = {}
    delegation: Records = {
        ("shop.example", "NS"): ("ns1.host.example.", "ns2.host.example."),
        ("ns1.host.example", "A"): ("203.0.113.51",),
        ("ns2.host.example", "A"): ("203.0.113.52",),
        ("edge.other.example", "A"): ("203.0.113.9",),
    }
    opened = [
        await loop.create_datagram_endpoint(lambda each=each: NameServer(each), local_addr=("127.0.0.1", 0))
        for each in (records, records, delegation)
    ]
    first, second, resolver = (protocol for _, protocol in opened)
    endpoints = Endpoints(
        nameservers={
            "203.0.113.51": SocketAddress("127.0.0.1", first.port),
            "203.0.113.52": SocketAddress("127.0.0.1", second.port),
        },
        root_resolver=SocketAddress("127.0.0.1", resolver.port),
    )
    world: Any = World(example(), MemorySecrets(), endpoints, Hurried())
    world.dns_provider = Provider(records)
    bench = Bench(world, tmp_path)
    yield Scene(records, [first, second], resolver, bench)
    bench.close()
    for transport, _ in opened:
        transport.close()


async def test_publishing_ends_when_the_last_server_shows_every_value(scene: Scene) -> None:
    scene.servers[1].lag = 3

    await dns01.publish(scene.ctx, [PROOF])

    questions = [len([one for one in server.asked if one[1] == "TXT"]) for server in scene.servers]
    assert questions == [1, 4], "a server that shows it is not asked again"


async def test_no_caching_resolver_is_asked_for_a_proof(scene: Scene) -> None:
    await dns01.publish(scene.ctx, [PROOF])
    await dns01.remove(scene.ctx, [PROOF])

    assert not [one for one in scene.resolver.asked if one[0].startswith("_acme-challenge")]
    assert not any(recursion for server in scene.servers for _, _, recursion in server.asked)
    assert scene.records == {}


async def test_a_server_that_never_shows_it_is_named_after_ten_minutes(scene: Scene) -> None:
    scene.servers[0].lag = 10**6

    with pytest.raises(UnreachableError, match="not seen on every") as caught:
        await dns01.publish(scene.ctx, [PROOF])

    assert str(scene.servers[0].port) in caught.value.why


async def test_caa_of_the_closest_parent_decides(scene: Scene) -> None:
    names = ("shop.example", "api.shop.example")
    free = await dns01.forbidden(scene.ctx, names)
    scene.records[("shop.example", "CAA")] = ('0 issue "other.example"', '0 iodef "mailto:a@b.example"')
    both = await dns01.forbidden(scene.ctx, names)
    scene.records[("api.shop.example", "CAA")] = ('0 issue "letsencrypt.org; validationmethods=dns-01"',)
    one = await dns01.forbidden(scene.ctx, names)

    assert (len(free), len(both), len(one)) == (0, 2, 1)
    assert "other.example" in one[0] and one[0].endswith("shop.example")


@pytest.mark.parametrize(
    ("records", "wildcard", "issuers"),
    [
        (['0 iodef "mailto:a@b.example"'], False, None),
        (['0 issue ";"'], False, frozenset()),
        (['0 issue "a.example"', '0 issuewild "b.example"'], True, frozenset({"b.example"})),
        (['0 issue "a.example"', '0 issuewild "b.example"'], False, frozenset({"a.example"})),
        (['128 ISSUE "A.example"'], True, frozenset({"a.example"})),
    ],
)
def test_who_may_issue(records: list[str], wildcard: bool, issuers: frozenset[str] | None) -> None:
    assert dns01.allowed_issuers(records, wildcard=wildcard) == issuers


async def test_addresses_follow_aliases_in_the_zone_and_out_of_it(scene: Scene) -> None:
    scene.records[("www.shop.example", "CNAME")] = ("shop.example.",)
    scene.records[("shop.example", "A")] = ("198.51.100.76",)
    scene.records[("docs.shop.example", "CNAME")] = ("edge.other.example.",)

    assert await dns01.addresses(scene.ctx, "www.shop.example") == ("198.51.100.76",)
    assert await dns01.addresses(scene.ctx, "docs.shop.example") == ("203.0.113.9",)
    assert await dns01.addresses(scene.ctx, "none.shop.example") == ()
