"""Stands in for the Vercel API and tells its edge what to serve."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from wizard.rehearsal.dns import vercel as dns_vercel
from wizard.rehearsal.git.tree import vercel_json
from wizard.rehearsal.vercel import account as vercel_account
from wizard.rehearsal.vercel import changes as vercel_changes
from wizard.rehearsal.vercel import projects as vercel_projects
from wizard.rehearsal.vercel.project import account
from wizard.rehearsal.vercel.rules import EdgeRules
from wizard.rehearsal.vercel.state import (
    EXPIRED_TOKEN,
    HOUR,
    OTHER_TEAM_TOKEN,
    REHEARSAL_TOKEN,
    USER,
    Document,
    ProjectState,
    Refused,
    VercelState,
)

if TYPE_CHECKING:
    from wizard.config import App
    from wizard.rehearsal.stage import Stage

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_FAULT_SECONDS = 3.0
_LIMIT = 500
_WORDS = frozenset(
    {"user", "teams", "tokens", "projects", "domains", "config", "records", "env", "link", "pause", "unpause"}
    | {"deployments", "files", "aliases", "stores", "webhooks", "drains", "configurations", "charges"}
    | {"certs", "items", "edge-config", "global-config", "routes", "bulk-redirects", "custom-environments"}
    | {"count"}
)


class VercelStandin:
    """`url` is its base address once started."""

    def __init__(self, stage: Stage, state: VercelState) -> None:
        self.stage = stage
        self.state = state
        self.url = ""

    @staticmethod
    def begin(stage: Stage) -> VercelState:
        return account(stage.config, stage.clock.now())

    @property
    def secrets(self) -> dict[str, str]:
        return {"VERCEL_TOKEN": REHEARSAL_TOKEN}

    async def start(self) -> None:
        app = web.Application(middlewares=[self._guard])
        vercel_account.add_routes(self, app)
        vercel_projects.add_routes(self, app)
        vercel_changes.add_routes(self, app)
        dns_vercel.add_routes(self, app)
        self.url = f"http://{await self.stage.serve(app, 'vercel')}"

    async def stop(self) -> None:
        """Its listener ends with the stage."""

    # What the edge asks

    def serves(self, domain: str) -> str:
        """ "ok", "paused" or "gone": what a visitor of `domain` meets."""
        project = self._project_at(domain)
        if project is None:
            return "gone"
        return "paused" if project.document["paused"] else "ok"

    def redirect(self, domain: str) -> str:
        """The domain that this one leads to; "" if none."""
        project = self._project_at(domain)
        found = project.domains.get(domain) if project else None
        return str(found["redirect"] or "") if found else ""

    def rules(self, domain: str) -> EdgeRules:
        """Those of vercel.json in the branch, and the dashboard's redirects."""
        project = self._project_at(domain)
        name = project.document["name"] if project else ""
        wanted = next((one for one in self.stage.config.vercel if one.name == name), None)
        if project is None or wanted is None:
            return EdgeRules()
        document = json.loads(self._vercel_json(project, self.stage.config.app(wanted.app)))
        redirects = [*(document.get("redirects") or ()), *project.redirects]
        return EdgeRules({**document, "redirects": redirects})

    def _vercel_json(self, project: ProjectState, app: App) -> str:
        git = getattr(self.stage, "git", None)
        found = git.state.find(app.repository) if git is not None else None
        head = found.head(app.branch) if found else None
        if head is None:
            return vercel_json(app)
        path = posixpath.join(str(project.document["rootDirectory"] or ""), "vercel.json")
        return str(head.files.get(path, b"{}").decode())

    def visited(self, domain: str) -> None:
        """A visitor loaded a page here: what Web Analytics counts."""
        project = self._project_at(domain)
        if project is not None:
            hour = int(self.now() // HOUR)
            project.visits[hour] = project.visits.get(hour, 0) + 1

    def _project_at(self, domain: str) -> ProjectState | None:
        for project in self.state.projects.values():
            if domain in project.domains:
                return project
        owner = next((row["projectId"] for row in self.state.aliases if row["alias"] == domain), "")
        known = domain.endswith(".vercel.app")
        return self.state.projects.get(str(owner)) if known else None

    # What every handler uses

    def now(self) -> float:
        return self.stage.clock.now()

    def since_2026(self) -> None:
        """For a path that an older API does not have. Raises HTTPNotFound there."""
        if not self.state.modern:
            raise web.HTTPNotFound

    def scope(self, request: web.Request) -> str:
        """The id of the team that the call addresses, or of the person. Raises Refused."""
        wanted = request.query.get("teamId") or request.query.get("slug")
        if not wanted:
            return USER
        for team in self.teams_of(request):
            if wanted in (team["id"], team["slug"]):
                return str(team["id"])
        raise Refused(
            403, "forbidden", "Not authorized: Trying to access resource under scope", {"scope": wanted}
        )

    def teams_of(self, request: web.Request) -> list[Document]:
        """Teams that the token's person belongs to."""
        return [] if self._token(request) == OTHER_TEAM_TOKEN else list(self.state.teams.values())

    def project(self, request: web.Request, *, by_id: bool = False) -> ProjectState:
        """The project of the path, within the scope of the call. Raises Refused."""
        wanted, scope = request.match_info["project"], self.scope(request)
        for project in self.state.projects.values():
            if project.owner == scope and wanted in ((project.id,) if by_id else (project.id, project.name)):
                return project
        raise Refused(404, "not_found", "Project not found.")

    def throttle(self, path: str, seconds: float) -> None:
        """Refuse calls of one path for a while; the others go on."""
        self.state.throttled[path] = self.now() + seconds

    # The door

    @staticmethod
    def _token(request: web.Request) -> str:
        return request.headers.get("Authorization", "").removeprefix("Bearer ")

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.state.requests += 1
        sent = f"{request.method} {request.path}"
        self.state.counts[sent] = self.state.counts.get(sent, 0) + 1
        try:
            self._authenticate(request)
            fault = self._refuse(request)
            answer = await handler(request)
            if fault == "lost_answer":
                # It was done, but nobody hears of it.
                assert request.transport is not None
                request.transport.close()
            return answer
        except Refused as refusal:
            error: Document = {"code": refusal.code, "message": refusal.message, **refusal.more}
            return web.json_response({"error": error}, status=refusal.status)
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            said: Document = {"code": "bad_request", "message": f"Invalid request: {error}"}
            return web.json_response({"error": said}, status=400)
        except web.HTTPNotFound:
            missing: Document = {"code": "not_found", "message": "The requested API endpoint was not found."}
            return web.json_response({"error": missing}, status=404)

    def _authenticate(self, request: web.Request) -> None:
        token = self._token(request)
        known = token in (REHEARSAL_TOKEN, OTHER_TEAM_TOKEN) and token[-12:] not in self.state.revoked
        if token == EXPIRED_TOKEN or not known:
            raise Refused(403, "forbidden", "Not authorized", {"invalidToken": True})

    def _refuse(self, request: web.Request) -> str | None:
        """Refuse as the fault or the limit says; other faults are the caller's to play."""
        fault = self.stage.faults.roll("vercel", act_of(request))
        if fault == "rate_limited":
            self.throttle(request.path, _FAULT_SECONDS)
        if fault == "forbidden":
            raise Refused(403, "forbidden", "You don't have permission to access this resource.")
        until = self.state.throttled.get(request.path, 0.0)
        if until > self.now():
            limit = {
                "total": _LIMIT,
                "remaining": 0,
                "reset": int(until) + 1,
                "resetMs": int(until * 1000) + 1,
            }
            raise Refused(429, "rate_limited", "The rate limit was exceeded.", {"limit": limit})
        return fault


def act_of(request: web.Request) -> str:
    """How fault profiles name a call: ``projects.get``, ``domains.delete``, ``pause.create``."""
    words = [word for word in request.path.split("/") if word in _WORDS]
    verb = {"GET": "get", "POST": "create", "PATCH": "update", "DELETE": "delete"}.get(request.method, "get")
    return f"{words[-1] if words else 'api'}.{verb}"
