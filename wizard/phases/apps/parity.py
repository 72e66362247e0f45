"""apps.<app>.routes and apps.cors: the new place answers as the old one does, asked by address.

Before certificates exist the new side is asked through the proxy by the trial's name; afterwards by the
production names. A difference is fixed or accepted by the operator, never ignored.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import NOTHING, Ask, Choice, Failed, Plan, Question
from wizard.engine.step import Context, Phase, Step
from wizard.phases.apps.places import NewPlace, new_place, old_place

if TYPE_CHECKING:
    from wizard.checks.crawl import Place, Report
    from wizard.checks.parity import Found
    from wizard.config import App, Config

EVIL = "https://dokploy-wizard.invalid"
_MOST = 80


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """One line of the table of differences, in plain words."""

    path: str
    kind: str
    what: str
    old: str
    new: str
    weight: str


@dataclass(frozen=True, slots=True)
class ParityTable:
    """What was compared; published under the topic "parity" and saved as "parity"."""

    app: str
    old_address: str
    new_address: str
    asked: int
    cut: bool
    at: float
    rows: tuple[DifferenceRow, ...] = ()
    blank: str = ""
    """Why nothing could be compared; empty when it was."""

    @property
    def digest(self) -> str:
        """Changes with the differences, not with the moment."""
        text = "\n".join(sorted(f"{row.kind}|{row.path}|{row.what}|{row.old}|{row.new}" for row in self.rows))
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    @property
    def breaking(self) -> tuple[DifferenceRow, ...]:
        return tuple(row for row in self.rows if row.weight == "breaks")


@dataclass(frozen=True, slots=True)
class Facts:
    table: ParityTable
    answer: str


class RoutesStep(Step[Facts]):
    """apps.<app>.routes"""

    phase = Phase.APPS
    way_back = "Nothing is changed, so nothing is undone."
    enduring = False

    def __init__(self, config: Config, app: App) -> None:
        self.app = app
        self.id = f"apps.{app.name}.routes"
        self.title = f"{app.name} answers as it does today"
        self.needs = (f"apps.{app.name}.healthy", *_redirects(config, app))

    def _question(self, table: ParityTable) -> str:
        return f"{self.id}.{table.digest}"

    async def observe(self, ctx: Context) -> Facts:
        table = await compare_app(ctx, self.app)
        ctx.saved.save("parity", table)
        ctx.detail("parity", table, keep=True)
        return Facts(table, ctx.answers.get(self._question(table), ""))

    def plan(self, facts: Facts) -> Plan:
        table = facts.table
        if not table.rows or facts.answer == "accept":
            return NOTHING
        lines = tuple(f"{row.path}: {row.kind} ({row.what}): {row.old} → {row.new}" for row in table.rows)
        if facts.answer == "fix":
            ways = ("Fix them in the application or its proxy, deploy, then run again.",)
            why = f"{len(lines)} differences are to be fixed first"
            return Plan(notes=lines, hold=Failed(why, ways, answer=self._question(table)))
        question = Question(
            self._question(table),
            f"{self.app.name} answers differently in {len(lines)} places; "
            f"{len(table.breaking)} of them break something. Accept them?",
            choices=(Choice("fix", "Stop here and fix them"), Choice("accept", "Accept these differences")),
            default="" if table.breaking else "accept",
            why="\n".join(lines[:20]),
        )
        return Plan(notes=lines, hold=Ask(question))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        table = ctx.saved.load("parity", ParityTable) or await compare_app(ctx, self.app)
        question = f"{self.app.name} answers at its new place as at its old one"
        name = f"{self.app.name}.routes"
        vantage = f"operator, {table.old_address} against {table.new_address}"
        if table.blank:
            evidence = Evidence(table.blank, vantage, table.at)
            return [Check(name, question, CheckState.UNKNOWN, evidence, "See why, then run the step again.")]
        seen = f"{table.asked} requests to each" + (", the site is larger" if table.cut else "")
        if not table.rows:
            return [check(name, question, True, seen=f"{seen}, no difference", vantage=vantage, at=table.at)]
        kinds = ", ".join(dict.fromkeys(row.kind for row in table.rows))
        seen = f"{seen}; {len(table.rows)} differences: {kinds}"
        if ctx.answers.get(self._question(table)) == "accept":
            evidence = Evidence(f"{seen}; accepted by the operator", vantage, table.at)
            return [Check(name, question, CheckState.WAIVED, evidence)]
        advice = "Fix or accept them: run the step again."
        return [check(name, question, False, seen=seen, vantage=vantage, at=table.at, advice=advice)]


async def compare_app(ctx: Context, app: App) -> ParityTable:
    """Crawl the old place, ask the new one the same. Never raises for what the sites do."""
    old, new = await old_place(ctx, app), await new_place(ctx, app)
    if old is None:
        why = f"{app.domains[0] if app.domains else app.name} leads nowhere today: nothing to compare with"
        return ParityTable(app.name, "", new.place.address, 0, False, ctx.now(), blank=why)
    report = await _survey(ctx, app, old, new, _probes(ctx, app))
    return ParityTable(
        app=app.name,
        old_address=old.address,
        new_address=new.place.address,
        asked=report.asked,
        cut=report.cut,
        at=ctx.now(),
        rows=tuple(_row(item) for item in report.found),
    )


def _redirects(config: Config, app: App) -> tuple[str, ...]:
    from wizard.phases.apps.redirects import redirected

    return (f"apps.{app.name}.redirects",) if redirected(config, app) else ()


def _probes(ctx: Context, app: App) -> tuple[str, ...]:
    """Paths that rules at Vercel are about: no link may lead to them, yet they have to answer the same."""
    from wizard.phases.prepare.vercel_records import vercel_record

    records = [vercel_record(ctx, project) for project in ctx.config.vercel if project.app == app.name]
    return tuple(path for record in records if record for path in record.probes)


async def _survey(ctx: Context, app: App, old: Place, new: NewPlace, more: Sequence[str]) -> Report:
    from wizard.checks.crawl import asker, survey

    http = ctx.world.http
    return await survey(
        asker(http, old),
        asker(http, new.place),
        [*app.routes, app.health, *more],
        old_host=old.host,
        new_host=new.place.host,
        hosts=app.domains,
        most=_MOST,
    )


def _row(item: Found) -> DifferenceRow:
    return DifferenceRow(
        str(item.probe), item.kind.value, item.what, item.old[:120], item.new[:120], item.weight.value
    )


class CorsStep(Step[None]):
    """apps.cors: the front ends' origins may call the APIs, others may not."""

    id = "apps.cors"
    title = "The front end may call the back end, nobody else"
    phase = Phase.APPS
    way_back = "Nothing is changed, so nothing is undone."

    def __init__(self, config: Config) -> None:
        self.apps = tuple(app for app in config.apps if app.allowed_origins)
        # A webhook's proof deploys again: calls are tried when that is over.
        self.needs = tuple(f"apps.{app.name}.webhook" for app in self.apps)

    async def observe(self, ctx: Context) -> None:
        return None

    def plan(self, facts: None) -> Plan:
        return NOTHING

    async def verify(self, ctx: Context) -> Sequence[Check]:
        if not self.apps:
            seen = "no application of the configuration allows other origins"
            return [check("cors", "Cross-origin calls work", True, seen=seen, vantage="config", at=ctx.now())]
        groups = await asyncio.gather(*(self._app(ctx, app) for app in self.apps))
        return [one for group in groups for one in group]

    async def _app(self, ctx: Context, app: App) -> list[Check]:
        place = (await new_place(ctx, app)).place
        path = next((route for route in app.routes if route != app.health), app.health)
        origins = (*app.allowed_origins, EVIL)
        return list(await asyncio.gather(*(cors_check(ctx, app, place, path, origin) for origin in origins)))


