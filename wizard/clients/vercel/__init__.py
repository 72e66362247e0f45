"""Vercel: everything that a project is, read; and the ladder on which it is left.

    client = VercelClient(url, token, clock)
    project = await client.project("shop-web", team="shop")
    variables = await client.variables(project, clear=True)
    async with client.ladder(project) as ladder:
        await ladder.pause()

`team` is a team's slug or id, "" for the person's own projects. Nothing but reads can be sent outside of
`ladder` (`wizard.clients.vercel.guard`). Errors are those of `wizard.clients.vercel.errors`, with
UnreachableError when Vercel does not answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

from wizard.clients.vercel import calls, models
from wizard.clients.vercel.calls import Call
from wizard.clients.vercel.errors import NotFoundError, WrongTeamError
from wizard.clients.vercel.ladder import Ladder
from wizard.clients.vercel.models import Project, Team, Variable
from wizard.clients.vercel.project import project as read_project
from wizard.clients.vercel.transport import Document, Transport
from wizard.clock import Clock
from wizard.errors import CredentialError, VendorError

__all__ = ["VercelClient"]

_AT_ONCE = 4


class VercelClient:
    """One for a run."""

    def __init__(self, url: str, token: Callable[[], Awaitable[str | None]], clock: Clock) -> None:
        self._api = Transport(url, token, clock)
        self._teams: tuple[Team, ...] | None = None

    async def aclose(self) -> None:
        await self._api.aclose()

    @contextlib.asynccontextmanager
    async def ladder(self, project: Project) -> AsyncIterator[Ladder]:
        """The only way to change anything: the rungs of one project, for as long as the block lasts."""
        yield Ladder(self._api, project.id, await self._scope(project.owner))

    # Who and where

    async def user(self) -> models.User:
        return models.user(await self._api.one(calls.USER, {}))

    async def teams(self) -> tuple[Team, ...]:
        if self._teams is None:
            self._teams = tuple(models.team(row) for row in await self._api.all(calls.TEAMS, {}))
        return self._teams

    async def team_id(self, team: str) -> str:
        """The id of a team by slug or id. Raises WrongTeamError when the token does not see it."""
        if not team:
            return ""
        try:
            teams = await self.teams()
        except (CredentialError, NotFoundError):
            # A token of one project may not list teams: Vercel itself decides then.
            return team
        for one in teams:
            if team in (one.id, one.slug):
                return one.id
        seen = ", ".join(one.slug for one in teams) or "no team at all"
        raise WrongTeamError(
            f"The Vercel token is not good for team {team}",
            f"it sees {seen}",
            "Correct `team` under [[vercel]], or make a token with that team's scope and set VERCEL_TOKEN.",
        )

    async def _scope(self, owner: str) -> str:
        """What `teamId` has to say for things of an owner: nothing for a person."""
        return await self.team_id(owner) if owner.startswith("team_") else ""

    async def projects(self, team: str = "") -> tuple[Project, ...]:
        rows = await self._api.all(calls.PROJECTS, {}, team=await self.team_id(team))
        return tuple(read_project(row) for row in rows)

    async def project(self, name: str, team: str = "") -> Project | None:
        """By name or id; None when the team has no such project."""
        scope = await self.team_id(team)
        try:
            return read_project(await self._api.one(calls.PROJECT, {}, team=scope, project=name))
        except NotFoundError:
            return None

    # What a project is

    async def domains(self, project: Project) -> tuple[models.ProjectDomain, ...]:
        return tuple(models.domain(row) for row in await self.rows(calls.DOMAINS, project))

    async def domain_config(self, name: str, project: Project) -> models.DomainConfig:
        row = await self.thing(calls.DOMAIN_CONFIG, project, name, projectIdOrName=project.name)
        return models.domain_config(name, row)

    async def variables(
        self, project: Project | str, team: str = "", *, clear: bool = True
    ) -> tuple[Variable, ...]:
        """The project's and the team's shared ones. With `clear`, each encrypted one is read by itself.

        A sensitive one can never be read back: its value is None. Raises NotFoundError for a project that
        the team does not have.
        """
        found = await self._known(project, team) if isinstance(project, str) else project
        rows = [models.variable(row) for row in await self.rows(calls.VARIABLES, found)]
        with contextlib.suppress(NotFoundError, CredentialError):
            shared = await self.rows(calls.SHARED, found, projectId=found.id)
            rows += [models.variable(row, shared=True) for row in shared]
        if not clear:
            return tuple(rows)
        gate = asyncio.Semaphore(_AT_ONCE)
        return tuple(await asyncio.gather(*(self._cleared(found, row, gate) for row in rows)))

    async def _known(self, name: str, team: str) -> Project:
        return read_project(
            await self._api.one(calls.PROJECT, {}, team=await self.team_id(team), project=name)
        )

    async def _cleared(self, project: Project, row: Variable, gate: asyncio.Semaphore) -> Variable:
        if row.value is not None or row.kind in ("sensitive", "system"):
            return row
        async with gate:
            answer = await self.thing(calls.SHARED_ONE if row.shared else calls.VARIABLE, project, row.id)
        if answer.get("decrypted") is not True or "value" not in answer:
            return row
        return dataclasses.replace(row, value=str(answer["value"]))

    async def environments(self, project: Project) -> tuple[str, ...]:
        return tuple(str(row["slug"]) for row in await self.rows(calls.ENVIRONMENTS, project))

    async def aliases(self, project: Project) -> tuple[str, ...]:
        rows = await self.rows(calls.ALIASES, project, projectId=project.id)
        return tuple(str(row["alias"]) for row in rows)

    async def built(self, project: Project) -> models.Built | None:
        """What the live deployment was built into; None when there is none."""
        if project.production is None:
            return None
        try:
            return models.built(await self.thing(calls.DEPLOYMENT, project, project.production.id))
        except NotFoundError:
            return None

    async def redirects(self, project: Project) -> tuple[models.Rule, ...]:
        """Redirects of the dashboard: no file holds them."""
        rows = await self.rows(calls.REDIRECTS, project, projectId=project.id)
        return tuple(
            models.Rule(
                str(row["source"]),
                str(row["destination"]),
                int(row.get("statusCode") or (308 if row.get("permanent") else 307)),
            )
            for row in rows
        )

    async def routes(self, project: Project) -> tuple[models.Rule, ...]:
        """Routes of the dashboard that are in force."""
        rows = await self.rows(calls.ROUTES, project)
        return tuple(
            models.Rule(
                str(row["route"]["src"]),
                str(row["route"].get("dest", "")),
                int(row["route"].get("status") or 0),
            )
            for row in rows
            if row.get("enabled", True)
        )

    async def firewall_rules(self, project: Project) -> int:
        """Rules and blocked addresses of its own; 0 when there is no configuration."""
        try:
            found = await self.thing(calls.FIREWALL, project, "", projectId=project.id)
        except NotFoundError:
            return 0
        active = found.get("active") or found
        return len(active.get("rules") or ()) + len(active.get("ips") or ())

    async def visits(self, project: Project, since: float, until: float) -> int:
        """Pages that were loaded at Vercel between two moments, as its Web Analytics counted."""
        moments = {"since": str(int(since * 1000)), "until": str(int(until * 1000))}
        answer = await self.thing(calls.VISITS, project, "", projectId=project.id, **moments)
        return int(answer["pageviews"])

    # What belongs to the owner

    async def account_domains(self, project: Project | None = None) -> tuple[models.AccountDomain, ...]:
        """Of a project's owner; without one, of the person and of every team."""
        if project is not None:
            rows = await self.rows(calls.ACCOUNT_DOMAINS, project)
        else:
            scopes = ("", *(team.id for team in await self.teams()))
            rows = [row for one in scopes for row in await self._api.all(calls.ACCOUNT_DOMAINS, {}, team=one)]
        return tuple(models.account_domain(row) for row in rows)

    async def zone_records(self, zone: str, project: Project) -> tuple[models.ZoneRecord, ...]:
        rows = await self.rows(calls.RECORDS, project, thing=zone)
        return tuple(models.zone_record(row) for row in rows)

    async def certificates(self, project: Project) -> tuple[tuple[tuple[str, ...], float], ...]:
        """Names and the moment of their end."""
        rows = await self.rows(calls.CERTIFICATES, project)
        return tuple((tuple(row.get("cns") or ()), float(row.get("expiresAt") or 0) / 1000) for row in rows)

    async def edge_configs(self, project: Project) -> tuple[models.Store, ...]:
        rows = await self.rows(calls.EDGE_CONFIGS, project)
        return tuple(models.Store(str(row["id"]), str(row.get("slug", "")), "edge-config") for row in rows)

    async def stores(self, project: Project) -> tuple[models.Store, ...]:
        """Stores that are attached to the project."""
        found = (models.store(row) for row in await self.rows(calls.STORES, project))
        return tuple(one for one in found if project.id in one.projects)

    async def webhooks(self, project: Project) -> tuple[models.Hook, ...]:
        rows = await self.rows(calls.WEBHOOKS, project, projectId=project.id)
        return tuple(
            models.Hook(str(row["id"]), ", ".join(row.get("events") or ()), str(row["url"])) for row in rows
        )

    async def drains(self, project: Project) -> tuple[models.Hook, ...]:
        rows = await self.rows(calls.DRAINS, project, projectId=project.id)
        return tuple(_drain(row) for row in rows)

    async def integrations(self, project: Project) -> tuple[models.Store, ...]:
        """Integrations that may use the project."""
        rows = await self.rows(calls.INTEGRATIONS, project, view="account")
        return tuple(
            models.Store(str(row["id"]), str(row.get("slug", "")), "integration")
            for row in rows
            if row.get("projectSelection") == "all" or project.id in (row.get("projects") or ())
        )

    async def token(self) -> models.Token | None:
        """The token that we use; None when Vercel does not tell."""
        try:
            return models.token(await self._api.one(calls.TOKEN, {}, thing="current"))
        except VendorError:
            return None

    async def bill(self, project: Project, since: str, until: str) -> dict[str, Decimal]:
        """What was billed between two days (RFC 3339), by currency. Raises VendorError if it is not shown."""
        rows = await self.rows(calls.CHARGES, project, **{"from": since, "to": until})
        total: dict[str, Decimal] = {}
        for row in rows:
            currency = str(row.get("BillingCurrency") or "USD")
            total[currency] = total.get(currency, Decimal(0)) + Decimal(str(row.get("BilledCost") or 0))
        return total

    # The documents themselves, for the export

    async def rows(self, call: Call, project: Project, thing: str = "", **params: str) -> list[Document]:
        """Every row of a list, as Vercel shows it."""
        team = await self._scope(project.owner)
        return await self._api.all(call, params, team=team, project=project.id, thing=thing)

    async def thing(self, call: Call, project: Project, thing: str = "", **params: str) -> Any:
        """One document, as Vercel shows it."""
        team = await self._scope(project.owner)
        return await self._api.one(call, params, team=team, project=project.id, thing=thing)


def _drain(row: Document) -> models.Hook:
    endpoint = (row.get("delivery") or {}).get("endpoint", "")
    url = endpoint if isinstance(endpoint, str) else str(next(iter(endpoint.values()), ""))
    return models.Hook(str(row["id"]), str(row.get("name", "")), url)
