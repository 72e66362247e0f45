"""Which servers are authoritative for a zone, and at which addresses: found by the delegation."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wizard.dns.question import DnsClient
from wizard.dns.wire import BadMessageError, Rcode, Reply
from wizard.endpoints import Endpoints, SocketAddress
from wizard.errors import UnreachableError

_RESOLV_CONF = Path("/etc/resolv.conf")
_ELSEWHERE = "2001:4860:4860::8888"


@dataclass(frozen=True, slots=True)
class AuthoritativeServer:
    """One address of a name server of `zone`; `at` is where it is really asked."""

    name: str
    address: str
    at: SocketAddress
    zone: str


def system_resolvers(path: Path = _RESOLV_CONF) -> tuple[SocketAddress, ...]:
    """The resolvers that this machine uses; none where that cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    words = (line.split() for line in lines)
    hosts = (word[1] for word in words if len(word) > 1 and word[0] == "nameserver")
    return tuple(dict.fromkeys(SocketAddress(host, 53) for host in hosts if "%" not in host))


def has_ipv6() -> bool:
    """Whether this machine has a way out over IPv6. Sends nothing."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.connect((_ELSEWHERE, 53))
            return True
    except OSError:
        return False


def is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return True


def finders(endpoints: Endpoints) -> tuple[SocketAddress, ...]:
    """Resolvers to find delegations with; they are never asked for a name that moves."""
    if endpoints.root_resolver is not None:
        return (endpoints.root_resolver,)
    return system_resolvers()


async def _found(client: DnsClient, by: Sequence[SocketAddress], name: str, kind: str) -> Reply | None:
    for resolver in by:
        try:
            reply = await client.ask(resolver, name, kind)
        except (UnreachableError, BadMessageError):
            continue
        if reply.rcode in (Rcode.NOERROR, Rcode.NXDOMAIN):
            return reply
    return None


async def servers_of(client: DnsClient, endpoints: Endpoints, zone: str) -> tuple[AuthoritativeServer, ...]:
    """Every address of every name server of `zone`, IPv6 where this machine has it; none when unknown."""
    by = finders(endpoints)
    reply = await _found(client, by, zone, "NS")
    names = reply.values("NS") if reply else ()
    kinds = ("A", "AAAA") if has_ipv6() or endpoints.nameservers else ("A",)
    pairs = [(name, kind) for name in names for kind in kinds]
    replies = await asyncio.gather(*(_found(client, by, name, kind) for name, kind in pairs))
    return tuple(
        AuthoritativeServer(name, address, endpoints.nameserver(address), zone)
        for (name, kind), answer in zip(pairs, replies, strict=True)
        if answer is not None
        for address in answer.values(kind)
    )


async def zone_of(client: DnsClient, endpoints: Endpoints, name: str) -> str:
    """The zone that `name` lies in; "" when unknown.

    Found from the parent down: a resolver that is asked for a name that isn't there yet remembers that.
    """
    parent = name.partition(".")[2]
    while parent:
        zone = await _apex(client, endpoints, parent)
        if zone:
            return name if await _delegated(client, endpoints, zone, name) else zone
        parent = parent.partition(".")[2]
    return await _apex(client, endpoints, name)


async def _apex(client: DnsClient, endpoints: Endpoints, name: str) -> str:
    reply = await _found(client, finders(endpoints), name, "SOA")
    records = (*reply.answers, *reply.authority) if reply else ()
    return next((record.name for record in records if record.type == "SOA" and record.name), "")


async def _delegated(client: DnsClient, endpoints: Endpoints, zone: str, name: str) -> bool:
    """Whether the servers of `zone` send those who ask for `name` elsewhere."""
    for server in await servers_of(client, endpoints, zone):
        try:
            reply = await client.ask(server.at, name, "NS", recursive=False)
        except UnreachableError:
            continue
        return any(
            record.type == "NS" and record.name == name for record in (*reply.answers, *reply.authority)
        )
    return False


def given(addresses: Sequence[SocketAddress], zone: str) -> tuple[AuthoritativeServer, ...]:
    """Servers that somebody named by their addresses."""
    return tuple(AuthoritativeServer(str(one), one.host, one, zone) for one in addresses)
