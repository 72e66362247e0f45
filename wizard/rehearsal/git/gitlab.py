"""GitLab's API v4: projects, branches, files, hooks with their events, deploy keys."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import asyncssh
from aiohttp import web

from wizard.rehearsal.git import delivery as git_delivery
from wizard.rehearsal.git.github import act_of
from wizard.rehearsal.git.github_show import when
from wizard.rehearsal.git.state import (
    GITLAB_READ_TOKEN,
    GITLAB_TOKEN,
    OWNER,
    CommitState,
    Document,
    HookState,
    KeyState,
    Refused,
    RepositoryState,
    bare_key,
    blob_sha,
    named,
)

if TYPE_CHECKING:
    from wizard.rehearsal.git.standin import GitStandin

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_DEVELOPER, _MAINTAINER = 30, 40


class GitLab:
    """The API over one stand-in's state."""

    def __init__(self, standin: GitStandin) -> None:
        self.standin = standin
        self.state = standin.state

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if self.standin.stage.faults.roll("gitlab", act_of(request)) == "error_502":
                return web.Response(status=502, text="GitLab: 502")
            token = self.token(request)
            if token and token not in (GITLAB_TOKEN, GITLAB_READ_TOKEN):
                raise Refused(401, "401 Unauthorized")
            return await handler(request)
        except Refused as refusal:
            return web.json_response({"message": refusal.message}, status=refusal.status)
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            return web.json_response({"error": f"{error} is missing"}, status=400)
        except web.HTTPNotFound:
            return web.json_response({"error": "404 Not Found"}, status=404)

    @staticmethod
    def token(request: web.Request) -> str:
        return request.headers.get("PRIVATE-TOKEN", "")

    def project(self, request: web.Request, *, maintain: bool = False) -> RepositoryState:
        """The project of the path: its number, or its name percent-encoded. Raises Refused."""
        wanted, token = unquote(request.match_info["id"]), self.token(request)
        found = self.state.find(wanted, "gitlab")
        if wanted.isdigit():
            rows = self.state.repositories.values()
            found = next((one for one in rows if one.id == int(wanted) and one.host == "gitlab"), None)
        if found is None or (found.private and not token):
            raise Refused(404, "404 Project Not Found")
        if maintain and token != GITLAB_TOKEN:
            raise Refused(403 if token else 401, "403 Forbidden" if token else "401 Unauthorized")
        return found

    def page(self, request: web.Request, rows: Sequence[Any]) -> web.Response:
        size = min(100, int(request.query.get("per_page", 20)))
        number = int(request.query.get("page", 1))
        answer = web.json_response(list(rows[(number - 1) * size : number * size]))
        answer.headers["X-Next-Page"] = str(number + 1) if number * size < len(rows) else ""
        return answer

    # What may be read

    async def user(self, request: web.Request) -> web.Response:
        if not self.token(request):
            raise Refused(401, "401 Unauthorized")
        return web.json_response({"id": 1, "username": OWNER, "state": "active"})

    async def own_token(self, request: web.Request) -> web.Response:
        if not self.token(request):
            raise Refused(401, "401 Unauthorized")
        scopes = ["api"] if self.token(request) == GITLAB_TOKEN else ["read_api", "read_repository"]
        return web.json_response({"id": 1, "active": True, "scopes": scopes, "expires_at": None})

    async def projects(self, request: web.Request) -> web.Response:
        rows = [self._shown(one, request) for one in self.state.repositories.values() if one.host == "gitlab"]
        return self.page(request, rows if self.token(request) else [])

    async def show_project(self, request: web.Request) -> web.Response:
        return web.json_response(self._shown(self.project(request), request))

    def _shown(self, found: RepositoryState, request: web.Request) -> Document:
        level = {GITLAB_TOKEN: _MAINTAINER, GITLAB_READ_TOKEN: _DEVELOPER}.get(self.token(request))
        return {
            "id": found.id,
            "path_with_namespace": found.name,
            "default_branch": found.default_branch,
            "visibility": "private" if found.private else "public",
            "archived": False,
            "permissions": {
                "project_access": {"access_level": level} if level else None,
                "group_access": None,
            },
        }

    async def branch(self, request: web.Request) -> web.Response:
        found, name = self.project(request), unquote(request.match_info["branch"])
        head = found.head(name) if name in found.branches else None
        if head is None:
            raise Refused(404, "404 Branch Not Found")
        return web.json_response(
            {"name": name, "protected": False, "commit": {"id": head.sha, "message": head.message}}
        )

    def _commit(self, request: web.Request, found: RepositoryState) -> CommitState:
        head = found.commit(request.query.get("ref") or found.default_branch)
        if head is None:
            raise Refused(404, "404 Commit Not Found")
        return head

    async def file(self, request: web.Request) -> web.Response:
        found = self.project(request)
        head, path = self._commit(request, found), unquote(request.match_info["path"])
        if path not in head.files:
            raise Refused(404, "404 File Not Found")
        text = head.files[path]
        return web.json_response(
            {
                "file_path": path,
                "size": len(text),
                "encoding": "base64",
                "content": base64.b64encode(text).decode(),
                "ref": request.query.get("ref", found.default_branch),
                "blob_id": blob_sha(text),
                "last_commit_id": head.sha,
            }
        )

    async def tree(self, request: web.Request) -> web.Response:
        found = self.project(request)
        head = self._commit(request, found)
        rows = [
            {"id": blob_sha(text), "name": path.rpartition("/")[2], "type": "blob", "path": path}
            for path, text in head.files.items()
            if "recursive" in request.query or "/" not in path
        ]
        return self.page(request, rows)

    # Hooks and keys

    def _hook(self, request: web.Request) -> tuple[RepositoryState, HookState]:
        found = self.project(request, maintain=True)
        hook = found.hooks.get(int(request.match_info["hook"]))
        if hook is None:
            raise Refused(404, "404 Not found")
        return found, hook

    async def hooks(self, request: web.Request) -> web.Response:
        found = self.project(request, maintain=True)
        return self.page(request, [_hook(one) for one in found.hooks.values()])

    async def add_hook(self, request: web.Request) -> web.Response:
        """A second hook of the same address is taken like the first: nothing here is unique."""
        found, body = self.project(request, maintain=True), await request.json()
        hook = HookState(
            self.state.number(),
            str(body["url"]),
            ["push"] if body.get("push_events", True) else [],
            str(body.get("token") or ""),
            not body.get("enable_ssl_verification", True),
            self.standin.now(),
            branch=str(body.get("push_events_branch_filter") or ""),
        )
        hook.thing = named(found, hook)
        found.hooks[hook.id] = hook
        self._record("create", hook.thing)
        return web.json_response(_hook(hook), status=201)

    async def delete_hook(self, request: web.Request) -> web.Response:
        found, hook = self._hook(request)
        del found.hooks[hook.id]
        self._record("delete", hook.thing)
        return web.Response(status=204)

    async def test(self, request: web.Request) -> web.Response:
        """Sends the latest push, and answers with what came back."""
        found, hook = self._hook(request)
        branch = hook.branch or found.default_branch
        head = found.head(branch)
        if head is None:
            raise Refused(422, "Ensure the project has commits.")
        before = found.commit(head.parent) if head.parent else None
        payload = git_delivery.push_payload(found, branch, head, before)
        made = await self.standin.deliver(found, hook, "push", payload)
        if made.status_code >= 400:
            raise Refused(422, f"Hook execution failed: {made.status}")
        return web.json_response({"message": "201 Created"}, status=201)

    async def events(self, request: web.Request) -> web.Response:
        _, hook = self._hook(request)
        rows = [
            {
                "id": one.id,
                "url": hook.url,
                "trigger": "push_hooks",
                "request_headers": {},
                "request_data": one.payload,
                "response_body": one.answer,
                "response_headers": one.answer_headers,
                "execution_duration": one.seconds,
                "response_status": str(one.status_code) if one.status_code != 502 else "internal error",
                "created_at": when(one.at),
            }
            for one in reversed(hook.deliveries)
        ]
        return self.page(request, rows)

    async def resend(self, request: web.Request) -> web.Response:
        found, hook = self._hook(request)
        wanted = int(request.match_info["event"])
        one = next((row for row in hook.deliveries if row.id == wanted), None)
        if one is None:
            raise Refused(404, "404 Not found")
        made = await self.standin.deliver(found, hook, one.event, one.payload, again=one)
        return web.json_response({"response_status": made.status_code})

    async def keys(self, request: web.Request) -> web.Response:
        found = self.project(request, maintain=True)
        return self.page(request, [_key(one) for one in found.keys.values()])

    async def add_key(self, request: web.Request) -> web.Response:
        found, body = self.project(request, maintain=True), await request.json()
        public = str(body["key"])
        try:
            asyncssh.import_public_key(public)
        except (asyncssh.KeyImportError, ValueError) as error:
            raise Refused(400, "deploy_key.key is invalid") from error
        if any(bare_key(one.key) == bare_key(public) for one in found.keys.values()):
            raise Refused(400, "deploy_key.fingerprint_sha256 has already been taken")
        key = KeyState(
            self.state.number(),
            str(body["title"]),
            bare_key(public),
            not body.get("can_push", False),
            self.standin.now(),
        )
        found.keys[key.id] = key
        self._record("create", f"deploy key {key.title} of {found.name}")
        return web.json_response(_key(key), status=201)

    async def delete_key(self, request: web.Request) -> web.Response:
        found = self.project(request, maintain=True)
        key = found.keys.pop(int(request.match_info["key"]), None)
        if key is None:
            raise Refused(404, "404 Deploy Key Not Found")
        self._record("delete", f"deploy key {key.title} of {found.name}")
        return web.Response(status=204)

    def _record(self, act: str, thing: str) -> None:
        self.standin.stage.ledger.record("git", act, thing)


