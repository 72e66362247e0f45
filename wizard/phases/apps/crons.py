"""apps.<app>.crons: what Vercel calls at set times, as schedules of the panel that are off until the end.

A schedule runs in the application's container, where its variables are; it asks its own public name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.config import AppKind, Config
from wizard.engine.check import Check, check
from wizard.engine.plan import Change, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.phases.apps.panel import app_record, owner_key, word
from wizard.phases.cutover.certificate_panel import calls
from wizard.phases.prepare.vercel_records import vercel_record

if TYPE_CHECKING:
    from wizard.config import App


@dataclass(frozen=True, slots=True)
class CronWish:
    """`schedule` has five fields, in UTC."""

    name: str
    path: str
    schedule: str


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A schedule on the panel."""

    id: str
    name: str
    expression: str
    command: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Facts:
    wished: tuple[CronWish, ...]
    held: tuple[Scheduled, ...]

    @property
    def missing(self) -> tuple[CronWish, ...]:
        names = {one.name for one in self.held}
        return tuple(one for one in self.wished if one.name not in names)


def wished(ctx: Context, app: App) -> tuple[CronWish, ...]:
    """What ran at Vercel when it was looked at; nothing of a project whose crons were off."""
    records = [vercel_record(ctx, project) for project in ctx.config.vercel if project.app == app.name]
    rows = [row for record in records if record and record.crons_on for row in record.crons]
    return tuple(CronWish(f"cron {path} at {schedule}", path, schedule) for path, schedule in rows)


async def scheduled(ctx: Context, app: App) -> tuple[Scheduled, ...]:
    """Every schedule of the app on its panel."""
    client, record = await calls(ctx, app.server), app_record(ctx, app)
    rows = await client.get("schedule.list", id=record.id, scheduleType=word(app))
    return tuple(
        Scheduled(
            str(row["scheduleId"]),
            str(row["name"]),
            str(row["cronExpression"]),
            str(row["command"]),
            bool(row.get("enabled")),
        )
        for row in rows or ()
    )


def command(app: App, path: str) -> str:
    """Asks `path` with what the image has. As at Vercel, CRON_SECRET of the variables goes along if set."""
    url = f"https://{app.domains[0]}{path}"
    head = "Authorization: Bearer $CRON_SECRET"
    script = f"fetch({json.dumps(url)},{{headers:{{authorization:'Bearer '+(process.env.CRON_SECRET||'')}}}})"
    script += ".then(r=>process.exit(r.ok?0:1))"
    return (
        f'if command -v curl >/dev/null; then curl -fsS -o /dev/null -H "{head}" "{url}"; '
        f'elif command -v wget >/dev/null; then wget -q -O /dev/null --header "{head}" "{url}"; '
        f"else node -e {_quoted(script)}; fi"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def from_vercel(config: Config, app: App) -> bool:
    """Whether the step exists."""
    return bool(app.domains) and any(project.app == app.name for project in config.vercel)


class CronsStep(Step[Facts]):
    phase = Phase.APPS
    way_back = "The schedules are taken off the panel; they never ran."
    enduring = False

    def __init__(self, config: Config, app: App) -> None:
        self.app = app
        self.id = f"apps.{app.name}.crons"
        self.title = f"Schedules of {app.name}, still off"
        self.needs = (f"apps.{app.name}.healthy",)

    async def observe(self, ctx: Context) -> Facts:
        wish = wished(ctx, self.app)
        return Facts(wish, await scheduled(ctx, self.app) if wish else ())

    def plan(self, facts: Facts) -> Plan:
        return Plan(
            tuple(
                Change(
                    Kind.CREATE,
                    f"schedule:{one.name}",
                    f"schedule {one.schedule} on {one.path} of {self.app.name}",
                    after="off: Vercel still calls it, and it must never run at both ends",
                    way_back="taken off again",
                    payload=one,
                )
                for one in facts.missing
            )
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        client = await calls(ctx, self.app.server)
        if change.kind is Kind.DELETE:
            await client.post("schedule.delete", {"scheduleId": change.payload.id})
            return
        one: CronWish = change.payload
        if any(other.name == one.name for other in await scheduled(ctx, self.app)):
            return
        body: dict[str, Any] = {
            "name": one.name,
            "cronExpression": one.schedule,
            "command": command(self.app, one.path),
            "scheduleType": word(self.app),
            owner_key(self.app): app_record(ctx, self.app).id,
            "shellType": "sh",
            "timezone": "UTC",
            "enabled": False,
        }
        if self.app.kind is AppKind.COMPOSE:
            body["serviceName"] = self.app.service
        await client.post("schedule.create", body)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts = await self.observe(ctx)
        missing = ", ".join(one.name for one in facts.missing)
        there = ", ".join(one.name for one in facts.wished) or "nothing was called at set times"
        return [
            check(
                f"{self.app.name}.crons",
                f"the panel has a schedule for each cron of {self.app.name} at Vercel",
                not facts.missing,
                seen=f"missing: {missing}" if missing else there,
                vantage=f"panel of {self.app.server}",
                at=ctx.now(),
                advice=f"Run {self.id} again.",
            )
        ]

    async def undo(self, ctx: Context) -> Plan:
        names = {one.name for one in wished(ctx, self.app)}
        found = await scheduled(ctx, self.app) if names else ()
        return Plan(
            tuple(
                Change(
                    Kind.DELETE, f"schedule:{one.id}", f"schedule {one.name}", "there", "gone", payload=one
                )
                for one in found
                if one.name in names
            )
        )
