"""HTTP to a git host: reads repeated after trouble that passes, changes sent once, limits respected."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from wizard.clients.git.errors import (
    LimitedError,
    NotFoundError,
    Right,
    Vendor,
    message_of,
    missing_token,
    refusal,
)
from wizard.clients.uncut import finish
from wizard.clock import Clock, moment_text
from wizard.errors import UnreachableError, WizardError

T = TypeVar("T")
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_TRIES = 4
_LONGEST_NAP = 90.0
_MOST_PAGES = 50
_PER_PAGE = 100
_MOST_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """`value` is the body as JSON, None when it is empty or something else. Header names are small."""

    status: int
    value: Any
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Budget:
    """What the last answer said of the request limit; `reset` is a moment."""

    remaining: int
    reset: float


@dataclass(frozen=True, slots=True)
class Call:
    """`doing` is for error texts, `right` is what it needs; `owned` things are shown to no stranger."""

    method: str
    path: str
    doing: str
    right: Right = Right.READ
    owned: bool = False
    query: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None

    @property
    def reads(self) -> bool:
        return self.method == "GET"


class Wire:
    """Requests to one host. `authorise` makes the headers that carry a token."""

    def __init__(
        self,
        vendor: Vendor,
        url: str,
        token: Callable[[], Awaitable[str | None]],
        authorise: Callable[[str], Mapping[str, str]],
        clock: Clock,
    ) -> None:
        self.vendor = vendor
        self.budget: Budget | None = None
        self._url = url.rstrip("/")
        self._token = token
        self._authorise = authorise
        self._clock = clock
        self._http: httpx.AsyncClient | None = None

    async def has_token(self) -> bool:
        return bool(await self._clean_token())

    async def get(self, path: str, doing: str, **more: Any) -> Any:
        """The body of a read. Raises UnreachableError, CredentialError, NotFoundError, VendorError."""
        return (await self.send(Call("GET", path, doing, **more))).value

    async def get_or_none(self, path: str, doing: str, **more: Any) -> Any | None:
        """None when the host shows nothing there."""
        try:
            return await self.get(path, doing, **more)
        except NotFoundError:
            return None

    async def all(self, path: str, doing: str, **more: Any) -> list[Any]:
        """Every page of a list."""
        query = {**more.pop("query", {}), "per_page": str(_PER_PAGE)}
        found: list[Any] = []
        for page in range(1, _MOST_PAGES + 1):
            asked = {**query, **({"page": str(page)} if page > 1 else {})}
            answer = await self.send(Call("GET", path, doing, query=asked, **more))
            found += answer.value
            if not _more(answer.headers):
                break
        return found

    async def change(self, method: str, path: str, doing: str, **more: Any) -> Any:
        """Mutate, once. Raises UnreachableError when it is not known whether it took effect."""
        return (await self.send(Call(method, path, doing, **more))).value

    async def send(self, call: Call) -> Answer:
        """One call, repeated where that is safe: reads after trouble, anything that was refused for now."""
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            try:
                answer = await self._once(call)
            except UnreachableError:
                if not call.reads or last:
                    raise
                await self._clock.sleep(2.0**attempt)
                continue
            if not _limited(answer):
                return self._judged(call, answer, token=await self.has_token())
            nap = self._nap(answer, attempt)
            if last or nap > _LONGEST_NAP:
                raise LimitedError(
                    f"{self.vendor.name}'s request limit is used up",
                    f"while {call.doing}; it begins anew at {moment_text(self._clock.now() + nap)}",
                    f"Run again then, or set {self.vendor.secret}: with a token the limit is far higher.",
                )
            await self._clock.sleep(nap)
        raise AssertionError("unreachable")

    def _nap(self, answer: Answer, attempt: int) -> float:
        after = answer.headers.get("retry-after", "")
        if after.isdigit():
            return float(after)
        reset = answer.headers.get("x-ratelimit-reset", "") or answer.headers.get("ratelimit-reset", "")
        if reset.isdigit() and answer.headers.get("x-ratelimit-remaining") == "0":
            return max(1.0, float(reset) - self._clock.now())
        return 2.0**attempt

    def _judged(self, call: Call, answer: Answer, *, token: bool) -> Answer:
        if 200 <= answer.status < 300:
            return answer
        if answer.status >= 500:
            raise AssertionError("handled in _once")
        accepted = answer.headers.get("x-accepted-github-permissions", "")
        raise refusal(
            self.vendor,
            answer.status,
            message_of(answer.value),
            call.doing,
            call.right,
            accepted=accepted,
            token=token,
        )

    async def _clean_token(self) -> str:
        return (await self._token() or "").strip().strip("\"'").strip()

    async def _once(self, call: Call) -> Answer:
        token = await self._clean_token()
        if call.owned and not token:
            raise missing_token(self.vendor, call.right)
        headers = self._authorise(token)
        work = self._request(call, headers)
        response = await (work if call.reads else finish(work))
        self._note_budget(response)
        if response.status_code >= 500:
            raise self._silence(call, f"HTTP {response.status_code}")
        value = None
        if response.content:
            try:
                value = json.loads(response.content)
            except ValueError:
                value = None
        return Answer(response.status_code, value, {k.lower(): v for k, v in response.headers.items()})

    async def _request(self, call: Call, headers: Mapping[str, str]) -> httpx.Response:
        client = self._client()
        request = client.build_request(
            call.method,
            f"{self._url}{call.path}",
            headers=dict(headers),
            params=dict(call.query) if call.query else None,
            json=dict(call.body) if call.body is not None else None,
        )
        try:
            answer = await client.send(request)
            # A renamed repository leads on, but neither a change nor a token goes to another place.
            for _ in range(_MOST_REDIRECTS):
                further = answer.next_request
                if further is None or not call.reads or further.url.host != request.url.host:
                    break
                further.headers.update(headers)
                answer = await client.send(further)
            return answer
        except (httpx.HTTPError, OSError, UnicodeError) as error:
            raise self._silence(call, type(error).__name__) from error

    def _silence(self, call: Call, seen: str) -> WizardError:
        return UnreachableError(
            f"{self.vendor.name}'s API does not answer",
            f"while {call.doing}: {seen}",
            "Check the network, then run again" + ("." if call.reads else ": what was done is found again."),
        )

    def _note_budget(self, response: httpx.Response) -> None:
        left = response.headers.get("x-ratelimit-remaining", "")
        reset = response.headers.get("x-ratelimit-reset", "")
        if left.isdigit() and reset.isdigit():
            self.budget = Budget(int(left), float(reset))

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = httpx.AsyncClient(
                timeout=TIMEOUT,
                limits=httpx.Limits(max_connections=8),
                # A proxy of the operator's is for the world outside, not for this machine.
                trust_env=not self._url.startswith("http://127."),
            )
        return self._http

    async def aclose(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None


def _limited(answer: Answer) -> bool:
    """Refused for now, certainly without effect."""
    if answer.status == 429:
        return True
    used_up = answer.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in answer.headers
    return answer.status == 403 and used_up


def _more(headers: Mapping[str, str]) -> bool:
    if "x-next-page" in headers:
        return bool(headers["x-next-page"])
    return 'rel="next"' in headers.get("link", "")
