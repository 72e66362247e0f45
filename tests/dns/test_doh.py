"""DNS over HTTPS against a server on loopback with a certificate of its own."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from tests.dns.servers import reply
from wizard.dns.doh import DohClient
from wizard.dns.wire import question
from wizard.errors import UnreachableError
from wizard.rehearsal.acme.authority import Authority, AuthorityState

HOST = "doh.test"


@dataclass
class Doh:
    """`age` and `status` shape the answers; `asked` holds what came."""

    port: int
    trust: str
    age: str = ""
    status: int = 200
    forged: bool = False
    asked: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}/dns-query"


@contextlib.asynccontextmanager
async def doh_server(folder: Path, name: str = HOST) -> AsyncIterator[Doh]:
    authority = Authority(AuthorityState("DoH"))
    chain, key = authority.issue((name,), 0.0)
    for file, text in (("root.pem", authority.root_pem), ("chain.pem", chain), ("key.pem", key)):
        (folder / file).write_text(text)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    server = Doh(0, str(folder / "root.pem"))

    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Content-Type"] == "application/dns-message"
        assert request.headers["Host"] == f"{HOST}:{server.port}"
        query = await request.read()
        server.asked.append(query)
        body = reply(question("other.test", "A") if server.forged else query, "192.0.2.1", ttl=60)
        headers = {"Age": server.age} if server.age else {}
        return web.Response(
            body=body, status=server.status, headers=headers, content_type="application/dns-message"
        )

    app = web.Application()
    app.router.add_post("/dns-query", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    server.port = int(runner.addresses[0][1])
    try:
        yield server
    finally:
        await runner.cleanup()


async def test_an_answer_over_https_is_read_and_its_age_taken_off(tmp_path: Path) -> None:
    """Given an answer that lay 25 s in a cache on the way, 35 of its 60 seconds are left."""
    async with doh_server(tmp_path) as server:
        server.age = "25"
        client = DohClient(server.trust)

        answer = await client.ask(server.url, "127.0.0.1", "name.test", "A", timeout=60)

        assert answer.values("A") == ("192.0.2.1",)
        assert answer.ttl("A") == 35
        assert server.asked[0][:2] == b"\0\0"
        await client.aclose()


async def test_the_host_of_the_url_is_verified_although_the_address_is_dialled(tmp_path: Path) -> None:
    """Given a server at that address with a certificate of somebody else, nothing is believed."""
    async with doh_server(tmp_path, "impostor.test") as server:
        client = DohClient(server.trust)

        with pytest.raises(UnreachableError):
            await client.ask(server.url, "127.0.0.1", "name.test", "A", timeout=60)

        assert server.asked == []
        await client.aclose()


@pytest.mark.parametrize("trouble", ["status", "forged"])
async def test_what_is_no_answer_is_unreachable(tmp_path: Path, trouble: str) -> None:
    async with doh_server(tmp_path) as server:
        server.status = 503 if trouble == "status" else 200
        server.forged = trouble == "forged"
        client = DohClient(server.trust)

        with pytest.raises(UnreachableError):
            await client.ask(server.url, "127.0.0.1", "name.test", "A", timeout=60)
        await client.aclose()
