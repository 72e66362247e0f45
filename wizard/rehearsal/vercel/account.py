"""What belongs to a person or a team at the rehearsal's Vercel: domains, zones, stores, tokens, the bill."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web

from wizard.rehearsal.dns import vercel as dns_vercel
from wizard.rehearsal.fronts.vercel import VERCEL_ADDRESS
from wizard.rehearsal.vercel.pages import by_moment
from wizard.rehearsal.vercel.state import Document, Refused, milliseconds

if TYPE_CHECKING:
    from wizard.rehearsal.vercel.standin import VercelStandin


def add_routes(vercel: VercelStandin, app: web.Application) -> None:
    reads = _Account(vercel)
    add = app.router.add_get
    add("/v2/user", reads.user)
    add("/v2/teams", reads.teams)
    add("/v2/teams/{team}", reads.team)
    for version in ("v5", "v6"):
        add(f"/{version}/user/tokens", reads.tokens)
    add("/v5/user/tokens/{token}", reads.token)
    add("/v5/domains", reads.domains)
    add("/v5/domains/{domain}", reads.domain)
    add("/v6/domains/{domain}/config", reads.domain_config)
    for version in ("v4", "v5"):
        add(f"/{version}/domains/{{domain}}/records", reads.records)
    add("/v8/certs", reads.certificates)
    add("/v1/env", reads.shared)
    add("/v1/env/{variable}", reads.shared_one)
    for word in ("edge-config", "global-config"):
        add(f"/v1/{word}", reads.edge_configs)
        add(f"/v1/{word}/{{config}}/items", reads.edge_items)
    add("/v1/storage/stores", reads.stores)
    add("/v1/webhooks", reads.webhooks)
    add("/v1/drains", reads.drains)
    add("/v1/integrations/configurations", reads.integrations)
    add("/v1/billing/charges", reads.charges)


class _Account:
    def __init__(self, vercel: VercelStandin) -> None:
        self.vercel = vercel

    def _own(self, request: web.Request, rows: list[Document]) -> list[Document]:
        scope = self.vercel.scope(request)
        return [row for row in rows if row.get("ownerId") == scope]

    async def user(self, request: web.Request) -> web.Response:
        user = dict(self.vercel.state.user)
        if why := self.vercel.state.soft_block:
            user["softBlock"] = {"blockedAt": milliseconds(self.vercel.now()), "reason": why}
        return web.json_response({"user": user})

    async def teams(self, request: web.Request) -> web.Response:
        return web.json_response(by_moment(request, "teams", self.vercel.teams_of(request)))

    async def team(self, request: web.Request) -> web.Response:
        wanted = request.match_info["team"]
        for team in self.vercel.state.teams.values():
            if wanted in (team["id"], team["slug"]):
                return web.json_response(team)
        raise Refused(404, "not_found", "Team not found.")

    async def tokens(self, request: web.Request) -> web.Response:
        if request.path.startswith("/v6"):
            self.vercel.since_2026()
        return web.json_response(by_moment(request, "tokens", self.vercel.state.tokens))

    async def token(self, request: web.Request) -> web.Response:
        wanted = request.match_info["token"]
        for row in self.vercel.state.tokens:
            if wanted in (row["id"], "current"):
                return web.json_response({"token": row})
        raise Refused(404, "not_found", "Token not found.")

    async def domains(self, request: web.Request) -> web.Response:
        return web.json_response(by_moment(request, "domains", self._zones(request)))

    def _zones(self, request: web.Request) -> list[Document]:
        scope = self.vercel.scope(request)
        return [row for row in self.vercel.state.zones.values() if (row["teamId"] or row["userId"]) == scope]

    async def domain(self, request: web.Request) -> web.Response:
        for row in self._zones(request):
            if row["name"] == request.match_info["domain"]:
                return web.json_response({"domain": {**row, "suffix": False}})
        raise Refused(404, "not_found", "Domain not found.")

    async def domain_config(self, request: web.Request) -> web.Response:
        name = request.match_info["domain"]
        here = VERCEL_ADDRESS in self.vercel.stage.dns.lookup(name, "A")
        return web.json_response(
            {
                "configuredBy": "A" if here else None,
                "misconfigured": not here,
                "acceptedChallenges": ["http-01"] if here else [],
                "recommendedIPv4": [{"rank": 1, "value": [VERCEL_ADDRESS]}],
                "recommendedCNAME": [{"rank": 1, "value": "5e1f.vercel-dns-017.com."}],
            }
        )

    async def records(self, request: web.Request) -> web.Response:
        if request.path.startswith("/v5"):
            self.vercel.since_2026()
        name = request.match_info["domain"]
        if name not in {row["name"] for row in self._zones(request)}:
            raise Refused(404, "not_found", "Domain not found.")
        rows = dns_vercel.records(self.vercel, name)
        return web.json_response(by_moment(request, "records", rows))

    async def certificates(self, request: web.Request) -> web.Response:
        self.vercel.since_2026()
        self.vercel.scope(request)
        return web.json_response(by_moment(request, "certs", self.vercel.state.certificates))

    async def shared(self, request: web.Request) -> web.Response:
        self.vercel.since_2026()
        rows = self._own(request, self.vercel.state.shared)
        if project := request.query.get("projectId"):
            rows = [row for row in rows if project in row["projectId"]]
        return web.json_response(by_moment(request, "data", rows))

    async def shared_one(self, request: web.Request) -> web.Response:
        for row in self._own(request, self.vercel.state.shared):
            if row["id"] == request.match_info["variable"]:
                if row["type"] == "sensitive":
                    return web.json_response({**row, "decrypted": False})
                value = self.vercel.state.shared_values[str(row["id"])]
                return web.json_response({**row, "decrypted": True, "value": value})
        raise Refused(404, "not_found", "The environment variable was not found.")

    async def edge_configs(self, request: web.Request) -> web.Response:
        if "global" in request.path:
            self.vercel.since_2026()
        return web.json_response(self._own(request, self.vercel.state.edge_configs))

    async def edge_items(self, request: web.Request) -> web.Response:
        if "global" in request.path:
            self.vercel.since_2026()
        self.vercel.scope(request)
        found = self.vercel.state.edge_items.get(request.match_info["config"])
        if found is None:
            raise Refused(404, "not_found", "The Edge Config was not found.")
        return web.json_response(found)

    async def stores(self, request: web.Request) -> web.Response:
        return web.json_response({"stores": self._own(request, self.vercel.state.stores)})

    async def webhooks(self, request: web.Request) -> web.Response:
        rows = self._own(request, self.vercel.state.webhooks)
        if project := request.query.get("projectId"):
            rows = [row for row in rows if project in row.get("projectIds", (project,))]
        return web.json_response(rows)

    async def drains(self, request: web.Request) -> web.Response:
        rows = self._own(request, self.vercel.state.drains)
        if project := request.query.get("projectId"):
            rows = [row for row in rows if project in row.get("projectIds", (project,))]
        return web.json_response({"drains": rows})

    async def integrations(self, request: web.Request) -> web.Response:
        if request.query.get("view") not in ("account", "project"):
            raise Refused(400, "bad_request", "`view` should be one of account, project.")
        return web.json_response(self._own(request, self.vercel.state.integrations))

    async def charges(self, request: web.Request) -> web.Response:
        """A line of JSON for each charge (FOCUS)."""
        if not self.vercel.state.billing:
            raise Refused(403, "forbidden", "Your plan or role does not allow to read charges.")
        rows = self._own(request, self.vercel.state.charges)
        lines = [json.dumps({key: value for key, value in row.items() if key != "ownerId"}) for row in rows]
        return web.Response(text="\n".join(lines) + "\n", content_type="application/x-ndjson")
