"""The machine that runs compose today: its stack, databases, volumes and the names that lead to it."""

from __future__ import annotations

import json
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from wizard.config import Config, OldHost
from wizard.errors import WizardError
from wizard.init.found import FoundDatabase, FoundHost, FoundSite, Notes

if TYPE_CHECKING:
    from wizard.clients.ssh import HostClient
    from wizard.world import World

_DATABASE = re.compile(r"(?:^|/)(?:postgres|pgvector|timescaledb|postgis)\b", re.IGNORECASE)
_NAMELESS = re.compile(r"[0-9a-f]{64}")
_PROJECT, _SERVICE = "com.docker.compose.project", "com.docker.compose.service"
_DIRECTORY = "com.docker.compose.project.working_dir"
_SITE = re.compile(r"^\s*(?P<names>[\w.:/*, -]+?)\s*\{\s*$")
_TARGET = re.compile(r"reverse_proxy\s+(?:https?://)?(?P<service>[A-Za-z][\w.-]*):(?P<port>\d+)")


@dataclass(frozen=True, slots=True)
class _Asking:
    """What logging in needs of a step's context."""

    config: Config
    world: World


async def look(world: World, config: Config, notes: Notes) -> FoundHost | None:
    """None when there is none to look at, or when it does not let us in."""
    from wizard.phases.hosts import old_host

    if config.old_host is None:
        return None
    try:
        host = await old_host(cast(Any, _Asking(config, world)))
        return await _look(host, config.old_host, notes)
    except WizardError as error:
        notes.say(f"The old host could not be looked at: {error}")
        return None


async def _look(host: HostClient, access: OldHost, notes: Notes) -> FoundHost | None:
    from wizard.clients import commands

    rows = (await host.run(commands.containers())).stdout.splitlines()
    names = [str(json.loads(row)["Names"]) for row in rows]
    if not names:
        notes.say("Nothing runs in Docker on the old host.")
        return None
    every = json.loads((await host.run(commands.inspect_containers(*names))).stdout)
    counted = Counter(project for item in every if (project := _label(item, _PROJECT)))
    if not counted:
        notes.say("Nothing on the old host was started by docker compose.")
        return None
    project = counted.most_common(1)[0][0]
    if len(counted) > 1:
        others = ", ".join(name for name in counted if name != project)
        notes.say(f"Only the largest stack, {project}, is described; there are also: {others}.")
    mine = [item for item in every if _label(item, _PROJECT) == project]
    databases = [item for item in mine if _DATABASE.search(str(item["Config"]["Image"]))]
    caddyfile = await _caddyfile(host, mine)
    directory = access.directory or _directory(mine, caddyfile[0], project)
    return FoundHost(
        replace(access, directory=directory, proxy=bool(caddyfile[1]), proxy_service=caddyfile[2] or "caddy"),
        project,
        tuple(sorted({_label(item, _SERVICE) for item in mine} - {"", caddyfile[2]})),
        tuple(_database(item) for item in databases),
        _volumes([item for item in mine if item not in databases]),
        tuple(sites(caddyfile[1])),
        await _memory(host),
    )


def _label(item: Mapping[str, Any], name: str) -> str:
    return str((item["Config"].get("Labels") or {}).get(name, ""))


def _directory(mine: list[Any], caddyfile: str, project: str) -> str:
    told = next((path for item in mine if (path := _label(item, _DIRECTORY))), "")
    return told or posixpath.dirname(caddyfile) or f"/opt/{project}"


def _database(item: Mapping[str, Any]) -> FoundDatabase:
    """User and name from its variables; the password is passed over."""
    pairs = dict(text.partition("=")[::2] for text in item["Config"].get("Env") or ())
    user = pairs.get("POSTGRES_USER") or "postgres"
    name = str(item["Name"]).lstrip("/")
    return FoundDatabase(_label(item, _SERVICE) or name, name, user, pairs.get("POSTGRES_DB") or user)


def _volumes(mine: list[Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    users: dict[str, set[str]] = {}
    for item in mine:
        for mount in item.get("Mounts") or ():
            name = str(mount.get("Name") or "")
            if name and not _NAMELESS.fullmatch(name):
                users.setdefault(name, set()).add(_label(item, _SERVICE))
    return tuple((name, tuple(sorted(users[name]))) for name in sorted(users))


async def _caddyfile(host: HostClient, mine: list[Any]) -> tuple[str, str, str]:
    """Path, text and service of the web server's file; empty without one."""
    for item in mine:
        for mount in item.get("Mounts") or ():
            if posixpath.basename(str(mount.get("Destination", ""))) == "Caddyfile":
                text = await host.read(str(mount["Source"]))
                return str(mount["Source"]), text or "", _label(item, _SERVICE)
    return "", "", ""


def sites(text: str) -> Iterator[FoundSite]:
    """Names in a Caddyfile with the service that each leads to."""
    names: tuple[str, ...] = ()
    depth = 0
    for line in text.splitlines():
        bare = line.partition("#")[0]
        if depth == 0 and (opened := _SITE.match(bare)):
            words = (re.sub(r"^https?://", "", word) for word in re.split(r"[,\s]+", opened["names"]))
            names = tuple(word for word in words if re.fullmatch(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", word))
        if names and (found := _TARGET.search(bare)):
            yield from (FoundSite(name, found["service"], int(found["port"])) for name in names)
            names = ()
        depth += bare.count("{") - bare.count("}")


async def _memory(host: HostClient) -> float:
    from wizard.clients import commands

    told = (await host.run(commands.memory())).stdout
    total = re.search(r"MemTotal:\s+(\d+) kB", told)
    return int(total[1]) / (1 << 20) if total else 0.0
