"""A whole cutover among real servers on loopback: named, knot, unbound, pebble, Caddy, sshd.

| where | who |
|---|---|
| 127.77.0.1 | the platform that serves the pages today (Caddy) |
| 127.77.0.2 | the old host that serves the API today (Caddy, its file edited over SSH) |
| 127.77.0.3, 127.77.0.4 | the new hosts (Caddy behind a panel's double, certificates by pebble) |
| 127.77.1.1, 127.77.1.2 | the zone's name servers by name: named, and knot as its secondary |

Everything but the panels' API is real, and reached as on the internet: by ports 80 and 443.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import ssl
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from tests.phases.context import Bench
from tests.phases.panel_double import PanelDouble
from tests.real import dns_servers
from tests.real.acme_servers import free_ports, running
from tests.real.cutover_fronts import NewFront, OldFront
from tests.real.dns_servers import KEY, KEY_NAME, Primary, unbounds
from tests.real.sshd import serving
from wizard.clients.commands import Command
from wizard.clients.ssh import HostClient, fingerprint
from wizard.config import App, AppKind, Config, Cutover, Dns, DnsProviderName, OldHost, Project, Server
from wizard.endpoints import Endpoints, Resolver, SocketAddress
from wizard.phases.cutover import certificate_panel
from wizard.records import AppRecord, HostKeyRecord, PanelRecord, ServerRecord, TrialRecord
from wizard.rehearsal.acme.authority import Authority, AuthorityState
from wizard.secrets import FileSecrets
from wizard.world import World

ZONE = "shop.test"
PLATFORM, OLD, NEW_WEB, NEW_API = "127.77.0.1", "127.77.0.2", "127.77.0.3", "127.77.0.4"
NS = ("127.77.1.1", "127.77.1.2")
ADDRESSES = {"frontend": NEW_WEB, "backend": NEW_API}
OLD_TTL, TTL = 6, 2
_NEW_NETWORK = 0x40000000
_KNOWN = 'local-zone: "example.com." static; local-data: "example.com. 3600 IN A 192.0.2.1"'
_CACHES = (_KNOWN, _KNOWN, f"{_KNOWN}; prefetch: yes", f"{_KNOWN}; cache-max-ttl: 3")


@contextlib.contextmanager
def own_network() -> Iterator[None]:
    """Loopback of our own, with settings of the kernel that are nobody else's."""
    calls = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/self/ns/net").open() as before:
        if calls.unshare(_NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "no network of our own can be had")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            calls.setns(before.fileno(), _NEW_NETWORK)


def needed() -> None:
    """Skip with the reason; fail where CI=true."""
    dns_servers.needs("named", "knotd", "unbound", "caddy", "pebble", "ip", "nsenter")
    reason = ""
    try:
        with own_network():
            pass
    except OSError as error:
        reason = str(error)
    if os.geteuid():
        reason = "root is needed for a login that changes the old host's proxy"
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


def config(ssh_port: int, host_key: str, named: SocketAddress, *, by_hand: bool = False) -> Config:
    """`by_hand`: a zone without an API, and only the names that the old host serves."""
    web = App(
        "web", "frontend", AppKind.DOCKERFILE, "o/shop", "main", (ZONE, f"www.{ZONE}"), 80, health="/health"
    )
    api = App("api", "backend", AppKind.DOCKERFILE, "o/shop", "main", (f"api.{ZONE}",), 80, health="/health")
    servers = tuple(Server(name, name, ("cx23",), ("fsn1",)) for name in ADDRESSES)
    return Config(
        Project("shop", "admin@shop.test"),
        servers,
        (api,) if by_hand else (web, api),
        Dns(DnsProviderName.MANUAL, ZONE, OLD_TTL, TTL)
        if by_hand
        else Dns(DnsProviderName.RFC2136, ZONE, OLD_TTL, TTL, str(named), KEY_NAME),
        old_host=OldHost(OLD, port=ssh_port, host_key=host_key),
        cutover=Cutover(quiet_seconds=2),
    )


