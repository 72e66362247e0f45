"""Name servers and caching resolvers of the rehearsal, each on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from wizard.config import DnsProviderName
from wizard.endpoints import Endpoints, Resolver, SocketAddress
from wizard.rehearsal.dns.cache import Cache
from wizard.rehearsal.dns.cloudflare import TOKEN, CloudflareStandin
from wizard.rehearsal.dns.state import CacheState, DnsState, Found, Row, ZoneState, find
from wizard.rehearsal.dns.update import KEY, UpdateServer
from wizard.rehearsal.fronts.vercel import VERCEL_ADDRESS

if TYPE_CHECKING:
    from aiohttp import web

    from wizard.config import Config
    from wizard.rehearsal.stage import Stage

SERVERS = {
    "hydrogen.ns.hetzner.com": "203.0.113.241",
    "oxygen.ns.hetzner.com": "203.0.113.242",
    "helium.ns.hetzner.de": "203.0.113.243",
}
OTHER_SERVERS = {
    DnsProviderName.CLOUDFLARE: {
        "ada.ns.cloudflare.com": "203.0.113.244",
        "rob.ns.cloudflare.com": "203.0.113.245",
    },
    DnsProviderName.VERCEL: {"ns1.vercel-dns.com": "203.0.113.246", "ns2.vercel-dns.com": "203.0.113.247"},
}
PLACES = (
    ("Ashburn", "US"), ("Amsterdam", "NL"), ("Berlin", "DE"), ("Bogota", "CO"), ("Cape Town", "ZA"),
    ("Chennai", "IN"), ("Dublin", "IE"), ("Frankfurt", "DE"), ("Helsinki", "FI"), ("Istanbul", "TR"),
    ("Jakarta", "ID"), ("Lagos", "NG"), ("London", "GB"), ("Madrid", "ES"), ("Milan", "IT"),
    ("Montreal", "CA"), ("Paris", "FR"), ("Prague", "CZ"), ("Santiago", "CL"), ("Sao Paulo", "BR"),
    ("Seoul", "KR"), ("Singapore", "SG"), ("Sydney", "AU"), ("Tokyo", "JP"),
)  # fmt: skip
_MANY_POOLS = 4
_QUIRKS = {4: "max_ttl", 11: "min_ttl"}
_LAG = 30.0
_RESENT_AFTER = 0.2
_LARGEST = 1232

Answer = Callable[[dns.message.Message], dns.message.Message]


def servers_of(config: Config) -> dict[str, str]:
    """Names and addresses of the servers that the zone is delegated to."""
    return OTHER_SERVERS.get(config.dns.provider, SERVERS)


class Zone:
    """The editable zone: names relative, "@" at the top, values in presentation form."""

    def __init__(self, standin: DnsStandin, state: ZoneState) -> None:
        self._standin = standin
        self._state = state

    def all(self) -> list[Row]:
        return list(self._state.rows.values())

    def get(self, name: str, kind: str) -> Row | None:
        return self._state.rows.get((name, kind))

    def put(self, name: str, kind: str, ttl: int, values: tuple[str, ...]) -> None:
        rows = {**self._state.rows, (name, kind): Row(name, kind, ttl, tuple(values))}
        self._commit(rows)

    def replace(self, rows: dict[tuple[str, str], Row]) -> None:
        """All record sets at once, as one change."""
        self._commit(rows)

    def delete(self, name: str, kind: str) -> None:
        self._commit({key: row for key, row in self._state.rows.items() if key != (name, kind)})

    def _commit(self, rows: dict[tuple[str, str], Row]) -> None:
        state = self._state
        state.past.append((self._standin.now(), state.serial, state.rows))
        state.rows, state.serial = rows, state.serial + 1


class _Udp(asyncio.DatagramProtocol):
    """Answers at once, and cuts what is too long."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        with contextlib.suppress(dns.exception.DNSException):
            wire = _respond(self._answer, data)
            if self._transport is not None:
                self._transport.sendto(wire if len(wire) <= _LARGEST else _cut(wire), addr)


class _Lost(dns.exception.DNSException):
    """A fault: the packet never arrived."""


def _respond(answer: Answer, data: bytes) -> bytes:
    return answer(dns.message.from_wire(data)).to_wire(max_size=65535)


async def _sent_again(answer: Answer, data: bytes) -> bytes:
    """Over TCP a lost packet only comes later."""
    while True:
        try:
            return _respond(answer, data)
        except _Lost:
            await asyncio.sleep(_RESENT_AFTER)


def _cut(wire: bytes) -> bytes:
    message = dns.message.from_wire(wire)
    message.answer, message.authority = [], []
    message.flags |= dns.flags.TC
    return message.to_wire()


