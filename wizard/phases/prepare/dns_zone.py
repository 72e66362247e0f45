"""prepare.dns_zone: the zone as it stands, who serves it, and what in it would disturb the move."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from wizard.config import Config, DnsProviderName
from wizard.dns.leftovers import Kind as LeftoverKind
from wizard.dns.leftovers import Leftover, leftovers, mail_records
from wizard.dns.records import ZoneSnapshot
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Ask, Change, Choice, Kind, Plan, Question
from wizard.engine.step import Context, Phase, Step
from wizard.errors import UnreachableError
from wizard.phases import dns01
from wizard.phases.cutover import authority
from wizard.phases.cutover.records import ZONE_STEP, ZoneRecord

BACKUP = "dns-zone.json"
_EXPORT = "dns-zone.txt"
_VERCEL_SERVERS = ".vercel-dns.com"

IN_THE_FLIP = "in-the-flip"
BY_HAND = "by-hand"
SEEN = "seen"

_OFFERS: dict[LeftoverKind, tuple[Choice, ...]] = {
    LeftoverKind.IPV6: (
        Choice(IN_THE_FLIP, "lead it to the new server once that is proven over IPv6, else take it away"),
        Choice(BY_HAND, "I change it myself; the flip refuses as long as it is there"),
    ),
    LeftoverKind.HINTS: (
        Choice(IN_THE_FLIP, "take it away together with the old address"),
        Choice(BY_HAND, "I change it myself; the flip refuses as long as it is there"),
    ),
    LeftoverKind.ALIAS: (
        Choice(IN_THE_FLIP, "replace it in the flip, without a moment in which nothing stands there"),
        Choice(BY_HAND, "I change it myself; the flip refuses as long as it is there"),
    ),
    LeftoverKind.PROXIED: (
        Choice(BY_HAND, "I switch it to plain DNS before the cutover; the flip refuses until then"),
    ),
    LeftoverKind.MAIL: (Choice(SEEN, "the domain stays at Vercel, or I copy these records first"),),
}


def question_of(leftover: Leftover) -> str:
    return f"{ZONE_STEP}/{leftover.key}"


def decided(answers: Mapping[str, str], leftover: Leftover) -> str:
    """What the operator chose; "" while nobody was asked."""
    return answers.get(question_of(leftover), "")


@dataclass(frozen=True, slots=True)
class Delegation:
    """`expected` are the provider's own name servers where it names them; `given` the ones in use."""

    given: tuple[str, ...]
    expected: tuple[str, ...]
    answering: tuple[str, ...]
    troubles: tuple[str, ...]
    signed: bool | None
    """Whether the parent says so; None when it could not be asked."""
    keys: bool

    @property
    def right(self) -> bool:
        return bool(self.given) and not self.troubles


@dataclass(frozen=True, slots=True)
class Facts:
    snapshot: ZoneSnapshot
    record: ZoneRecord | None
    names: tuple[str, ...]
    servers: tuple[str, ...]
    leftovers: tuple[Leftover, ...]
    undecided: tuple[Leftover, ...]


async def delegation(ctx: Context, snapshot: ZoneSnapshot) -> Delegation:
    """Whether the world asks the servers that the provider feeds: names and contents are compared."""
    zone = ctx.config.dns.zone
    chosen = await authority.servers(ctx)
    given = tuple(sorted({one.name for one in chosen}))
    own = snapshot.find(zone, "NS")
    expected = tuple(sorted(own.values)) if own else ()
    troubles: list[str] = []
    if expected and not set(expected) & set(given):
        troubles.append(
            f"{zone} is delegated to {', '.join(given)}, but the provider serves it from "
            f"{', '.join(expected)}: edits there would change nothing"
        )
    answering: list[str] = []
    for seen in await authority.ask_all(ctx, zone, "SOA", chosen):
        if seen.problem:
            troubles.append(f"{seen.server} does not serve {zone}: {seen.problem}")
        else:
            answering.append(seen.server)
    keys = any(seen.values for seen in await authority.ask_all(ctx, zone, "DNSKEY", chosen))
    signed = await _signed(ctx, zone)
    if signed and not keys:
        troubles.append(
            f"the parent of {zone} says that it is signed (DS), and no server has its keys (DNSKEY): "
            "validating resolvers answer SERVFAIL"
        )
    return Delegation(given, expected, tuple(dict.fromkeys(answering)), tuple(troubles), signed, keys)


