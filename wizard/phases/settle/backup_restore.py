"""Whether a backup is one: restored beside the real thing, compared with what was saved, taken away again.

The store's address for it is signed here for a few minutes and stands in a file of root's alone, so that
neither a key of the store nor the address is ever in a list of processes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard import host_tools
from wizard.engine.step import Context
from wizard.errors import WizardError
from wizard.phases.data import places
from wizard.phases.hosts import new_host
from wizard.phases.jobs import begin_anew, run_job
from wizard.phases.settle import backup_panel as panels
from wizard.phases.settle.rollback import lost_data

if TYPE_CHECKING:
    from wizard.clients.commands import Command
    from wizard.clients.postgres import Fingerprint
    from wizard.clients.ssh import HostClient
    from wizard.config import App, Database, Volume

SCRATCH = "restore_check_"
_VOLUME = "dokploy-wizard-restore-check"


@dataclass(frozen=True, slots=True)
class Saved:
    """Record "saved <name>": the file that a backup made, and what was saved: rows by table, or files and
    bytes. `digest` is of a volume's files, owners and modes; "" for a database."""

    path: str
    size: int
    content: tuple[tuple[str, int], ...]
    at: float
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Restored:
    """Record "restored <name>". `told` says what came back; `lost` is empty when it is whole."""

    path: str
    told: str
    equal: bool
    lost: tuple[str, ...]
    seconds: float
    at: float

    @property
    def whole(self) -> bool:
        return not self.lost


def volume_content(manifest: str) -> tuple[tuple[tuple[str, int], ...], str]:
    """Numbers and digest of ``files N bytes B digest D``."""
    words = manifest.split()
    return (("files", int(words[1])), ("bytes", int(words[3]))), words[5]


async def look(ctx: Context, app: App, one: Database, name: str = "") -> Fingerprint:
    """What a database holds: the real one, or another of its server. Raises WizardError without it."""
    login = await places.there(ctx, ctx.config, one, name)
    seen = await places.fingerprint(await new_host(ctx, app.server), login)
    if seen is None:
        raise WizardError(f"There is no database {name or one.database}", next="Correct [[databases]].")
    return seen


async def restore_database(ctx: Context, app: App, one: Database, saved: Saved) -> Restored:
    """Into a scratch database of the same server."""
    from wizard.clients import commands, postgres

    host, name = await new_host(ctx, app.server), f"{SCRATCH}{one.database}"
    login, began = await places.there(ctx, ctx.config, one, name), ctx.now()
    encoding, job = (await look(ctx, app, one)).encoding, f"restore-{one.name}"
    try:
        async with _fetched(ctx, host, one.name, saved.path) as fetch:
            if await begin_anew(ctx, host, job):
                await host.run(postgres.drop(login))
                await host.run(postgres.create(login, encoding))
            unpack = commands.command("gunzip", "-c")
            way = commands.pipe(fetch, unpack, postgres.restore(login))
            await run_job(ctx, host, job, commands.script(way))
        seen = await look(ctx, app, one, name)
    finally:
        await host.run(postgres.drop(login))
    counts = {table.name: table.rows for table in seen.tables}
    lost = lost_data(dict(saved.content), counts)
    if not seen.rows:
        lost = (*lost, "it came back empty")
    told = f"{seen.rows} rows in {len(seen.tables)} tables"
    equal = counts == dict(saved.content)
    return Restored(saved.path, told, equal, lost, ctx.now() - began, ctx.now())


async def restore_volume(ctx: Context, app: App, one: Volume, saved: Saved) -> Restored:
    """Into a scratch volume of the same host. Raises WizardError before it if the disk has no room."""
    from wizard.clients import commands

    host, job, began = await new_host(ctx, app.server), f"restore-{one.name}", ctx.now()
    scratch = f"{_VOLUME}-{one.name}"
    await _room(host, saved)
    await host.install_tools()
    drop = commands.docker("volume", "rm", "--force", scratch)
    try:
        async with _fetched(ctx, host, one.name, saved.path) as fetch:
            if await begin_anew(ctx, host, job):
                await host.run(drop, check=False)
                await host.run(commands.create_volume(scratch))
            way = commands.pipe(fetch, commands.unpack_volume(scratch))
            await run_job(ctx, host, job, commands.script(way))
        content, digest = volume_content(await places.manifest(host, scratch) or "files 0 bytes 0 digest -")
    finally:
        await host.run(drop, check=False)
    lost = lost_data(dict(saved.content), dict(content))
    told = ", ".join(f"{count} {what}" for what, count in content)
    return Restored(saved.path, told, digest == saved.digest, lost, ctx.now() - began, ctx.now())


async def _room(host: HostClient, saved: Saved) -> None:
    from wizard.clients import commands

    free = int((await host.run(commands.disk_free("/var/lib/docker"))).stdout.splitlines()[1].split()[3])
    needed = max(saved.size, dict(saved.content).get("bytes", 0)) // 1024
    if free < needed * 1.2:
        raise WizardError(
            f"{host.name} has no room to try the restore of {saved.path}",
            f"{needed >> 10} MB are needed beside the real ones, {free >> 10} MB are free",
            "Free space there, then run this step again.",
        )


@asynccontextmanager
async def _fetched(ctx: Context, host: HostClient, name: str, path: str) -> AsyncIterator[Command]:
    """A command that writes the saved file to standard output, as long as this lasts."""
    from wizard.clients import commands

    address = f"{host_tools.FOLDER}/restore-{name}.curl"
    url = (await panels.bucket(ctx)).signed(path, ctx.now())
    try:
        await host.upload(address, f'url = "{url}"\n')
        yield commands.command("curl", "-fsS", "--retry", "3", "--config", address)
    finally:
        await host.run(commands.remove_file(address))
