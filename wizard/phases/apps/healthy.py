"""apps.<app>.healthy: every part runs, and the health path answers at the new address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wizard.config import Config
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import NOTHING, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.phases.apps.deploy import Deployed
from wizard.phases.apps.logs import watched
from wizard.phases.apps.places import new_place
from wizard.phases.apps.running import last_lines, running

if TYPE_CHECKING:
    from wizard.config import App

_STARTS_WITHIN = 600.0
_AGAIN = 5.0


class HealthyStep(Step[None]):
    phase = Phase.APPS
    way_back = "Nothing is changed, so nothing is undone."

    def __init__(self, config: Config, app: App) -> None:
        self.app = app
        self.id = f"apps.{app.name}.healthy"
        self.title = f"{app.name} is healthy on {app.server}"
        self.needs = (f"apps.{app.name}.deploy",)

    async def observe(self, ctx: Context) -> None:
        return None

    def plan(self, facts: None) -> Plan:
        return NOTHING

    async def verify(self, ctx: Context) -> Sequence[Check]:
        return [await self._parts(ctx), await self._answers(ctx), await self._log(ctx)]

    async def _log(self, ctx: Context) -> Check:
        """From the start of the deployment on, however long ago that is: while it settles, too."""
        deployed = ctx.saved.load("deployed", Deployed, step=f"apps.{self.app.name}.deploy")
        since = deployed.at - deployed.seconds if deployed is not None else ctx.now()
        return await watched(ctx, self.app, since)

    def _patient(self, ctx: Context) -> bool:
        deployed = ctx.saved.load("deployed", Deployed, step=f"apps.{self.app.name}.deploy")
        return deployed is not None and ctx.now() < deployed.at + _STARTS_WITHIN

    async def _parts(self, ctx: Context) -> Check:
        found = await running(ctx, self.app)
        name, question = f"{self.app.name}.running", f"every part of {self.app.name} runs and is healthy"
        if not found.good and self._patient(ctx) and not found.sick:
            evidence = Evidence(found.told, self.app.server, ctx.now())
            return Check(name, question, CheckState.PENDING, evidence, again=ctx.now() + _AGAIN)
        seen = found.told
        if not found.good:
            seen += "".join(f" / {line.strip()}" for line in await last_lines(ctx, self.app, found))
        return check(
            name,
            question,
            found.good,
            seen=seen,
            vantage=self.app.server,
            at=ctx.now(),
            advice="Read the log of what is not well: its variables, its database, its health check.",
        )

    async def _answers(self, ctx: Context) -> Check:
        from wizard.checks.http import HttpProblem

        place = (await new_place(ctx, self.app)).place
        url = f"{place.base}{self.app.health}"
        name, question = f"{self.app.name}.answers", f"{url} answers 200 at {place.address}"
        vantage = f"operator, at {place.address}"
        try:
            answer = await ctx.world.http.get(url, place.address, follow=True)
            passed, seen = (
                answer.status == 200,
                f"status {answer.status}, {len(answer.body)} bytes in {answer.seconds * 1000:.0f} ms",
            )
        except HttpProblem as problem:
            passed, seen = False, str(problem)
        if not passed and self._patient(ctx):
            evidence = Evidence(seen, vantage, ctx.now())
            return Check(name, question, CheckState.PENDING, evidence, again=ctx.now() + _AGAIN)
        advice = f"The proxy leaves out what is not healthy (404). Does it listen on 0.0.0.0:{self.app.port}?"
        return check(name, question, passed, seen=seen, vantage=vantage, at=ctx.now(), advice=advice)
