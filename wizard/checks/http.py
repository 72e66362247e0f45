"""Asking a web server at a chosen address: what it answers, and by which certificate."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from wizard.errors import UnreachableError

if TYPE_CHECKING:
    import httpx

    from wizard.net import Net

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 10
_BODY_LIMIT = 2_000_000


class Problem(StrEnum):
    """Why there was no answer, in the words of an availability report."""

    NAME = "name"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    TLS = "tls"
    BROKEN = "broken"
    """The connection ended, or what came was not HTTP."""


class HttpProblem(UnreachableError):
    """No HTTP answer. `kind` says at which layer it failed."""

    def __init__(self, kind: Problem, url: str, address: str, why: str) -> None:
        super().__init__(f"No answer for {url} from {address or 'its address'}", why)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Hop:
    """One answer of a chain of redirects."""

    url: str
    status: int
    location: str


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """`url` is the last one asked. `headers` have lower-case names, in the order received.

    `body` is decoded from its content encoding and at most the limit asked for (`truncated` otherwise).
    `address` is where it came from. `seconds` are real. `tls` is the protocol version, "" for plain HTTP;
    `certificate` is the SHA-256 of the leaf in hex, "" for plain HTTP.
    """

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    truncated: bool
    address: str
    seconds: float
    http: str = "HTTP/1.1"
    tls: str = ""
    certificate: str = ""
    hops: tuple[Hop, ...] = ()

    def header(self, name: str) -> str:
        """All values of `name` joined by commas; "" if absent."""
        return ", ".join(value for key, value in self.headers if key == name.lower())

    def values(self, name: str) -> tuple[str, ...]:
        return tuple(value for key, value in self.headers if key == name.lower())

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def trust_context(trust: str) -> ssl.SSLContext:
    """Verifies host names and chains: by the system's authorities, or by those of the PEM file alone."""
    if not trust:
        return ssl.create_default_context()
    return ssl.create_default_context(cafile=trust)


class HttpClient:
    """HTTP through `net`. Connections are kept per pinned address; `fresh` dials a new one each time."""

    def __init__(self, net: Net, trust: str = "") -> None:
        self._net = net
        self._context: ssl.SSLContext | None = None
        self._trust = trust
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def get(
        self,
        url: str,
        address: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        follow: bool = False,
        fresh: bool = False,
        limit: int = _BODY_LIMIT,
    ) -> HttpAnswer:
        """Ask for `url` at `address`; the name in the URL is sent as SNI and Host and is verified.

        With `follow`, redirects are followed to the same address. `timeout` is in real seconds and
        covers one exchange. Raises HttpProblem when there is no answer.
        """
        return await self.request(
            "GET", url, address, headers=headers, timeout=timeout, follow=follow, fresh=fresh, limit=limit
        )

    async def options(
        self,
        url: str,
        address: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
    ) -> HttpAnswer:
        """An OPTIONS request, as browsers send before a request to another origin."""
        return await self.request("OPTIONS", url, address, headers=headers, timeout=timeout)

    async def request(
        self,
        method: str,
        url: str,
        address: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 10.0,
        follow: bool = False,
        fresh: bool = False,
        limit: int = _BODY_LIMIT,
    ) -> HttpAnswer:
        hops: list[Hop] = []
        while True:
            answer = await self._once(method, url, address or "", headers, body, timeout, fresh, limit)
            location = answer.header("location")
            if not (follow and answer.status in REDIRECTS and location):
                return _with_hops(answer, tuple(hops))
            hops.append(Hop(url, answer.status, location))
            if len(hops) > _MOST_REDIRECTS:
                raise HttpProblem(
                    Problem.BROKEN, url, address or "", f"more than {_MOST_REDIRECTS} redirects"
                )
            url = urljoin(url, location)
            if answer.status in (301, 302, 303) and method not in ("GET", "HEAD"):
                method, body = "GET", None

    async def _once(
        self,
        method: str,
        url: str,
        address: str,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        timeout: float,
        fresh: bool,
        limit: int,
    ) -> HttpAnswer:
        import httpx

        client = self._make(address, keep_alive=False) if fresh else self._kept(address)
        started = time.monotonic()
        try:
            async with (
                asyncio.timeout(timeout),
                client.stream(method, url, headers=dict(headers or {}), content=body) as response,
            ):
                # Asked before the body is read: a peer that closes takes the facts of TLS with it.
                stream = response.extensions["network_stream"]
                version, leaf = _tls_facts(stream.get_extra_info("ssl_object"))
                content, truncated = await _bounded(response, limit)
                return HttpAnswer(
                    url=url,
                    status=response.status_code,
                    headers=tuple((key.lower(), value) for key, value in response.headers.multi_items()),
                    body=content,
                    truncated=truncated,
                    address=str(stream.get_extra_info("server_addr")),
                    seconds=time.monotonic() - started,
                    http=response.http_version,
                    tls=version,
                    certificate=leaf,
                )
        except TimeoutError as error:
            raise HttpProblem(Problem.TIMEOUT, url, address, f"nothing within {timeout:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, UnreachableError) as error:
            raise _problem(error, url, address) from error
        finally:
            if fresh:
                await client.aclose()

    def _kept(self, address: str) -> httpx.AsyncClient:
        if address not in self._clients:
            self._clients[address] = self._make(address, keep_alive=True)
        return self._clients[address]

    def _make(self, address: str, *, keep_alive: bool) -> httpx.AsyncClient:
        import httpx

        from wizard.checks.transport import PinnedTransport

        if self._context is None:
            self._context = trust_context(self._trust)
        transport = PinnedTransport(self._net, address, context=self._context, keep_alive=keep_alive)
        agent = {"User-Agent": "dokploy-wizard", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
        return httpx.AsyncClient(transport=transport, headers=agent, trust_env=False, timeout=30.0)

    async def aclose(self) -> None:
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()


def _with_hops(answer: HttpAnswer, hops: tuple[Hop, ...]) -> HttpAnswer:
    from dataclasses import replace

    return replace(answer, hops=hops) if hops else answer


async def _bounded(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > limit:
            return b"".join(parts)[:limit], True
    return b"".join(parts), False


def _tls_facts(tls: ssl.SSLObject | None) -> tuple[str, str]:
    """Protocol version and the leaf's SHA-256 in hex; two empty texts for plain HTTP."""
    import hashlib

    if tls is None:
        return "", ""
    leaf = tls.getpeercert(binary_form=True)
    return tls.version() or "", hashlib.sha256(leaf).hexdigest() if leaf else ""


def _problem(error: Exception, url: str, address: str) -> HttpProblem:
    import httpx

    cause = error.__cause__ or error
    text = str(cause) or type(cause).__name__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return HttpProblem(Problem.TLS, url, address, cause.verify_message)
    if isinstance(cause, ssl.SSLError):
        return HttpProblem(Problem.TLS, url, address, cause.reason or text)
    if isinstance(error, httpx.TimeoutException) or isinstance(cause, TimeoutError):
        return HttpProblem(Problem.TIMEOUT, url, address, text)
    if isinstance(cause, ConnectionRefusedError):
        return HttpProblem(Problem.REFUSED, url, address, "the connection was refused")
    if isinstance(error, httpx.ConnectError) and urlsplit(url).hostname and not address:
        return HttpProblem(Problem.NAME, url, address, text)
    return HttpProblem(Problem.BROKEN, url, address, text)
