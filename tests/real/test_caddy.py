"""The web checks against a real web server, by address and name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real.acme_servers import free_ports, needs, running
from wizard.checks.http import HttpClient, HttpProblem, Problem
from wizard.checks.tls import look
from wizard.net import LiveNet
from wizard.rehearsal.acme.authority import Authority, AuthorityState

pytestmark = pytest.mark.real
HERE = "127.0.0.1"


@dataclass(frozen=True)
class Caddy:
    plain: int
    secure: int
    trust: str


@pytest.fixture
async def caddy(tmp_path: Path) -> AsyncIterator[Caddy]:
    needs("caddy")
    authority = Authority(AuthorityState("Caddy test"))
    chain, key = authority.issue(("shop.example.test",), 0.0)
    for name, text in (("root.pem", authority.root_pem), ("shop.pem", chain), ("shop.key", key)):
        (tmp_path / name).write_text(text)
    plain, secure = free_ports(2)
    (tmp_path / "Caddyfile").write_text(
        f"""{{
            admin off
            http_port {plain}
            https_port {secure}
            storage file_system {tmp_path}/storage
            default_bind 127.0.0.1
        }}
        https://shop.example.test:{secure} {{
            tls {tmp_path}/shop.pem {tmp_path}/shop.key
            encode gzip
            header /cached Cache-Control "public, max-age=60"
            redir /old https://shop.example.test:{secure}/cached 301
            respond /cached "{"hello " * 400}"
            respond "hello"
        }}
        """
    )
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "XDG_DATA_HOME": str(tmp_path)}
    command = ("caddy", "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile")
    async with running(*command, port=secure, env=env):
        yield Caddy(plain, secure, str(tmp_path / "root.pem"))


async def test_http_2_compression_and_redirects_by_pinned_address(caddy: Caddy) -> None:
    client = HttpClient(LiveNet(), caddy.trust)

    answer = await client.get(f"https://shop.example.test:{caddy.secure}/old", HERE, follow=True)

    assert (answer.status, answer.http, answer.address) == (200, "HTTP/2", HERE)
    assert answer.header("content-encoding") == "gzip" and answer.text.startswith("hello hello")
    assert [hop.status for hop in answer.hops] == [301]
    view = await look(LiveNet(), "shop.example.test", HERE, port=caddy.secure, trust=caddy.trust)
    assert view.trusted and view.certificate is not None and view.alpn == "h2"
    assert view.certificate.sha256 == answer.certificate and view.certificate.chain_length == 2
    await client.aclose()


async def test_a_name_without_a_certificate_is_told_from_an_untrusted_one(caddy: Caddy) -> None:
    unknown = await look(LiveNet(), "other.example.test", HERE, port=caddy.secure, trust=caddy.trust)
    untrusted = await look(LiveNet(), "shop.example.test", HERE, port=caddy.secure)

    assert unknown.certificate is None and "no certificate for this name" in unknown.problem
    assert untrusted.certificate is not None and not untrusted.trusted


async def test_a_port_that_refuses_is_said_so(caddy: Caddy) -> None:
    client = HttpClient(LiveNet(), caddy.trust)
    port = free_ports(1)[0]

    with pytest.raises(HttpProblem) as caught:
        await client.get(f"https://shop.example.test:{port}/", HERE)

    assert caught.value.kind is Problem.REFUSED
    await client.aclose()
