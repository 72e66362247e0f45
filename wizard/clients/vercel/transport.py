"""Calls to Vercel's API: paged, repeated where that is safe, waited for through the world's clock.

Every request passes `guard.permit`. A change is never cancelled half-way, and one whose answer was lost is
never repeated: that is UnreachableError, and the caller looks first.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from wizard.clients.uncut import finish
from wizard.clients.vercel import errors
from wizard.clients.vercel.calls import Call, Paging
from wizard.clients.vercel.guard import permit
from wizard.clock import Clock
from wizard.errors import CredentialError, UnreachableError, VendorError

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
Document = dict[str, Any]
"""A thing as Vercel shows it."""

_TRIES = 6
_LONGEST_NAP = 30.0
PATIENCE = 900.0
"""World seconds: a limit that lasts longer is told, not sat out."""
_PAGES = 200
_PER_PAGE = 100
_SECONDS = 30.0


class Transport:
    """`token` is asked for when first needed. `url` has no trailing slash."""

    def __init__(self, url: str, token: Callable[[], Awaitable[str | None]], clock: Clock) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._clock = clock
        self._client: httpx.AsyncClient | None = None
        self._answering: dict[str, str] = {}
        """The path that answered, by call."""

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def one(
        self, call: Call, params: Mapping[str, str], *, team: str = "", project: str = "", thing: str = ""
    ) -> Any:
        """The answer of a call, below its key if it has one. Older paths are tried where the newest is gone.

        Raises UnreachableError, CredentialError, VendorError and its kinds in `errors`.
        """
        answer = await self._read(call, params, team=team, project=project, thing=thing)
        if call.key and call.key not in answer:
            raise _strange(call)
        return answer[call.key] if call.key else answer

    async def all(
        self, call: Call, params: Mapping[str, str], *, team: str = "", project: str = "", thing: str = ""
    ) -> list[Document]:
        """Every row of every page."""
        found: list[Document] = []
        asked = dict(params)
        if call.paging in (Paging.UNTIL, Paging.FROM):
            asked["limit"] = str(_PER_PAGE)
        for _ in range(_PAGES):
            answer = await self._read(call, asked, team=team, project=project, thing=thing)
            found += _rows(call, answer)
            following = _following(call, answer, asked)
            if following is None:
                return found
            asked = following
        raise VendorError(
            "Vercel's list has no end", f"{call.name}: more than {_PAGES} pages", "Report this as a fault."
        )

    async def _read(
        self, call: Call, params: Mapping[str, str], *, team: str, project: str, thing: str
    ) -> Any:
        known = self._answering.get(call.name)
        paths = (known,) if known else call.paths
        for number, template in enumerate(paths, 1):
            path = template.format(project=quote(project, safe=""), thing=quote(thing, safe=""))
            doing = f"reading {call.name}" + (f" of {thing or project}" if thing or project else "")
            try:
                answer = await self._retry("GET", path, doing, params, team)
            except errors.NotFoundError:
                if number == len(paths):
                    raise
                continue
            self._answering[call.name] = template
            return answer
        raise AssertionError("unreachable")

    async def change(
        self, method: str, path: str, doing: str, *, project: str, team: str, body: Document | None = None
    ) -> Any:
        """Mutate, on the ladder of `project` (its id) only.

        Raises NotPermittedError before anything is sent; UnreachableError when it is not known whether it
        took effect: look before repeating.
        """
        permit(method, path, project)
        return await finish(self._retry(method, path, doing, {}, team, body, project))

    async def _retry(
        self,
        method: str,
        path: str,
        doing: str,
        params: Mapping[str, str],
        team: str,
        body: Document | None = None,
        project: str = "",
    ) -> Any:
        began = self._clock.now()
        for attempt in range(1, _TRIES + 1):
            last = attempt == _TRIES
            try:
                response = await self._send(method, path, doing, params, team, body, project)
            except UnreachableError:
                if method != "GET" or last:
                    raise
                await self._clock.sleep(min(2.0**attempt, _LONGEST_NAP))
                continue
            if response.status_code == 429:
                await self._sit_out(response, doing, began, attempt)
                continue
            if response.status_code < 400:
                return _content(response)
            if response.status_code >= 500:
                if method == "GET" and not last:
                    await self._clock.sleep(min(2.0**attempt, _LONGEST_NAP))
                    continue
                raise UnreachableError(
                    "Vercel's API is in trouble",
                    f"while {doing}: status {response.status_code}",
                    "Run again later: what was done is found again.",
                )
            raise errors.sentence(response.status_code, _body(response), doing, team)
        raise errors.limited(None, 0.0, doing)

    async def _sit_out(self, response: httpx.Response, doing: str, began: float, attempt: int) -> None:
        """Sleep until calls of this kind are taken again. Raises RateLimitError when that is too far off."""
        now = self._clock.now()
        reset = reset_of(_body(response), response.headers, now) or now + 2.0**attempt
        if reset - began > PATIENCE:
            raise errors.limited(_body(response), reset, doing)
        await self._clock.sleep(max(0.1, reset - now))

    async def _send(
        self,
        method: str,
        path: str,
        doing: str,
        params: Mapping[str, str],
        team: str,
        body: Document | None,
        project: str,
    ) -> httpx.Response:
        import httpx

        permit(method, path, project)
        client = await self._ready()
        scope = {"teamId" if team.startswith("team_") else "slug": team} if team else {}
        try:
            return await client.request(
                method, self._url + path, params={**params, **scope}, json=body if body is not None else None
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(
                "Vercel's API does not answer",
                f"while {doing}: {type(error).__name__}",
                "Check the network, then run again: what was done is found again.",
            ) from error

    async def _ready(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx

            token = _clean(await self._token())
            headers = {"Authorization": f"Bearer {token}", "User-Agent": "dokploy-wizard"}
            self._client = httpx.AsyncClient(headers=headers, timeout=_SECONDS, trust_env=False)
        return self._client


def _clean(token: str | None) -> str:
    """The token without what a paste adds. Raises CredentialError when it can't be one."""
    text = (token or "").strip().strip("\"'").strip()
    if not text:
        raise CredentialError(
            "There is no Vercel token",
            next=f"Make one with the scope of the project's team at {errors.TOKENS} and set VERCEL_TOKEN.",
        )
    if not text.isascii() or any(char.isspace() for char in text):
        raise CredentialError(
            "VERCEL_TOKEN holds characters that no Vercel token has",
            "it was probably cut or decorated while copying",
            f"Copy it again, or make a new one at {errors.TOKENS}.",
        )
    return text


