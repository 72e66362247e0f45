"""What the rehearsal's Vercel shows of its projects."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from aiohttp import web

from wizard.rehearsal.vercel.pages import by_moment, by_number, by_token
from wizard.rehearsal.vercel.state import HOUR, Document, ProjectState, Refused

if TYPE_CHECKING:
    from wizard.rehearsal.vercel.standin import VercelStandin


def add_routes(vercel: VercelStandin, app: web.Application) -> None:
    reads = _Projects(vercel)
    add = app.router.add_get
    add("/v10/projects", reads.projects)
    add("/v9/projects/{project}", reads.project)
    add("/v9/projects/{project}/domains", reads.domains)
    add("/v9/projects/{project}/custom-environments", reads.environments)
    add("/v10/projects/{project}/env", reads.variables)
    add("/v1/projects/{project}/env/{variable}", reads.variable)
    add("/v1/projects/{project}/routes", reads.routes)
    add("/v4/aliases", reads.aliases)
    for version in ("v6", "v7"):
        add(f"/{version}/deployments", reads.deployments)
    add("/v13/deployments/{deployment}", reads.deployment)
    add("/v6/deployments/{deployment}/files", reads.files)
    add("/v1/bulk-redirects", reads.redirects)
    add("/v1/security/firewall/config", reads.firewall)
    add("/v1/query/web-analytics/visits/count", reads.visits)


def ciphertext(value: str) -> str:
    """What the list shows of an encrypted value: nothing that could be used."""
    return "eyJ2IjoidjIiLCJjIjoi" + hashlib.sha256(value.encode()).hexdigest()


class _Projects:
    def __init__(self, vercel: VercelStandin) -> None:
        self.vercel = vercel

    def _named(self, request: web.Request) -> ProjectState:
        """The project of the query, within the scope of the call."""
        wanted, scope = request.query.get("projectId", ""), self.vercel.scope(request)
        found = self.vercel.state.projects.get(wanted)
        if found is None or found.owner != scope:
            raise Refused(404, "not_found", "Project not found.")
        return found

    async def projects(self, request: web.Request) -> web.Response:
        scope = self.vercel.scope(request)
        rows = [one.document for one in self.vercel.state.projects.values() if one.owner == scope]
        if self.vercel.state.page_tokens:
            return web.json_response(by_token(request, "projects", rows))
        if since := request.query.get("from"):
            rows = [row for row in rows if int(row["createdAt"]) < int(since)]
        return web.json_response(by_moment(request, "projects", rows))

    async def project(self, request: web.Request) -> web.Response:
        return web.json_response(self.vercel.project(request).document)

    async def domains(self, request: web.Request) -> web.Response:
        rows = list(self.vercel.project(request).domains.values())
        return web.json_response(by_moment(request, "domains", rows))

    async def environments(self, request: web.Request) -> web.Response:
        rows = self.vercel.project(request).environments
        return web.json_response({"accountLimit": {"total": 1}, "environments": rows})

    async def variables(self, request: web.Request) -> web.Response:
        """Encrypted values as they are kept; a sensitive one as an empty text."""
        project = self.vercel.project(request)
        return web.json_response({"envs": [self._listed(project, row) for row in project.variables.values()]})

    def _listed(self, project: ProjectState, row: Document) -> Document:
        value, kind = project.values[str(row["id"])], row["type"]
        shown = value if kind in ("plain", "system") else "" if kind == "sensitive" else ciphertext(value)
        return {**row, "value": shown}

    async def variable(self, request: web.Request) -> web.Response:
        project = self.vercel.project(request)
        row = project.variables.get(request.match_info["variable"])
        if row is None:
            raise Refused(404, "not_found", "The environment variable was not found.")
        if row["type"] == "sensitive":
            return web.json_response({**row, "decrypted": False})
        return web.json_response({**row, "decrypted": True, "value": project.values[str(row["id"])]})

    async def aliases(self, request: web.Request) -> web.Response:
        project = self._named(request)
        rows = [row for row in self.vercel.state.aliases if row["projectId"] == project.id]
        return web.json_response(by_moment(request, "aliases", rows))

    async def deployments(self, request: web.Request) -> web.Response:
        if request.path.startswith("/v7"):
            self.vercel.since_2026()
        rows = self._named(request).deployments
        if target := request.query.get("target"):
            rows = [row for row in rows if row["target"] == target]
        if state := request.query.get("state"):
            rows = [row for row in rows if row["state"] in state.split(",")]
        return web.json_response(by_moment(request, "deployments", rows, "created"))

    async def deployment(self, request: web.Request) -> web.Response:
        wanted, scope = request.match_info["deployment"], self.vercel.scope(request)
        for project in self.vercel.state.projects.values():
            if project.owner == scope and wanted in project.built:
                return web.json_response(project.built[wanted])
        raise Refused(404, "not_found", "The deployment was not found.")

    async def files(self, request: web.Request) -> web.Response:
        wanted, scope = request.match_info["deployment"], self.vercel.scope(request)
        for project in self.vercel.state.projects.values():
            if project.owner == scope and wanted in project.built:
                return web.json_response(project.files)
        raise Refused(404, "not_found", "The deployment was not found.")

    async def redirects(self, request: web.Request) -> web.Response:
        self.vercel.since_2026()
        return web.json_response(by_number(request, "redirects", self._named(request).redirects))

    async def routes(self, request: web.Request) -> web.Response:
        self.vercel.since_2026()
        return web.json_response({"routes": self.vercel.project(request).routes})

    async def firewall(self, request: web.Request) -> web.Response:
        found = self._named(request).firewall
        if found is None:
            raise Refused(404, "not_found", "The firewall is not configured.")
        return web.json_response({"active": found, "draft": None, "versions": [1]})

    async def visits(self, request: web.Request) -> web.Response:
        project = self._named(request)
        if not project.document.get("webAnalytics", {}).get("enabledAt"):
            raise Refused(404, "not_found", "Web Analytics is not enabled for this project.")
        since, until = (int(request.query[word]) / 1000 for word in ("since", "until"))
        hours = range(int(since // HOUR), int(until // HOUR) + 1)
        count = sum(project.visits.get(hour, 0) for hour in hours)
        asked = {word: request.query[word] for word in ("since", "until")}
        return web.json_response({"query": asked, "data": {"visitors": count, "pageviews": count}})
