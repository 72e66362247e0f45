"""cutover.lower_ttl: caches forget soon, in both directions, before anything moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wizard.clock import moment_text
from wizard.config import Config
from wizard.dns.leftovers import ALIASES, HINTS, covering_wildcard
from wizard.dns.records import ChangeSet, RecordChange, RRset, ZoneSnapshot
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Change, Failed, Kind, Plan, Wait
from wizard.engine.step import Context, Phase, Step
from wizard.phases.cutover import authority
from wizard.phases.cutover.by_hand import asked
from wizard.phases.cutover.records import FLIP_STEP, TTL_STEP, FlipRecord, TtlRecord

_MOVING = ("A", "AAAA", *HINTS, *ALIASES)
SEAL = "seen"


def moving_sets(snapshot: ZoneSnapshot, names: Sequence[str]) -> tuple[RRset, ...]:
    """What resolvers keep of the names that move."""
    return tuple(one for name in names for one in snapshot.at(name) if one.type in _MOVING)


def with_ttl(one: RRset, ttl: int) -> RecordChange:
    return RecordChange(one.name, one.type, one, replace(one, ttl=ttl))


def own_records(snapshot: ZoneSnapshot, names: Sequence[str], ttl: int) -> tuple[RecordChange, ...]:
    """Record sets for names that a wildcard answers for, with its values: they can then move alone."""
    found: list[RecordChange] = []
    for name in names:
        wildcard = covering_wildcard(snapshot, name)
        for one in snapshot.at(wildcard) if wildcard else ():
            if one.type in _MOVING:
                found.append(RecordChange(name, one.type, None, RRset(name, one.type, ttl, one.values)))
    return tuple(found)


def ttl_change(one: RecordChange) -> Change:
    """A line of the plan."""
    kind = Kind.UPDATE if one.old else Kind.CREATE
    before = f"TTL {one.old.ttl}" if one.old else "a wildcard answers"
    after = f"TTL {one.new.ttl}" if one.new else ""
    if not one.old and one.new:
        after = str(one.new)
    return Change(kind, f"ttl.{one.key}", f"{one.name} {one.type}", before, after, payload=one)


async def ttl_checks(ctx: Context, names: Sequence[str], passes: str, limit: int) -> list[Check]:
    """Whether every authoritative server serves TTLs that are ``at most`` or ``exactly`` `limit` seconds."""
    servers = await authority.servers(ctx)
    found: list[Check] = []
    for name in names:
        seen = await authority.ask_all(ctx, name, "A", servers)
        good = all(
            not one.problem
            and one.ttl is not None
            and (one.ttl <= limit if passes == "at most" else one.ttl == limit)
            for one in seen
            if not one.alias
        )
        found.append(
            check(
                f"{name}.ttl",
                f"{name} has a TTL of {passes} {limit} s on every name server",
                good and bool(seen),
                seen="; ".join(map(str, seen)),
                vantage="authoritative name servers",
                at=ctx.now(),
                advice="Set the TTL at the provider; a secondary that lags follows within minutes.",
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Facts:
    """`due` still has to be lowered; `oldest` is the longest TTL that any cache may have got."""

    due: tuple[RecordChange, ...]
    record: TtlRecord | None
    oldest: int
    missing: tuple[str, ...]
    moved: bool
    by_hand: bool
    answers: dict[str, str]
    now: float


class LowerTtl(Step[Facts]):
    """cutover.lower_ttl"""

    id = TTL_STEP
    title = "Let caches forget soon"
    phase = Phase.CUTOVER
    needs = ("cutover.preflight",)
    way_back = "The old TTLs are set again; nobody notices either way. Costs nothing."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config

    async def observe(self, ctx: Context) -> Facts:
        provider = ctx.world.dns_provider
        snapshot, names = await provider.snapshot(), self.config.names
        wanted = max(self.config.dns.cutover_ttl, provider.min_ttl)
        sets = moving_sets(snapshot, names)
        due = tuple(with_ttl(one, wanted) for one in sets if one.ttl > wanted)
        own = own_records(snapshot, names, wanted)
        if provider.implicit:
            own = (*own, *await self._implicit(ctx, snapshot, wanted))
        found = {one.name for one in (*sets, *(one.new for one in own if one.new))}
        wild = [one.ttl for name in names for one in snapshot.at(covering_wildcard(snapshot, name))]
        return Facts(
            due=(*due, *own),
            record=ctx.saved.load("ttl", TtlRecord),
            oldest=max((*(one.ttl for one in sets), *wild), default=wanted),
            missing=tuple(name for name in names if name not in found),
            moved=ctx.saved.load("flip", FlipRecord, step=FLIP_STEP) is not None,
            by_hand=provider.by_hand,
            answers=dict(ctx.answers),
            now=ctx.now(),
        )

    async def _implicit(self, ctx: Context, snapshot: ZoneSnapshot, ttl: int) -> tuple[RecordChange, ...]:
        """Record sets for names that the provider answers for by itself, with the addresses that it gives."""
        found: list[RecordChange] = []
        for name in self.config.names:
            if moving_sets(snapshot, (name,)) or covering_wildcard(snapshot, name):
                continue
            seen = next((one for one in await authority.ask_all(ctx, name, "A") if one.values), None)
            if seen is not None:
                found.append(RecordChange(name, "A", None, RRset(name, "A", ttl, seen.values)))
        return tuple(found)

    def plan(self, facts: Facts) -> Plan:
        if facts.moved:
            return Plan()
        if facts.missing:
            why = f"{', '.join(facts.missing)} stands nowhere in the zone"
            way = "Set dns.zone to the zone of these names, or correct the domains of the configuration."
            return Plan(hold=Failed(why, (way,)))
        record = facts.record
        if facts.due or record is None or not record.at:
            hold = asked(self.id, facts.due, facts.answers, facts.by_hand)
            if hold is not None:
                return Plan(hold=hold)
            seal = Change(
                Kind.RUN,
                SEAL,
                "every name server",
                after="asked until it shows the new TTLs; the old ones run from that moment",
                payload=facts,
            )
            return Plan((*map(ttl_change, facts.due), seal))
        if facts.now < record.waited_out:
            return Plan(hold=Wait(record.waited_out, _why(record)))
        return Plan()

    async def apply(self, change: Change, ctx: Context) -> None:
        provider, zone = ctx.world.dns_provider, self.config.dns.zone
        if change.key == SEAL:
            await self._seal(ctx, change.payload)
            return
        one: RecordChange = change.payload
        if change.key.startswith("ttl."):
            self._remember(ctx, one)
        await provider.apply(ChangeSet(zone, (one,), ctx.now()))

    def _remember(self, ctx: Context, one: RecordChange) -> None:
        record = ctx.saved.load("ttl", TtlRecord) or TtlRecord((), 0)
        if one.old is None:
            if one.new is not None and all(known.name != one.name for known in record.made):
                ctx.saved.save("ttl", replace(record, made=(*record.made, one.new), at=0.0))
        elif all((known.name, known.type) != (one.name, one.type) for known in record.sets):
            oldest = max(record.old_ttl, one.old.ttl)
            ctx.saved.save("ttl", replace(record, sets=(*record.sets, one.old), old_ttl=oldest, at=0.0))

    async def _seal(self, ctx: Context, facts: Facts) -> None:
        record = ctx.saved.load("ttl", TtlRecord) or TtlRecord((), 0)
        limit = max(self.config.dns.cutover_ttl, ctx.world.dns_provider.min_ttl)
        wanted = [(name, "A") for name in self.config.names]

        def low(name: str, kind: str, seen: authority.Seen) -> bool:
            return bool(seen.alias) or (seen.ttl is not None and seen.ttl <= limit)

        await authority.until_all(ctx, wanted, low, "the lower TTL")
        oldest = max(record.old_ttl, facts.oldest)
        ctx.saved.save("ttl", replace(record, old_ttl=oldest, at=ctx.now()))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        record = ctx.saved.load("ttl", TtlRecord)
        flip = ctx.saved.load("flip", FlipRecord, step=FLIP_STEP)
        if flip is not None and record is not None:
            return [_before_the_flip(ctx, record, flip)]
        limit = max(self.config.dns.cutover_ttl, ctx.world.dns_provider.min_ttl)
        return [*await ttl_checks(ctx, self.config.names, "at most", limit), _waited(ctx, record)]

    async def undo(self, ctx: Context) -> Plan:
        record = ctx.saved.load("ttl", TtlRecord)
        if record is None:
            return Plan()
        snapshot = await ctx.world.dns_provider.snapshot()
        changes: list[Change] = []
        for old in record.sets:
            live = snapshot.find(old.name, old.type)
            if live is not None and live.ttl != old.ttl:
                one = with_ttl(live, old.ttl)
                changes.append(
                    Change(
                        Kind.UPDATE,
                        f"restore.{one.key}",
                        f"{old.name} {old.type}",
                        f"TTL {live.ttl}",
                        f"TTL {old.ttl}",
                        payload=one,
                    )
                )
        for made in record.made:
            live = snapshot.find(made.name, made.type)
            if live is not None and live.values == made.values:
                one = RecordChange(made.name, made.type, live, None)
                target = f"{made.name} {made.type}"
                changes.append(
                    Change(Kind.DELETE, f"restore.{one.key}", target, str(live), "the wildcard", payload=one)
                )
        return Plan(tuple(changes))


def _why(record: TtlRecord) -> str:
    return (
        f"caches may hold answers with the old TTL of {record.old_ttl} s until then; "
        f"the lower one is served since {moment_text(record.at)}"
    )


def _waited(ctx: Context, record: TtlRecord | None) -> Check:
    question = "no cache can hold an answer with the old TTL"
    vantage = "the moment when every name server showed the lower TTL"
    if record is None or not record.at:
        evidence = Evidence("the moment is not known", vantage, ctx.now())
        return Check("waited", question, CheckState.UNKNOWN, evidence, "Run cutover.lower_ttl again.")
    seen = (
        f"lowered {moment_text(record.at)}, old TTL {record.old_ttl} s: over {moment_text(record.waited_out)}"
    )
    over = ctx.now() >= record.waited_out
    state = CheckState.PASSED if over else CheckState.PENDING
    again = None if over else record.waited_out
    return Check("waited", question, state, Evidence(seen, vantage, ctx.now()), again=again)


def _before_the_flip(ctx: Context, record: TtlRecord, flip: FlipRecord) -> Check:
    return check(
        "waited",
        "the old TTL had run out before the flip",
        bool(record.at) and record.waited_out <= flip.started,
        seen=f"over {moment_text(record.waited_out)}, flipped from {moment_text(flip.started)} on",
        vantage="progress file",
        at=ctx.now(),
        advice="Caches may hold the old values for longer: keep the old host serving that long.",
    )
