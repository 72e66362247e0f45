"""What certificates need of DNS: proofs published and seen by every authoritative server, CAA, addresses.

Only authoritative servers are asked: a caching resolver that is asked too early remembers that there is
nothing (for as long as the zone's SOA says), and no resolver should be warmed before the flip.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from wizard.config import DnsProviderName
from wizard.engine.step import Context
from wizard.errors import UnreachableError

if TYPE_CHECKING:
    from wizard.clients.acme import TxtRecord
    from wizard.endpoints import SocketAddress

IDENTITY = "letsencrypt.org"
_TIMEOUT = 2.0
_TRIES = 3
_SEEN_WITHIN = 600.0
_ASK_AGAIN = 3.0
_CHAIN = 8


@dataclass(frozen=True, slots=True)
class Ability:
    """Whether proofs can be published, and why not."""

    possible: bool
    why: str = ""


class TxtProvider(Protocol):
    """The part of a DNS provider that proofs need. Both are idempotent."""

    async def set_txt(self, name: str, values: Sequence[str]) -> None: ...

    async def remove_txt(self, name: str) -> None: ...


def _provider(ctx: Context) -> TxtProvider:
    return cast("TxtProvider", ctx.world.dns_provider)


async def ability(ctx: Context) -> Ability:
    """Everything but a zone that is edited by hand can hold proofs."""
    if ctx.config.dns.provider is DnsProviderName.MANUAL:
        return Ability(False, "the zone is edited by hand, so its records cannot be set in time")
    return Ability(True)


async def publish(ctx: Context, records: Sequence[TxtRecord]) -> None:
    """Set the proofs and return when every authoritative server shows all of them.

    Raises UnreachableError when one of them does not within ten minutes of the world's time.
    """
    for record in records:
        await _provider(ctx).set_txt(record.name, record.values)
    servers = await authoritative(ctx)
    deadline = ctx.now() + _SEEN_WITHIN
    waiting = [(server, record) for server in servers for record in records]
    while waiting:
        seen = await asyncio.gather(
            *(ask(server, record.name, "TXT") for server, record in waiting), return_exceptions=True
        )
        waiting = [
            pair
            for pair, found in zip(waiting, seen, strict=True)
            if isinstance(found, BaseException) or not set(pair[1].values) <= set(found)
        ]
        if waiting and ctx.now() > deadline:
            server, record = waiting[0]
            raise UnreachableError(
                f"{record.name} is not seen on every authoritative name server",
                f"{len(waiting)} answers are missing, among them that of {server}",
                "Run the step again: the order is kept and goes on.",
            )
        if waiting:
            await ctx.world.clock.sleep(_ASK_AGAIN)


async def remove(ctx: Context, records: Sequence[TxtRecord]) -> None:
    """Take the proofs away; they are of no use once the authority has looked."""
    for record in records:
        await _provider(ctx).remove_txt(record.name)


async def forbidden(ctx: Context, names: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each name that a CAA record keeps Let's Encrypt from certifying (RFC 8659)."""
    servers = await authoritative(ctx)
    found: list[str] = []
    for name in names:
        labels = name.removeprefix("*.").split(".")
        zone = len(ctx.config.dns.zone.split("."))
        for cut in range(max(1, len(labels) - zone + 1)):
            parent = ".".join(labels[cut:])
            records = await _first(servers, parent, "CAA")
            if records:
                issuers = allowed_issuers(records, wildcard=name.startswith("*."))
                if issuers is not None and IDENTITY not in issuers:
                    found.append(
                        f"The CAA record of {parent} allows {', '.join(sorted(issuers)) or 'nobody'} only, "
                        f"so {IDENTITY} must not certify {name}"
                    )
                break
    return tuple(found)


