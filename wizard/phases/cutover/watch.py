"""cutover.watch: caches let go of the old records, one by one, until none can hold them any more.

Nothing is changed here. What caches said is kept in memory only: a wizard that is started again asks anew,
and the end that it foresees rests on the flip's own record, so it is the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.clock import moment_text
from wizard.config import Config
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import NOTHING, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.phases.cutover.records import FLIP_STEP, FlipRecord
from wizard.phases.hosts import server_record

if TYPE_CHECKING:
    from wizard.dns.resolvers import Vantage
    from wizard.dns.view import WatchView
    from wizard.dns.watch import Watch
    from wizard.dns.watch_authority import ServerState
    from wizard.dns.watch_cell import CellState
    from wizard.dns.watch_target import Judgement, Target

_BOUT = 10.0
_PATIENCE = 2.0
_SERVERS_WITHIN = 900.0
_SERVERS_AGAIN = 3.0
_SILENCES = 4
_NO_RESOLVER = (
    "Port 53 may be closed here. With watch_public = false in [cutover] the authoritative servers and the "
    "old TTL alone decide."
)
_SERVERS_FIRST = "Caches follow the authoritative servers: see to those first."
_ODD = "Visitors who use it may be led astray: tell its operator, or ask for its cache to be flushed."


@dataclass(frozen=True, slots=True)
class WatchRecord:
    """`lagged_until`: when the last authoritative server that lagged behind the flip was seen to follow."""

    lagged_until: float


class WatchStep(Step[FlipRecord | None]):
    """Read only. The state in memory is what caches said: without it, they are only asked once more."""

    id = "cutover.watch"
    title = "The world follows"
    phase = Phase.CUTOVER
    needs = ("cutover.flip",)
    way_back = "Nothing is changed, so nothing is undone; cutover.flip has the way back."

    def __init__(self, config: Config) -> None:
        self.config = config
        self._watch: tuple[float, Watch] | None = None

    async def observe(self, ctx: Context) -> FlipRecord | None:
        return ctx.saved.load("flip", FlipRecord, step=FLIP_STEP)

    def plan(self, facts: FlipRecord | None) -> Plan:
        return NOTHING

    async def verify(self, ctx: Context) -> Sequence[Check]:
        flip = await self.observe(ctx)
        if flip is None:
            seen = Evidence("no flip is on record", "progress file", ctx.now())
            question = "The flip is on record"
            return [Check("flip", question, CheckState.UNKNOWN, seen, "Run cutover.flip first.")]
        watch = await self._following(ctx, flip)
        again = await watch.attend(patience=_PATIENCE, limit=_BOUT)
        _keep_lag(ctx, watch, flip)
        found = [one for name in _names(watch) for one in _checks(ctx, watch, name, flip, again)]
        if not any(one.state is CheckState.PENDING for one in found):
            self._watch = None
            await watch.aclose()
        return found

    async def _following(self, ctx: Context, flip: FlipRecord) -> Watch:
        """The watch over this very flip; a new one when the flip is another or nothing was watched yet."""
        if self._watch is not None and self._watch[0] == flip.at:
            return self._watch[1]
        record = ctx.saved.load("watch", WatchRecord, step=self.id)
        since = max(flip.at, record.lagged_until if record else 0.0)
        watch = await watch_over(ctx, _targets(ctx, flip), since, float(flip.old_ttl), confirm=True)
        self._watch = (flip.at, watch)
        return watch


async def watch_over(
    ctx: Context,
    targets: Sequence[Target],
    since: float,
    old_ttl: float,
    *,
    confirm: bool = False,
    returning: bool = False,
) -> Watch:
    """A watch that has begun, over records changed at `since` whose old TTL was `old_ttl` (seconds)."""
    from wizard.dns.asking import Asker
    from wizard.dns.authority import servers_of
    from wizard.dns.watch import Watch
    from wizard.dns.watch_target import Flip
    from wizard.phases.cutover.watch_probes import probes

    world = ctx.world
    watch = Watch(
        Asker(world.dns, world.clock, world.endpoints.trust),
        world.clock,
        targets,
        _vantages(ctx),
        await servers_of(world.dns, world.endpoints, ctx.config.dns.zone),
        flip=Flip(since, old_ttl),
        returning=returning,
        confirm=confirm,
        probes=probes(ctx, targets),
        publish=lambda view: _show(ctx, told, view),
    )
    told: set[str] = set()
    await watch.begin()
    return watch


async def watch_back(
    ctx: Context, flip: FlipRecord, *, at: float | None = None, ttl: float = 0.0
) -> WatchView:
    """Watch the way back until no cache can hold the new records any more, or all patience has ended.

    `at`: when the old records were back at every authoritative server (now, if not given). `ttl`: seconds
    that caches may hold the new ones, where that is longer than their TTL of now. For the flip's undo:
    returns the last view, whose resolvers say who did not follow.
    """
    from wizard.dns.watch_cell import PATIENCE
    from wizard.dns.watch_target import targets_of

    since = ctx.now() if at is None else at
    targets = targets_of(flip.changes.inverse())
    own = float(max((target.old_ttl or 0 for target in targets), default=0) or ctx.config.dns.cutover_ttl)
    ttl = max(ttl, own)
    watch = await watch_over(ctx, targets, since, ttl, returning=True)
    latest = since + ttl + PATIENCE + _BOUT
    try:
        while True:
            moment = await watch.attend(patience=_PATIENCE, limit=_BOUT)
            if watch.done or ctx.now() > latest:
                return watch.view()
            await ctx.world.clock.sleep(min(moment, latest + 1.0) - ctx.now())
    finally:
        await watch.aclose()


def _vantages(ctx: Context) -> tuple[Vantage, ...]:
    from wizard.dns.resolvers import of_endpoints, own

    endpoints = ctx.world.endpoints
    public = of_endpoints(endpoints) if ctx.config.cutover.watch_public else ()
    return (*own(endpoints), *public)


def _targets(ctx: Context, flip: FlipRecord) -> tuple[Target, ...]:
    """What the flip changed; where it found all as wished already, the addresses that the names have now."""
    from wizard.dns.watch_target import target, targets_of

    found = targets_of(flip.changes)
    if found:
        return found
    domains = [(domain, server_record(ctx, app.server)) for app in ctx.config.apps for domain in app.domains]
    return tuple(target(domain, "A", (server.ipv4,), None) for domain, server in domains if server.ipv4)


def _show(ctx: Context, told: set[str], view: WatchView) -> None:
    ctx.detail("watch", view)
    for note in view.notes:
        if note not in told:
            told.add(note)
            ctx.output(note)


def _keep_lag(ctx: Context, watch: Watch, flip: FlipRecord) -> None:
    settled = watch.board.settled_at
    if watch.board.lagged and settled is not None and settled > flip.at:
        ctx.saved.save("watch", WatchRecord(settled))


def _names(watch: Watch) -> tuple[str, ...]:
    return tuple(dict.fromkeys(target.name for target in watch.targets))


def _checks(ctx: Context, watch: Watch, name: str, flip: FlipRecord, again: float) -> list[Check]:
    asked = {other: _servers_check(ctx, watch, other, flip) for other in _names(watch)}
    moot = any(not one.ok and one.state is not CheckState.PENDING for one in asked.values())
    found = [asked[name], _caches_check(ctx, watch, name, None if moot else again)]
    return [*found, *(_odd_check(ctx, cell) for cell in watch.odd if cell.target.name == name)]


def _servers_check(ctx: Context, watch: Watch, name: str, flip: FlipRecord) -> Check:
    numbers = [number for number, target in enumerate(watch.targets) if target.name == name]
    told = [watch.board.verdicts(number) for number in numbers]
    question = f"Every authoritative server has the planned records of {name}"
    seen = "; ".join(_served(watch, state, numbers) for state in watch.board.servers)
    vantage = "operator, at each of their addresses"
    if not all(told):
        evidence = Evidence(seen or "no authoritative server is known", vantage, ctx.now())
        if watch.board.servers and watch.board.silences < _SILENCES:
            again = max(watch.board.due, ctx.now() + _SERVERS_AGAIN)
            return Check(f"{name}.servers", question, CheckState.PENDING, evidence, again=again)
        advice = "Look at the delegation of the zone, and whether port 53 is open from here."
        return Check(f"{name}.servers", question, CheckState.UNKNOWN, evidence, advice)
    planned = all(verdict.value == "new" for verdicts in told for verdict in verdicts)
    if not planned and ctx.now() < flip.at + _SERVERS_WITHIN:
        evidence = Evidence(seen, vantage, ctx.now())
        again = max(watch.board.due, ctx.now() + _SERVERS_AGAIN)
        return Check(f"{name}.servers", question, CheckState.PENDING, evidence, again=again)
    advice = "Look at the zone: a server lags, or somebody else changed the records; cutover.flip leads back."
    return check(
        f"{name}.servers", question, planned, seen=seen, vantage=vantage, at=ctx.now(), advice=advice
    )


def _served(watch: Watch, state: ServerState, numbers: Sequence[int]) -> str:
    head = f"{state.server.name} ({state.server.address})"
    if not state.answers:
        return f"{head} {state.note or 'was not asked'}"
    answers = (f"{watch.targets[number].type} {_answer(state.said[number])}" for number in numbers)
    serial = f", serial {state.serial}" if state.serial is not None else ""
    return f"{head} {', '.join(answers)}{serial}"


def _answer(said: Judgement) -> str:
    return ", ".join(said.values) or said.problem or "nothing"


def _caches_check(ctx: Context, watch: Watch, name: str, again: float | None) -> Check:
    """`again` None: the authoritative servers themselves are wrong, so waiting leads nowhere."""
    cells = [cell for cell in watch.cells if cell.target.name == name]
    question = f"No cache can hold the old records of {name} any more"
    evidence = Evidence(_counted(watch, cells), _from(watch), ctx.now())
    if not watch.done and again is None:
        return Check(f"{name}.caches", question, CheckState.UNKNOWN, evidence, _SERVERS_FIRST)
    if not watch.done:
        return Check(f"{name}.caches", question, CheckState.PENDING, evidence, again=again)
    if cells and not any(cell.counted for cell in cells):
        return Check(f"{name}.caches", question, CheckState.UNKNOWN, evidence, _NO_RESOLVER)
    return Check(f"{name}.caches", question, CheckState.PASSED, evidence)


def _counted(watch: Watch, cells: Sequence[CellState]) -> str:
    now = watch.clock.now()
    shown = [cell.cell(now) for cell in cells]
    heard = [cell for cell in shown if cell.verdict.value not in ("silent", "unasked")]
    caches = sum(cell.caches for cell in heard)
    new = sum(cell.caches if cell.verdict.value == "new" else cell.caches_new for cell in heard)
    parts = [f"{new} of {caches} cached answers are new"] if heard else ["no cached answer was seen"]
    neither = sum(cell.verdict.value == "neither" for cell in shown)
    silent = len(shown) - len(heard)
    parts += [f"{neither} neither old nor new"] if neither else []
    parts += [f"{silent} silent"] if silent else []
    ends = watch.ends_at
    if ends is not None:
        verb = "ran" if ends <= now else "runs"
        parts.append(f"the last cache that keeps to its TTL {verb} out at {moment_text(ends)}")
    return ", ".join(parts)


def _from(watch: Watch) -> str:
    count = len(watch.tested.kept)
    return f"{count} resolvers" if count else "authoritative servers and the old TTL alone"


def _odd_check(ctx: Context, cell: CellState) -> Check:
    """It is told, and left out: nothing that is done here can change what somebody else's cache says."""
    slug = re.sub(r"[^a-z0-9]+", "_", cell.vantage.name.lower()).strip("_")
    stood = f"answers {', '.join(cell.values) or 'nothing'}"
    said = "; ".join(dict.fromkeys((stood if stood not in cell.remark else cell.remark, cell.remark)))
    seen = f"{said.strip('; ')}, long after every cache that keeps to its TTL has run out; it is left out"
    return Check(
        f"{cell.target.name}.{cell.target.type.lower()}.{slug}",
        f"{cell.vantage.name} has the planned {cell.target.type} of {cell.target.name}",
        CheckState.WAIVED,
        Evidence(seen, f"{cell.vantage.name} at {cell.vantage.shown}", ctx.now()),
        _ODD,
    )