async def _signed(ctx: Context, zone: str) -> bool | None:
    try:
        return bool(await dns01.resolve(ctx, zone, "DS"))
    except UnreachableError:
        return None


def leaving_vercel(config: Config, servers: Sequence[str]) -> bool:
    """Whether mail records could disappear with Vercel: the zone is there, by plan or by delegation."""
    at_vercel = config.dns.provider is DnsProviderName.VERCEL
    return at_vercel or any(name.endswith(_VERCEL_SERVERS) for name in servers)


class DnsZone(Step[Facts]):
    """prepare.dns_zone"""

    id = ZONE_STEP
    title = "Look at the DNS zone"
    phase = Phase.PREPARE
    way_back = "The zone is only read; its copy is a file in backups/."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config

    async def observe(self, ctx: Context) -> Facts:
        snapshot = await ctx.world.dns_provider.snapshot()
        servers = tuple(sorted({one.name for one in await authority.servers(ctx)}))
        found = leftovers(snapshot, self.config.names, leaving=leaving_vercel(self.config, servers))
        undecided = tuple(one for one in found if one.kind in _OFFERS and not decided(ctx.answers, one))
        record = ctx.saved.load("zone", ZoneRecord)
        return Facts(snapshot, record, self.config.names, servers, found, undecided)

    def plan(self, facts: Facts) -> Plan:
        if facts.undecided:
            one = facts.undecided[0]
            offered = _OFFERS[one.kind]
            question = Question(
                question_of(one), str(one), offered, default=offered[0].value, why="it would disturb the move"
            )
            return Plan(hold=Ask(question))
        if facts.record is not None:
            return Plan()
        change = Change(
            Kind.CREATE,
            "zone",
            f"backups/{BACKUP}",
            after=f"{len(facts.snapshot.rrsets)} record sets of {facts.snapshot.zone}",
            why="the way back needs the whole old record sets",
            payload=facts,
        )
        return Plan((change,), tuple(str(one) for one in facts.leftovers))

    async def apply(self, change: Change, ctx: Context) -> None:
        facts: Facts = change.payload
        snapshot = facts.snapshot
        rows = [asdict(one) for one in snapshot.rrsets]
        document = {"zone": snapshot.zone, "proxied": snapshot.proxied, "rrsets": rows}
        path = ctx.backup(BACKUP, json.dumps(document, indent=1))
        if snapshot.text:
            ctx.backup(_EXPORT, snapshot.text)
        moving = tuple(one for name in facts.names for one in snapshot.at(name))
        record = ZoneRecord(snapshot.zone, moving, facts.servers, path, ctx.now())
        ctx.saved.save("zone", record)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        snapshot = await ctx.world.dns_provider.snapshot()
        record = ctx.saved.load("zone", ZoneRecord)
        found = await delegation(ctx, snapshot)
        return [
            _stored(ctx, record),
            *delegation_checks(ctx, found),
            await caa_check(ctx),
            self._leftovers(ctx, snapshot, found.given),
            await self._mail(ctx, snapshot),
        ]

    def _leftovers(self, ctx: Context, snapshot: ZoneSnapshot, servers: Sequence[str]) -> Check:
        found = leftovers(snapshot, self.config.names, leaving=leaving_vercel(self.config, servers))
        open_ones = [one for one in found if one.kind in _OFFERS and not decided(ctx.answers, one)]
        told = [f"{one} → {decided(ctx.answers, one) or 'in the move'}" for one in found]
        return check(
            "leftovers",
            "everything beside the addresses that would disturb the move is decided",
            not open_ones,
            seen="; ".join(told) or f"nothing beside the addresses of {', '.join(self.config.names)}",
            vantage=f"{ctx.world.dns_provider.name} zone",
            at=ctx.now(),
            advice="Run prepare.dns_zone again: it asks what to do with each of them.",
        )

    async def _mail(self, ctx: Context, snapshot: ZoneSnapshot) -> Check:
        """A mail record that the world sees and the provider lacks would vanish with a new delegation."""
        zone, lost = snapshot.zone, []
        for kind in ("MX", "TXT"):
            own = snapshot.find(zone, kind)
            for seen in await authority.ask_all(ctx, zone, kind):
                missing = set(seen.values) - set(own.values if own else ())
                lost += [f"{kind} {value} at {seen.server}" for value in sorted(missing)]
        kept = ", ".join(f"{one.name} {one.type}" for one in mail_records(snapshot))
        return check(
            "mail",
            "no mail record would be lost in the move",
            not lost,
            seen=f"not in the zone: {'; '.join(lost)}" if lost else f"kept: {kept or 'the zone has no mail'}",
            vantage="authoritative name servers",
            at=ctx.now(),
            advice="Copy these records into the zone before it takes over.",
        )


