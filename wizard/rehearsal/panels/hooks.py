"""Webhooks: a push deploys, if it is on the branch that is deployed. The address is the only secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wizard.rehearsal.panels import deploy as panels_deploy

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel
    from wizard.rehearsal.panels.state import Row

_COMPOSE = "/api/deploy/compose/"
_APPLICATION = "/api/deploy/"
Answer = tuple[int, "Row"]


async def receive(panel: Panel, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Status and body of the answer. A green ping says nothing: it is answered for any token."""
    event = headers.get("x-github-event", headers.get("x-gitlab-event", ""))
    status, text = _answer(panel, path, event, headers, body)
    panel.state.hooks.append((event, status, text))
    return status, {"message": text}


def _answer(panel: Panel, path: str, event: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
    if event == "ping":
        return 200, "Ping received, webhook is active"
    if path.startswith(_COMPOSE):
        kind, token = "compose", path.removeprefix(_COMPOSE)
    else:
        kind, token = "application", path.removeprefix(_APPLICATION)
    row = next((row for row in panel.table(kind).values() if row["refreshToken"] == token), None)
    names = {"compose": "Compose", "application": "Application"}
    if row is None:
        return 404, f"{names[kind]} Not Found"
    if not row["autoDeploy"]:
        return 400, "Automatic deployments are disabled for this application"
    push = _push(body, headers)
    branch = str(push.get("ref") or "").removeprefix("refs/heads/")
    wanted = row.get("customGitBranch") if row["sourceType"] == "git" else row.get("branch")
    if row["sourceType"] not in ("raw", "docker") and (not branch or branch != wanted):
        return 301, "Branch Not Match"
    title, description = _words(push)
    panels_deploy.enqueue(panel, kind, row, title, description)
    return 200, f"{names[kind]} deployed successfully"


def _push(body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    from urllib.parse import parse_qs

    try:
        if "form" in headers.get("content-type", ""):
            body = parse_qs(body.decode())["payload"][0].encode()
        found = json.loads(body)
    except (ValueError, KeyError):
        return {}
    return found if isinstance(found, dict) else {}


def _words(push: dict[str, Any]) -> tuple[str, str]:
    commit = push.get("head_commit") or {}
    commits = push.get("commits") or [{}]
    message = str(commit.get("message") or commits[-1].get("message") or "NEW COMMIT")
    sha = str(commit.get("id") or push.get("after") or push.get("checkout_sha") or "")
    return message.splitlines()[0], f"Hash: {sha}" if sha else ""
