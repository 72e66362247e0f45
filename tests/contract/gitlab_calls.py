"""GitLab's calls that we make, as its documentation describes them: there is no machine-readable description.

`page` is the page of GitLab's documentation (doc/api/ in its repository). The page on webhooks was read; the
others are named as where to look, and their calls are not compared with their text yet.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from tests.contract.harness import ContractError, Exchange


@dataclass(frozen=True, slots=True)
class Call:
    """`sends`: fields of the body, those with `!` required. `shows`: those of the answer, or of each item."""

    method: str
    path: str
    page: str
    asks: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    statuses: tuple[int, ...] = (200,)


_PAGES = ("page", "per_page")
_REFUSED = (400, 401, 403, 404, 422, 429)
_PROJECT = ("id", "path_with_namespace", "visibility", "default_branch")
_HOOK = ("id", "url", "push_events", "push_events_branch_filter", "enable_ssl_verification", "created_at")
_KEY = ("id", "title", "key")
CALLS = (
    Call("GET", "/user", "users.md", shows=("username",)),
    Call("GET", "/personal_access_tokens/self", "personal_access_tokens.md", shows=("scopes", "expires_at")),
    Call("GET", "/projects", "projects.md", ("membership", "order_by", *_PAGES), shows=_PROJECT),
    Call("GET", "/projects/:id", "projects.md", shows=_PROJECT),
    Call("GET", "/projects/:id/repository/branches/:branch", "branches.md", shows=("name", "commit")),
    Call(
        "GET", "/projects/:id/repository/files/:path", "repository_files.md", ("ref",),
        shows=("content", "encoding"),
    ),
    Call(
        "GET", "/projects/:id/repository/tree", "repositories.md", ("ref", "recursive", *_PAGES),
        shows=("path", "type"),
    ),
    Call("GET", "/projects/:id/hooks", "project_webhooks.md", _PAGES, shows=_HOOK),
    Call(
        "POST", "/projects/:id/hooks", "project_webhooks.md",
        sends=("url!", "push_events", "push_events_branch_filter", "enable_ssl_verification"),
        shows=_HOOK, statuses=(201,),
    ),
    Call("DELETE", "/projects/:id/hooks/:hook_id", "project_webhooks.md", statuses=(204,)),
    Call("POST", "/projects/:id/hooks/:hook_id/test/push_events", "project_webhooks.md", statuses=(201,)),
    Call(
        "GET", "/projects/:id/hooks/:hook_id/events", "project_webhooks.md", ("status", *_PAGES),
        shows=(
            "id", "url", "trigger", "request_data", "response_body", "execution_duration", "response_status",
        ),
    ),
    Call(
        "POST", "/projects/:id/hooks/:hook_id/events/:hook_event_id/resend", "project_webhooks.md",
        shows=("response_status",), statuses=(200, 201),
    ),
    Call("GET", "/projects/:id/deploy_keys", "deploy_keys.md", _PAGES, shows=_KEY),
    Call(
        "POST", "/projects/:id/deploy_keys", "deploy_keys.md", sends=("title!", "key!", "can_push"),
        shows=_KEY, statuses=(201,),
    ),
    Call("DELETE", "/projects/:id/deploy_keys/:key_id", "deploy_keys.md", statuses=(204,)),
)  # fmt: skip


def check(exchange: Exchange, base: str) -> Call:
    """The call that an exchange is. Raises ContractError for a request or an answer that is not as listed."""
    parts = urlsplit(exchange.url)
    path = parts.path.removeprefix(urlsplit(base).path)
    call = next((one for one in CALLS if one.method == exchange.method and _fits(one.path, path)), None)
    if call is None:
        raise ContractError(f"{exchange}: there is no such call")
    strange = {name for name, _ in parse_qsl(parts.query)} - set(call.asks)
    if strange:
        raise ContractError(f"{exchange}: the query has {sorted(strange)}")
    if exchange.status not in (*call.statuses, *_REFUSED):
        raise ContractError(f"{exchange}: the answer's status is none of {call.statuses}")
    if exchange.status in call.statuses:
        _check_sent(exchange, call)
        _check_shown(exchange, call)
    return call


def _fits(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r":\w+", "[^/]+", template), path) is not None


def _check_sent(exchange: Exchange, call: Call) -> None:
    sent = set(json.loads(exchange.body)) if exchange.body else set()
    known = {name.rstrip("!") for name in call.sends}
    required = {name.rstrip("!") for name in call.sends if name.endswith("!")}
    if sent - known or required - sent:
        raise ContractError(f"{exchange}: sent {sorted(sent)}, of {sorted(known)} with {sorted(required)}")
    if not any(name.lower() == "private-token" for name in exchange.headers):
        raise ContractError(f"{exchange}: without a token")


def _check_shown(exchange: Exchange, call: Call) -> None:
    if not call.shows:
        return
    found = json.loads(exchange.answer)
    for item in found if isinstance(found, list) else [found]:
        missing = set(call.shows) - set(item)
        if missing:
            raise ContractError(f"{exchange}: the answer lacks {sorted(missing)}")
