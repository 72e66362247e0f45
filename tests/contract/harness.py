"""Holds exchanges over HTTP against a vendor's own description, in process, both ways.

    contract = Contract.of("hetzner")
    async with recorded(standin.url) as tape:  # a proxy that keeps what passes
        await use(client_at(tape.url))
    contract.check_all(tape.exchanges, tape.url)

`check` raises `ContractError`, which names the exchange and says what the description objects to.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import aiohttp
from aiohttp import web
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict
from yarl import URL

from tests.shared import shared_dir

_HOP = {"host", "connection", "transfer-encoding", "content-length", "content-encoding", "keep-alive"}


class ContractError(AssertionError):
    """A request or an answer that the vendor's description does not allow."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. `url` is whole, with its query."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer_headers: Mapping[str, str]
    answer: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.url} -> {self.status}"


@dataclass
class _Request:
    """What openapi-core asks of a request."""

    host_url: str
    path: str
    method: str
    parameters: RequestParameters
    content_type: str
    body: bytes | None


@dataclass
class _Response:
    """What openapi-core asks of an answer."""

    data: bytes | None
    status_code: int
    content_type: str
    headers: Headers


@dataclass
class Tape:
    """`url` stands in for the recorded server's base address."""

    url: str
    exchanges: list[Exchange] = field(default_factory=list)


class Contract:
    """A vendor's description. `base` is the address that its paths are relative to."""

    def __init__(self, description: Mapping[str, Any], base: str = "") -> None:
        servers = description.get("servers") or [{"url": "https://contract.test"}]
        self.base = (base or str(servers[0]["url"])).rstrip("/")
        # Strict validation of the document itself would refuse Vercel's own description.
        self._api = OpenAPI.from_dict(
            _usable(description, description), config=Config(spec_validator_cls=None)
        )

    @classmethod
    def of(cls, vendor: str, base: str = "") -> Contract:
        """The description `vendor/<vendor>.json`; the test is skipped where it is absent."""
        return cls(_description(vendor), base)

    def check(self, exchange: Exchange, url: str = "") -> None:
        """Raises ContractError. `url` is the base address under which the exchange was recorded."""
        self.check_request(exchange, url)
        self.check_answer(exchange, url)

    def check_request(self, exchange: Exchange, url: str = "") -> None:
        with _objections(exchange, "the request"):
            self._api.validate_request(self._request(exchange, url))

    def check_answer(self, exchange: Exchange, url: str = "") -> None:
        with _objections(exchange, "the answer"):
            self._api.validate_response(self._request(exchange, url), _response(exchange))

    def check_all(self, exchanges: Sequence[Exchange], url: str = "") -> None:
        """Every objection of all exchanges at once. Nothing to check is an error too."""
        if not exchanges:
            raise ContractError("no exchange was recorded")
        said: list[str] = []
        for exchange in exchanges:
            for validate in (self.check_request, self.check_answer):
                try:
                    validate(exchange, url)
                except ContractError as error:
                    said.append(str(error))
        if said:
            raise ContractError("\n".join(dict.fromkeys(said)))

    def _request(self, exchange: Exchange, url: str) -> _Request:
        target = exchange.url
        if url:
            if not target.startswith(url.rstrip("/")):
                raise ContractError(f"{exchange} does not go to {url}")
            target = self.base + target[len(url.rstrip("/")) :]
        parts = urlsplit(target)
        return _Request(
            host_url=f"{parts.scheme}://{parts.netloc}",
            path=parts.path,
            method=exchange.method.lower(),
            parameters=RequestParameters(
                query=ImmutableMultiDict(parse_qsl(parts.query, keep_blank_values=True)),
                header=Headers(list(exchange.headers.items())),
                cookie=ImmutableMultiDict(),
            ),
            content_type=_content_type(exchange.headers),
            body=exchange.body or None,
        )


def _usable(part: Any, whole: Mapping[str, Any]) -> Any:
    """`part` in the spelling that the validator knows; nothing that it would refuse becomes allowed.

    Ranges of statuses are written 4XX, and a discriminator that leads nowhere leaves its oneOf to be tried.
    """
    if isinstance(part, list):
        return [_usable(entry, whole) for entry in part]
    if not isinstance(part, Mapping):
        return part
    kept = {
        (key.upper() if re.fullmatch(r"[1-5]xx", str(key)) else key): _usable(value, whole)
        for key, value in part.items()
    }
    mapping = (kept.get("discriminator") or {}).get("mapping") if "oneOf" in kept else None
    if mapping and not all(_leads(target, whole) for target in mapping.values()):
        del kept["discriminator"]
    return kept


def _leads(target: str, whole: Mapping[str, Any]) -> bool:
    place: Any = whole
    for word in target.removeprefix("#/").split("/"):
        if not isinstance(place, Mapping) or word not in place:
            return False
        place = place[word]
    return True


def _response(exchange: Exchange) -> _Response:
    return _Response(
        data=exchange.answer or None,
        status_code=exchange.status,
        content_type=_content_type(exchange.answer_headers),
        headers=Headers(list(exchange.answer_headers.items())),
    )


def _content_type(headers: Mapping[str, str]) -> str:
    for name, value in headers.items():
        if name.lower() == "content-type":
            return value.split(";")[0].strip()
    return ""


@contextlib.contextmanager
def _objections(exchange: Exchange, what: str) -> Iterator[None]:
    try:
        yield
    except OpenAPIError as error:
        body = exchange.body if what == "the request" else exchange.answer
        raise ContractError(f"{exchange}: {what}: {_story(error)}\n  {_shown(body)}") from error


def _story(error: BaseException) -> str:
    """The whole chain: openapi-core's outermost message alone seldom says what is wrong."""
    told: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        told.append(str(cause) or type(cause).__name__)
        for inner in getattr(cause, "schema_errors", None) or ():
            where = "/".join(str(part) for part in getattr(inner, "absolute_path", ()))
            told.append(f"at {where or 'the top'}: {str(getattr(inner, 'message', inner))[:300]}")
        cause = cause.__cause__
    return " <- ".join(dict.fromkeys(told))[:2000]


def _shown(body: bytes) -> str:
    return unquote(body.decode(errors="replace"))[:600] or "(no body)"


@cache
def _read(path: str) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def _description(vendor: str) -> Mapping[str, Any]:
    description: Mapping[str, Any] = _read(str(shared_dir() / "vendor" / f"{vendor}.json"))
    return description


@contextlib.asynccontextmanager
async def recorded(target: str) -> AsyncIterator[Tape]:
    """A proxy on loopback in front of the stand-in at base address `target`, keeping what passes."""
    parts = urlsplit(target)
    origin = f"{parts.scheme}://{parts.netloc}"
    tape = Tape("")

    async def pass_on(request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        async with session.request(
            request.method,
            URL(f"{origin}{request.raw_path}", encoded=True),
            headers=headers,
            data=body or None,
            allow_redirects=False,
        ) as answer:
            content = await answer.read()
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
        tape.exchanges.append(
            Exchange(
                request.method,
                f"{tape.url.removesuffix(parts.path)}{request.raw_path}",
                headers,
                body,
                answer.status,
                kept,
                content,
            )
        )
        return web.Response(status=answer.status, body=content, headers=kept)

    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", pass_on)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    async with aiohttp.ClientSession(auto_decompress=True) as session:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            port = runner.addresses[0][1]
            tape.url = f"http://127.0.0.1:{port}{parts.path}"
            yield tape
        finally:
            await runner.cleanup()
