"""provision.<server>.panel: the panel's installer, prechecked, detached on the host, followed live."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import Network, Server
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Change, Failed, Kind, Plan, Refusal
from wizard.engine.step import Context, Phase, Step
from wizard.phases.hosts import new_host, server_record
from wizard.phases.jobs import run_job
from wizard.phases.panels import way_in
from wizard.records import ServerRecord

if TYPE_CHECKING:
    from wizard.clients.commands import Script
    from wizard.clients.ssh import HostClient

PANEL_VERSION = "v0.30.2"
"""The version that the wizard was tried on; the installer takes it instead of the newest."""
JOB = "panel-install"
_PORTS = (80, 443, 3000)
_LEAST_MEMORY_KB = 1_700_000
_LEAST_DISK_KB = 10 << 20
_PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Installed:
    """When the installer ended: the panel answers a little later."""

    at: float


@dataclass(frozen=True, slots=True)
class PanelFacts:
    """`refusals` are what the installer would stumble over, or what it would destroy."""

    server: str
    present: bool
    version: str
    refusals: tuple[str, ...] = ()
    running: bool = False


@dataclass(frozen=True, slots=True)
class Engine:
    """What `docker info` and `docker service ls` tell; empty without Docker."""

    version: str = ""
    swarm: bool = False
    pools: tuple[str, ...] = ()
    services: tuple[tuple[str, str, str], ...] = ()
    """(name, image, replicas)."""

    def service(self, name: str) -> tuple[str, str]:
        """(image, replicas) of a swarm service, or empty."""
        return next(((image, state) for known, image, state in self.services if known == name), ("", ""))


class Panel(Step[PanelFacts]):
    phase = Phase.PROVISION
    way_back = "The server can be deleted and made again: nothing of yours is on it yet."

    def __init__(self, server: Server, network: Network) -> None:
        self.server = server
        self.network = network
        self.id = f"provision.{server.name}.panel"
        self.title = f"Install Dokploy on {server.name}"
        self.needs = (f"provision.{server.name}.login",)

    async def observe(self, ctx: Context) -> PanelFacts:
        name = self.server.name
        if ctx.saved.load("server", ServerRecord, step=f"provision.{name}.server") is None:
            return PanelFacts(name, False, "")
        host = await new_host(ctx, name)
        engine = await _engine(host)
        image, _ = engine.service("dokploy")
        if image and await _traefik_runs(host):
            return PanelFacts(name, True, image.partition(":")[2].partition("@")[0])
        status = await host.job_status(JOB)
        if status.state == "running":
            return PanelFacts(name, False, "", running=True)
        return PanelFacts(name, False, "", tuple(await _refusals(host, engine, self.network)))

    def plan(self, facts: PanelFacts) -> Plan:
        if facts.present:
            return Plan()
        if facts.refusals:
            return Plan(
                hold=Failed(
                    f"Dokploy cannot be installed on {facts.server}: " + "; ".join(facts.refusals),
                    (f"Put this right on {facts.server}, or take another server, then run again.",),
                    Refusal.NOT_READY,
                )
            )
        change = Change(
            Kind.RUN,
            "install",
            f"Dokploy {PANEL_VERSION} on {facts.server}",
            before="being installed" if facts.running else "not installed",
            after="Docker, a swarm of one, Traefik and the panel",
            why=f"overlay networks take their addresses from {self.network.swarm_pool}",
            way_back="delete the server and make it again",
        )
        return Plan((change,))

    async def apply(self, change: Change, ctx: Context) -> None:
        host = await new_host(ctx, self.server.name)
        record = server_record(ctx, self.server.name)
        content = install_script(
            ctx.world.endpoints.panel_installer, record.private_ip or record.ipv4, self.network.swarm_pool
        )
        await run_job(ctx, host, JOB, content)
        ctx.saved.save("installed", Installed(ctx.now()))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        name = self.server.name
        host = await new_host(ctx, name)
        engine = await _engine(host)
        image, replicas = engine.service("dokploy")
        traefik = await _traefik_runs(host)
        now = ctx.now()
        pool = ", ".join(engine.pools) or "Docker's own"
        checks = [
            check("docker", f"Docker runs on {name}", bool(engine.version),
                  seen=f"version {engine.version or 'none'}", vantage=name, at=now),
            check("swarm", f"{name} is a swarm of its own with addresses that meet no other network",
                  engine.swarm and self.network.swarm_pool in (*engine.pools, ""),
                  seen=f"active: {engine.swarm}, pool {pool}", vantage=name, at=now,
                  advice="The swarm was made with other addresses: delete the server and make it again."),
            check("traefik", f"Traefik runs on {name}", traefik,
                  seen="container dokploy-traefik: " + ("running" if traefik else "not running"),
                  vantage=name, at=now, advice=f"Look at `docker logs dokploy-traefik` on {name}."),
            check("version", f"the panel of {name} is {PANEL_VERSION} or newer", _new_enough(image),
                  seen=image or "no service dokploy", vantage=name, at=now,
                  advice="Versions before v0.30 had known secrets: update the panel first."),
        ]  # fmt: skip
        checks.append(await self._answers(ctx, host, replicas))
        return checks

    async def _answers(self, ctx: Context, host: HostClient, replicas: str) -> Check:
        from wizard.clients import commands

        name = self.server.name
        port = 443 if way_in(ctx, name) else 3000
        said = await host.run(commands.probe(3, (("127.0.0.1", port),)))
        answers = said.stdout.strip().endswith("open") and replicas == "1/1"
        seen = f"{said.stdout.strip() or 'no answer'}, replicas {replicas or 'none'}"
        installed = ctx.saved.load("installed", Installed)
        if not answers and installed is not None and ctx.now() < installed.at + _PATIENCE:
            state, again = CheckState.PENDING, ctx.now() + 5.0
        else:
            state, again = (CheckState.PASSED if answers else CheckState.FAILED), None
        return Check(
            "answers",
            f"the panel of {name} answers on port {port}, asked on the host itself",
            state,
            Evidence(seen, name, ctx.now()),
            "" if answers else f"Look at `docker service logs dokploy` on {name}.",
            again,
        )


def install_script(url: str, advertise: str, pool: str) -> Script:
    """The vendor's installer with a pinned version and addresses that we chose."""
    from wizard import host_tools
    from wizard.clients import commands

    path = f"{host_tools.FOLDER}/install.sh"
    return commands.script(
        commands.command("curl", "-fsSL", "--retry", "5", "--max-time", "120", "-o", path, url),
        commands.command("sh", path),
        env={
            "DOKPLOY_VERSION": PANEL_VERSION,
            "ADVERTISE_ADDR": advertise,
            "DOCKER_SWARM_INIT_ARGS": f"--default-addr-pool {pool} --default-addr-pool-mask-length 24",
            "DEBIAN_FRONTEND": "noninteractive",
        },
    )


