"""settle.crons: the panel's schedules run once Vercel's crons do not: never at both ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wizard.config import App, Config
from wizard.engine.check import Check, check
from wizard.engine.plan import Ask, Change, Choice, Failed, Kind, Plan, Question
from wizard.engine.step import Context, Phase, Step
from wizard.phases.apps.crons import Scheduled, from_vercel, scheduled, wished
from wizard.phases.cutover.certificate_panel import calls
from wizard.phases.decommission.standing import project_of

QUESTION = "settle.crons.off"
OFF, STOP = "off", "stop"


@dataclass(frozen=True, slots=True)
class Facts:
    """`rows` are the wished schedules of each app; `running` tells of crons that Vercel still runs."""

    rows: tuple[tuple[App, Scheduled], ...]
    running: tuple[str, ...]
    answers: Mapping[str, str]

    @property
    def due(self) -> tuple[tuple[App, Scheduled], ...]:
        return tuple((app, one) for app, one in self.rows if not one.enabled)


class EnableCrons(Step[Facts]):
    id = "settle.crons"
    title = "Let the panel call what Vercel called"
    phase = Phase.SETTLE
    way_back = "The panel's schedules are switched off; switch Vercel's crons on again yourself."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config
        self.apps = tuple(app for app in config.apps if from_vercel(config, app))
        self.needs = ("cutover.watch", *(f"apps.{app.name}.crons" for app in self.apps))

    async def observe(self, ctx: Context) -> Facts:
        rows: list[tuple[App, Scheduled]] = []
        for app in self.apps:
            names = {one.name for one in wished(ctx, app)}
            rows += [(app, one) for one in (await scheduled(ctx, app) if names else ()) if one.name in names]
        running = await self._running(ctx) if rows else ()
        return Facts(tuple(rows), running, dict(ctx.answers))

    async def _running(self, ctx: Context) -> tuple[str, ...]:
        found: list[str] = []
        for wanted in self.config.vercel:
            project = await project_of(ctx, wanted)
            if project is not None and project.crons_on:
                found += [f"{one.schedule} on {one.path} of {project.name}" for one in project.crons]
        return tuple(found)

    def plan(self, facts: Facts) -> Plan:
        if not facts.due:
            return Plan()
        if facts.running:
            return Plan(hold=self._hold(facts))
        return Plan(
            tuple(
                Change(
                    Kind.UPDATE,
                    f"on:{one.id}",
                    f"schedule {one.name} of {app.name}",
                    before="off",
                    after="on",
                    why="Vercel does not call it any more",
                    way_back="switched off again",
                    payload=(app, one),
                )
                for app, one in facts.due
            )
        )

    def _hold(self, facts: Facts) -> Ask | Failed:
        question = Question(
            QUESTION,
            "Switch the cron jobs off at Vercel: the project's Settings, Cron Jobs, Disable. Are they off?",
            choices=(Choice(OFF, "They are off"), Choice(STOP, "Not yet, stop here")),
            why=f"no API does it, and nothing may run at both ends: {'; '.join(facts.running)}",
        )
        answer = facts.answers.get(QUESTION)
        if answer is None:
            return Ask(question)
        why = f"Vercel still runs {'; '.join(facts.running)}"
        return Failed(why, ("Switch them off there, then run settle.crons again.",), answer=QUESTION)

    async def apply(self, change: Change, ctx: Context) -> None:
        app, one = change.payload
        client = await calls(ctx, app.server)
        body = {
            "scheduleId": one.id,
            "name": one.name,
            "cronExpression": one.expression,
            "command": one.command,
            "enabled": change.key.startswith("on:"),
        }
        await client.post("schedule.update", body)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts = await self.observe(ctx)
        both = [one.name for _, one in facts.rows if one.enabled and facts.running]
        off = [one.name for _, one in facts.due]
        seen = "; ".join(
            part
            for part in (
                f"still at Vercel: {'; '.join(facts.running)}" if facts.running else "",
                f"off on the panel: {', '.join(off)}" if off else "",
            )
            if part
        )
        return [
            check(
                "once",
                "what was called at set times is called at one end only, by the panel",
                not (both or off),
                seen=seen
                or (", ".join(one.name for _, one in facts.rows) or "nothing is called at set times"),
                vantage="panel and Vercel's API",
                at=ctx.now(),
                advice="Run settle.crons again.",
            )
        ]

    async def undo(self, ctx: Context) -> Plan:
        facts = await self.observe(ctx)
        changes = [
            Change(Kind.UPDATE, f"off:{one.id}", f"schedule {one.name}", "on", "off", payload=(app, one))
            for app, one in facts.rows
            if one.enabled
        ]
        return Plan(tuple(changes))
