"""settle.raise_ttl: normal TTLs again, now that no quick way back is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from wizard.config import Config
from wizard.dns.records import ChangeSet, RecordChange
from wizard.engine.check import Check
from wizard.engine.plan import Change, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.phases.cutover import authority
from wizard.phases.cutover.by_hand import asked
from wizard.phases.cutover.records import RAISE_STEP, TtlRecord
from wizard.phases.cutover.ttl import moving_sets, ttl_change, ttl_checks, with_ttl


@dataclass(frozen=True, slots=True)
class Facts:
    due: tuple[RecordChange, ...]
    by_hand: bool
    answers: dict[str, str]


class RaiseTtl(Step[Facts]):
    """settle.raise_ttl"""

    id = RAISE_STEP
    keeps = ("lowered",)
    title = "Let caches remember again"
    phase = Phase.SETTLE
    needs = ("settle.renewal",)
    way_back = "The TTLs of the move are set again; a way back of the flip then takes up to the raised TTL."

    def __init__(self, config: Config) -> None:
        self.config = config

    async def observe(self, ctx: Context) -> Facts:
        provider = ctx.world.dns_provider
        ttl = self.config.dns.ttl
        sets = moving_sets(await provider.snapshot(), self.config.names)
        due = tuple(with_ttl(one, ttl) for one in sets if one.ttl != ttl)
        return Facts(due, provider.by_hand, dict(ctx.answers))

    def plan(self, facts: Facts) -> Plan:
        hold = asked(self.id, facts.due, facts.answers, facts.by_hand)
        return Plan(hold=hold) if hold else Plan(tuple(map(ttl_change, facts.due)))

    async def apply(self, change: Change, ctx: Context) -> None:
        one: RecordChange = change.payload
        if change.key.startswith("restore.") and one.old is not None:
            self._remember_raised(ctx, one.old.ttl)
        if one.old is not None:
            record = ctx.saved.load("ttl", TtlRecord) or TtlRecord((), 0)
            if change.key.startswith("ttl.") and all(one.key != f"{k.name}/{k.type}" for k in record.sets):
                ctx.saved.save("ttl", replace(record, sets=(*record.sets, one.old), at=ctx.now()))
        await ctx.world.dns_provider.apply(ChangeSet(self.config.dns.zone, (one,), ctx.now()))
        await authority.until_all(ctx, [(one.name, one.type)], _served(one), "the raised TTL")

    def _remember_raised(self, ctx: Context, ttl: int) -> None:
        """Caches keep what they got under the raised TTL: a way back of the flip has to know until when."""
        known = ctx.saved.load("lowered", TtlRecord) or TtlRecord((), 0)
        ctx.saved.save("lowered", TtlRecord((), max(known.old_ttl, ttl), ctx.now()))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        return await ttl_checks(ctx, self.config.names, "exactly", self.config.dns.ttl)

    async def undo(self, ctx: Context) -> Plan:
        record = ctx.saved.load("ttl", TtlRecord)
        snapshot = await ctx.world.dns_provider.snapshot()
        changes: list[Change] = []
        for old in record.sets if record else ():
            live = snapshot.find(old.name, old.type)
            if live is not None and live.ttl != old.ttl:
                changes.append(replace(ttl_change(one := with_ttl(live, old.ttl)), key=f"restore.{one.key}"))
        return Plan(tuple(changes))


def _served(one: RecordChange) -> Callable[[str, str, authority.Seen], bool]:
    def same(name: str, kind: str, seen: authority.Seen) -> bool:
        return one.new is not None and seen.ttl == one.new.ttl

    return same