async def _engine(host: HostClient) -> Engine:
    from wizard.clients import commands

    result = await host.run(commands.docker_info(), check=False)
    if not result.ok:
        return Engine()
    info = json.loads(result.stdout)
    swarm = info.get("Swarm") or {}
    active = swarm.get("LocalNodeState") == "active"
    pools = tuple((swarm.get("Cluster") or {}).get("DefaultAddrPool") or ())
    listed = await host.run(commands.services(), check=False)
    rows = [json.loads(line) for line in listed.stdout.splitlines()] if listed.ok else []
    found = tuple((str(row["Name"]), str(row["Image"]), str(row["Replicas"])) for row in rows)
    return Engine(str(info.get("ServerVersion", "")), active, pools, found)


async def _traefik_runs(host: HostClient) -> bool:
    from wizard.clients import commands

    result = await host.run(commands.containers(), check=False)
    rows = [json.loads(line) for line in result.stdout.splitlines()] if result.ok else []
    return any(row["Names"] == "dokploy-traefik" and row["State"] == "running" for row in rows)


async def _refusals(host: HostClient, engine: Engine, network: Network) -> list[str]:
    """What the installer refuses or would do harm to, before it is started."""
    from wizard.clients import commands

    found = []
    sockets = (await host.run(commands.listening_ports())).stdout
    busy = {int(port) for port in re.findall(r"^\S+\s+\d+\s+\d+\s+\S*:(\d+)\s", sockets, re.MULTILINE)}
    if taken := sorted(busy.intersection(_PORTS)):
        found.append(f"something listens on port {', '.join(map(str, taken))}")
    memory = re.search(r"MemTotal:\s+(\d+) kB", (await host.run(commands.memory())).stdout)
    if memory is not None and int(memory[1]) < _LEAST_MEMORY_KB:
        found.append(f"it has {int(memory[1]) >> 10} MiB of memory, less than 2 GB")
    disk = (await host.run(commands.disk_free("/"))).stdout.splitlines()[1].split()
    if int(disk[3]) < _LEAST_DISK_KB:
        found.append(f"only {int(disk[3]) >> 20} GiB of its disk are free, less than 10")
    container = (await host.run(commands.virtualisation(), check=False)).stdout.strip()
    if container not in ("", "none"):
        found.append(f"it is a {container} container, where Docker's networks do not work")
    if engine.swarm:
        found.append("it belongs to a swarm already, which the installer would destroy")
    routes = json.loads((await host.run(commands.routes())).stdout or "[]")
    found += _clashes(network, [str(row.get("dst", "")) for row in routes])
    return found


def _clashes(network: Network, routes: Sequence[str]) -> list[str]:
    pool = ipaddress.ip_network(network.swarm_pool)
    used = [route for route in (*routes, network.range if network.enabled else "") if "/" in route]
    return [
        f"the address pool {pool} overlaps {route}"
        for route in dict.fromkeys(used)
        if pool.overlaps(ipaddress.ip_network(route, strict=False))
    ]


def _new_enough(image: str) -> bool:
    version = re.search(r":v(\d+)\.(\d+)", image)
    least = re.search(r"v(\d+)\.(\d+)", PANEL_VERSION)
    if version is None or least is None:
        return False
    return (int(version[1]), int(version[2])) >= (int(least[1]), int(least[2]))