def _stored(ctx: Context, record: ZoneRecord | None) -> Check:
    text = ctx.kept(BACKUP)
    count = len(json.loads(text)["rrsets"]) if text else 0
    return check(
        "stored",
        "the whole zone is stored as it was",
        record is not None and count > 0,
        seen=f"{count} record sets in {record.backup}" if record else "no copy yet",
        vantage="backups",
        at=ctx.now(),
        advice="Run prepare.dns_zone again.",
    )


def delegation_checks(ctx: Context, found: Delegation) -> list[Check]:
    """Who serves the zone, and whether its signatures can be followed."""
    dnssec = [trouble for trouble in found.troubles if "(DS)" in trouble]
    others = [trouble for trouble in found.troubles if trouble not in dnssec]
    delegated = check(
        "delegated",
        f"{ctx.config.dns.zone} is delegated to the servers that the provider feeds",
        bool(found.given) and not others,
        seen="; ".join(others) or f"{', '.join(found.answering)} answer for it",
        vantage="parent zone and authoritative name servers",
        at=ctx.now(),
        advice="Correct the name servers at the registrar, or set dns.provider to where the zone is.",
    )
    return [delegated, _dnssec(ctx, found, dnssec)]


def _dnssec(ctx: Context, found: Delegation, troubles: Sequence[str]) -> Check:
    question, vantage = "resolvers that validate can follow the zone", "parent zone"
    if found.signed is None:
        evidence = Evidence("the parent zone could not be asked for DS", vantage, ctx.now())
        return Check("dnssec", question, CheckState.UNKNOWN, evidence, "Run again with a working resolver.")
    state = "signed, with keys" if found.signed and found.keys else "not signed"
    return check(
        "dnssec",
        question,
        not troubles,
        seen="; ".join(troubles) or state,
        vantage=vantage,
        at=ctx.now(),
        advice="Remove the DS record at the registrar and wait its TTL, or sign the zone.",
    )


async def caa_check(ctx: Context) -> Check:
    """Whether the certificate authority may certify every name that moves."""
    names = ctx.config.names
    bad = await dns01.forbidden(ctx, names)
    return check(
        "caa",
        f"{dns01.IDENTITY} may certify every name",
        not bad,
        seen="; ".join(bad) or f"no CAA record forbids {', '.join(names)}",
        vantage="authoritative name servers",
        at=ctx.now(),
        advice=f'Add a CAA record: 0 issue "{dns01.IDENTITY}".',
    )
