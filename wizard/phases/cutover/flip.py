"""cutover.flip: the names lead to the new place. Refused while anything speaks against it; undone at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from wizard.clock import moment_text
from wizard.config import Config
from wizard.dns.providers.base import stands
from wizard.dns.records import ChangeSet, RecordChange, Standing, ZoneSnapshot, standing
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Ask, Change, Failed, Kind, Plan, Refusal, Wait
from wizard.engine.step import Context, Phase, Step
from wizard.errors import WizardError
from wizard.phases.cutover import authority, certificate_gap, certificate_wait, go_list, ipv6, ready
from wizard.phases.cutover.by_hand import asked
from wizard.phases.cutover.changes import Hands, Intent, Six, intended
from wizard.phases.cutover.go_list import GoList
from wizard.phases.cutover.records import (
    FLIP_STEP,
    RAISE_STEP,
    TTL_STEP,
    ZONE_STEP,
    FlipRecord,
    TtlRecord,
    ZoneRecord,
)

SEAL = "seen"
_BACK = "back"
_LAG = 900.0
_ASK_AGAIN = 5.0


@dataclass(frozen=True, slots=True)
class _Move:
    """One line of a flip with the whole of it; the `first` one writes it down."""

    one: RecordChange | None
    whole: ChangeSet
    first: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """`intent` is empty once the flip has begun: then `record` says what is to be done to its end."""

    intent: Intent
    snapshot: ZoneSnapshot
    record: FlipRecord | None
    go: GoList | None
    quiet_until: float
    lowered: bool
    ttl: int
    limit: int
    by_hand: bool
    answers: Mapping[str, str]
    now: float
    gap: str = ""

    @property
    def changes(self) -> ChangeSet:
        return self.record.changes if self.record else self.intent.changes

    @property
    def due(self) -> tuple[RecordChange, ...]:
        live = self.snapshot
        return tuple(one for one in self.changes.changes if not stands(one, live.find(one.name, one.type)))


class FlipStep(Step[Facts]):
    """cutover.flip"""

    id = FLIP_STEP
    title = "Lead the names to the new place"
    phase = Phase.CUTOVER
    needs = ("cutover.lower_ttl", "cutover.certificates", "cutover.old_proxy")
    way_back = (
        "The old record sets are put back at once; caches follow within the TTL of the move. Old and new "
        "place both serve meanwhile, so that nobody notices."
    )

    def __init__(self, config: Config) -> None:
        self.config = config
        self._listed = 0.0

    async def observe(self, ctx: Context) -> Facts:
        provider = ctx.world.dns_provider
        snapshot, record = await provider.snapshot(), ctx.saved.load("flip", FlipRecord)
        if record is not None and not _begun(record, snapshot):
            # It was written down, and then nothing was changed: every question is asked anew.
            record = None
        lowered = ctx.saved.load("ttl", TtlRecord, step=TTL_STEP)
        ttl = max(self.config.dns.cutover_ttl, provider.min_ttl)
        quiet_until = lowered.waited_out + self.config.cutover.quiet_seconds if lowered else 0.0
        intent = Intent(ChangeSet(snapshot.zone, ()))
        go: GoList | None = None
        if record is None:
            intent, go = await self._asked(ctx, snapshot, lowered)
        return Facts(
            intent=intent,
            snapshot=snapshot,
            record=record,
            go=go,
            quiet_until=quiet_until,
            lowered=lowered is not None and bool(lowered.at),
            ttl=ttl,
            limit=self.config.cutover.max_changes,
            by_hand=provider.by_hand,
            answers=dict(ctx.answers),
            now=ctx.now(),
            gap=certificate_wait.forecast(ctx, certificate_gap.bare(ctx)),
        )

    async def _asked(
        self, ctx: Context, snapshot: ZoneSnapshot, lowered: TtlRecord | None
    ) -> tuple[Intent, GoList]:
        """What the flip would change, and whether it may; the list is shown to whoever looks."""
        provider = ctx.world.dns_provider
        zone = ctx.saved.load("zone", ZoneRecord, step=ZONE_STEP)
        hands = Hands(provider.swaps, max(self.config.dns.cutover_ttl, provider.min_ttl))
        sixes = await ipv6.proofs(ctx, ipv6.wanted(self.config.names, snapshot))
        six = Six({name: one.address for name, one in sixes.items() if one.proven}, ipv6.addresses(ctx))
        intent = intended(self.config, snapshot, ready.targets(ctx), zone, ctx.answers, hands, six)
        found = await go_list.ask(ctx, snapshot, intent, sixes, lowered)
        self._listed = found.at
        ctx.detail(go_list.TOPIC, found)
        return intent, found

    def plan(self, facts: Facts) -> Plan:
        if facts.record is not None and facts.record.sealed and not facts.due:
            return Plan()
        hold = self._hold(facts)
        if hold is not None:
            return Plan(hold=hold)
        seal = Change(
            Kind.RUN,
            SEAL,
            "every name server",
            after="asked until it shows the new record sets; the last cache runs out a TTL after that moment",
            payload=_Move(None, facts.changes, facts.record is None and not facts.due),
        )
        fresh = facts.record is None
        changes = [
            _line(one, self.way_back, _Move(one, facts.changes, fresh and at == 0))
            for at, one in enumerate(facts.due)
        ]
        lines = facts.go.lines if facts.go else ()
        notes = tuple(f"go: {one.question} ({one.evidence.seen})" for one in lines)
        return Plan((*changes, seal), (*notes, facts.gap) if facts.gap else notes)

    def _hold(self, facts: Facts) -> Failed | Wait | Ask | None:
        if facts.record is None:
            refused = _refused(facts)
            if refused is not None:
                return refused
            if facts.now < facts.quiet_until:
                quiet = (
                    f"no cache holds an old TTL any more by then, and none was asked by us for "
                    f"{self.config.cutover.quiet_seconds} s: a question would fill it with the old address"
                )
                return Wait(facts.quiet_until, quiet)
            bad = facts.go.no_go if facts.go else ()
            if bad and facts.go:
                ways = tuple(dict.fromkeys(one.advice for one in bad if one.advice))
                return Failed(facts.go.why_not, ways, Refusal.NOT_READY)
        return asked(self.id, facts.due, facts.answers, facts.by_hand)

    async def apply(self, change: Change, ctx: Context) -> None:
        provider = ctx.world.dns_provider
        if change.key == SEAL:
            await self._seal(ctx, change.payload)
        elif change.key == _BACK:
            await self._back(ctx, change.payload)
        elif change.key.startswith("revert."):
            await provider.revert(change.payload)
        else:
            move: _Move = change.payload
            assert move.one is not None
            if move.first:
                await self._still_go(ctx, move.whole)
            self._remember(ctx, move)
            # What stands at one name changes together; where all can, all does.
            whole = move.whole
            part = whole if provider.atomic else whole.of(move.one.name)
            async with certificate_wait.opening(ctx, certificate_gap.bare(ctx), part):
                await provider.apply(part)
            if not provider.atomic and move.one.type == "A":
                # Where a gap was accepted it ends name by name, not with the last of them.
                await certificate_gap.close_for(ctx, move.one.name)

    async def _still_go(self, ctx: Context, whole: ChangeSet) -> None:
        """A plan may have waited long for its approval. Raises WizardError, with nothing changed."""
        if ctx.now() <= self._listed + go_list.FRESH:
            return
        lowered = ctx.saved.load("ttl", TtlRecord, step=TTL_STEP)
        intent, found = await self._asked(ctx, await ctx.world.dns_provider.snapshot(), lowered)
        if not found.go:
            raise WizardError(
                "The list before the flip no longer says go", found.why_not, "Nothing was changed. Run again."
            )
        if other := [one for one in intent.changes.changes if one not in whole.changes]:
            raise WizardError(
                "The flip would change something else by now than what was approved",
                "; ".join(f"{one.name} {one.type} to {one.new or 'nothing'}" for one in other),
                "Nothing was changed. Run again.",
            )

    def _remember(self, ctx: Context, move: _Move) -> None:
        """The whole old record sets are on disk before the first of them is changed."""
        whole = move.whole
        if move.first or ctx.saved.load("flip", FlipRecord) is None:
            ttls = [one.old.ttl for one in whole.changes if one.old is not None]
            oldest = max((*ttls, self.config.dns.cutover_ttl))
            now = ctx.now()
            ctx.saved.save("flip", FlipRecord(replace(whole, at=now), now, oldest, now))

    async def _seal(self, ctx: Context, move: _Move) -> None:
        self._remember(ctx, move)
        record = ctx.saved.load("flip", FlipRecord)
        assert record is not None
        await authority.until_all(ctx, _wanted(record.changes), _new(record.changes), "the new record sets")
        # A moment that equals the start would look like one that is not known yet.
        sealed = replace(record, at=max(ctx.now(), record.started + 0.001))
        await certificate_gap.close(ctx)
        ctx.saved.save("flip", sealed)
        over = moment_text(sealed.at + sealed.old_ttl)
        ctx.output(f"Every name server shows the new record sets; the last cache runs out by {over}.")

    async def _back(self, ctx: Context, record: FlipRecord) -> None:
        from wizard.phases.cutover.watch import watch_back

        back = record.changes.inverse()
        await authority.until_all(ctx, _wanted(back), _new(back), "the old record sets")
        ttl = _held_for(ctx, record)
        world = moment_text(ctx.now() + ttl)
        ctx.output(f"Every name server shows the old record sets; the world is back by {world}.")
        await watch_back(ctx, record, ttl=ttl)
        certificate_wait.forget(ctx, ctx.config.apps)
        ctx.saved.drop("flip")

    async def verify(self, ctx: Context) -> Sequence[Check]:
        record = ctx.saved.load("flip", FlipRecord)
        if record is None:
            # Asked again before the flip: the list is what the operator wants to know.
            lowered = ctx.saved.load("ttl", TtlRecord, step=TTL_STEP)
            await self._asked(ctx, await ctx.world.dns_provider.snapshot(), lowered)
        found = [
            await self._address(ctx, name, address, record) for name, address in ready.targets(ctx).items()
        ]
        beside = [one for one in record.changes.changes if one.type != "A"] if record else []
        found += [await self._six(ctx, one, record) for one in beside if one.type == "AAAA" and one.new]
        return [*found, *[await self._absent(ctx, one) for one in beside if one.new is None]]

    async def _address(self, ctx: Context, name: str, address: str, record: FlipRecord | None) -> Check:
        question = f"every name server leads {name} to {address}"
        seen = await authority.ask_all(ctx, name, "A")
        bad = [one for one in seen if not _leads_to(ctx, one, address)]
        return _settled(ctx, f"{name}.A", question, seen, bad, record)

    async def _six(self, ctx: Context, one: RecordChange, record: FlipRecord | None) -> Check:
        question = f"every name server leads {one.name} to {', '.join(one.new.values if one.new else ())}"
        seen = await authority.ask_all(ctx, one.name, one.type)
        bad = [answer for answer in seen if not authority.shows(answer, one.new)]
        return _settled(ctx, f"{one.name}.{one.type}", question, seen, bad, record)

    async def _absent(self, ctx: Context, one: RecordChange) -> Check:
        question = f"no name server has the old {one.type} record of {one.name} any more"
        seen = await authority.ask_all(ctx, one.name, one.type)
        bad = [answer for answer in seen if answer.values or answer.problem]
        return _settled(
            ctx, f"{one.name}.{one.type}", question, seen, bad, ctx.saved.load("flip", FlipRecord)
        )

    async def undo(self, ctx: Context) -> Plan:
        record = ctx.saved.load("flip", FlipRecord)
        if record is None:
            return Plan()
        provider = ctx.world.dns_provider
        snapshot, back = await provider.snapshot(), record.changes.inverse()
        third = [
            f"{one.name} {one.type} is {live or 'gone'}"
            for one in back.changes
            if standing(one, live := snapshot.find(one.name, one.type)) is Standing.NEITHER
        ]
        if third:
            why = f"Somebody changed the records since: {'; '.join(third)}"
            ways = ("Set them by hand to the old or the new value, then undo again.",)
            return Plan(hold=Failed(why, ways, Refusal.THIRD_VALUE))
        due = [one for one in record.changes.changes if not _is_old(one, snapshot)]
        if provider.by_hand:
            hold = asked(f"{self.id}/back", back.changes if due else (), ctx.answers, True)
            if hold is not None:
                return Plan(hold=hold)
        parts = [record.changes.of(name) for name in dict.fromkeys(one.name for one in reversed(due))]
        if provider.atomic and due:
            parts = [record.changes]
        changes = [
            Change(
                Kind.REPLACE,
                f"revert.{part.changes[0].key}",
                ", ".join(f"{one.name} {one.type}" for one in part.changes),
                "; ".join(str(one.new or "nothing") for one in part.changes),
                "; ".join(str(one.old or "nothing") for one in part.changes),
                payload=part,
            )
            for part in parts
        ]
        world = moment_text(ctx.now() + _held_for(ctx, record))
        watched = Change(
            Kind.RUN,
            _BACK,
            "the way back",
            after=f"watched until no cache holds the new values: the world is back by {world} at the latest",
            payload=record,
        )
        return Plan((*changes, watched))


def _refused(facts: Facts) -> Failed | None:
    """What speaks against the flip whatever the moment."""
    intent = facts.intent
    if intent.troubles:
        way = "Correct it at the provider, or undo prepare.dns_zone and let it ask again, then run again."
        return Failed("; ".join(intent.troubles), (way,), Refusal.NOT_READY)
    if intent.third:
        way = "Find out who changed it; set the recorded value at the provider, then run again."
        return Failed("; ".join(intent.third), (way,), Refusal.THIRD_VALUE)
    if len(intent.changes.changes) > facts.limit:
        why = f"The flip would change {len(intent.changes.changes)} record sets, more than {facts.limit}"
        way = "Look at the names of the configuration, or raise cutover.max_changes."
        return Failed(why, (way,), Refusal.TOO_MANY)
    if not facts.lowered:
        why = "The TTLs were not lowered: caches could hold the old place for long"
        return Failed(why, ("Run cutover.lower_ttl first.",), Refusal.NOT_READY)
    return None


def _begun(record: FlipRecord, snapshot: ZoneSnapshot) -> bool:
    """Whether any of its changes was made. One without changes found everything as wished."""
    changes = record.changes.changes
    return not changes or any(stands(one, snapshot.find(one.name, one.type)) for one in changes)


def _line(one: RecordChange, way_back: str, move: _Move) -> Change:
    kind = Kind.DELETE if one.new is None else Kind.CREATE if one.old is None else Kind.REPLACE
    target, before, after = f"{one.name} {one.type}", str(one.old or "nothing"), str(one.new or "nothing")
    return Change(kind, f"flip.{one.key}", target, before, after, way_back=way_back, payload=move)


def _wanted(changes: ChangeSet) -> list[tuple[str, str]]:
    return [(one.name, one.type) for one in changes.changes]


def _new(changes: ChangeSet) -> Callable[[str, str, authority.Seen], bool]:
    wanted = {(one.name, one.type): one.new for one in changes.changes}

    def passes(name: str, kind: str, seen: authority.Seen) -> bool:
        return authority.shows(seen, wanted[name, kind])

    return passes


def _is_old(one: RecordChange, snapshot: ZoneSnapshot) -> bool:
    return standing(one, snapshot.find(one.name, one.type)) in (Standing.OLD, Standing.BOTH)


def _held_for(ctx: Context, record: FlipRecord) -> float:
    """Seconds from now that a cache may hold the new values: longer, if their TTL was raised meanwhile."""
    raised = ctx.saved.load("lowered", TtlRecord, step=RAISE_STEP)
    return max(float(_new_ttl(record)), raised.waited_out - ctx.now() if raised is not None else 0.0)


def _new_ttl(record: FlipRecord) -> int:
    return max((one.new.ttl for one in record.changes.changes if one.new is not None), default=record.old_ttl)


def _leads_to(ctx: Context, seen: authority.Seen, address: str) -> bool:
    if seen.alias:
        return seen.alias in ctx.config.names and ready.targets(ctx)[seen.alias] == address
    return not seen.problem and seen.values == (address,)


def _settled(
    ctx: Context,
    name: str,
    question: str,
    seen: Sequence[authority.Seen],
    bad: Sequence[authority.Seen],
    record: FlipRecord | None,
) -> Check:
    """A server that lags is given some minutes after the flip before it counts as wrong."""
    told, vantage = "; ".join(map(str, bad or seen)), "authoritative name servers"
    if bad and record is not None and ctx.now() < record.at + _LAG:
        evidence = Evidence(told, vantage, ctx.now())
        return Check(name, question, CheckState.PENDING, evidence, again=ctx.now() + _ASK_AGAIN)
    advice = "Look at that name server, and at the record at the provider; `undo cutover.flip` leads back."
    passed = bool(seen) and not bad
    return check(name, question, passed, seen=told, vantage=vantage, at=ctx.now(), advice=advice)
