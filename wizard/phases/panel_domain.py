"""A panel's own domain, if the configuration wishes one: its record, its route, its certificate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.config import DnsProviderName, Server
from wizard.engine.check import Check, CheckState, Evidence
from wizard.engine.plan import Ask, Change, Choice, Failed, Kind, Plan, Question, Refusal, Wait
from wizard.engine.step import Context
from wizard.errors import UnreachableError
from wizard.phases import dns01
from wizard.phases.hosts import server_record
from wizard.phases.panels import panel

if TYPE_CHECKING:
    from wizard.dns.records import ChangeSet

_TTL = 300
_SEEN_WITHIN = 600.0
_CERTIFICATE_WITHIN = 300.0
_ASK_AGAIN = 5.0
_BY_HAND_AGAIN = 60.0


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """`assigned` is the name that the panel answers to now, "" for none or if it can't be asked yet.

    `by_hand`: we can't set records of this name; `told`: the operator says that it is set.
    """

    address: str
    addresses: tuple[str, ...]
    assigned: str
    by_hand: bool
    told: bool
    now: float


@dataclass(frozen=True, slots=True)
class DomainRecord:
    """Record "domain": what it was before, and whether the DNS record is ours. `at`: when it was assigned."""

    before: str
    made_record: bool
    at: float = 0.0


async def look(ctx: Context, server: Server, provider: DnsProviderName, *, key: bool) -> DomainFacts | None:
    """None when no domain is wished. `key`: the panel can be asked for what it answers to now."""
    if not server.panel_domain:
        return None
    settings = await (await panel(ctx, server.name)).get("settings.getWebServerSettings") if key else {}
    by_hand = provider is DnsProviderName.MANUAL or not server.panel_domain.endswith(
        f".{ctx.config.dns.zone}"
    )
    return DomainFacts(
        server_record(ctx, server.name).ipv4,
        await dns01.addresses(ctx, server.panel_domain),
        str((settings or {}).get("host") or ""),
        by_hand,
        ctx.answers.get(_question_id(server)) == "added",
        ctx.now(),
    )


def _question_id(server: Server) -> str:
    return f"provision.{server.name}.account/record"


def plan(server: Server, facts: DomainFacts, before: tuple[Change, ...]) -> Plan:
    """Adds to `before` what the domain needs. Pure."""
    name, leads = server.panel_domain, facts.addresses == (facts.address,)
    if facts.assigned == name and leads:
        return Plan(before)
    if facts.addresses and not leads:
        why = f"{name} leads to {', '.join(facts.addresses)}, not to {server.name} ({facts.address})"
        ways = ("Remove that record if nothing needs it, or choose another panel_domain, then run again.",)
        return Plan(hold=Failed(why, ways, Refusal.NOT_OURS))
    if not leads and facts.by_hand and facts.told:
        return Plan(hold=Wait(facts.now + _BY_HAND_AGAIN, f"{name} does not lead to {facts.address} yet"))
    if not leads and facts.by_hand:
        question = Question(
            _question_id(server),
            f"Add this record to the zone: {name} A {facts.address}",
            choices=(Choice("added", "It is added"),),
            why=f"the panel of {server.name} shall answer there, and the zone is edited by hand",
        )
        return Plan(hold=Ask(question))
    changes = list(before)
    if not leads:
        changes.append(
            Change(
                Kind.CREATE,
                "domain.record",
                f"DNS record {name} A",
                before="absent",
                after=facts.address,
                way_back="taken away again",
            )
        )
    if facts.assigned != name:
        changes.append(
            Change(
                Kind.UPDATE,
                "domain.assign",
                f"domain of the panel of {server.name}",
                before=facts.assigned or "none",
                after=f"https://{name}",
                why="its certificate is ordered by the proxy at once, so the record comes first",
                way_back="taken off again",
            )
        )
    return Plan(tuple(changes))


async def apply(ctx: Context, server: Server, email: str, change: Change) -> None:
    known = ctx.saved.load("domain", DomainRecord) or DomainRecord("", False)
    match change.key:
        case "domain.record":
            ctx.saved.save("domain", DomainRecord(known.before, True, known.at))
            await ctx.world.dns_provider.apply(_record(ctx, server))
            await _seen(ctx, server)
        case "domain.assign":
            before = "" if change.before == "none" else change.before
            ctx.saved.save("domain", DomainRecord(before, known.made_record, ctx.now()))
            await _assign(ctx, server, email, server.panel_domain)
        case "domain.unassign":
            await _assign(ctx, server, email, known.before)
            ctx.saved.save("domain", DomainRecord(known.before, known.made_record))
        case "domain.unrecord":
            await ctx.world.dns_provider.revert(_record(ctx, server))
            ctx.saved.drop("domain")


async def _assign(ctx: Context, server: Server, email: str, name: str) -> None:
    body: dict[str, Any] = {
        "host": name,
        "certificateType": "letsencrypt" if name else "none",
        "letsEncryptEmail": email,
        "https": bool(name),
    }
    await (await panel(ctx, server.name)).post("settings.assignDomainServer", body)


def _record(ctx: Context, server: Server) -> ChangeSet:
    from wizard.dns.records import ChangeSet, RecordChange, rrset

    name, address = server.panel_domain, server_record(ctx, server.name).ipv4
    change = RecordChange(name, "A", None, rrset(name, "A", _TTL, (address,)))
    return ChangeSet(ctx.config.dns.zone, (change,), ctx.now())


async def _seen(ctx: Context, server: Server) -> None:
    """Return when the zone's own servers show the record: the authority must not ask too early."""
    address, deadline = server_record(ctx, server.name).ipv4, ctx.now() + _SEEN_WITHIN
    while await dns01.addresses(ctx, server.panel_domain) != (address,):
        if ctx.now() > deadline:
            raise UnreachableError(
                f"{server.panel_domain} is not seen on the zone's name servers",
                next="Run the step again: it goes on from here.",
            )
        await ctx.world.clock.sleep(_ASK_AGAIN)


