"""Hosts with panels on them, a git host reduced to what a panel clones, and clients like the wizard's."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rehearsal.hosts_stage import CONFIG, HostsWorld, hosts_world
from wizard.clients.dokploy import DokployClient, DokployClients
from wizard.clients.ssh import Target
from wizard.config import Config
from wizard.rehearsal.acme.standin import AcmeStandin
from wizard.rehearsal.git.state import Clone, CloneRefused
from wizard.rehearsal.hosts.standin import Host
from wizard.rehearsal.hosts.state import SwarmService, Volume
from wizard.rehearsal.panels.standin import Panel, Panels
from wizard.rehearsal.sites import SiteRequest

EMAIL, PASSWORD = "admin@shop.example", "a-password-that-nobody-guesses"
COMPOSE = """\
services:
  api:
    build: .
    restart: unless-stopped
    env_file: .env
    healthcheck: {test: [CMD, curl, localhost:8000/health], interval: 10s}
    depends_on: [cms-database, vault]
  worker:
    build: .
    restart: unless-stopped
  cache:
    image: dragonflydb/dragonfly:v1.30
    restart: unless-stopped
  vault:
    image: hashicorp/vault:1.19
    restart: unless-stopped
    volumes: [vault:/vault/file]
  cms-database:
    image: postgres:13-alpine
    restart: unless-stopped
    environment:
      POSTGRES_USER: ${DATABASE_USERNAME:?is needed}
      POSTGRES_DB: ${DATABASE_NAME:-directus}
    volumes: [database:/var/lib/postgresql/data]
volumes:
  database:
  vault: {external: true, name: shop-vault}