def reset_of(body: Any, headers: Mapping[str, str], now: float) -> float:
    """When a limit ends: by the answer's body, else by its headers; 0.0 if neither says so. Pure."""
    error = body.get("error") if isinstance(body, dict) else None
    limit = error.get("limit") if isinstance(error, dict) else None
    if isinstance(limit, dict):
        for word, scale in (("resetMs", 1000.0), ("reset", 1.0)):
            if isinstance(limit.get(word), int | float):
                return float(limit[word]) / scale
    for name, start in (("retry-after", now), ("x-ratelimit-reset", 0.0)):
        text = headers.get(name, "")
        if text.replace(".", "", 1).isdigit():
            return start + float(text)
    return 0.0


def _body(response: httpx.Response) -> Any:
    """The JSON of an answer; None when it has none, as a refusal may."""
    try:
        return response.json()
    except ValueError:
        return None


def _content(response: httpx.Response) -> Any:
    if "ndjson" in response.headers.get("content-type", ""):
        return [json.loads(line) for line in response.text.splitlines() if line.strip()]
    found = _body(response)
    return {} if found is None else found


def _rows(call: Call, answer: Any) -> list[Document]:
    """The rows of one page. A bare thing, where Vercel may answer so, is one row."""
    if isinstance(answer, list):
        return answer
    if isinstance(answer, dict):
        if not call.key:
            return [answer]
        rows = answer.get(call.key)
        if isinstance(rows, list):
            return rows
        if "key" in answer and "type" in answer:
            return [answer]
    raise _strange(call)


def _strange(call: Call) -> VendorError:
    return VendorError(
        "Vercel answered in an unknown form", f"{call.name}: no {call.key}", "Update dokploy-wizard."
    )


def _following(call: Call, answer: Any, asked: Mapping[str, str]) -> dict[str, str] | None:
    """The parameters of the next page; None after the last."""
    pages = answer.get("pagination") if isinstance(answer, dict) else None
    if not isinstance(pages, dict):
        return None
    if call.paging is Paging.NUMBER:
        page = int(pages.get("page", 1))
        return {**asked, "page": str(page + 1)} if page < int(pages.get("numPages", 1)) else None
    following = pages.get("next")
    if call.paging not in (Paging.UNTIL, Paging.FROM) or not following:
        return None
    word = call.paging.value
    if asked.get(word) == str(following):
        return None
    return {**asked, word: str(following)}