async def prove(ctx: Context, server: Server) -> Check:
    """The panel answers by its own name over a trusted certificate; pending while that is ordered."""
    from wizard.checks.http import HttpProblem

    name, address = server.panel_domain, server_record(ctx, server.name).ipv4
    question = f"the panel of {server.name} answers at https://{name} with a trusted certificate"
    try:
        answer = await ctx.world.http.get(f"https://{name}/api/health", address)
        good, seen = answer.status == 200, f"/api/health answers {answer.status}"
    except HttpProblem as problem:
        good, seen = False, str(problem)
    known = ctx.saved.load("domain", DomainRecord)
    evidence = Evidence(seen, f"operator, at {address}", ctx.now())
    if good:
        return Check("domain", question, CheckState.PASSED, evidence)
    if known is not None and ctx.now() < known.at + _CERTIFICATE_WITHIN:
        return Check("domain", question, CheckState.PENDING, evidence, again=ctx.now() + _ASK_AGAIN)
    advice = "Look at `docker logs dokploy-traefik` on the host: the certificate's order is told there."
    return Check("domain", question, CheckState.FAILED, evidence, advice)


async def undo(ctx: Context, server: Server) -> tuple[Change, ...]:
    known = ctx.saved.load("domain", DomainRecord)
    if known is None:
        return ()
    changes = []
    if known.at:
        changes.append(
            Change(
                Kind.UPDATE,
                "domain.unassign",
                f"domain of the panel of {server.name}",
                before=server.panel_domain,
                after=known.before or "none",
            )
        )
    if known.made_record:
        changes.append(
            Change(
                Kind.DELETE,
                "domain.unrecord",
                f"DNS record {server.panel_domain} A",
                before=server_record(ctx, server.name).ipv4,
                after="absent",
            )
        )
    return tuple(changes)