"""
DOCKERFILE = "FROM node:24\nARG SHOP_API_URL\nRUN pnpm build\nCMD serve\n"
FILES = {
    "Dockerfile": DOCKERFILE.encode(),
    "docker-compose.yml": COMPOSE.encode(),
    "README.md": b"shop\n",
}


@dataclass
class GitDouble:
    """One public repository, and a private one that opens with `key`."""

    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    sha: str = "a" * 40
    key: str = ""
    private: bool = False

    def clone(self, repository: str, branch: str, *, key: str = "") -> Clone:
        if self.private and (not key or key != self.key):
            raise CloneRefused("fatal: could not read Username: No such device or address")
        if (repository, branch) != ("owner/shop", "main"):
            raise CloneRefused(f"fatal: Remote branch {branch} not found in upstream origin")
        return Clone(self.sha, "Sell more", dict(self.files))


@dataclass
class PanelWorld:
    """`client` has a key without a limit for the panel of `backend`."""

    small: HostsWorld
    git: GitDouble
    clients: DokployClients

    @property
    def stage(self) -> Any:
        return self.small.stage

    def target(self, host: Host) -> Target:
        import asyncssh

        key = asyncssh.import_private_key(host.state.host_key).export_public_key().decode().strip()
        return Target(host.name, host.ipv4, host_key=key, key=self.small.login[0])

    def install(self, name: str, number: int) -> tuple[Host, Panel]:
        """A machine with a panel that answers at once."""
        host = self.small.boot(name, number)
        host.state.booted = 0.0
        host.docker.version = "28.5.0"
        host.docker.networks["dokploy-network"] = "overlay"
        host.docker.services["dokploy"] = SwarmService("dokploy", "dokploy/dokploy:v0.30.2")
        self.stage.panels.install(host)
        panel = self.stage.panels.of(name)
        panel.state.ready = 0.0
        return host, panel

    async def client(self, host: Host) -> DokployClient:
        """Past sign-up, with a key."""
        door = self.clients.door(self.target(host))
        session = await door.open_account("Admin", EMAIL, PASSWORD)
        made = await session.create_key("wizard", await session.organization())
        return self.clients.at(self.target(host), made.key)


@contextlib.asynccontextmanager
async def panel_world(
    folder: Path, *, config: Config = CONFIG, faults: str = "none", speed: float = 3000.0
) -> AsyncIterator[PanelWorld]:
    async with hosts_world(folder, config=config, faults=faults, speed=speed) as small:
        loose: Any = small.stage
        loose.acme = AcmeStandin(small.stage, AcmeStandin.begin(small.stage))
        git = loose.git = GitDouble()
        small.stage.panels = Panels(small.stage, Panels.begin(small.stage))
        await small.stage.acme.start()
        await small.stage.fronts.start()
        await small.stage.panels.start()
        yield PanelWorld(small, git, small.world.panels)


@dataclass
class Shop:
    """A project on a panel with an application and a stack, asked for as the wizard does."""

    world: PanelWorld
    host: Host
    panel: Panel
    client: DokployClient
    environment: str

    @classmethod
    async def on(cls, world: PanelWorld, name: str = "backend", number: int = 20) -> Shop:
        host, panel = world.install(name, number)
        host.docker.volumes["shop-vault"] = Volume("shop-vault")
        client = await world.client(host)
        made = await client.post("project.create", {"name": "shop"})
        return cls(world, host, panel, client, made["environment"]["environmentId"])

    async def stack(self, text: str = "", env: str = "DATABASE_USERNAME=directus") -> dict[str, Any]:
        """The stack `api`, from its repository or from `text`."""
        body = {"name": "api", "environmentId": self.environment, "appName": "api"}
        made: dict[str, Any] = await self.client.post("compose.create", body)
        source: dict[str, Any] = {"sourceType": "raw", "composeFile": text}
        if not text:
            source = {
                "sourceType": "git",
                "customGitUrl": "https://github.com/owner/shop.git",
                "customGitBranch": "main",
                "composePath": "./docker-compose.yml",
            }
        await self.client.post("compose.update", {"composeId": made["composeId"], **source})
        await self.client.post("compose.saveEnvironment", {"composeId": made["composeId"], "env": env})
        return made

    async def application(self, *, healthy: bool = True, dockerfile: str = "Dockerfile") -> dict[str, Any]:
        """The application `web`, with a health check or without."""
        body = {"name": "web", "environmentId": self.environment, "appName": "web"}
        made: dict[str, Any] = await self.client.post("application.create", body)
        key = {"applicationId": made["applicationId"]}
        await self.client.post("application.saveGitProvider", {**key, **GIT_SOURCE})
        await self.client.post("application.saveBuildType", {**key, **BUILD_TYPE, "dockerfile": dockerfile})
        if healthy:
            await self.client.post(
                "application.update", {**key, "healthCheckSwarm": HEALTH, "updateConfigSwarm": UPDATE}
            )
        return made

    async def deploy(self, thing: dict[str, Any], *, rolled_out: bool = True) -> dict[str, Any]:
        """Deploy it and wait for the end; then, unless told otherwise, for Docker's."""
        word = "compose" if "composeId" in thing else "application"
        key = f"{word}Id"
        before = len(await self.deployments(thing))
        await self.client.post(f"{word}.deploy", {key: thing[key], "title": "By hand"})
        while True:
            found = await self.deployments(thing)
            if len(found) > before and found[0]["status"] != "running":
                break
            await self.stage.clock.sleep(1.0)
        while rolled_out and self.panel.state.settling:
            await self.stage.clock.sleep(1.0)
        return found[0]

    async def deployments(self, thing: dict[str, Any]) -> list[dict[str, Any]]:
        if "composeId" in thing:
            found = await self.client.get("deployment.allByCompose", composeId=thing["composeId"])
        else:
            found = await self.client.get("deployment.all", applicationId=thing["applicationId"])
        return list(found)

    async def log(self, deployment: dict[str, Any]) -> str:
        return str(await self.client.get("deployment.readLogs", deploymentId=deployment["deploymentId"]))

    async def visit(self, domain: str, path: str = "/health") -> int:
        """The status that a visitor gets from the host's proxy."""
        asked = SiteRequest("GET", domain, path, {}, scheme="http")
        return (await self.panel.front.answer(asked, b"")).status

    @property
    def stage(self) -> Any:
        return self.world.stage


GIT_SOURCE: dict[str, Any] = {
    "customGitUrl": "https://github.com/owner/shop.git",
    "customGitBranch": "main",
    "customGitBuildPath": "/",
    "watchPaths": [],
    "customGitSSHKeyId": None,
    "enableSubmodules": False,
}
BUILD_TYPE: dict[str, Any] = {
    "buildType": "dockerfile",
    "dockerContextPath": "/",
    "dockerBuildStage": "",
    "herokuVersion": None,
    "railpackVersion": None,
}
HEALTH: dict[str, Any] = {
    "Test": ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1/"],
    "Interval": 5_000_000_000,
    "Timeout": 3_000_000_000,
    "StartPeriod": 10_000_000_000,
    "Retries": 3,
}
UPDATE: dict[str, Any] = {"Parallelism": 1, "Order": "start-first", "FailureAction": "rollback"}
