"""The panel's installer as it behaves: what it refuses, what it destroys, what it leaves running."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wizard.rehearsal.hosts.state import Container, OpenPort, SwarmService

if TYPE_CHECKING:
    from wizard.rehearsal.hosts.shell import Call

_BUSY = (80, 443, 3000)
_STAGES: tuple[tuple[float, str], ...] = (
    (2.0, "# Executing docker install script, commit: 7d96bd3c5235ab2121bcb855dd7b3f3f37128ed4"),
    (8.0, "+ sh -c apt-get -qq update >/dev/null"),
    (14.0, "+ sh -c apt-get -qq install -y ca-certificates curl >/dev/null"),
    (38.0, "+ sh -c apt-get -qq install -y docker-ce docker-ce-cli containerd.io >/dev/null"),
    (6.0, "docker-ce set on hold."),
    (2.0, "Node left the swarm."),
    (3.0, "Swarm initialized"),
    (2.0, "Network created"),
    (30.0, "dokploy-postgres"),
    (20.0, "dokploy-redis"),
    (45.0, "dokploy"),
    (10.0, "dokploy-traefik"),
)


async def install(call: Call) -> int:
    """``sh install.sh``: some 180 simulated seconds. Not idempotent: over itself it stops at its ports."""
    host, docker = call.host, call.host.docker
    for port in _BUSY:
        if port in host.state.ports:
            return await call.fail(f"Error: something is already running on port {port}")
    if host.memory_mb < 512:
        return await call.fail("Error: not enough memory")
    version = call.env.get("DOKPLOY_VERSION", "latest")
    for seconds, line in _STAGES:
        await call.host.stage.clock.sleep(seconds)
        await call.say(line + "\n")
        if "containerd.io" in line and not docker.version:
            docker.version = "28.5.0"
    pool = re.search(r"--default-addr-pool[ =](\S+)", call.env.get("DOCKER_SWARM_INIT_ARGS", ""))
    docker.swarm = True
    docker.advertise = call.env.get("ADVERTISE_ADDR") or host.private_ip or host.ipv4
    docker.pool = pool[1] if pool else "10.0.0.0/8"
    docker.networks["dokploy-network"] = "overlay"
    for name, image, published in (
        ("dokploy-postgres", "postgres:16", ()),
        ("dokploy-redis", "redis:7", ()),
        ("dokploy", f"dokploy/dokploy:{version}", (3000,)),
    ):
        docker.services[name] = SwarmService(name, image, published=published)
    docker.containers["dokploy-traefik"] = Container(
        "dokploy-traefik",
        "traefik:v3.6.7",
        ports=("0.0.0.0:80->80/tcp", "0.0.0.0:443->443/tcp"),
        restart="always",
    )
    for port in (80, 443):
        host.state.ports[port] = OpenPort("dokploy-traefik", published=True)
    await call.say("\nCongratulations, Dokploy is installed!\nWait 15 seconds for the server to start\n")
    host.stage.ledger.record("host", "create", f"panel {host.name}")
    host.stage.panels.install(host)
    return 0
