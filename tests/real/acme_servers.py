"""Pebble and Caddy as processes on loopback, on ports that were free a moment ago."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from wizard.rehearsal.acme.authority import Authority, AuthorityState

_PORTS = range(15_000, 32_000)
"""Below those that the system gives to anybody who connects or asks for any port."""


def free_ports(count: int) -> list[int]:
    """Distinct ports that nothing listens on. Others may only take them by choosing them like this."""
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().choice(_PORTS)
        if port not in found and _is_free(port):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        try:
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def needs(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


@contextlib.asynccontextmanager
async def running(*command: str, port: int, env: dict[str, str] | None = None) -> AsyncIterator[int]:
    """The pid of a process that answers on `port`; ended when left."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, env=env
    )
    try:
        async with asyncio.timeout(100):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                assert process.returncode is None, f"{command[0]} ended"
                await asyncio.sleep(0.05)
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@dataclass(frozen=True)
class Pebble:
    directory: str
    trust: str
    names: str
    management: str

    async def set_txt(self, name: str, value: str) -> None:
        await self._tell("set-txt", {"host": f"{name}.", "value": value})

    async def clear_txt(self, name: str) -> None:
        await self._tell("clear-txt", {"host": f"{name}."})

    async def _tell(self, what: str, body: dict[str, str]) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.names}/{what}", json=body) as answer,
        ):
            assert answer.status == 200

    async def root(self) -> str:
        """The authority's issuing root, PEM."""
        context = ssl.create_default_context(cafile=self.trust)
        url = f"{self.management}/roots/0"
        async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as answer:
            return await answer.text()


@contextlib.asynccontextmanager
async def pebble(folder: Path, *, reject_nonces: int = 0) -> AsyncIterator[Pebble]:
    needs("pebble", "pebble-challtestsrv")
    authority = Authority(AuthorityState("Pebble API"))
    chain, key = authority.issue(("localhost",), 0.0)
    for name, text in (("root.pem", authority.root_pem), ("api.pem", chain), ("api.key", key)):
        (folder / name).write_text(text)
    api, management, names, dns = free_ports(4)
    config = {
        "pebble": {
            "listenAddress": f"127.0.0.1:{api}",
            "managementListenAddress": f"127.0.0.1:{management}",
            "certificate": str(folder / "api.pem"),
            "privateKey": str(folder / "api.key"),
            "httpPort": 5002,
            "tlsPort": 5001,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
        }
    }
    (folder / "pebble.json").write_text(json.dumps(config))
    env = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": str(reject_nonces), "PATH": "/usr/bin:/bin"}
    off = ("-http01", "", "-https01", "", "-tlsalpn01", "")
    async with (
        running(
            *("pebble-challtestsrv", "-management", f"127.0.0.1:{names}", "-dns01", f"127.0.0.1:{dns}"),
            *off,
            port=names,
        ),
        running(
            *("pebble", "-config", str(folder / "pebble.json"), "-dnsserver", f"127.0.0.1:{dns}"),
            port=api,
            env=env,
        ),
    ):
        yield Pebble(
            f"https://localhost:{api}/dir",
            str(folder / "root.pem"),
            f"http://127.0.0.1:{names}",
            f"https://localhost:{management}",
        )
