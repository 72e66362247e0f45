"""named, knot and unbound as processes on loopback, each with a folder and ports of its own."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import dns.asyncquery
import dns.message
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest

from tests.real.acme_servers import free_ports
from wizard.endpoints import SocketAddress

HOST = "127.0.0.1"
KEY_NAME, KEY = "wizard", "c2VjcmV0LWZvci10ZXN0cy1vbmx5LW5vdC1yZWFs"


def needs(*programs: str) -> None:
    """Skip where Debian's servers are not installed."""
    missing = [name for name in programs if _program(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def _program(name: str) -> str | None:
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")


@dataclass
class Primary:
    """An authoritative server for `zone` that takes updates (RFC 2136) with our key."""

    at: SocketAddress
    zone: str

    async def put(self, name: str, kind: str, ttl: int, *values: str) -> None:
        """Replace a record set; `name` relative."""
        update = dns.update.UpdateMessage(self.zone, keyring=dns.tsigkeyring.from_text({KEY_NAME: KEY}))
        update.delete(name, kind)
        for value in values:
            update.add(name, ttl, kind, value)
        answer = await dns.asyncquery.tcp(update, self.at.host, port=self.at.port, timeout=60)
        assert answer.rcode() == dns.rcode.NOERROR, dns.rcode.to_text(answer.rcode())


def zone_text(zone: str, rows: Sequence[str], ttl: int) -> str:
    head = f"$TTL {ttl}\n@ 300 IN SOA ns.{zone}. admin.{zone}. 1 3600 900 1209600 30\n@ IN NS ns.{zone}.\n"
    return head + f"ns IN A {HOST}\n" + "".join(f"{row}\n" for row in rows)


def _lay_out(folder: Path, zone: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zone").write_text(zone)


@contextlib.asynccontextmanager
async def _running(command: Sequence[str], at: SocketAddress, zone: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(100):
            while not await answers(at, zone):
                assert process.returncode is None, f"{command[0]} ended"
                await asyncio.sleep(0.05)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def answers(at: SocketAddress, name: str, kind: str = "SOA") -> bool:
    query = dns.message.make_query(name, kind)
    with contextlib.suppress(Exception):
        await dns.asyncquery.udp(query, at.host, port=at.port, timeout=1.0)
        return True
    return False


@contextlib.asynccontextmanager
async def named(folder: Path, zone: str, rows: Sequence[str], ttl: int = 60) -> AsyncIterator[Primary]:
    """bind's named, authoritative only."""
    needs("named")
    _lay_out(folder, zone_text(zone, rows, ttl))
    (port,) = free_ports(1)
    (folder / "named.conf").write_text(
        f'key "{KEY_NAME}" {{ algorithm hmac-sha256; secret "{KEY}"; }};\n'
        f'options {{ directory "{folder}"; listen-on port {port} {{ {HOST}; }}; listen-on-v6 {{ none; }}; '
        f'pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key"; recursion no; '
        f"dnssec-validation no; }};\ncontrols {{ }};\n"
        f'zone "{zone}" {{ type primary; file "{folder}/zone"; allow-update {{ key "{KEY_NAME}"; }}; '
        f'allow-transfer {{ key "{KEY_NAME}"; }}; }};\n'
    )
    at = SocketAddress(HOST, port)
    program = _program("named") or "named"
    async with _running((program, "-f", "-c", str(folder / "named.conf"), "-n", "1"), at, zone):
        yield Primary(at, zone)


@contextlib.asynccontextmanager
async def knot(folder: Path, zone: str, rows: Sequence[str], ttl: int = 60) -> AsyncIterator[Primary]:
    """Knot DNS, authoritative only."""
    needs("knotd")
    _lay_out(folder, zone_text(zone, rows, ttl))
    (port,) = free_ports(1)
    (folder / "knot.conf").write_text(
        f"server:\n  rundir: {folder}\n  listen: {HOST}@{port}\n"
        f"database:\n  storage: {folder}\n"
        f"key:\n  - id: {KEY_NAME}\n    algorithm: hmac-sha256\n    secret: {KEY}\n"
        f"acl:\n  - id: ours\n    key: {KEY_NAME}\n    action: [update, transfer]\n"
        f"zone:\n  - domain: {zone}\n    file: {folder}/zone\n    acl: ours\n    zonefile-sync: -1\n"
        "    zonefile-load: difference\n"
    )
    at = SocketAddress(HOST, port)
    async with _running((_program("knotd") or "knotd", "-c", str(folder / "knot.conf")), at, zone):
        yield Primary(at, zone)


@contextlib.asynccontextmanager
async def unbounds(
    folder: Path, primary: Primary, options: Sequence[str]
) -> AsyncIterator[tuple[SocketAddress, ...]]:
    """One unbound for each entry of `options`, lines of its server clause; the zone is at `primary`."""
    needs("unbound")
    ports = free_ports(len(options))
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for number, (port, extra) in enumerate(zip(ports, options, strict=True)):
            place = folder / f"unbound{number}"
            place.mkdir(parents=True, exist_ok=True)
            (place / "unbound.conf").write_text(_unbound(place, port, primary, extra))
            at = SocketAddress(HOST, port)
            command = (_program("unbound") or "unbound", "-d", "-c", str(place / "unbound.conf"))
            # The name that is waited for is in no zone that a test watches.
            await stack.enter_async_context(_running(command, at, "localhost"))
            found.append(at)
        yield tuple(found)


def _unbound(place: Path, port: int, primary: Primary, extra: str) -> str:
    return (
        f'server:\n  directory: "{place}"\n  chroot: ""\n  username: ""\n  pidfile: "{place}/pid"\n'
        f"  interface: {HOST}\n  port: {port}\n  num-threads: 1\n  do-daemonize: no\n"
        "  do-not-query-localhost: no\n  module-config: iterator\n  do-ip6: no\n  msg-cache-size: 1m\n"
        "  rrset-cache-size: 1m\n  outgoing-range: 32\n  num-queries-per-thread: 32\n"
        f'  local-zone: "{primary.zone.rpartition(".")[2]}." nodefault\n'
        f'  logfile: "{place}/log"\n  use-syslog: no\n'
        + "".join(f"  {line.strip()}\n" for line in extra.split(";") if line.strip())
        + "remote-control:\n  control-enable: no\n"
        f'stub-zone:\n  name: "{primary.zone}"\n  stub-addr: {primary.at.host}@{primary.at.port}\n'
    )


class Anycast(asyncio.DatagramProtocol):
    """Hands each question to one of the caches, and its answer back."""

    def __init__(self, caches: Sequence[SocketAddress], dice: random.Random) -> None:
        self._caches = caches
        self._dice = dice

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._task = asyncio.ensure_future(self._pass_on(data, addr, self._dice.choice(self._caches)))

    async def _pass_on(self, data: bytes, addr: tuple[str, int], cache: SocketAddress) -> None:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[bytes] = loop.create_future()

        class Back(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                if not answered.done():
                    answered.set_result(data)

        out, _ = await loop.create_datagram_endpoint(Back, remote_addr=(cache.host, cache.port))
        try:
            out.sendto(data)
            self.transport.sendto(await asyncio.wait_for(answered, 60), addr)
        finally:
            out.close()


async def anycast(
    caches: Sequence[SocketAddress], dice: random.Random
) -> tuple[asyncio.DatagramTransport, SocketAddress]:
    """One address with all of the caches behind it."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Anycast(caches, dice), local_addr=(HOST, 0))
    return transport, SocketAddress(*transport.get_extra_info("sockname")[:2])