@dataclass
class Crowd:
    """Visitors who resolve through the caches and verify TLS, again and again."""

    caches: tuple[SocketAddress, ...]
    trust: str
    names: tuple[str, ...]
    requests: int = 0
    leaving: bool = False
    served: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def come(self, count: int = 6) -> None:
        context = ssl.create_default_context(cafile=self.trust)
        self._tasks = [asyncio.create_task(self._visit(number, context)) for number in range(count)]

    async def go(self) -> None:
        """Whoever is on the way finishes."""
        self.leaving = True
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def until(self, requests: int) -> None:
        while self.requests < requests:
            await asyncio.sleep(0.05)

    async def _visit(self, number: int, context: ssl.SSLContext) -> None:
        while not self.leaving:
            number += 1
            cache, name = self.caches[number % len(self.caches)], self.names[number % len(self.names)]
            address = "?"
            self.requests += 1
            try:
                async with asyncio.timeout(20):
                    address = await self._resolve(cache, name)
                    await self._load(address, name, context)
                self.served[address] += 1
            except (OSError, TimeoutError, ValueError, dns.exception.DNSException) as error:
                self.failures.append(f"{name} at {address} by {cache}: {type(error).__name__} {error}")
            await asyncio.sleep(0.002)

    @staticmethod
    async def _resolve(cache: SocketAddress, name: str) -> str:
        query = dns.message.make_query(name, "A")
        answer = await dns.asyncquery.udp(query, cache.host, timeout=10, port=cache.port)
        found = [str(value) for one in answer.answer for value in one if one.rdtype == dns.rdatatype.A]
        if not found:
            raise ValueError(f"no address ({dns.rcode.to_text(answer.rcode())})")
        return found[0]

    @staticmethod
    async def _load(address: str, name: str, context: ssl.SSLContext) -> None:
        reader, writer = await asyncio.open_connection(address, 443, ssl=context, server_hostname=name)
        try:
            writer.write(f"GET /health HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            head = await reader.read(4096)
        finally:
            writer.close()
        if not head.startswith(b"HTTP/1.1 200"):
            raise ValueError(f"answered {head[:40]!r}")


@dataclass
class Scene:
    bench: Bench
    config: Config
    crowd: Crowd
    old: OldFront


def _zone_text() -> str:
    return (
        f"$TTL {OLD_TTL}\n@ IN SOA ns1.{ZONE}. admin.{ZONE}. 1 60 10 3600 2\n"
        f"@ IN NS ns1.{ZONE}.\n@ IN NS ns2.{ZONE}.\nns1 3600 IN A {NS[0]}\nns2 3600 IN A {NS[1]}\n"
        f"@ IN A {PLATFORM}\nwww IN A {PLATFORM}\napi IN A {OLD}\n@ IN MX 10 mail.{ZONE}.\n"
        '@ IN CAA 0 issue "letsencrypt.org"\n'
    )


@contextlib.asynccontextmanager
async def authorities(folder: Path) -> AsyncIterator[tuple[SocketAddress, SocketAddress]]:
    """named, and knot that follows it by NOTIFY and transfer."""
    first, second = (SocketAddress("127.0.0.1", port) for port in free_ports(2))
    for name in ("named", "knot"):
        (folder / name).mkdir(parents=True)
    (folder / "named/zone").write_text(_zone_text())
    (folder / "named/named.conf").write_text(
        f'key "{KEY_NAME}" {{ algorithm hmac-sha256; secret "{KEY}"; }};\n'
        f'options {{ directory "{folder}/named"; listen-on port {first.port} {{ 127.0.0.1; }}; '
        f'listen-on-v6 {{ none; }}; pid-file none; session-keyfile "{folder}/named/session.key"; '
        f"recursion no; dnssec-validation no; notify explicit; notify-delay 0; }};\ncontrols {{ }};\n"
        f'zone "{ZONE}" {{ type primary; file "{folder}/named/zone"; '
        f'allow-update {{ key "{KEY_NAME}"; }}; allow-transfer {{ key "{KEY_NAME}"; }}; '
        f'also-notify {{ 127.0.0.1 port {second.port} key "{KEY_NAME}"; }}; }};\n'
    )
    (folder / "knot/knot.conf").write_text(
        f"server:\n  rundir: {folder}/knot\n  listen: 127.0.0.1@{second.port}\n"
        f"database:\n  storage: {folder}/knot\n"
        f"key:\n  - id: {KEY_NAME}\n    algorithm: hmac-sha256\n    secret: {KEY}\n"
        f"remote:\n  - id: first\n    address: 127.0.0.1@{first.port}\n    key: {KEY_NAME}\n"
        f"acl:\n  - id: ours\n    key: {KEY_NAME}\n    action: [notify, transfer]\n"
        f"zone:\n  - domain: {ZONE}\n    master: first\n    acl: ours\n    file: {folder}/knot/zone\n"
    )
    named, knotd = dns_servers._program("named") or "", dns_servers._program("knotd") or ""
    async with (
        dns_servers._running((named, "-f", "-c", str(folder / "named/named.conf"), "-n", "1"), first, ZONE),
        dns_servers._running((knotd, "-c", str(folder / "knot/knot.conf")), second, ZONE),
    ):
        yield first, second


@contextlib.asynccontextmanager
async def real_pebble(folder: Path, names: SocketAddress) -> AsyncIterator[tuple[str, str]]:
    """A certificate authority that looks at named: its directory, and all roots to be trusted in one file."""
    authority = Authority(AuthorityState("Pebble API"))
    chain, key = authority.issue(("localhost",), 0.0)
    for name, text in (("api-root.pem", authority.root_pem), ("api.pem", chain), ("api.key", key)):
        (folder / name).write_text(text)
    api, management = free_ports(2)
    (folder / "pebble.json").write_text(
        f'{{"pebble": {{"listenAddress": "127.0.0.1:{api}",'
        f'"managementListenAddress": "127.0.0.1:{management}",'
        f'"certificate": "{folder}/api.pem", "privateKey": "{folder}/api.key", "httpPort": 80,'
        '"tlsPort": 5001, "ocspResponderURL": "", "externalAccountBindingRequired": false}}'
    )
    env = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PATH": "/usr/bin:/bin"}
    command = ("pebble", "-config", str(folder / "pebble.json"), "-dnsserver", str(names))
    async with running(*command, port=api, env=env):
        import aiohttp

        context = ssl.create_default_context(cafile=str(folder / "api-root.pem"))
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"https://localhost:{management}/roots/0", ssl=context) as answer,
        ):
            issuing = await answer.text()
        yield f"https://localhost:{api}/dir", authority.root_pem + issuing