def allowed_issuers(records: Sequence[str], *, wildcard: bool) -> frozenset[str] | None:
    """Who may issue by a set of CAA records in text form; None when the set does not limit it. Pure."""
    issuers: dict[str, set[str]] = {"issue": set(), "issuewild": set()}
    present: set[str] = set()
    for record in records:
        _, tag, value = record.split(None, 2)
        tag = tag.lower()
        if tag in issuers:
            present.add(tag)
            issuer = value.strip().strip('"').partition(";")[0].strip().lower()
            issuers[tag] |= {issuer} - {""}
    deciding = "issuewild" if wildcard and "issuewild" in present else "issue"
    return frozenset(issuers[deciding]) if deciding in present else None


async def addresses(ctx: Context, name: str) -> tuple[str, ...]:
    """IPv4 addresses of a name of our zone by the authoritative records; aliases in it are followed."""
    servers = await authoritative(ctx)
    for _ in range(_CHAIN):
        found = await _first(servers, name, "A")
        if found:
            return tuple(found)
        alias = await _first(servers, name, "CNAME")
        if not alias:
            return ()
        name = alias[0].rstrip(".")
        if not f".{name}".endswith(f".{ctx.config.dns.zone}"):
            return await _elsewhere(ctx, name)
    return ()


async def _elsewhere(ctx: Context, name: str) -> tuple[str, ...]:
    """A name of somebody else's zone (a platform's edge): nothing of ours is cached by asking."""
    answer = await resolve(ctx, name, "A")
    return tuple(answer)


async def authoritative(ctx: Context) -> tuple[SocketAddress, ...]:
    """Where the zone's own name servers are asked. Raises UnreachableError when none is known."""
    names = await resolve(ctx, ctx.config.dns.zone, "NS")
    groups = await asyncio.gather(*(resolve(ctx, name.rstrip("."), "A") for name in names))
    found = dict.fromkeys(ctx.world.endpoints.nameserver(one) for group in groups for one in group)
    if not found:
        raise UnreachableError(
            f"The name servers of {ctx.config.dns.zone} are not known",
            "no answer names them",
            "Look at the delegation of the zone.",
        )
    return tuple(found)


async def resolve(ctx: Context, name: str, kind: str) -> list[str]:
    """Through the resolver that finds delegations; never used for a name that is being made."""
    resolver = ctx.world.endpoints.root_resolver
    if resolver is not None:
        return await ask(resolver, name, kind, recursive=True)
    import dns.asyncresolver
    import dns.exception

    try:
        answer = await dns.asyncresolver.resolve(name, kind, raise_on_no_answer=False)
    except dns.exception.DNSException:
        return []
    return [str(item) for item in answer.rrset or ()]


async def _first(servers: Sequence[SocketAddress], name: str, kind: str) -> list[str]:
    """The answer of the first server that gives one. Raises UnreachableError when none does."""
    for server in servers:
        try:
            return await ask(server, name, kind)
        except UnreachableError:
            continue
    raise UnreachableError(
        f"No authoritative name server answers for {name}",
        f"{len(servers)} were asked for {kind}",
        "Check the network: UDP port 53 must be open from here.",
    )


async def ask(server: SocketAddress, name: str, kind: str, *, recursive: bool = False) -> list[str]:
    """The values of one record set, without quotes; empty when there are none."""
    import dns.asyncquery
    import dns.exception
    import dns.flags
    import dns.message
    import dns.rcode
    import dns.rdatatype

    query = dns.message.make_query(name, kind)
    if not recursive:
        query.flags &= ~dns.flags.RD
    for _ in range(_TRIES):
        try:
            answer, _ = await dns.asyncquery.udp_with_fallback(
                query, server.host, timeout=_TIMEOUT, port=server.port
            )
        except (dns.exception.DNSException, OSError):
            continue
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            continue
        wanted = dns.rdatatype.from_text(kind)
        sets = [item for item in answer.answer if item.rdtype == wanted]
        return [_text(value, kind) for item in sets for value in item]
    raise UnreachableError(f"{server} does not answer for {name}")


def _text(value: object, kind: str) -> str:
    if kind == "TXT":
        parts: tuple[bytes, ...] = getattr(value, "strings", ())
        return b"".join(parts).decode("ascii", "replace")
    return str(value)