def _hook(one: HookState) -> Document:
    return {
        "id": one.id,
        "url": one.url,
        "push_events": "push" in one.events,
        "push_events_branch_filter": one.branch,
        "enable_ssl_verification": not one.insecure,
        "created_at": when(one.created),
    }


def _key(one: KeyState) -> Document:
    return {"id": one.id, "title": one.title, "key": one.key, "can_push": not one.read_only}


def mount(standin: GitStandin, app: web.Application) -> None:
    """Give `app` the API's paths and its door."""
    lab = GitLab(standin)
    app.middlewares.append(lab.guard)
    get, post, delete = app.router.add_get, app.router.add_post, app.router.add_delete
    top, one = "/api/v4", "/api/v4/projects/{id}"
    get(f"{top}/user", lab.user)
    get(f"{top}/personal_access_tokens/self", lab.own_token)
    get(f"{top}/projects", lab.projects)
    get(one, lab.show_project)
    get(f"{one}/repository/branches/{{branch}}", lab.branch)
    get(f"{one}/repository/files/{{path}}", lab.file)
    get(f"{one}/repository/tree", lab.tree)
    get(f"{one}/hooks", lab.hooks)
    post(f"{one}/hooks", lab.add_hook)
    delete(f"{one}/hooks/{{hook}}", lab.delete_hook)
    post(f"{one}/hooks/{{hook}}/test/push_events", lab.test)
    get(f"{one}/hooks/{{hook}}/events", lab.events)
    post(f"{one}/hooks/{{hook}}/events/{{event}}/resend", lab.resend)
    get(f"{one}/deploy_keys", lab.keys)
    post(f"{one}/deploy_keys", lab.add_key)
    delete(f"{one}/deploy_keys/{{key}}", lab.delete_key)
