"""What can be changed at the rehearsal's Vercel: only what the last phase does, and its ways back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from wizard.rehearsal.vercel.project import domain, github_link
from wizard.rehearsal.vercel.state import USER, Refused, milliseconds

if TYPE_CHECKING:
    from wizard.rehearsal.vercel.standin import VercelStandin


def add_routes(vercel: VercelStandin, app: web.Application) -> None:
    acts = _Changes(vercel)
    router = app.router
    router.add_post("/v1/projects/{project}/pause", acts.pause)
    router.add_post("/v1/projects/{project}/unpause", acts.unpause)
    router.add_delete("/v9/projects/{project}/link", acts.disconnect)
    router.add_post("/v9/projects/{project}/link", acts.connect)
    router.add_post("/v10/projects/{project}/domains", acts.add_domain)
    router.add_delete("/v9/projects/{project}/domains/{domain}", acts.remove_domain)
    router.add_delete("/v9/projects/{project}", acts.delete)
    router.add_delete("/v3/user/tokens/{token}", acts.revoke)


class _Changes:
    def __init__(self, vercel: VercelStandin) -> None:
        self.vercel = vercel

    def _note(self, act: str, thing: str) -> None:
        self.vercel.stage.ledger.record("vercel", act, thing)

    def _paid(self) -> None:
        if why := self.vercel.state.soft_block:
            raise Refused(402, "payment_required", f"The account is blocked: {why}")

    async def pause(self, request: web.Request) -> web.Response:
        return self._set_paused(request, True)

    async def unpause(self, request: web.Request) -> web.Response:
        return self._set_paused(request, False)

    def _set_paused(self, request: web.Request, paused: bool) -> web.Response:
        try:
            project = self.vercel.project(request, by_id=True)
        except Refused as refusal:
            if refusal.status == 404:
                raise Refused(400, "bad_request", "Invalid project id.") from refusal
            raise
        if paused:
            self._paid()
        project.document.update(paused=paused, live=not paused)
        self._note("pause" if paused else "unpause", f"project {project.name}")
        return web.Response(status=200)

    async def disconnect(self, request: web.Request) -> web.Response:
        """Deploy hooks go with the link."""
        project = self.vercel.project(request)
        if project.document.get("link") is None:
            raise Refused(400, "bad_request", "The project is not connected to a Git repository.")
        self._note("delete", f"git link of {project.name}")
        del project.document["link"]
        return web.json_response(project.document)

    async def connect(self, request: web.Request) -> web.Response:
        project, body = self.vercel.project(request), await request.json()
        if body["type"] not in ("github", "gitlab", "bitbucket"):
            raise Refused(400, "bad_request", "`type` should be one of github, gitlab, bitbucket.")
        if project.document.get("link") is not None:
            raise Refused(409, "conflict", "The project is connected already.")
        made = milliseconds(self.vercel.now())
        project.document["link"] = {**github_link(str(body["repo"]), "main", made), "type": "github"}
        self._note("create", f"git link of {project.name}")
        return web.json_response(project.document)

    async def add_domain(self, request: web.Request) -> web.Response:
        project, body = self.vercel.project(request), await request.json()
        name = str(body["name"])
        for other in self.vercel.state.projects.values():
            if name in other.domains:
                raise Refused(409, "domain_already_in_use", f"{name} is in use by project {other.name}.")
        zone = next((zone for zone in self.vercel.state.zones if f".{name}".endswith(f".{zone}")), name)
        row = domain(project.id, name, zone, milliseconds(self.vercel.now()), body.get("redirect"))
        if body.get("redirectStatusCode"):
            row["redirectStatusCode"] = body["redirectStatusCode"]
        row["gitBranch"] = body.get("gitBranch")
        project.domains[name] = row
        self._note("create", f"domain {name}")
        return web.json_response(row)

    async def remove_domain(self, request: web.Request) -> web.Response:
        project, name = self.vercel.project(request), request.match_info["domain"]
        body = await request.json() if request.can_read_body else {}
        if project.transferring:
            raise Refused(409, "conflict", "The project is currently being transferred.")
        if name not in project.domains:
            raise Refused(404, "not_found", "The domain is not assigned to this project.")
        leading = [row["name"] for row in project.domains.values() if row["redirect"] == name]
        if leading and not body.get("removeRedirects"):
            raise Refused(400, "bad_request", f"{', '.join(leading)} redirects to {name}.")
        for gone in (name, *leading):
            del project.domains[gone]
            aliases = self.vercel.state.aliases
            self.vercel.state.aliases = [row for row in aliases if row["alias"] != gone]
            self._note("delete", f"domain {gone}")
        return web.json_response({})

    async def delete(self, request: web.Request) -> web.Response:
        """Domains of the account, their zones and stores stay."""
        project = self.vercel.project(request)
        if project.transferring:
            raise Refused(409, "conflict", "The project is currently being transferred.")
        state = self.vercel.state
        del state.projects[project.id]
        state.aliases = [row for row in state.aliases if row["projectId"] != project.id]
        self._note("delete", f"project {project.name}")
        return web.Response(status=204)

    async def revoke(self, request: web.Request) -> web.Response:
        wanted, state = request.match_info["token"], self.vercel.state
        if wanted not in {row["id"] for row in state.tokens}:
            raise Refused(404, "not_found", "Token not found.")
        state.tokens = [row for row in state.tokens if row["id"] != wanted]
        state.revoked.add(wanted)
        self._note("delete", f"token of {USER}")
        return web.json_response({"tokenId": wanted})
