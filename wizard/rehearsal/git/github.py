"""GitHub's REST API: who asks, what of a repository may be read, and how it refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from aiohttp import web

from wizard.rehearsal.git import github_hooks as git_github_hooks
from wizard.rehearsal.git import github_show as git_github_show
from wizard.rehearsal.git.delivery import SOURCES
from wizard.rehearsal.git.state import (
    HOURLY,
    HOURLY_WITHOUT_TOKEN,
    OWNER,
    READ_ONLY_TOKEN,
    STRANGER_TOKEN,
    TOKENS,
    CommitState,
    Document,
    Refused,
    RepositoryState,
    blob_sha,
    tree_shas,
)

if TYPE_CHECKING:
    from wizard.rehearsal.git.standin import GitStandin

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_HOUR = 3600.0
_DOCS = "https://docs.github.com/rest"


class GitHub:
    """The API over one stand-in's state."""

    def __init__(self, standin: GitStandin) -> None:
        self.standin = standin
        self.state = standin.state

    @property
    def base(self) -> str:
        return self.standin.github_url

    # Who asks

    @staticmethod
    def token(request: web.Request) -> str:
        words = request.headers.get("Authorization", "").split()
        return words[-1] if words else ""

    def repository(self, request: web.Request) -> RepositoryState:
        """The repository of the path. What may not be seen does not exist. Raises Refused."""
        name = f"{request.match_info['owner']}/{request.match_info['repo']}"
        found = self.state.find(name, "github")
        hidden = found is not None and found.private and self.token(request) in ("", STRANGER_TOKEN)
        if found is None or hidden:
            raise Refused(404, "Not Found")
        return found

    def owned(self, request: web.Request, right: str) -> RepositoryState:
        """The same for what only its administrators may see: `right` is what the token needs."""
        found = self.repository(request)
        token = self.token(request)
        if token in ("", STRANGER_TOKEN):
            raise Refused(404, "Not Found")
        if token == READ_ONLY_TOKEN:
            raise Refused(403, "Resource not accessible by personal access token", accepted=right)
        return found

    def page(self, request: web.Request, rows: Sequence[Any]) -> web.Response:
        """One page, with the others in the Link header."""
        size = min(100, max(1, int(request.query.get("per_page", 30))))
        number = max(1, int(request.query.get("page", 1)))
        last = max(1, -(-len(rows) // size))
        wanted = {"next": number + 1, "last": last} if number < last else {}
        if number > 1:
            wanted |= {"prev": number - 1, "first": 1}
        links = ", ".join(
            f'<{self.base}{request.url.update_query(page=page, per_page=size).relative()}>; rel="{word}"'
            for word, page in wanted.items()
        )
        answer = web.json_response(list(rows[(number - 1) * size : number * size]))
        if links:
            answer.headers["Link"] = links
        return answer

    # The door

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await self._answer(request, handler)
        for name, value in self._budget(request).items():
            answer.headers[name] = value
        return answer

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            fault = self.standin.stage.faults.roll("github", act_of(request))
            if fault == "error_502":
                return web.Response(status=502, text="<html><title>Unicorn!</title></html>")
            if fault == "secondary_limit":
                return self._limited("You have exceeded a secondary rate limit.", {"Retry-After": "60"})
            self._authenticate(request)
            if self._spend(request) <= 0:
                return self._limited("API rate limit exceeded", {})
            answer = await handler(request)
            if fault == "lost_answer" and request.transport is not None:
                request.transport.close()
            return answer
        except Refused as refusal:
            return refused(refusal)
        except (json.JSONDecodeError, UnicodeDecodeError):
            return refused(Refused(400, "Problems parsing JSON"))
        except (KeyError, TypeError, ValueError) as error:
            problem = {"resource": "Request", "code": "invalid", "message": str(error)}
            return refused(Refused(422, "Validation Failed", [problem]))
        except web.HTTPNotFound:
            return refused(Refused(404, "Not Found"))

    def _authenticate(self, request: web.Request) -> None:
        if not request.headers.get("User-Agent"):
            raise Refused(403, "Request forbidden by administrative rules.")
        if request.headers.get("Authorization") and self.token(request) not in TOKENS:
            raise Refused(401, "Bad credentials")

    def _spend(self, request: web.Request) -> int:
        now = self.standin.now()
        if now - self.state.window >= _HOUR:
            self.state.window, self.state.spent = now, {}
        token = self.token(request)
        left = self._limit(token) - self.state.spent.get(token, 0)
        if left > 0 and request.path != "/rate_limit":
            self.state.spent[token] = self.state.spent.get(token, 0) + 1
        return left

    @staticmethod
    def _limit(token: str) -> int:
        return HOURLY if token else HOURLY_WITHOUT_TOKEN

    def _budget(self, request: web.Request) -> dict[str, str]:
        token = self.token(request)
        limit, used = self._limit(token), self.state.spent.get(token, 0)
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(0, limit - used)),
            "X-RateLimit-Used": str(used),
            "X-RateLimit-Reset": str(int(self.state.window + _HOUR)),
            "X-RateLimit-Resource": "core",
            "X-GitHub-Request-Id": f"{sum(self.state.spent.values()):08X}",
        }

    @staticmethod
    def _limited(message: str, headers: dict[str, str]) -> web.Response:
        body = {"message": message, "documentation_url": _DOCS}
        return web.json_response(body, status=403, headers=headers)

    # What may be read

    async def meta(self, request: web.Request) -> web.Response:
        return web.json_response({"verifiable_password_authentication": False, "hooks": list(SOURCES)})

    async def rate_limit(self, request: web.Request) -> web.Response:
        token = self.token(request)
        limit, used = self._limit(token), self.state.spent.get(token, 0)
        row = {
            "limit": limit,
            "remaining": max(0, limit - used),
            "reset": int(self.state.window + _HOUR),
            "used": used,
        }
        return web.json_response({"resources": {"core": row, "search": row}, "rate": row})

    async def user(self, request: web.Request) -> web.Response:
        token = self.token(request)
        if not token:
            raise Refused(401, "Requires authentication")
        login = "stranger" if token == STRANGER_TOKEN else OWNER
        return web.json_response(git_github_show.user(login, self.base, self.standin.now()))

    async def user_repositories(self, request: web.Request) -> web.Response:
        token = self.token(request)
        if not token:
            raise Refused(401, "Requires authentication")
        mine = [one for one in self.state.repositories.values() if one.host == "github"]
        rows = [self._shown(one, token) for one in mine] if token != STRANGER_TOKEN else []
        return self.page(request, rows)

    def _shown(self, repository: RepositoryState, token: str) -> Document:
        rights = {"admin": False, "push": False, "pull": True}
        if token and token != STRANGER_TOKEN:
            # What the person may do; what the token may do is another matter and not told here.
            rights = dict.fromkeys(rights, True)
        return git_github_show.repository(repository, self.base, rights if token else None)

    async def show_repository(self, request: web.Request) -> web.Response:
        return web.json_response(self._shown(self.repository(request), self.token(request)))

    async def branches(self, request: web.Request) -> web.Response:
        found = self.repository(request)
        rows = [
            {
                "name": name,
                "commit": {"sha": commits[-1].sha, "url": f"{self.base}/repos/{found.name}/commits/{name}"},
                "protected": False,
            }
            for name, commits in found.branches.items()
        ]
        return self.page(request, rows)

    async def branch(self, request: web.Request) -> web.Response:
        found = self.repository(request)
        name = request.match_info["branch"]
        head = found.head(name) if name in found.branches else None
        if head is None:
            raise Refused(404, "Branch not found")
        return web.json_response(git_github_show.branch(found, name, head, self.base))

    async def commit(self, request: web.Request) -> web.Response:
        found = self.repository(request)
        return web.json_response(git_github_show.commit(found, self._commit(request, "ref"), self.base))

    async def commits(self, request: web.Request) -> web.Response:
        found = self.repository(request)
        branch = request.query.get("sha") or found.default_branch
        if branch not in found.branches:
            raise Refused(404, "Not Found")
        rows = [git_github_show.commit(found, one, self.base) for one in reversed(found.branches[branch])]
        return self.page(request, rows)

    def _commit(self, request: web.Request, word: str) -> CommitState:
        found = self.repository(request).commit(request.match_info[word])
        if found is None:
            raise Refused(422, f"No commit found for SHA: {request.match_info[word]}")
        return found

    async def contents(self, request: web.Request) -> web.Response:
        repository = self.repository(request)
        head = repository.commit(request.query.get("ref") or repository.default_branch)
        path = request.match_info["path"].strip("/")
        if head is None:
            raise Refused(404, f"No commit found for the ref {request.query.get('ref', '')}")
        if path in head.files:
            text = head.files[path]
            coded = base64.encodebytes(text).decode()
            row = git_github_show.entry(repository, path, "file", blob_sha(text), len(text), self.base)
            return web.json_response({**row, "encoding": "base64", "content": coded})
        children = _children(head, path)
        if not children:
            raise Refused(404, "Not Found")
        return web.json_response([git_github_show.entry(repository, *child, self.base) for child in children])

    async def git_tree(self, request: web.Request) -> web.Response:
        repository = self.repository(request)
        wanted = request.match_info["sha"]
        head = repository.commit(wanted) or next(
            (
                one
                for commits in repository.branches.values()
                for one in commits
                if tree_shas(one.files)[""] == wanted
            ),
            None,
        )
        if head is None:
            raise Refused(404, "Not Found")
        names = tree_shas(head.files)
        rows = [git_github_show.tree_row(path, names[path], "tree", 0) for path in names if path]
        rows += [
            git_github_show.tree_row(path, blob_sha(text), "blob", len(text))
            for path, text in head.files.items()
        ]
        if "recursive" not in request.query:
            rows = [row for row in rows if "/" not in row["path"]]
        rows.sort(key=lambda row: str(row["path"]))
        url = f"{self.base}/repos/{repository.name}/git/trees/{names['']}"
        return web.json_response({"sha": names[""], "url": url, "tree": rows, "truncated": False})