class DnsStandin:
    """Three authoritative servers, a resolver that finds delegations, and caches all over the world."""

    def __init__(self, stage: Stage, state: DnsState) -> None:
        self.stage = stage
        self.state = state
        self.servers = servers_of(stage.config)
        self.caches = [Cache(self, cache) for cache in state.caches]
        self.addresses: dict[str, SocketAddress] = {}
        self.cloudflare: CloudflareStandin | None = None
        self._transports: list[asyncio.BaseTransport | asyncio.Server] = []

    @staticmethod
    def begin(stage: Stage) -> DnsState:
        """The zone as it stands before the move: pages at the platform, the API at the old host."""
        config, zone = stage.config, ZoneState(stage.config.dns.zone)
        state = DnsState(zones={zone.name: zone})
        rows = [Row("@", "NS", 3600, tuple(f"{name}." for name in servers_of(config)))]
        rows += [Row("@", "MX", 3600, (f"10 mail.{zone.name}.",)), Row("@", "TXT", 3600, ('"v=spf1 -all"',))]
        rows.append(Row("@", "CAA", 3600, ('0 issue "letsencrypt.org"',)))
        pages = {project.app for project in config.vercel}
        old = config.old_host.address if config.old_host else VERCEL_ADDRESS
        for app in config.apps:
            address = VERCEL_ADDRESS if app.name in pages else old
            rows += [Row(zone.relative(name), "A", config.dns.ttl, (address,)) for name in app.domains]
        zone.rows = {(row.name, row.type): row for row in rows}
        for number, (city, country) in enumerate(PLACES):
            quirk = _QUIRKS.get(number, "")
            pools = _MANY_POOLS if number == 0 else 1
            state.caches.append(CacheState(city, country, quirk, [{} for _ in range(pools)]))
        if fault := stage.faults.roll("dns", "cache.lie"):
            state.caches[7].quirk = fault
        if fault := stage.faults.roll("dns", "cache.stale"):
            state.caches[8].quirk = fault
        if stage.faults.roll("dns", "nameserver.lag"):
            state.lagging = tuple(servers_of(config).values())[-1]
        return state

    async def start(self) -> None:
        for address in self.servers.values():
            self.addresses[address] = await self._listen(f"dns.{address}", self._authority(address))
        self.addresses["root"] = await self._listen("dns.root", self._root)
        for cache in self.caches:
            name = f"dns.cache.{cache.state.name}"
            self.addresses[cache.state.name] = await self._listen(name, self._caching(cache))
        await self._start_provider()

    async def _start_provider(self) -> None:
        """Where the zone is edited, if that is nobody else's stand-in."""
        dns = self.stage.config.dns
        if dns.provider is DnsProviderName.CLOUDFLARE:
            self.cloudflare = CloudflareStandin(self)
            await self.cloudflare.start()
        if dns.provider is DnsProviderName.RFC2136:
            updates = UpdateServer(self)
            self.addresses[dns.server] = await updates.start()
            assert updates.server is not None
            self._transports.append(updates.server)

    @property
    def secrets(self) -> dict[str, str]:
        """What the operator has for the zone's provider."""
        match self.stage.config.dns.provider:
            case DnsProviderName.CLOUDFLARE:
                return {"CLOUDFLARE_TOKEN": TOKEN}
            case DnsProviderName.RFC2136:
                return {"RFC2136_KEY": KEY}
        return {}

    def maybe_lose(self, request: web.Request) -> None:
        """A fault: a change was committed, but nobody hears of it."""
        if self.stage.faults.roll("dns", "records") == "lost_answer":
            assert request.transport is not None
            request.transport.close()

    def soa_row(self, zone: str) -> Row:
        return _soa(Found((), 0, self.state.zones[zone], self.state.zones[zone].serial))

    async def settle(self) -> None:
        """Caches have been in use for long: they hold every name, at ages spread over its TTL."""
        for cache in self.caches:
            for name in self.stage.config.names:
                ages = [self.stage.random.random() for _ in cache.state.pools]
                cache.warm(name, "A", ages)

    async def stop(self) -> None:
        for transport in self._transports:
            transport.close()

    def endpoints(self, base: Endpoints) -> Endpoints:
        resolvers = tuple(
            Resolver(cache.state.name, self.addresses[cache.state.name], cache.state.region)
            for cache in self.caches
        )
        servers = {address: self.addresses[address] for address in self.servers.values()}
        primary = self.stage.config.dns.server
        if primary in self.addresses:
            servers[primary] = self.addresses[primary]
        return dataclasses.replace(
            base,
            nameservers=servers,
            root_resolver=self.addresses["root"],
            resolvers=resolvers,
            cloudflare=self.cloudflare.url if self.cloudflare else base.cloudflare,
        )

    @property
    def liars(self) -> frozenset[str]:
        """Caches that answer with an address of their own making."""
        return frozenset(cache.state.name for cache in self.caches if cache.state.quirk == "lie")

    def zone(self, name: str) -> Zone:
        return Zone(self, self.state.zones[name])

    def lookup(self, name: str, kind: str) -> list[str]:
        """The truth, aliases followed."""
        found = find(self.state.zones, name.rstrip(".").lower(), kind, self.now())
        return [value for row in found.chain if row.type == kind for value in row.values]

    def now(self) -> float:
        return self.stage.clock.now()

    def pick(self) -> str:
        """The authoritative server that a cache happens to ask."""
        return self.stage.random.choice(tuple(self.servers.values()))

    def moment_of(self, server: str) -> float:
        """As of when a server answers: one that lags serves what was."""
        return self.now() - (_LAG if server == self.state.lagging else 0.0)

    def _authority(self, server: str) -> Answer:
        def answer(query: dns.message.Message) -> dns.message.Message:
            self._maybe_lost()
            name, kind = _asked(query)
            reply = dns.message.make_response(query)
            found = find(self.state.zones, name, kind, self.moment_of(server))
            if kind == "SOA" and found.zone is not None and name == found.zone.name:
                found = dataclasses.replace(found, chain=(_soa(found),), rcode=0)
            if found.zone is None and not found.chain:
                reply.set_rcode(dns.rcode.REFUSED)
                return reply
            reply.flags |= dns.flags.AA
            _fill(reply, found.chain, found.rcode, kind, found)
            return reply

        return answer

    def _caching(self, cache: Cache) -> Answer:
        def answer(query: dns.message.Message) -> dns.message.Message:
            self._maybe_lost()
            name, kind = _asked(query)
            reply = dns.message.make_response(query)
            reply.flags |= dns.flags.RA
            chain, rcode = cache.answer(name, kind)
            _fill(reply, chain, rcode, kind, find(self.state.zones, name, kind, self.now()))
            return reply

        return answer

    def _root(self, query: dns.message.Message) -> dns.message.Message:
        """A resolver without a cache that knows the delegation and the name servers' addresses."""
        name, kind = _asked(query)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if name in self.servers:
            chain = (Row(name, "A", 3600, (self.servers[name],)),) if kind == "A" else ()
            _fill(reply, chain, 0, kind, None)
            return reply
        found = find(self.state.zones, name, kind, self.now())
        if kind == "SOA" and found.zone is not None and name == found.zone.name:
            found = dataclasses.replace(found, chain=(_soa(found),))
        _fill(reply, found.chain, found.rcode, kind, found)
        return reply

    def _maybe_lost(self) -> None:
        if self.stage.faults.roll("dns", "query"):
            raise _Lost

    async def _listen(self, name: str, answer: Answer) -> SocketAddress:
        """UDP and TCP on one port; kept over restarts where it is still free."""
        loop = asyncio.get_running_loop()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, EOFError, dns.exception.DNSException, TimeoutError):
                async with asyncio.timeout(5):
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    wire = await _sent_again(answer, await reader.readexactly(length))
                    writer.write(struct.pack("!H", len(wire)) + wire)
                    await writer.drain()
            writer.close()

        for wanted in (self.stage.ports.get(name, 0), 0, 0, 0, 0):
            try:
                server = await asyncio.start_server(talk, "127.0.0.1", wanted)
            except OSError:
                continue
            port = int(server.sockets[0].getsockname()[1])
            try:
                udp, _ = await loop.create_datagram_endpoint(
                    lambda: _Udp(answer), local_addr=("127.0.0.1", port)
                )
            except OSError:
                server.close()
                continue
            self._transports += [server, udp]
            self.stage.ports[name] = port
            return SocketAddress("127.0.0.1", port)
        raise OSError(f"no free port for {name}")


def _asked(query: dns.message.Message) -> tuple[str, str]:
    first = query.question[0]
    return first.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(first.rdtype)


def _soa(found: Found) -> Row:
    assert found.zone is not None
    name = found.zone.name
    first = found.zone.rows.get(("@", "NS"))
    primary = first.values[0] if first else f"{next(iter(SERVERS))}."
    text = f"{primary} hostmaster.{name}. {found.serial} 3600 900 1209600 {found.zone.minimum}"
    return Row(name, "SOA", found.zone.minimum, (text,))


def _fill(
    reply: dns.message.Message, chain: tuple[Row, ...], rcode: int, kind: str, found: Found | None
) -> None:
    reply.set_rcode(dns.rcode.Rcode(rcode))
    for row in chain:
        reply.answer.append(dns.rrset.from_text(f"{row.name}.", row.ttl, "IN", row.type, *row.values))
    if not any(row.type == kind for row in chain) and found is not None and found.zone is not None:
        soa = _soa(found)
        reply.authority.append(dns.rrset.from_text(f"{soa.name}.", soa.ttl, "IN", "SOA", *soa.values))
