"""GitHub's webhooks with their deliveries, and deploy keys: what a panel needs at the git host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncssh
from aiohttp import web

from wizard.rehearsal.git import delivery as git_delivery
from wizard.rehearsal.git import github_show as git_github_show
from wizard.rehearsal.git.github_show import when
from wizard.rehearsal.git.state import (
    DeliveryState,
    Document,
    HookState,
    KeyState,
    Refused,
    RepositoryState,
    bare_key,
    named,
)

if TYPE_CHECKING:
    from wizard.rehearsal.git.github import GitHub

READ, WRITE = "repository_hooks=read", "repository_hooks=write"
ADMINISTER = "administration=write"
_MOST_HOOKS = 20
_PING = "Practicality beats purity."


class Hooks:
    """The handlers; `hub` knows who asks."""

    def __init__(self, hub: GitHub) -> None:
        self.hub = hub
        self.standin = hub.standin

    def _find(self, request: web.Request, right: str) -> tuple[RepositoryState, HookState]:
        repository = self.hub.owned(request, right)
        hook = repository.hooks.get(int(request.match_info["hook"]))
        if hook is None:
            raise Refused(404, "Not Found")
        return repository, hook

    def _record(self, act: str, thing: str) -> None:
        self.standin.stage.ledger.record("git", act, thing)

    async def listing(self, request: web.Request) -> web.Response:
        repository = self.hub.owned(request, READ)
        rows = [git_github_show.hook(repository, one, self.hub.base) for one in repository.hooks.values()]
        return self.hub.page(request, rows)

    async def show(self, request: web.Request) -> web.Response:
        repository, hook = self._find(request, READ)
        return web.json_response(git_github_show.hook(repository, hook, self.hub.base))

    async def create(self, request: web.Request) -> web.Response:
        repository = self.hub.owned(request, WRITE)
        body = await request.json()
        config, events = body["config"], list(body.get("events") or ["push"])
        _acceptable(repository, config, events)
        hook = HookState(
            self.standin.state.number(),
            str(config["url"]),
            events,
            str(config.get("secret") or ""),
            str(config.get("insecure_ssl", "0")) == "1",
            self.standin.now(),
            bool(body.get("active", True)),
        )
        hook.thing = named(repository, hook)
        repository.hooks[hook.id] = hook
        self._record("create", hook.thing)
        self._ping(repository, hook)
        shown = git_github_show.hook(repository, hook, self.hub.base)
        return web.json_response(shown, status=201)

    async def edit(self, request: web.Request) -> web.Response:
        repository, hook = self._find(request, WRITE)
        body = await request.json()
        config = body.get("config") or {}
        hook.url = str(config.get("url", hook.url))
        hook.secret = str(config.get("secret", hook.secret))
        hook.insecure = str(config.get("insecure_ssl", "1" if hook.insecure else "0")) == "1"
        hook.events = list(body.get("events", hook.events))
        hook.active = bool(body.get("active", hook.active))
        return web.json_response(git_github_show.hook(repository, hook, self.hub.base))

    async def delete(self, request: web.Request) -> web.Response:
        repository, hook = self._find(request, WRITE)
        del repository.hooks[hook.id]
        self._record("delete", hook.thing)
        return web.Response(status=204)

    async def ping(self, request: web.Request) -> web.Response:
        self._ping(*self._find(request, READ))
        return web.Response(status=204)

    def _ping(self, repository: RepositoryState, hook: HookState) -> None:
        payload: Document = {"zen": _PING, "hook_id": hook.id, "hook": {"events": hook.events}}
        self.standin.stage.spawn(self.standin.deliver(repository, hook, "ping", payload))

    async def test(self, request: web.Request) -> web.Response:
        """Sends the latest push again: whoever listens deploys."""
        repository, hook = self._find(request, READ)
        head = repository.head()
        if "push" in hook.events and head is not None:
            before = repository.commit(head.parent) if head.parent else None
            payload = git_delivery.push_payload(repository, repository.default_branch, head, before)
            self.standin.stage.spawn(self.standin.deliver(repository, hook, "push", payload))
        return web.Response(status=204)

    async def deliveries(self, request: web.Request) -> web.Response:
        repository, hook = self._find(request, READ)
        return self.hub.page(request, [_row(repository, one) for one in reversed(hook.deliveries)])

    def _delivery(self, request: web.Request, hook: HookState) -> DeliveryState:
        wanted = int(request.match_info["delivery"])
        found = next((one for one in hook.deliveries if one.id == wanted), None)
        if found is None:
            raise Refused(404, "Not Found")
        return found

    async def delivery(self, request: web.Request) -> web.Response:
        repository, hook = self._find(request, READ)
        one = self._delivery(request, hook)
        sent = {"headers": one.sent_headers, "payload": one.payload}
        answer = {"headers": one.answer_headers, "payload": one.answer}
        return web.json_response(
            {**_row(repository, one), "url": hook.url, "request": sent, "response": answer}
        )

    async def attempt(self, request: web.Request) -> web.Response:
        repository, hook = self._find(request, WRITE)
        one = self._delivery(request, hook)
        self.standin.stage.spawn(self.standin.deliver(repository, hook, one.event, one.payload, again=one))
        return web.json_response({}, status=202)

    # Deploy keys

    async def keys(self, request: web.Request) -> web.Response:
        repository = self.hub.owned(request, "administration=read")
        rows = [git_github_show.key(repository, one, self.hub.base) for one in repository.keys.values()]
        return self.hub.page(request, rows)

    async def add_key(self, request: web.Request) -> web.Response:
        repository = self.hub.owned(request, ADMINISTER)
        body = await request.json()
        public = str(body["key"])
        try:
            asyncssh.import_public_key(public)
        except (asyncssh.KeyImportError, ValueError):
            why = "key is invalid. You must supply a key in OpenSSH public key format"
            raise _invalid("PublicKey", "key", why) from None
        if self.standin.state.key_holder(public) is not None:
            raise _invalid("PublicKey", "key", "key is already in use")
        key = KeyState(
            self.standin.state.number(),
            str(body.get("title") or public.split()[-1]),
            bare_key(public),
            bool(body.get("read_only", False)),
            self.standin.now(),
        )
        repository.keys[key.id] = key
        self._record("create", f"deploy key {key.title} of {repository.name}")
        return web.json_response(git_github_show.key(repository, key, self.hub.base), status=201)

    async def show_key(self, request: web.Request) -> web.Response:
        repository = self.hub.owned(request, "administration=read")
        key = repository.keys.get(int(request.match_info["key"]))
        if key is None:
            raise Refused(404, "Not Found")
        return web.json_response(git_github_show.key(repository, key, self.hub.base))

    async def delete_key(self, request: web.Request) -> web.Response:
        repository = self.hub.owned(request, ADMINISTER)
        key = repository.keys.pop(int(request.match_info["key"]), None)
        if key is None:
            raise Refused(404, "Not Found")
        self._record("delete", f"deploy key {key.title} of {repository.name}")
        return web.Response(status=204)


def _acceptable(repository: RepositoryState, config: Document, events: list[str]) -> None:
    url = str(config.get("url") or "")
    if not url.startswith(("http://", "https://")):
        raise _invalid("Hook", "url", "url is missing a scheme")
    for other in repository.hooks.values():
        if other.url == url and set(other.events) & set(events):
            raise _invalid("Hook", "", "Hook already exists on this repository")
    if len(repository.hooks) >= _MOST_HOOKS:
        raise _invalid("Hook", "", 'The "push" event cannot have more than 20 hooks')


def _invalid(resource: str, field: str, message: str) -> Refused:
    problem = {"resource": resource, "code": "custom", "message": message}
    return Refused(422, "Validation Failed", [problem | ({"field": field} if field else {})])


def _row(repository: RepositoryState, one: DeliveryState) -> Document:
    return {
        "id": one.id,
        "guid": one.guid,
        "delivered_at": when(one.at),
        "redelivery": one.redelivery,
        "duration": one.seconds,
        "status": one.status,
        "status_code": one.status_code,
        "event": one.event,
        "action": None,
        "installation_id": None,
        "repository_id": repository.id,
        "throttled_at": None,
    }


def add_routes(hub: GitHub, app: web.Application) -> None:
    hooks, base = Hooks(hub), "/repos/{owner}/{repo}"
    one = f"{base}/hooks/{{hook}}"
    app.router.add_get(f"{base}/hooks", hooks.listing)
    app.router.add_post(f"{base}/hooks", hooks.create)
    app.router.add_get(one, hooks.show)
    app.router.add_patch(one, hooks.edit)
    app.router.add_delete(one, hooks.delete)
    app.router.add_post(f"{one}/pings", hooks.ping)
    app.router.add_post(f"{one}/tests", hooks.test)
    app.router.add_get(f"{one}/deliveries", hooks.deliveries)
    app.router.add_get(f"{one}/deliveries/{{delivery}}", hooks.delivery)
    app.router.add_post(f"{one}/deliveries/{{delivery}}/attempts", hooks.attempt)
    app.router.add_get(f"{base}/keys", hooks.keys)
    app.router.add_post(f"{base}/keys", hooks.add_key)
    app.router.add_get(f"{base}/keys/{{key}}", hooks.show_key)
    app.router.add_delete(f"{base}/keys/{{key}}", hooks.delete_key)