@contextlib.asynccontextmanager
async def real_scene(
    folder: Path, patch: pytest.MonkeyPatch, *, by_hand: bool = False
) -> AsyncIterator[Scene]:
    needed()
    today = Authority(AuthorityState("Today's authority"))
    trust = folder / "trust.pem"
    listens = [f"ListenAddress {address}" for address in (OLD, NEW_WEB, NEW_API)]
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(own_network())
        named, knot = await stack.enter_async_context(authorities(folder))
        directory, roots = await stack.enter_async_context(real_pebble(folder, named))
        trust.write_text(today.root_pem + roots)
        platform = OldFront(folder / "platform", PLATFORM, (ZONE, f"www.{ZONE}"), today, str(trust))
        old = OldFront(folder / "old", OLD, (f"api.{ZONE}",), today, str(trust))
        fronts = {name: NewFront(folder / name, address) for name, address in ADDRESSES.items()}
        for front in (platform, old, *fronts.values()):
            await stack.enter_async_context(front.running())
        _with_docker(patch, str(old.shim() / "docker"))
        sshd = stack.enter_context(serving(folder / "ssh", *listens))
        halves = [
            unbounds(folder / at.host / str(at.port), Primary(at, ZONE), _CACHES) for at in (named, knot)
        ]
        caches = [cache for half in halves for cache in await stack.enter_async_context(half)]
        endpoints = Endpoints(
            acme=directory,
            acme_staging=directory,
            trust=str(trust),
            nameservers={NS[0]: named, NS[1]: knot, str(named): named},
            root_resolver=named,
            resolvers=tuple(Resolver(f"cache {at}", cache) for at, cache in enumerate(caches)),
        )
        secrets = FileSecrets(folder / "secrets.json")
        given = {"RFC2136_KEY": KEY, "SSH_LOGIN_KEY": sshd.target.key, "OLD_HOST_SSH_KEY": sshd.target.key}
        for name, value in given.items():
            await secrets.put(name, value)
        plan = config(sshd.target.port, fingerprint(sshd.target.host_key), named, by_hand=by_hand)
        world = World(plan, secrets, endpoints)
        bench = Bench(world, folder)
        _furnish(bench, sshd.target.port, sshd.target.host_key, fronts, patch)
        crowd = Crowd(tuple(caches), str(trust), plan.names)
        crowd.come()
        try:
            yield Scene(bench, plan, crowd, old)
        finally:
            await crowd.go()
            await world.aclose()
            bench.close()


def _with_docker(patch: pytest.MonkeyPatch, program: str) -> None:
    """Let hosts run `program` where the wizard says docker: a login's PATH cannot be set from outside."""
    plain = HostClient._start

    async def start(self: HostClient, command: Command) -> Any:
        argv = (program, *command.argv[1:]) if command.argv[0] == "docker" else command.argv
        return await plain(self, replace(command, argv=argv))

    patch.setattr(HostClient, "_start", start)


def _furnish(
    bench: Bench, port: int, host_key: str, fronts: dict[str, NewFront], patch: pytest.MonkeyPatch
) -> None:
    """What the phases before leave behind."""
    loose: Any = None
    panels = {name: _Panel(loose, name, real=front) for name, front in fronts.items()}
    for name, address in ADDRESSES.items():
        saved = bench.context(f"provision.{name}.server").saved
        saved.save("server", ServerRecord(name, 1, "cx23", "fsn1", address))
        saved.save("host_key", HostKeyRecord(host_key, port))
        record = PanelRecord(name, "v0.30.2", "org", "admin@shop.test")
        bench.context(f"provision.{name}.account").saved.save("panel", record)
    for app in bench.world.config.apps:
        made = AppRecord(app.name, app.server, "p", "e", f"id-{app.name}", f"{app.name}-x1")
        bench.context(f"apps.{app.name}.create").saved.save("app", made)
        trial = f"{app.name}-trial.test"
        fronts[app.server].trial(trial)
        bench.context(f"apps.{app.name}.trial").saved.save("trial", TrialRecord(trial))

    async def calls(ctx: Any, server: str) -> PanelDouble:
        return panels[server]

    patch.setattr(certificate_panel, "calls", calls)


@dataclass
class _Panel(PanelDouble):
    """Domains and certificates go to a real web server."""

    real: Any = None

    @property
    def front(self) -> Any:
        return self.real
