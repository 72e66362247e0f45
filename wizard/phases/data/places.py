"""Where data lies on both sides, and the one way between them.

The order with the apps phase: apps.<app>.create makes the external volumes that a stack names, empty;
apps.<app>.deploy starts the stack on them in trial, which fills them with the data of a fresh
installation. data.<…>.move then stops the trial stack (its database server stays up), replaces what the
trial wrote (a typed or approved change that says so), and data.start starts the stack on the moved data.
The old host serves reads meanwhile: its databases are read only, its workers are stopped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard import host_tools
from wizard.config import App, Config, Database
from wizard.engine.step import Context
from wizard.errors import WizardError
from wizard.phases.hosts import new_host, new_host_target, old_host
from wizard.records import AppRecord

if TYPE_CHECKING:
    from wizard.clients.commands import Command
    from wizard.clients.postgres import Fingerprint, Login
    from wizard.clients.ssh import HostClient

WAY_KEY = f"{host_tools.FOLDER}/move_key"
WAY_HOSTS = f"{host_tools.FOLDER}/move_known_hosts"
AUTHORIZED = "/root/.ssh/authorized_keys"
_MARK = "dokploy-wizard-move"
_FINGERPRINT_TIMEOUT = 3600.0


@dataclass(frozen=True, slots=True)
class Box:
    """A container: `state` is running, paused, exited …; `restart` its restart policy."""

    name: str
    service: str
    project: str
    image: str
    state: str
    restart: str
    volumes: tuple[str, ...]
    command: str

    @property
    def running(self) -> bool:
        return self.state == "running"


def compose_project(ctx: Context, app: App) -> str:
    """The name under which the panel runs a stack. Raises WizardError before it exists."""
    record = ctx.saved.load("app", AppRecord, step=f"apps.{app.name}.create")
    if record is None:
        raise WizardError(
            f"The stack {app.name} does not exist yet", next=f"Run apps.{app.name}.create first."
        )
    return record.app_name


async def boxes(host: HostClient, project: str = "") -> tuple[Box, ...]:
    """Containers of a host, or of one compose project on it."""
    from wizard.clients import commands

    if project:
        names = (await host.run(commands.containers_of(project))).stdout.split()
    else:
        rows = (await host.run(commands.containers())).stdout.splitlines()
        names = [str(json.loads(row)["Names"]) for row in rows]
    if not names:
        return ()
    found = json.loads((await host.run(commands.inspect_containers(*names))).stdout)
    return tuple(_box(item) for item in found)


def _box(item: dict[str, object]) -> Box:
    config, state, host = _part(item, "Config"), _part(item, "State"), _part(item, "HostConfig")
    labels = _part(config, "Labels")
    mounts = item.get("Mounts") or []
    assert isinstance(mounts, list)
    words = config.get("Cmd") or []
    assert isinstance(words, list)
    return Box(
        str(item["Name"]).lstrip("/"),
        str(labels.get("com.docker.compose.service", "")),
        str(labels.get("com.docker.compose.project", "")),
        str(config.get("Image", "")),
        str(state.get("Status", "")),
        str(_part(host, "RestartPolicy").get("Name", "")),
        tuple(str(mount["Name"]) for mount in mounts if mount.get("Name")),
        " ".join(map(str, words)),
    )


def _part(item: dict[str, object], name: str) -> dict[str, object]:
    part = item.get(name)
    return part if isinstance(part, dict) else {}


def here(database: Database) -> Login:
    """The database on the old host."""
    from wizard.clients.postgres import Login

    return Login(database.container, database.user, database.database)


async def there(ctx: Context, config: Config, database: Database, name: str = "") -> Login:
    """The database on the new host, in the container that runs its service now."""
    from wizard.clients.postgres import Login

    app = config.app(database.app)
    host = await new_host(ctx, app.server)
    found = await boxes(host, compose_project(ctx, app))
    for box in found:
        if box.service == database.service and box.running:
            return Login(box.name, database.user, name or database.database)
    raise WizardError(
        f"The service {database.service} of {app.name} does not run on {app.server}",
        f"it has {', '.join(f'{box.service} {box.state}' for box in found) or 'no containers'}",
        f"Start the stack {app.name} in the panel, then run again.",
    )


async def fingerprint(host: HostClient, login: Login) -> Fingerprint | None:
    """What a database holds; None if it doesn't exist."""
    from wizard.clients import postgres

    names = (await host.run(postgres.databases(login))).stdout.split()
    if login.database not in names:
        return None
    result = await host.run(postgres.fingerprint(login), timeout=_FINGERPRINT_TIMEOUT)
    return postgres.read_fingerprint(result.stdout)


async def manifest(host: HostClient, volume: str) -> str | None:
    """``files N bytes B digest D`` of a volume; None if there is no such volume."""
    from wizard.clients import commands

    result = await host.run(commands.volume_manifest(volume), timeout=_FINGERPRINT_TIMEOUT, check=False)
    if result.exit_status == 4:
        return None
    return host.checked(commands.volume_manifest(volume), result).stdout.strip()


async def open_way(ctx: Context, server: str) -> None:
    """Let the old host log in on a new one for the move: a key made there, accepted from there only."""
    from wizard.clients import commands

    old, new = await old_host(ctx), await new_host(ctx, server)
    await old.install_tools()
    await new.install_tools()
    public = await old.read(f"{WAY_KEY}.pub")
    if public is None:
        await old.run(commands.make_host_key(WAY_KEY))
        public = await old.read(f"{WAY_KEY}.pub")
    words = (public or "").split()[:2]
    assert ctx.config.old_host is not None
    line = " ".join(("restrict", *words, _MARK))
    known = await new.read(AUTHORIZED) or ""
    if line not in known:
        await new.upload(AUTHORIZED, f"{known.rstrip()}\n{line}\n".lstrip())
    target = await new_host_target(ctx, server)
    pinned = f"{_known_name(target.address, target.port)} {target.host_key}\n"
    hosts = await old.read(WAY_HOSTS) or ""
    if pinned not in hosts:
        await old.upload(WAY_HOSTS, hosts + pinned)


def _known_name(address: str, port: int) -> str:
    return address if port == 22 else f"[{address}]:{port}"


async def close_way(ctx: Context, server: str) -> None:
    """Take the login away again, and the key with it."""
    from wizard.clients import commands

    new = await new_host(ctx, server)
    known = await new.read(AUTHORIZED) or ""
    kept = [line for line in known.splitlines() if not line.endswith(_MARK)]
    if len(kept) != len(known.splitlines()):
        await new.upload(AUTHORIZED, "\n".join(kept) + "\n")
    old = await old_host(ctx)
    for path in (WAY_KEY, f"{WAY_KEY}.pub", WAY_HOSTS):
        await old.run(commands.remove_file(path))


async def way_is_open(ctx: Context, server: str) -> bool:
    return _MARK in (await (await new_host(ctx, server)).read(AUTHORIZED) or "")


async def across(ctx: Context, server: str, inner: Command) -> Command:
    """`inner` on a new host, as a command for the old one."""
    from wizard.clients import commands

    target = await new_host_target(ctx, server)
    return commands.through_ssh(WAY_KEY, WAY_HOSTS, target.user, target.address, target.port, inner)
