"""GitHub's REST API."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from wizard.clients.git.base import HOOKS, KEYS, GitClient
from wizard.clients.git.errors import GITHUB, Right
from wizard.clients.git.models import (
    Account,
    Delivery,
    DeliveryAnswer,
    DeployKey,
    Head,
    Hook,
    Repository,
    Tree,
)
from wizard.clients.git.transport import Call, Wire
from wizard.clock import Clock
from wizard.errors import VendorError

_API = "2022-11-28"


class GitHubClient(GitClient):
    """One for a run."""

    def __init__(self, url: str, token: Callable[[], Awaitable[str | None]], clock: Clock) -> None:
        super().__init__(Wire(GITHUB, url, token, _headers, clock))

    async def account(self) -> Account:
        answer = await self._wire.send(Call("GET", "/user", "asking whose the token is", owned=True))
        scopes = answer.headers.get("x-oauth-scopes", "")
        return Account(
            str(answer.value["login"]),
            tuple(scope.strip() for scope in scopes.split(",") if scope.strip()),
            answer.headers.get("github-authentication-token-expiration", ""),
        )

    async def repositories(self) -> tuple[Repository, ...]:
        query = {"sort": "pushed"}
        rows = await self._wire.all("/user/repos", "listing repositories", owned=True, query=query)
        return tuple(self._repository(row) for row in rows)

    async def head(self, repository: str, branch: str) -> Head | None:
        path = f"{self._of(repository)}/branches/{quote(branch, safe='')}"
        row = await self._wire.get_or_none(path, f"looking at branch {branch} of {repository}")
        if row is None:
            return None
        commit = row["commit"]
        return Head(str(row["name"]), str(commit["sha"]), str(commit["commit"]["message"]))

    async def read_file(self, repository: str, path: str, branch: str) -> str | None:
        row = await self._wire.get_or_none(
            f"{self._of(repository)}/contents/{quote(path.strip('/'), safe='')}",
            f"reading {path} of {repository}",
            query={"ref": branch},
        )
        if not isinstance(row, dict) or row.get("type") != "file":
            return None
        if row.get("encoding") != "base64":
            raise VendorError(f"{path} of {repository} is too large to be read", "GitHub shows up to 1 MB")
        return base64.b64decode(row["content"]).decode("utf-8-sig", "replace")

    async def tree(self, repository: str, branch: str) -> Tree:
        row = await self._wire.get(
            f"{self._of(repository)}/git/trees/{quote(branch, safe='')}",
            f"listing the files of {repository}",
            query={"recursive": "1"},
        )
        files = tuple(str(one["path"]) for one in row["tree"] if one["type"] == "blob")
        return Tree(files, complete=not row["truncated"])

    async def add_hook(self, repository: str, url: str, branch: str = "") -> Hook:
        body = {
            "name": "web",
            "active": True,
            "events": ["push"],
            "config": {"url": url, "content_type": "json", "insecure_ssl": "0"},
        }
        doing = f"adding a webhook to {repository}"
        return self._hook(
            await self._wire.change("POST", f"{self._of(repository)}/hooks", doing, body=body, **HOOKS)
        )

    async def send_push(self, repository: str, hook: str) -> None:
        path = f"{self._of(repository)}/hooks/{hook}/tests"
        await self._wire.change("POST", path, f"sending the latest push of {repository}", **HOOKS)

    async def ping(self, repository: str, hook: str) -> None:
        path = f"{self._of(repository)}/hooks/{hook}/pings"
        await self._wire.change("POST", path, f"pinging a webhook of {repository}", **HOOKS)

    async def deliveries(self, repository: str, hook: str) -> tuple[Delivery, ...]:
        # One page: the newest are asked for, and the others are paged by a cursor.
        rows = await self._wire.get(
            f"{self._of(repository)}/hooks/{hook}/deliveries",
            f"listing deliveries of {repository}",
            query={"per_page": "50"},
            **HOOKS,
        )
        return tuple(_delivery(row) for row in rows)

    async def delivery(self, repository: str, hook: str, delivery: str) -> DeliveryAnswer:
        path = f"{self._of(repository)}/hooks/{hook}/deliveries/{delivery}"
        row = await self._wire.get(path, f"reading a delivery of {repository}", **HOOKS)
        sent = row["request"].get("payload") or {}
        return DeliveryAnswer(
            _delivery(row),
            str(sent.get("ref", "")).removeprefix("refs/heads/"),
            str(sent.get("after", "")),
            str(row["response"].get("payload") or ""),
        )

    async def redeliver(self, repository: str, hook: str, delivery: str) -> None:
        path = f"{self._of(repository)}/hooks/{hook}/deliveries/{delivery}/attempts"
        await self._wire.change("POST", path, f"sending a delivery of {repository} again", **HOOKS)

    async def add_deploy_key(self, repository: str, title: str, public: str) -> DeployKey:
        body = {"title": title, "key": public, "read_only": True}
        doing = f"adding a deploy key to {repository}"
        return self._key(await self._wire.change("POST", self._keys(repository), doing, body=body, **KEYS))

    async def hook_sources(self) -> tuple[str, ...]:
        row = await self._wire.get("/meta", "asking where webhooks come from")
        return tuple(str(one) for one in row.get("hooks") or ())

    async def may_hook(self, repository: str) -> None:
        doing = f"asking whether webhooks may be added to {repository}"
        body = {"name": "web", "config": {"content_type": "json"}}
        await self._only_refused(f"{self._of(repository)}/hooks", doing, Right.HOOKS, body)

    async def may_key(self, repository: str) -> None:
        doing = f"asking whether deploy keys may be added to {repository}"
        body = {"title": "dokploy-wizard", "key": "no key", "read_only": True}
        await self._only_refused(self._keys(repository), doing, Right.KEYS, body)

    @staticmethod
    def _of(repository: str) -> str:
        owner, _, name = repository.partition("/")
        return f"/repos/{quote(owner, safe='')}/{quote(name, safe='')}"

    @staticmethod
    def _keys(repository: str) -> str:
        return f"{GitHubClient._of(repository)}/keys"

    @staticmethod
    def _repository(row: Mapping[str, Any]) -> Repository:
        rights = row.get("permissions")
        return Repository(
            str(row["full_name"]),
            bool(row["private"]),
            str(row["default_branch"]),
            bool(row.get("archived")),
            bool(rights.get("admin")) if rights else None,
        )

    @staticmethod
    def _hook(row: Mapping[str, Any]) -> Hook:
        last = (row.get("last_response") or {}).get("code")
        return Hook(
            str(row["id"]),
            str(row["config"].get("url", "")),
            tuple(map(str, row["events"])),
            bool(row["active"]),
            last_code=int(last) if last is not None else None,
        )

    @staticmethod
    def _key(row: Mapping[str, Any]) -> DeployKey:
        return DeployKey(
            str(row["id"]),
            str(row["title"]),
            str(row["key"]),
            bool(row["read_only"]),
            str(row.get("last_used") or ""),
        )


def _headers(token: str) -> Mapping[str, str]:
    said = {
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": _API,
        "User-Agent": "dokploy-wizard",
    }
    return said | ({"Authorization": f"Bearer {token}"} if token else {})


def _delivery(row: Mapping[str, Any]) -> Delivery:
    return Delivery(
        str(row["id"]),
        str(row["guid"]),
        str(row["event"]),
        datetime.fromisoformat(str(row["delivered_at"])).timestamp(),
        int(row["status_code"]),
        str(row["status"]),
        bool(row["redelivery"]),
        float(row["duration"]),
    )
