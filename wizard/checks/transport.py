"""HTTP over the world's network: httpx on httpcore's connection pool, dialled by `Net`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

if TYPE_CHECKING:
    from wizard.net import Net

_CLOSE_SECONDS = 1.0


class _Stream(httpcore.AsyncNetworkStream):
    """A connected socket as httpcore wants it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        self._reader = reader
        self._writer = writer
        self._address = address

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _renamed(httpcore.ReadTimeout, httpcore.ReadError):
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        with _renamed(httpcore.WriteTimeout, httpcore.WriteError):
            self._writer.write(buffer)
            async with asyncio.timeout(timeout):
                await self._writer.drain()

    async def aclose(self) -> None:
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._writer.wait_closed()
        except (OSError, ssl.SSLError, TimeoutError):
            self._writer.transport.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        with _renamed(httpcore.ConnectTimeout, httpcore.ConnectError):
            try:
                async with asyncio.timeout(timeout):
                    await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
            except BaseException:
                self._writer.transport.abort()
                raise
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "server_addr":
            return self._address
        if info == "is_readable":
            # httpcore asks this of idle connections: readable while idle means that the peer closed.
            return self._reader.at_eof()
        return self._writer.get_extra_info(info)


@contextmanager
def _renamed(on_timeout: type[Exception], on_error: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise on_timeout(str(error)) from error
    except (OSError, ssl.SSLError, EOFError) as error:
        raise on_error(str(error)) from error


class NetBackend(httpcore.AsyncNetworkBackend):
    """Dials through `net`; every host leads to `address` when one is given."""

    def __init__(self, net: Net, address: str = "") -> None:
        self._net = net
        self._address = address

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        target = self._address or host.strip("[]")
        with _renamed(httpcore.ConnectTimeout, httpcore.ConnectError):
            sock = await self._net.connect(target, port, timeout=timeout or 30.0)
            reader, writer = await asyncio.open_connection(sock=sock)
        return _Stream(reader, writer, target)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.UnsupportedProtocol("Only TCP is spoken here.")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        with _as_httpx():
            await self._stream.aclose()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """The same error by httpx's name, as users of an httpx client expect it."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        named: type[httpx.TransportError] = getattr(httpx, type(error).__name__, httpx.TransportError)
        # The pool raises "from None", which keeps what happened only as the context.
        raise named(str(error)) from (error.__cause__ or error.__context__ or error)
    except httpcore.UnsupportedProtocol as error:
        raise httpx.UnsupportedProtocol(str(error)) from error


class PinnedTransport(httpx.AsyncBaseTransport):
    """An httpx transport whose connections go to `address` (or the URL's host); SNI is the URL's host."""

    def __init__(
        self, net: Net, address: str = "", *, context: ssl.SSLContext | None = None, keep_alive: bool = True
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context or ssl.create_default_context(),
            max_connections=32,
            max_keepalive_connections=16 if keep_alive else 0,
            keepalive_expiry=15.0,
            http1=True,
            http2=True,
            network_backend=NetBackend(net, address),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        outgoing = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx():
            answer = await self._pool.handle_async_request(outgoing)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        await self._pool.aclose()
