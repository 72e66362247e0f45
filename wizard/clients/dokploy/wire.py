"""HTTP to a panel through SSH: its port 3000 on the host itself, closed to the world; or, where that port is
not published any more, its own domain at the host's proxy."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from wizard import voice
from wizard.clients.uncut import finish
from wizard.errors import UnreachableError

if TYPE_CHECKING:
    from wizard.clients.ssh import HostClient
    from wizard.clock import Clock

T = TypeVar("T")
PORT, PROXY_PORT = 3000, 443
CONNECT_TIMEOUT = 10.0
TIMEOUT = 60.0
"""Real seconds for an answer. The first sign-up asks the internet for the panel's own address first."""
_TRIES, _TRIES_IN_SILENCE = 4, 6
"""Of a question: an inner error is often a plain mistake, silence a panel that restarts (half a minute)."""
_LOOK_FIRST = "Run again: what was done is found again."


@dataclass(frozen=True, slots=True)
class Answer:
    """`text` is the body as it came; `headers` have lower-case names."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def value(self) -> Any:
        """The body as JSON; None when it is empty, text when it is something else."""
        if not self.text:
            return None
        try:
            return json.loads(self.text)
        except ValueError:
            return self.text


class SilenceError(UnreachableError):
    """The host lets us in, but its panel does not answer."""


class Wire:
    """Requests to one host's panel. Every request has a connection of its own: a kept one may be stale,
    and then nobody could say whether a change was received.

    With `domain` they go to the host's proxy over TLS, whose certificate must be of that name; `trust` is a
    file of authorities to be trusted beside the system's."""

    def __init__(self, host: HostClient, clock: Clock, domain: str = "", trust: str = "") -> None:
        self.host = host
        self.clock = clock
        self.domain = domain
        self._trust = trust
        self._http: httpx.AsyncClient | None = None

    async def read(
        self,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to a question, which is asked again while trouble may pass. Raises UnreachableError."""
        for attempt in range(1, _TRIES_IN_SILENCE + 1):
            try:
                answer = await self.request("GET", path, headers=headers, parameters=parameters)
                if answer.status < 500 or attempt >= _TRIES:
                    return answer
            except SilenceError:
                if attempt == _TRIES_IN_SILENCE:
                    raise
            what = path.rpartition("/")[2] or "its page"
            voice.say(f"The panel of {self.host.name} is in trouble at {what}; it is asked again")
            await self.clock.sleep(float(2 ** (attempt - 1)))
        raise AssertionError("unreachable")

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout: float = TIMEOUT,
    ) -> Answer:
        """One request, sent at most once. Raises UnreachableError: then nothing is known of its effect."""
        if method == "GET":
            return await self._send(method, path, headers, parameters, body, timeout)
        return await finish(self._send(method, path, headers, parameters, body, timeout))

    async def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None,
        parameters: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        timeout: float,
    ) -> Answer:
        for attempt in (1, 2):
            port = await self.host.forward(PROXY_PORT if self.domain else PORT)
            try:
                answer = await self._client().request(
                    method,
                    f"{'https' if self.domain else 'http'}://127.0.0.1:{port}{path}",
                    headers={**(headers or {}), **({"Host": self.domain} if self.domain else {})},
                    extensions={"sni_hostname": self.domain} if self.domain else None,
                    params=dict(parameters) if parameters else None,
                    json=body,
                    timeout=httpx.Timeout(timeout, connect=CONNECT_TIMEOUT),
                )
                text = answer.text
                return Answer(answer.status_code, text, {k.lower(): v for k, v in answer.headers.items()})
            except httpx.ConnectError as error:
                # The tunnel's end here is gone and nothing was sent: once more through a new one is safe.
                if attempt == 2:
                    raise self._silence(method, path, error) from error
            except (httpx.HTTPError, OSError) as error:
                raise self._silence(method, path, error) from error
        raise AssertionError("unreachable")

    def _silence(self, method: str, path: str, error: Exception) -> SilenceError:
        what = path.rpartition("/")[2]
        return SilenceError(
            f"The panel of {self.host.name} did not answer {what}",
            f"{type(error).__name__} at {self.domain or f'its port {PORT}'}, asked through SSH",
            "It may be restarting. Run again." if method == "GET" else f"It may be restarting. {_LOOK_FIRST}",
        )

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = httpx.AsyncClient(
                trust_env=False,
                verify=self._authorities() if self.domain else True,
                # A kept session would be sent along with every API key, and hide that the key is dead.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                follow_redirects=False,
                limits=httpx.Limits(max_connections=16, max_keepalive_connections=0),
            )
        return self._http

    def _authorities(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._trust:
            context.load_verify_locations(self._trust)
        return context

    async def aclose(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None
