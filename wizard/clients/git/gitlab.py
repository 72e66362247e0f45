"""GitLab's API v4."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from wizard.clients.git.base import HOOKS, KEYS, GitClient
from wizard.clients.git.errors import GITLAB, NotFoundError, Right
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

_MAINTAINER = 40


class GitLabClient(GitClient):
    """One for a run."""

    def __init__(self, url: str, token: Callable[[], Awaitable[str | None]], clock: Clock) -> None:
        super().__init__(Wire(GITLAB, url, token, _headers, clock))

    async def account(self) -> Account:
        doing = "asking whose the token is"
        person = await self._wire.get("/user", doing, owned=True)
        token = (await self._wire.send(Call("GET", "/personal_access_tokens/self", doing, owned=True))).value
        return Account(
            str(person["username"]),
            tuple(map(str, token.get("scopes") or ())),
            str(token.get("expires_at") or ""),
        )

    async def repositories(self) -> tuple[Repository, ...]:
        query = {"membership": "true", "order_by": "last_activity_at"}
        rows = await self._wire.all("/projects", "listing projects", owned=True, query=query)
        return tuple(self._repository(row) for row in rows)

    async def head(self, repository: str, branch: str) -> Head | None:
        path = f"{self._of(repository)}/repository/branches/{quote(branch, safe='')}"
        row = await self._wire.get_or_none(path, f"looking at branch {branch} of {repository}")
        if row is None:
            return None
        return Head(str(row["name"]), str(row["commit"]["id"]), str(row["commit"].get("message") or ""))

    async def read_file(self, repository: str, path: str, branch: str) -> str | None:
        row = await self._wire.get_or_none(
            f"{self._of(repository)}/repository/files/{quote(path.strip('/'), safe='')}",
            f"reading {path} of {repository}",
            query={"ref": branch},
        )
        return base64.b64decode(row["content"]).decode("utf-8-sig", "replace") if row else None

    async def tree(self, repository: str, branch: str) -> Tree:
        rows = await self._wire.all(
            f"{self._of(repository)}/repository/tree",
            f"listing the files of {repository}",
            query={"ref": branch, "recursive": "true"},
        )
        return Tree(tuple(str(row["path"]) for row in rows if row["type"] == "blob"))

    async def add_hook(self, repository: str, url: str, branch: str = "") -> Hook:
        """Nothing is unique at GitLab: look at `hooks` before."""
        body = {
            "url": url,
            "push_events": True,
            "enable_ssl_verification": True,
            **({"push_events_branch_filter": branch} if branch else {}),
        }
        doing = f"adding a webhook to {repository}"
        return self._hook(
            await self._wire.change("POST", f"{self._of(repository)}/hooks", doing, body=body, **HOOKS)
        )

    async def send_push(self, repository: str, hook: str) -> None:
        """GitLab waits for the answer; one that is no success is in `deliveries` all the same."""
        path = f"{self._of(repository)}/hooks/{hook}/test/push_events"
        try:
            await self._wire.change("POST", path, f"sending the latest push of {repository}", **HOOKS)
        except VendorError as error:
            if error.status != 422:
                raise

    async def ping(self, repository: str, hook: str) -> None:
        raise VendorError("GitLab has no ping", next="Send the latest push instead.")

    async def deliveries(self, repository: str, hook: str) -> tuple[Delivery, ...]:
        return tuple(_delivery(row) for row in await self._events(repository, hook))

    async def _events(self, repository: str, hook: str) -> list[Any]:
        path = f"{self._of(repository)}/hooks/{hook}/events"
        rows: list[Any] = await self._wire.get(path, f"listing deliveries of {repository}", **HOOKS)
        return rows

    async def delivery(self, repository: str, hook: str, delivery: str) -> DeliveryAnswer:
        for row in await self._events(repository, hook):
            if str(row["id"]) == delivery:
                sent = row.get("request_data") or {}
                branch = str(sent.get("ref", "")).removeprefix("refs/heads/")
                body = str(row.get("response_body") or "")
                return DeliveryAnswer(_delivery(row), branch, str(sent.get("after", "")), body)
        raise NotFoundError("GitLab shows no such delivery", next="It may be too old: send one again.")

    async def redeliver(self, repository: str, hook: str, delivery: str) -> None:
        path = f"{self._of(repository)}/hooks/{hook}/events/{delivery}/resend"
        await self._wire.change("POST", path, f"sending a delivery of {repository} again", **HOOKS)

    async def add_deploy_key(self, repository: str, title: str, public: str) -> DeployKey:
        body = {"title": title, "key": public, "can_push": False}
        path, doing = self._keys(repository), f"adding a deploy key to {repository}"
        return self._key(await self._wire.change("POST", path, doing, body=body, **KEYS))

    async def hook_sources(self) -> tuple[str, ...]:
        """An instance may be anywhere: it does not tell."""
        return ()

    async def may_hook(self, repository: str) -> None:
        doing = f"asking whether webhooks may be added to {repository}"
        await self._only_refused(f"{self._of(repository)}/hooks", doing, Right.HOOKS, {"push_events": True})

    async def may_key(self, repository: str) -> None:
        doing = f"asking whether deploy keys may be added to {repository}"
        body = {"title": "dokploy-wizard", "key": "no key"}
        await self._only_refused(self._keys(repository), doing, Right.KEYS, body)

    @staticmethod
    def _of(repository: str) -> str:
        return f"/projects/{quote(repository, safe='')}"

    @staticmethod
    def _keys(repository: str) -> str:
        return f"{GitLabClient._of(repository)}/deploy_keys"

    @staticmethod
    def _repository(row: Mapping[str, Any]) -> Repository:
        rights = row.get("permissions") or {}
        levels = [
            int((rights.get(f"{word}_access") or {}).get("access_level") or 0)
            for word in ("project", "group")
        ]
        return Repository(
            str(row["path_with_namespace"]),
            row["visibility"] != "public",
            str(row.get("default_branch") or ""),
            bool(row.get("archived")),
            max(levels) >= _MAINTAINER if rights else None,
        )

    @staticmethod
    def _hook(row: Mapping[str, Any]) -> Hook:
        events = ("push",) if row.get("push_events") else ()
        return Hook(
            str(row["id"]), str(row["url"]), events, branch=str(row.get("push_events_branch_filter") or "")
        )

    @staticmethod
    def _key(row: Mapping[str, Any]) -> DeployKey:
        return DeployKey(str(row["id"]), str(row["title"]), str(row["key"]), not row.get("can_push"))


def _headers(token: str) -> Mapping[str, str]:
    said = {"Accept": "application/json", "User-Agent": "dokploy-wizard"}
    return said | ({"PRIVATE-TOKEN": token} if token else {})


def _delivery(row: Mapping[str, Any]) -> Delivery:
    status = str(row.get("response_status") or "")
    return Delivery(
        str(row["id"]),
        str(row["id"]),
        str(row["trigger"]).removesuffix("_hooks"),
        datetime.fromisoformat(str(row["created_at"])).timestamp(),
        int(status) if status.isdigit() else 0,
        status,
        seconds=float(row.get("execution_duration") or 0.0),
    )
