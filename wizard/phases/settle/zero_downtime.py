"""settle.<app>.zero_downtime: a redeploy, shot at all the while, and what visitors would have met.

The temporary name goes before it: it leads to the app without HTTPS, so it must not outlive the trial. A
stack's is gone already, with the deployment that brought its production names (cutover.certificates): names
are labels there, and taking one off recreates the containers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import AppKind
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Change, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.phases.apps import redeploy as app_redeploy
from wizard.phases.apps.trial import take_off, trial_over
from wizard.phases.cutover import certificate_panel as panels
from wizard.phases.hosts import server_record
from wizard.records import TrialRecord

if TYPE_CHECKING:
    from wizard.checks.availability import Availability
    from wizard.config import App, Config

_BEFORE_SHOTS = 10
_AFTER_SHOTS = 20
_PATIENCE = 60.0
BETTER = (
    "A compose stack recreates its containers; to update without a gap, run this service as an application "
    "of its own (start-first), or put its image on a tag that changes only when the service does."
)


@dataclass(frozen=True, slots=True)
class AvailabilityRecord:
    """The measurement as it is kept. `words` is the whole of it in one line."""

    app: str
    at: float
    shots: int
    failed: int
    slow_episodes: int
    gap_least: float
    gap_most: float
    resolution: float
    builds: tuple[str, ...]
    words: str

    @property
    def clean(self) -> bool:
        return self.shots > 0 and not self.failed and not self.slow_episodes


@dataclass(frozen=True, slots=True)
class RedeployFacts:
    """`trial` is the temporary name that the panel still has, "" without one."""

    measured: AvailabilityRecord | None
    trial: str = ""


class ZeroDowntimeStep(Step[RedeployFacts]):
    """One app on its production name, at its new address."""

    phase = Phase.SETTLE
    way_back = "The same version runs again; the temporary name is made again by undoing apps.<app>.trial."
    enduring = False

    def __init__(self, config: Config, app: App) -> None:
        self.app = app
        self.id = f"settle.{app.name}.zero_downtime"
        self.title = f"{app.name} is redeployed and nobody notices"
        self.needs = ("settle.renewal",)

    async def observe(self, ctx: Context) -> RedeployFacts:
        host = self._trial(ctx)
        there = host and any(view.host == host for view in await panels.domains_of(ctx, self.app))
        return RedeployFacts(ctx.saved.load("availability", AvailabilityRecord), host if there else "")

    def _trial(self, ctx: Context) -> str:
        """The name that we made; others on the panel are not ours."""
        record = ctx.saved.load("trial", TrialRecord, step=f"apps.{self.app.name}.trial")
        return record.host if record else ""

    def plan(self, facts: RedeployFacts) -> Plan:
        changes = []
        if facts.trial:
            changes.append(
                Change(
                    Kind.DELETE,
                    "trial",
                    f"temporary name {facts.trial} of {self.app.name}",
                    before="leads to it without HTTPS",
                    after="gone",
                    why="the production names have taken its place",
                )
            )
        if facts.measured is None or (facts.trial and self.app.kind is AppKind.COMPOSE):
            why = "measured by requests at a fixed rate, before, during and after"
            after = "the same version, redeployed"
            changes.append(Change(Kind.RUN, "redeploy", self.app.name, after=after, why=why))
        return Plan(tuple(changes))

    async def apply(self, change: Change, ctx: Context) -> None:
        if change.key == "trial":
            await take_off(ctx, self.app, "trial_over")
            return
        record = await measure(ctx, self.app)
        ctx.saved.save("availability", record)
        ctx.detail("availability", record, keep=True)
        ctx.output(f"{self.app.name}: {record.words}")

    async def verify(self, ctx: Context) -> Sequence[Check]:
        over = trial_over(ctx, self.app)
        return [self._measured(ctx), *((await self._gone(ctx, over.host),) if over else ())]

    async def _gone(self, ctx: Context, host: str) -> Check:
        """Asked of the proxy: what the panel no longer lists may still be routed."""
        from wizard.checks.http import HttpProblem

        address = server_record(ctx, self.app.server).ipv4
        url = f"http://{host}{self.app.health}"
        try:
            status = (await ctx.world.http.get(url, address, fresh=True)).status
            gone, seen = status == 404, f"{url} answers {status}"
        except HttpProblem as problem:
            gone, seen = True, f"{url}: {problem}"
        listed = [view.host for view in await panels.domains_of(ctx, self.app) if view.host == host]
        return check(
            f"{self.app.name}.trial_over",
            f"the temporary name of {self.app.name} leads nowhere any more",
            gone and not listed,
            seen=f"{seen}; {'still' if listed else 'not'} on the panel",
            vantage=f"operator, at {address}",
            at=ctx.now(),
            advice="Run this step again; if it stays, deploy the app on its panel once more.",
        )

    def _measured(self, ctx: Context) -> Check:
        record = ctx.saved.load("availability", AvailabilityRecord)
        name, question = f"{self.app.name}.no_gap", f"A redeploy of {self.app.name} interrupts nobody"
        vantage = "operator, by the production name at the new address"
        if record is None:
            evidence = Evidence("not measured", vantage, ctx.now())
            return Check(name, question, CheckState.UNKNOWN, evidence, "Run the step.")
        if record.clean or self.app.kind is AppKind.DOCKERFILE:
            advice = (
                "Give the application a health check and the update order start-first, then drop this "
                "step's record by undoing it and run it again."
            )
            seen, at = record.words, record.at
            return check(name, question, record.clean, seen=seen, vantage=vantage, at=at, advice=advice)
        evidence = Evidence(f"{record.words}. {BETTER}", vantage, record.at)
        return Check(name, question, CheckState.WAIVED, evidence)


async def measure(ctx: Context, app: App) -> AvailabilityRecord:
    """Shoot, redeploy, wait until the new copy runs, shoot a while longer, judge."""
    from wizard.checks.availability import Probe, http_fire, judge
    from wizard.checks.crawl import Place

    place = Place(f"https://{app.domains[0]}", server_record(ctx, app.server).ipv4)
    fire = http_fire(ctx.world.http, place, app.health)
    async with Probe(fire, ctx.now) as probe:
        await _shots(ctx, probe, _BEFORE_SHOTS)
        await app_redeploy.redeploy(ctx, app)
        await _shots(ctx, probe, len(probe.shots) + _AFTER_SHOTS)
    return _record(app.name, ctx.now(), judge(probe.shots))


async def _shots(ctx: Context, probe: object, wanted: int) -> None:
    """Until so many shots have come back; bounded, because a dead service answers slowly."""
    import asyncio

    from wizard.checks.availability import Probe

    assert isinstance(probe, Probe)
    async with asyncio.timeout(_PATIENCE):
        while len(probe.shots) < wanted:
            await asyncio.sleep(0.02)


def _record(app: str, at: float, seen: Availability) -> AvailabilityRecord:
    gap = seen.longest_gap
    return AvailabilityRecord(
        app=app,
        at=at,
        shots=seen.shots,
        failed=seen.failed,
        slow_episodes=seen.slow_episodes,
        gap_least=gap.least if gap else 0.0,
        gap_most=gap.most if gap else 0.0,
        resolution=seen.resolution,
        builds=seen.builds,
        words=seen.words,
    )
