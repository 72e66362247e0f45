"""A reverse proxy's other side: the same request to another host, by the same name, TLS verified."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

from wizard.rehearsal.sites import SiteAnswer, SiteRequest

if TYPE_CHECKING:
    from wizard.rehearsal.stage import Stage

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "upgrade", "host", "content-length"}
)
_SECONDS = 8.0


async def fetch(stage: Stage, source: str, address: str, asked: SiteRequest, body: bytes) -> SiteAnswer:
    """502 with the reason when the other host does not answer."""
    try:
        async with asyncio.timeout(_SECONDS):
            return await _exchange(stage, source, address, asked, body)
    except (OSError, TimeoutError, ValueError) as error:
        text = f"forwarding to {address}: {error}\n"
        return SiteAnswer(502, (("Content-Type", "text/plain; charset=utf-8"),), text.encode())


async def _exchange(stage: Stage, source: str, address: str, asked: SiteRequest, body: bytes) -> SiteAnswer:
    secure = asked.scheme == "https"
    sock = await stage.internet.dial(source, address, 443 if secure else 80, timeout=3.0)
    context = _context(stage.acme.root_pem) if secure else None
    reader, writer = await asyncio.open_connection(
        sock=sock, ssl=context, server_hostname=asked.host if secure else None
    )
    try:
        writer.write(_request(asked, body, source))
        head, _, content = (await reader.read(-1)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return _parse(head, content)


def _request(asked: SiteRequest, body: bytes, source: str) -> bytes:
    query = f"?{asked.query}" if asked.query else ""
    lines = [f"{asked.method} {asked.path}{query} HTTP/1.1", f"host: {asked.host}"]
    lines += [f"{name}: {value}" for name, value in asked.headers.items() if name not in _HOP_BY_HOP]
    lines += [f"x-forwarded-for: {source}", f"content-length: {len(body)}", "connection: close"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _parse(head: bytes, content: bytes) -> SiteAnswer:
    first, *rest = head.decode("latin-1").split("\r\n")
    words = first.split()
    if len(words) < 2 or not words[1].isdigit():
        raise ValueError("no HTTP answer")
    headers = tuple(
        (name, value.strip())
        for name, _, value in (line.partition(":") for line in rest)
        if name.lower() not in _HOP_BY_HOP
    )
    return SiteAnswer(int(words[1]), headers, content)


_contexts: dict[str, ssl.SSLContext] = {}


def _context(root_pem: str) -> ssl.SSLContext:
    if root_pem not in _contexts:
        _contexts[root_pem] = ssl.create_default_context(cadata=root_pem)
    return _contexts[root_pem]
