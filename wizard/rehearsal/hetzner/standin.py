"""Stands in for the Hetzner Cloud API: what it answers, what it refuses, and how long things take."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from aiohttp import web

from wizard.rehearsal.hetzner import catalogue
from wizard.rehearsal.hetzner import resources as hetzner_resources
from wizard.rehearsal.hetzner import servers as hetzner_servers
from wizard.rehearsal.hetzner import zones as hetzner_zones
from wizard.rehearsal.hetzner.state import (
    EXPIRED_TOKEN,
    HOURLY_LIMIT,
    PLAYING,
    READ_ONLY_TOKEN,
    REHEARSAL_TOKEN,
    ActionState,
    Document,
    HetznerState,
    Refused,
    Table,
    when,
)

if TYPE_CHECKING:
    from wizard.rehearsal.stage import Stage

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_FAULTS: dict[str, tuple[int, str, str]] = {
    "server_error": (500, "server_error", "an internal error occurred"),
    "unauthorized": (401, "unauthorized", "unable to authenticate"),
    "resource_limit_exceeded": (403, "resource_limit_exceeded", "server limit reached"),
}
_WORDINGS = (
    "error during placement",
    "server location disabled",
    "we are unable to provision servers for this location, try with a different location or resource",
)


class HetznerStandin:
    """One project. `url` is its base address once started."""

    def __init__(self, stage: Stage, state: HetznerState) -> None:
        self.stage = stage
        self.state = state
        self.url = ""

    @staticmethod
    def begin(stage: Stage) -> HetznerState:
        return HetznerState(scarce=catalogue.SCARCE, budget_at=stage.clock.now())

    @property
    def secrets(self) -> dict[str, str]:
        return {"HCLOUD_TOKEN": REHEARSAL_TOKEN}

    async def start(self) -> None:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/v1/server_types", self._server_types)
        app.router.add_get("/v1/locations", self._locations)
        app.router.add_get("/v1/images", self._images)
        app.router.add_get("/v1/pricing", self._pricing)
        app.router.add_get("/v1/actions", self._actions)
        app.router.add_get("/v1/actions/{id}", self._action)
        hetzner_resources.add_routes(self, app)
        hetzner_servers.add_routes(self, app)
        hetzner_zones.add_routes(self, app)
        self.url = f"http://{await self.stage.serve(app, 'hetzner')}/v1"

    async def stop(self) -> None:
        """Its listener ends with the stage."""

    # What every handler uses

    def now(self) -> float:
        return self.stage.clock.now()

    def act(
        self,
        command: str,
        *resources: tuple[int, str],
        seconds: float = 1.0,
        error: tuple[str, str] | None = None,
    ) -> Document:
        """Begin an action that takes `seconds` of the world's time."""
        now = self.now()
        action = ActionState(self.state.number(), command, now, now + seconds, resources, error)
        self.state.actions[action.id] = action
        return self.show_action(action)

    def show_action(self, action: ActionState) -> Document:
        now = self.now()
        over = now >= action.ends
        share = (now - action.started) / max(0.001, action.ends - action.started)
        failed = {"code": action.error[0], "message": action.error[1]} if over and action.error else None
        return {
            "id": action.id,
            "command": action.command,
            "status": "running" if not over else "error" if failed else "success",
            "progress": 100 if over else int(share * 100),
            "started": when(action.started),
            "finished": when(action.ends) if over else None,
            "resources": [{"id": number, "type": kind} for number, kind in action.resources],
            "error": failed,
        }

    def locked(self, number: int, kind: str = "server") -> bool:
        now = self.now()
        return any(
            action.ends > now and (number, kind) in action.resources for action in self.state.actions.values()
        )

    def free_name(self, table: Table, name: str, what: str) -> None:
        """Raises Refused when the name is taken."""
        if any(row["name"] == name for row in table.values()):
            raise Refused(
                409,
                "uniqueness_error",
                f"{what} name is already used",
                {"fields": [{"name": "name", "messages": ["is already used"]}]},
            )

    def find(self, table: Table, request: web.Request) -> Document:
        text = request.match_info["id"]
        row = table.get(int(text)) if text.isdigit() else None
        if row is None:
            raise Refused(404, "not_found", f"resource with ID '{text}' not found")
        return row

    def listing(self, request: web.Request, key: str, rows: Sequence[Document]) -> web.Response:
        """One page of `rows`, chosen by name and label selector."""
        query = request.query
        if name := query.get("name"):
            rows = [row for row in rows if row["name"] == name]
        if selector := query.get("label_selector"):
            rows = [row for row in rows if _selected(row["labels"], selector)]
        page, size = max(1, int(query.get("page", 1))), min(max(1, int(query.get("per_page", 25))), 50)
        last = max(1, -(-len(rows) // size))
        pagination = {
            "page": page,
            "per_page": size,
            "previous_page": page - 1 if page > 1 else None,
            "next_page": page + 1 if page < last else None,
            "last_page": last,
            "total_entries": len(rows),
        }
        return web.json_response(
            {key: list(rows[(page - 1) * size : page * size]), "meta": {"pagination": pagination}}
        )

    def no_capacity(self) -> Refused:
        """Hetzner has many words for it."""
        self.state.refusals += 1
        return Refused(412, "resource_unavailable", _WORDINGS[self.state.refusals % len(_WORDINGS)])

    # The door

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.state.requests += 1
        answer = await self._answer(request, handler)
        if isinstance(answer, web.Response):
            answer.headers["X-Correlation-Id"] = f"{self.state.requests:016x}"
            answer.headers["RateLimit-Limit"] = str(HOURLY_LIMIT)
            answer.headers["RateLimit-Remaining"] = str(int(self.state.budget))
            full = self.now() + HOURLY_LIMIT - self.state.budget
            answer.headers["RateLimit-Reset"] = str(int(full))
        return answer

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._spend()
            self._authenticate(request)
            fault = self.stage.faults.roll("hetzner", _act_of(request))
            if fault == "no_capacity":
                raise self.no_capacity()
            if fault == "token_readonly" and request.method != "GET":
                raise Refused(403, "token_readonly", "token is only allowed to perform GET requests")
            if fault in _FAULTS:
                raise Refused(*_FAULTS[fault])
            PLAYING.set(fault)
            answer = await handler(request)
            if fault == "lost_answer":
                # It was done, but nobody hears of it.
                assert request.transport is not None
                request.transport.close()
            return answer
        except Refused as refusal:
            error: Document = {"code": refusal.code, "message": refusal.message, "details": refusal.details}
            return web.json_response({"error": error}, status=refusal.status)
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            return web.json_response(
                {"error": {"code": "invalid_input", "message": f"invalid input: {error}", "details": None}},
                status=422,
            )
        except web.HTTPNotFound:
            return web.json_response(
                {"error": {"code": "not_found", "message": "resource not found", "details": None}}, status=404
            )

    def _spend(self) -> None:
        now, state = self.now(), self.state
        state.budget = min(HOURLY_LIMIT, state.budget + max(0.0, now - state.budget_at))
        state.budget_at = now
        if state.budget < 1:
            raise Refused(429, "rate_limit_exceeded", "limit of 3600 requests per hour reached")
        state.budget -= 1

    def _authenticate(self, request: web.Request) -> None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token == EXPIRED_TOKEN or token not in (REHEARSAL_TOKEN, READ_ONLY_TOKEN):
            raise Refused(401, "unauthorized", "unable to authenticate")
        if token == READ_ONLY_TOKEN and request.method != "GET":
            raise Refused(403, "token_readonly", "token is only allowed to perform GET requests")

    # What is offered

    async def _server_types(self, request: web.Request) -> web.Response:
        return self.listing(request, "server_types", catalogue.server_types(self.state.scarce))

    async def _locations(self, request: web.Request) -> web.Response:
        return self.listing(request, "locations", catalogue.locations())

    async def _images(self, request: web.Request) -> web.Response:
        rows = catalogue.images()
        if wanted := request.query.getall("architecture", []):
            rows = [row for row in rows if row["architecture"] in wanted]
        return self.listing(request, "images", rows)

    async def _pricing(self, request: web.Request) -> web.Response:
        return web.json_response({"pricing": catalogue.pricing()})

    async def _actions(self, request: web.Request) -> web.Response:
        wanted = [int(text) for text in request.query.getall("id")]
        found = [self.state.actions[number] for number in wanted if number in self.state.actions]
        return web.json_response({"actions": [self.show_action(action) for action in found]})

    async def _action(self, request: web.Request) -> web.Response:
        action = self.state.actions.get(int(request.match_info["id"]))
        if action is None:
            raise Refused(404, "not_found", "action not found")
        return web.json_response({"action": self.show_action(action)})


def _act_of(request: web.Request) -> str:
    """How fault profiles name a call: ``servers.create``, ``firewalls.set_rules``, ``zones.get``."""
    words = request.path.removeprefix("/v1/").split("/")
    if "actions" in words[:-1]:
        return f"{words[0]}.{words[-1]}"
    verb = {"GET": "get", "POST": "create", "PUT": "update", "DELETE": "delete"}.get(request.method, "get")
    return f"{words[0]}.{verb}"


def _selected(labels: dict[str, str], selector: str) -> bool:
    """Only what the wizard sends: ``key=value`` joined by commas, and bare keys."""
    for part in selector.split(","):
        key, equals, value = part.strip().partition("=")
        if key not in labels or (equals and labels[key] != value.lstrip("=")):
            return False
    return True