def _children(head: CommitState, folder: str) -> list[tuple[str, str, str, int]]:
    prefix = f"{folder}/" if folder else ""
    names = tree_shas(head.files)
    found: dict[str, tuple[str, str, str, int]] = {}
    for path, text in head.files.items():
        if path.startswith(prefix):
            name = prefix + path.removeprefix(prefix).partition("/")[0]
            is_file = name == path
            found[name] = (
                name,
                "file" if is_file else "dir",
                blob_sha(text) if is_file else names[name],
                len(text) if is_file else 0,
            )
    return list(found.values())


def mount(standin: GitStandin, app: web.Application) -> None:
    """Give `app` the API's paths and its door."""
    hub = GitHub(standin)
    app.middlewares.append(hub.guard)
    get, base = app.router.add_get, "/repos/{owner}/{repo}"
    get("/meta", hub.meta)
    get("/rate_limit", hub.rate_limit)
    get("/user", hub.user)
    get("/user/repos", hub.user_repositories)
    get(base, hub.show_repository)
    get(f"{base}/branches", hub.branches)
    get(f"{base}/branches/{{branch:.+}}", hub.branch)
    get(f"{base}/commits", hub.commits)
    get(f"{base}/commits/{{ref:.+}}", hub.commit)
    get(f"{base}/contents/{{path:.*}}", hub.contents)
    get(f"{base}/git/trees/{{sha:.+}}", hub.git_tree)
    git_github_hooks.add_routes(hub, app)


def refused(refusal: Refused) -> web.Response:
    body: Document = {
        "message": refusal.message,
        "documentation_url": _DOCS,
        "status": str(refusal.status),
    }
    if refusal.errors is not None:
        body["errors"] = refusal.errors
    headers = {"X-Accepted-GitHub-Permissions": refusal.accepted} if refusal.accepted else {}
    return web.json_response(body, status=refusal.status, headers=headers)


def act_of(request: web.Request) -> str:
    """How fault profiles name a call: ``hooks.create``, ``contents.get``, ``keys.delete``."""
    words = request.path.strip("/").split("/")
    thing = words[3] if words[0] == "repos" and len(words) > 3 else words[0]
    verb = {"GET": "get", "POST": "create", "PATCH": "update", "DELETE": "delete"}.get(request.method, "get")
    return f"{thing}.{verb}"
