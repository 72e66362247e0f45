"""The machine that runs compose today, made from any configuration: its stack, its data, its secrets."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

import asyncssh

from wizard.config import App, AppKind, Config, Database, OldHost
from wizard.net import spot
from wizard.rehearsal.hosts.postgres import DATA
from wizard.rehearsal.hosts.state import (
    Container,
    Docker,
    File,
    HostsState,
    HostState,
    Mount,
    OpenPort,
    Postgres,
    Table,
    Volume,
)

if TYPE_CHECKING:
    from wizard.rehearsal.stage import Stage

OLD_HOST = "old-backend"
JUMP_HOST = "jump-host"
WORKERS = ("task-worker", "task-scheduler")
_PEOPLE = 240
_IMAGES = {"vault": "hashicorp/vault:1.19", "cms": "directus/directus:11.5", "cache": "dragonflydb/dragonfly"}


def furnish(stage: Stage, hosts: HostsState) -> None:
    """Put the old host (and the jump host before it) into the state."""
    config, old = stage.config, stage.config.old_host
    assert old is not None
    _give_a_login(hosts)
    state = _machine(stage, OLD_HOST, old.address, hosts.old_login_public, 16384)
    state.ssh_port = old.port
    hosts.hosts[OLD_HOST] = state
    _stack(config, old, state, stage.random)
    _jump_host(stage, hosts, old.jump)


def own_machines(stage: Stage, hosts: HostsState) -> None:
    """Machines outside Hetzner Cloud that the configuration names: there before anything begins, and bare."""
    for server in stage.config.servers:
        if server.outside:
            if not hosts.old_login_key:
                _give_a_login(hosts)
            state = _machine(stage, server.name, server.address, hosts.old_login_public, 65536)
            state.ipv6, state.ssh_port = server.address6, server.port
            hosts.hosts[server.name] = state
            _jump_host(stage, hosts, server.jump)


def _give_a_login(hosts: HostsState) -> None:
    login = asyncssh.generate_private_key("ssh-ed25519")
    hosts.old_login_key = login.export_private_key().decode()
    hosts.old_login_public = login.export_public_key().decode().strip()


def _jump_host(stage: Stage, hosts: HostsState, jump: str) -> None:
    if jump and JUMP_HOST not in hosts.hosts:
        _, address, port = spot(jump)
        state = _machine(stage, JUMP_HOST, address, hosts.old_login_public, 1024)
        state.ssh_port = port
        hosts.hosts[JUMP_HOST] = state


def known_hosts_lines(hosts: HostsState) -> str:
    """Of the old host and the jump host. A machine of one's own is in no file before its first login."""
    lines = []
    for state in hosts.hosts.values():
        if state.name in (OLD_HOST, JUMP_HOST):
            public = asyncssh.import_private_key(state.host_key).export_public_key().decode().strip()
            port = state.ssh_port
            name = state.ipv4 if port == 22 else f"[{state.ipv4}]:{port},{state.ipv4}"
            lines.append(f"{name} {public}\n")
    return "".join(lines)


def _machine(stage: Stage, name: str, address: str, login: str, memory_mb: int) -> HostState:
    key = asyncssh.generate_private_key("ssh-ed25519")
    state = HostState(
        name=name,
        ipv4="" if ":" in address else address,
        ipv6=address if ":" in address else "",
        private_ip="",
        memory_mb=memory_mb,
        cpus=8,
        disk_gb=240,
        booted=stage.clock.now() - 400 * 86400.0,
        host_key=key.export_private_key().decode(),
        authorized_keys=[login],
    )
    state.files["/etc/ssh/ssh_host_ed25519_key"] = File(key.export_private_key(), 0o600)
    return state


def _stack(config: Config, old: OldHost, state: HostState, dice: random.Random) -> None:
    directory = old.directory or f"/opt/{config.project.name}"
    docker = state.docker = Docker(version="27.3.1")
    docker.networks = {f"{config.project.name}_default": "bridge"}
    env_lines: list[str] = []
    for app in config.apps:
        if app.kind is AppKind.COMPOSE:
            env = _environment(config, app, dice)
            env_lines += [f"{name}={value}" for name, value in env.items()]
            _containers(config, app, docker, env, dice)
            if app.compose_file:
                state.files[f"{directory}/{app.compose_file}"] = File(_compose_text(app, docker).encode())
    state.files[f"{directory}/.env"] = File(("\n".join(env_lines) + "\n").encode(), 0o600)
    if old.proxy:
        _proxy(config, old, directory, state)


def _environment(config: Config, app: App, dice: random.Random) -> dict[str, str]:
    """What stands in the .env beside the stack: real-looking secrets, one that moved into the vault."""

    def secret(name: str) -> str:
        return hashlib.sha256(f"{name}{dice.random()}".encode()).hexdigest()[:40]

    databases = [item for item in config.databases if item.app == app.name]
    env = {
        "PRODUCTION_URL": (app.allowed_origins or (f"https://{app.domains[0]}",))[0],
        "DATABASE_PASSWORD": secret("database"),
        "DIRECTUS_SECRET": secret("directus"),
        "INTERNAL_API_SHARED_TOKEN": secret("token"),
        "SECRET__STRIPE__API_KEY": "IMPORTED_TO_VAULT",
    }
    if databases:
        env |= {"DATABASE_USERNAME": databases[0].user, "DATABASE_NAME": databases[0].database}
    if app.cache_service:
        env["DRAGONFLY_PASSWORD"] = secret("cache")
    return env | {name: f"value-of-{name.lower()}" for name in app.build_args}


