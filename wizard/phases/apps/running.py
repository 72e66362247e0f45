"""What of an app runs on its host, asked of Docker itself: the panel calls a deployment done too early."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from wizard.config import AppKind
from wizard.engine.step import Context
from wizard.phases.apps.panel import app_record
from wizard.phases.cutover.certificate_panel import log_of
from wizard.phases.hosts import new_host

if TYPE_CHECKING:
    from wizard.clients.ssh import HostClient
    from wizard.config import App

_MAY_END = ("", "no", "on-failure")
"""Restart policies of containers that are meant to do something once and end."""


class Standing(StrEnum):
    GOOD = "good"
    STARTING = "starting"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Part:
    """A container of a stack, or the swarm service of an application. `told` says how it is, in words.

    `sick`: it was tried and did not become healthy; a container that somebody stopped is not.
    """

    name: str
    standing: Standing
    told: str
    image: str = ""
    sick: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    """`rolled_back`: the new version never became healthy, so the one before it runs again."""

    parts: tuple[Part, ...]
    rolled_back: bool = False

    @property
    def bad(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.standing is Standing.BAD)

    @property
    def sick(self) -> bool:
        """Whether only another deployment can help."""
        return self.rolled_back or any(part.sick for part in self.parts)

    @property
    def starting(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.standing is Standing.STARTING)

    @property
    def good(self) -> bool:
        return bool(self.parts) and not self.rolled_back and not self.bad and not self.starting

    @property
    def told(self) -> str:
        if not self.parts:
            return "nothing runs"
        wrong = (*self.bad, *self.starting)
        words = "; ".join(f"{part.name}: {part.told}" for part in (wrong or self.parts)[:8])
        back = "rolled back to the version before; " if self.rolled_back else ""
        return f"{back}{len(self.parts) - len(wrong)} of {len(self.parts)} run: {words}"


async def running(ctx: Context, app: App) -> Running:
    """Asked over SSH on the app's host."""
    host, name = await new_host(ctx, app.server), app_record(ctx, app).app_name
    if app.kind is AppKind.COMPOSE:
        return Running(tuple(_container(item) for item in await containers(host, name)))
    return await _service(host, name)


async def containers(host: HostClient, project: str) -> list[dict[str, Any]]:
    """`docker inspect` of every container of a compose project."""
    from wizard.clients import commands

    names = (await host.run(commands.containers_of(project))).stdout.split()
    if not names:
        return []
    found: list[dict[str, Any]] = json.loads((await host.run(commands.inspect_containers(*names))).stdout)
    return found


def _container(item: Mapping[str, Any]) -> Part:
    state, config = item.get("State") or {}, item.get("Config") or {}
    labels = config.get("Labels") or {}
    name = str(labels.get("com.docker.compose.service") or str(item.get("Name", "")).lstrip("/"))
    status, health = str(state.get("Status") or ""), str((state.get("Health") or {}).get("Status") or "")
    policy = str(((item.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name") or "")
    code = int(state.get("ExitCode") or 0)
    told = f"{status}, {health}" if health else status
    standing = Standing.BAD
    if status == "running":
        standing = {"starting": Standing.STARTING, "unhealthy": Standing.BAD}.get(health, Standing.GOOD)
    elif status in ("created", "restarting"):
        standing = Standing.STARTING
    elif status == "exited" and code == 0 and policy in _MAY_END:
        standing, told = Standing.GOOD, "has done its work and ended"
    elif status == "exited":
        told = f"ended with exit status {code}"
    return Part(name, standing, told, str(config.get("Image") or ""), sick=health == "unhealthy")


async def _service(host: HostClient, name: str) -> Running:
    from wizard.clients import commands

    listed = (await host.run(commands.services())).stdout.splitlines()
    row = next((row for row in map(json.loads, listed) if row["Name"] == name), None)
    if row is None:
        return Running(())
    shown = await host.run(commands.docker("service", "inspect", name))
    update = (json.loads(shown.stdout)[0].get("UpdateStatus") or {}) if shown.ok else {}
    state, replicas = str(update.get("State") or ""), str(row["Replicas"]).split(" ")[0]
    up, _, wished = replicas.partition("/")
    told = f"{replicas} replicas" + (f", update {state}" if state else "")
    if state == "paused":
        standing = Standing.BAD
    elif up == wished and wished != "0" and state in ("", "completed", "rollback_completed"):
        standing = Standing.GOOD
    else:
        standing = Standing.STARTING
    part = Part(name, standing, told, str(row.get("Image") or ""), sick=state == "paused")
    return Running((part,), rolled_back=state.startswith("rollback"))


async def last_lines(ctx: Context, app: App, running: Running, lines: int = 8) -> tuple[str, ...]:
    """What the parts that are not well wrote last; else what the app did."""
    from wizard.clients import commands

    if app.kind is not AppKind.COMPOSE:
        return tuple((await log_of(ctx, app)).splitlines()[-lines:])
    host, project = await new_host(ctx, app.server), app_record(ctx, app).app_name
    wrong = {part.name for part in (*running.bad, *running.starting)}
    shown: list[str] = []
    for item in await containers(host, project):
        if _container(item).name in wrong:
            said = await host.run(
                commands.docker("logs", "--tail", str(lines), str(item["Name"]).lstrip("/")), check=False
            )
            written = (said.stdout + said.stderr).splitlines()[-lines:]
            shown += [f"{_container(item).name}: {line}" for line in written]
    return tuple(shown[-3 * lines :])
