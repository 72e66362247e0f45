"""The panel's door: keys and sessions, error shapes, pages, webhooks, faults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from aiohttp import web

from wizard.rehearsal.panels import account as panels_account
from wizard.rehearsal.panels import hooks as panels_hooks
from wizard.rehearsal.panels.procedures import PROCEDURES, Procedure, validate
from wizard.rehearsal.panels.state import LIMITED_CALLS, Refused, Row

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

_HTML = "text/html; charset=utf-8"
_JSON = "application/json"
_PUBLIC_HOOK = "/api/deploy/"


@dataclass
class Reply:
    """`lost`: it was done, but nobody hears of it."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False


def application(panel: Panel) -> web.Application:
    """The panel as a web application."""
    app = web.Application(client_max_size=1 << 26)

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = await respond(
            panel, request.method, request.path, request.query_string, headers, await request.read()
        )
        if reply.lost and request.transport is not None:
            request.transport.abort()
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    app.router.add_route("*", "/{path:.*}", handle)
    return app


async def respond(
    panel: Panel, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
) -> Reply:
    """One request, however it came: through the host's port or the panel's own domain."""
    if path == "/api/health":
        return json_reply(200, {"ok": True})
    if path.startswith(_PUBLIC_HOOK):
        if method != "POST":
            return json_reply(405, {"message": "Method not allowed"})
        return json_reply(*await panels_hooks.receive(panel, path, headers, body))
    if not path.startswith("/api/"):
        return _page(panel, path)
    try:
        given = json.loads(body) if body else {}
    except ValueError:
        return json_reply(400, {"message": "Invalid JSON"})
    name = path.removeprefix("/api/")
    if name.startswith("auth/"):
        return await _auth(panel, method, name, headers, given)
    return await _procedure(
        panel, method, name, dict(parse_qsl(query, keep_blank_values=True)), headers, given
    )


def _page(panel: Panel, path: str) -> Reply:
    """What a browser gets: the page to register leads away once there is an account."""
    known = panel.state.person is not None
    if path == "/register" and known:
        return Reply(307, headers={"Location": "/"})
    if path == "/" and not known:
        return Reply(307, headers={"Location": "/register"})
    if path not in ("/", "/register"):
        return Reply(404, b"<title>404: This page could not be found</title>", {"Content-Type": _HTML})
    title = "Sign In" if path == "/" else "Setup the server"
    text = f"<!doctype html><html><head><title>Dokploy</title></head><body>{title}</body></html>"
    return Reply(200, text.encode(), {"Content-Type": _HTML})


async def _auth(panel: Panel, method: str, name: str, headers: Mapping[str, str], given: Row) -> Reply:
    act = {"auth/sign-up/email": "sign_up", "auth/sign-in/email": "sign_in"}.get(name, "session")
    fault = panel.stage.faults.roll("panel", act)
    if fault == "error_500":
        return _error(Refused(500, "INTERNAL_SERVER_ERROR", "Internal server error"), name)
    value: Row | None
    try:
        if (method, act) == ("POST", "sign_up"):
            value, cookie = await panels_account.sign_up(panel, given)
        elif (method, act) == ("POST", "sign_in"):
            value, cookie = panels_account.sign_in(panel, given)
        elif (method, name) == ("GET", "auth/get-session"):
            value, cookie = panels_account.session(panel, headers), ""
        else:
            return json_reply(404, {"message": "Not found"})
    except Refused as refusal:
        # The accounts' own part of the panel has an error shape of its own.
        return json_reply(refusal.status, {"message": refusal.message, "code": refusal.code})
    reply = json_reply(200, value)
    if cookie:
        reply.headers["Set-Cookie"] = f"{panels_account.COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Lax"
    reply.lost = fault == "lost_answer"
    return reply


async def _procedure(
    panel: Panel, method: str, name: str, asked: Row, headers: Mapping[str, str], given: Row
) -> Reply:
    from wizard.rehearsal.panels.standin import settled

    procedure = PROCEDURES.get(name)
    if procedure is None or procedure.reads is not (method == "GET"):
        return json_reply(404, {"message": "Not found"})
    if not _admitted(panel, headers):
        return json_reply(401, {"message": "Unauthorized"})
    fault = panel.stage.faults.roll("panel", name)
    broken = Refused(500, "INTERNAL_SERVER_ERROR", "Internal server error")
    # A failure inside may come before the change or after it: nobody can tell from the answer.
    early = procedure.reads or panel.stage.random.random() < 0.5
    if fault == "error_500" and early:
        return _error(broken, name)
    sent = asked if procedure.reads else given
    try:
        _check(procedure, sent)
        value = await settled(procedure.handler(panel, sent))
    except Refused as refusal:
        return _error(refusal, name)
    if fault == "error_500":
        return _error(broken, name)
    reply = Reply(200, b"", {}) if value is None else json_reply(200, value)
    reply.lost = fault == "lost_answer"
    return reply


def _check(procedure: Procedure, sent: Any) -> None:
    if not isinstance(sent, dict):
        raise Refused(400, "BAD_REQUEST", "Input validation failed", {})
    validate(procedure, sent)


def _admitted(panel: Panel, headers: Mapping[str, str]) -> bool:
    if panels_account.signed_in(panel, headers):
        return True
    offered = headers.get("x-api-key", "")
    key = next((key for key in panel.state.keys.values() if key.key == offered), None)
    if key is None or (key.limited and key.calls >= LIMITED_CALLS):
        return False
    key.calls += 1
    return True


def json_reply(status: int, value: Any) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": _JSON})


def _error(refusal: Refused, path: str) -> Reply:
    body: Row = {"message": refusal.message, "code": refusal.code}
    if refusal.fields is not None:
        complaint = {"formErrors": [], "fieldErrors": refusal.fields}
        body["data"] = {
            "code": refusal.code,
            "httpStatus": refusal.status,
            "path": path,
            "zodError": complaint,
        }
        body["issues"] = [{"message": text} for texts in refusal.fields.values() for text in texts]
    return json_reply(refusal.status, body)
