"""JSON over HTTPS to a provider: reads are repeated, changes never; every refusal is a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.clock import Clock
from wizard.errors import CredentialError, UnreachableError, VendorError

if TYPE_CHECKING:
    import httpx

_TRIES = 5
_SECONDS = 30.0
_LONGEST_NAP = 30.0

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Vendor:
    """`secret` names the token; `rights` says which one is needed. `why` reads a refusal's own words."""

    name: str
    secret: str
    rights: str
    why: Callable[[Any], str]


class JsonApi:
    """`token` is asked for when first needed. `url` has no trailing slash. `asked` counts changes sent."""

    def __init__(
        self, vendor: Vendor, url: str, token: Callable[[], Awaitable[str | None]], clock: Clock
    ) -> None:
        self._vendor = vendor
        self._url = url.rstrip("/")
        self._token = token
        self._clock = clock
        self._client: httpx.AsyncClient | None = None

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def get(self, path: str, doing: str, params: Mapping[str, str] | None = None) -> Any:
        """The JSON of an answer, or its text where it is none. Repeated after trouble that may pass."""
        for attempt in range(1, _TRIES + 1):
            try:
                return await self._once("GET", path, doing, params)
            except UnreachableError:
                if attempt == _TRIES:
                    raise
            await self._clock.sleep(min(2.0**attempt, _LONGEST_NAP))
        raise AssertionError("unreachable")

    async def change(self, method: str, path: str, doing: str, body: Document | None = None) -> Any:
        """Mutate once; finished even if we are cancelled meanwhile.

        Raises UnreachableError when it is not known whether it took effect: look before repeating.
        """
        task = asyncio.ensure_future(self._once(method, path, doing, None, body))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                await asyncio.wait((task,))
            raise

    async def _once(
        self,
        method: str,
        path: str,
        doing: str,
        params: Mapping[str, str] | None,
        body: Document | None = None,
    ) -> Any:
        import httpx

        client = await self._ready()
        for attempt in range(1, _TRIES + 1):
            try:
                answer = await client.request(method, self._url + path, params=params or {}, json=body)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise UnreachableError(
                    f"{self._vendor.name}'s API does not answer",
                    f"while {doing}: {type(error).__name__}",
                    "Check the network, then run again: what was done is found again.",
                ) from error
            if answer.status_code != 429 or attempt == _TRIES:
                break
            # Refused for its rate means not done: that may be repeated.
            after = answer.headers.get("retry-after", "")
            await self._clock.sleep(min(float(after) if after.isdigit() else 2.0**attempt, _LONGEST_NAP))
        return self._read(answer, doing)

    def _read(self, answer: httpx.Response, doing: str) -> Any:
        found = _content(answer)
        if answer.status_code < 400:
            return found
        vendor, why = self._vendor, self._vendor.why(found) or f"status {answer.status_code}"
        if answer.status_code >= 500:
            raise UnreachableError(
                f"{vendor.name}'s API is in trouble",
                f"while {doing}: {why}",
                "Run again later: what was done is found again.",
            )
        if answer.status_code in (401, 403):
            raise CredentialError(
                f"{vendor.name} does not accept the token for {doing}",
                why,
                f"Set {vendor.secret} to a token with {vendor.rights}.",
                status=answer.status_code,
            )
        raise VendorError(f"{vendor.name} refused {doing}", why, status=answer.status_code)

    async def _ready(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx

            token = (await self._token() or "").strip().strip("\"'").strip()
            if not token or not token.isascii() or any(char.isspace() for char in token):
                raise CredentialError(
                    f"There is no usable token for {self._vendor.name}",
                    f"{self._vendor.secret} is missing or was cut while copying",
                    f"Set {self._vendor.secret} to a token with {self._vendor.rights}.",
                )
            headers = {"Authorization": f"Bearer {token}", "User-Agent": "dokploy-wizard"}
            self._client = httpx.AsyncClient(headers=headers, timeout=_SECONDS, trust_env=False)
        return self._client


def _content(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return answer.text