async def cors_check(ctx: Context, app: App, place: Place, path: str, origin: str) -> Check:
    """One origin, asked as a browser asks: a preflight, the request, and one that fails."""
    from wizard.checks.cors import judge_allowed, judge_forbidden, preflight_headers
    from wizard.checks.http import HttpProblem

    allowed = origin in app.allowed_origins
    name = f"{app.name}.cors.{origin.partition('://')[2] or origin}"
    may = "may call" if allowed else "may not call"
    question = f"Pages of {origin} {may} {app.name}{path}"
    vantage = f"operator, at {place.address}"
    http, url = ctx.world.http, place.base + path
    try:
        preflight = await http.options(url, place.address, headers=dict(preflight_headers(origin)))
        actual = await http.get(url, place.address, headers={"Origin": origin})
    except HttpProblem as problem:
        evidence = Evidence(str(problem), vantage, ctx.now())
        return Check(name, question, CheckState.UNKNOWN, evidence, "Bring the application up first.")
    wrong = (judge_allowed if allowed else judge_forbidden)(preflight, actual, origin)
    granted = actual.header("access-control-allow-origin") or "nothing"
    seen = "; ".join(wrong) or f"preflight {preflight.status}, request {actual.status}, allows {granted}"
    advice = "Set the allowed origins in the application's environment, deploy, then run again."
    return check(name, question, not wrong, seen=seen, vantage=vantage, at=ctx.now(), advice=advice)