def _containers(config: Config, app: App, docker: Docker, env: dict[str, str], dice: random.Random) -> None:
    project = config.project.name
    volumes = [volume for volume in config.volumes if volume.app == app.name]
    databases = {item.service: item for item in config.databases if item.app == app.name}
    services = dict.fromkeys(
        (app.service or app.name, *databases, *(s for v in volumes for s in v.services), *WORKERS)
    )
    if app.cache_service:
        services[app.cache_service] = None
    for volume in volumes:
        docker.volumes[volume.name] = Volume(volume.name, _files(volume.name, dice))
    for service in services:
        mounts = [
            Mount("volume", f"/data/{volume.name}", volume.name)
            for volume in volumes
            if service in volume.services
        ]
        box = Container(
            name=service,
            image=_IMAGES.get(service, f"ghcr.io/{app.repository.lower()}-{service}:latest"),
            project=project,
            service=service,
            env=dict(env),
            mounts=mounts,
            networks=(f"{project}_default",),
            command=f"celery -A app {service}" if service in WORKERS else "",
        )
        box.health = "healthy" if service == app.service else ""
        if service.endswith("setup"):
            box.state, box.restart = "exited", "no"
        if service == app.service:
            box.ports = (f"127.0.0.1:{app.port}->{app.port}/tcp",)
        if service in databases:
            _database(databases[service], box, docker, dice)
        docker.containers[box.name] = box
        docker.images[box.image] = (
            f"{box.image.partition(':')[0]}@sha256:{hashlib.sha256(box.image.encode()).hexdigest()}"
        )


def _database(item: Database, box: Container, docker: Docker, dice: random.Random) -> None:
    box.name, box.image = item.container, "postgres:13-alpine"
    box.env |= {"POSTGRES_USER": item.user, "POSTGRES_DB": item.database}
    volume = Volume(f"{item.container}-data")
    box.mounts.append(Mount("volume", DATA, volume.name))
    docker.volumes[volume.name] = volume
    users: list[tuple[str, ...]] = [
        (str(n), f"user{n}@example.org", f"{dice.getrandbits(64):016x}") for n in range(1, _PEOPLE + 1)
    ]
    messages: list[tuple[str, ...]] = [
        (str(n), str(n % _PEOPLE + 1), f"{dice.getrandbits(128):032x}") for n in range(1, 5 * _PEOPLE)
    ]
    volume.databases = {
        "postgres": Postgres(),
        item.database: Postgres(
            {
                "public.users": Table(("id", "email", "vault_key"), users),
                "public.messages": Table(("id", "user_id", "ciphertext"), messages),
                "public.settings": Table(("key", "value"), [("installed", "true"), ("schema", "2026-06")]),
            },
            {"public.users_id_seq": len(users), "public.messages_id_seq": len(messages)},
            indexes=7,
            constraints=9,
            extensions=("plpgsql", "uuid-ossp"),
        ),
    }


def _files(name: str, dice: random.Random) -> dict[str, File]:
    files = {
        f"core/{n:02d}/{dice.getrandbits(64):016x}": File(
            f"{name} {dice.getrandbits(256):064x}".encode(), 0o600, 100, 1000
        )
        for n in range(12)
    }
    return files | {"unseal.key": File(f"{dice.getrandbits(256):064x}".encode(), 0o400, 100, 1000)}


def _compose_text(app: App, docker: Docker) -> str:
    lines = ["services:"]
    for box in docker.containers.values():
        lines += [f"  {box.service}:", f"    image: {box.image}", "    restart: unless-stopped"]
        named = [mount for mount in box.mounts if mount.name]
        if named:
            lines += ["    volumes:", *(f"      - {mount.name}:{mount.target}" for mount in named)]
        if box.service == app.service:
            lines += ["    ports:", f'      - "127.0.0.1:{app.port}:{app.port}"']
    names = dict.fromkeys(
        mount.name for box in docker.containers.values() for mount in box.mounts if mount.name
    )
    return "\n".join([*lines, "volumes:", *(f"  {name}:" for name in names)]) + "\n"


def _proxy(config: Config, old: OldHost, directory: str, state: HostState) -> None:
    """The web server in front, with a site for each domain that it serves."""
    at_vercel = {project.app for project in config.vercel}
    sites = [
        f"{domain} {{\n\tencode gzip\n\treverse_proxy {app.service or app.name}:{app.port}\n}}\n"
        for app in config.apps
        if app.name not in at_vercel
        for domain in app.domains
    ]
    path = f"{directory}/Caddyfile"
    state.files[path] = File("\n".join(sites).encode())
    state.docker.containers[old.proxy_service] = Container(
        old.proxy_service,
        "caddy:2.8",
        config.project.name,
        old.proxy_service,
        mounts=[Mount("bind", "/etc/caddy/Caddyfile", source=path, writable=False)],
        ports=("0.0.0.0:80->80/tcp", "0.0.0.0:443->443/tcp"),
    )
    for port in (80, 443):
        state.ports[port] = OpenPort("caddy", published=True)
