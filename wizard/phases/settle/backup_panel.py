"""Backups on a panel: the store, what is saved into it by which plan, and the files that lie there.

| secret | what |
|---|---|
| BACKUP_ACCESS_KEY, BACKUP_SECRET_KEY | keys of the S3 compatible store |

The panel answers some of these calls with the store's keys in its error texts: only ids and names leave
this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.engine.step import Context
from wizard.errors import VendorError, WizardError
from wizard.phases.apps.panel import app_record
from wizard.phases.cutover.certificate_panel import calls

if TYPE_CHECKING:
    from wizard.clients.s3 import Bucket
    from wizard.config import App, Database, Volume

KEYS = ("BACKUP_ACCESS_KEY", "BACKUP_SECRET_KEY")
PREFIX = "dokploy-wizard"
_LONG = 3600.0


@dataclass(frozen=True, slots=True)
class File:
    """`path` from the bucket's root; `size` in bytes."""

    path: str
    size: int


def target_name(ctx: Context) -> str:
    return f"dokploy-wizard {ctx.config.project.name}"


async def bucket(ctx: Context) -> Bucket:
    """The store with its keys, for signing. Raises WizardError without them."""
    from wizard.clients.s3 import Bucket

    wish = ctx.config.settle
    access, secret = [await ctx.world.secrets.get(name) for name in KEYS]
    if not access or not secret:
        raise WizardError("The store's keys are not known", next=f"Give {' and '.join(KEYS)}.")
    return Bucket(wish.backup_endpoint, wish.backup_region, wish.backup_bucket, access, secret)


async def target(ctx: Context, server: str) -> str:
    """The destination's id on a panel, "" if it is not there."""
    rows = await (await calls(ctx, server)).get("destination.all")
    wish = ctx.config.settle
    return next(
        (
            str(row["destinationId"])
            for row in rows or ()
            if row.get("name") == target_name(ctx) and row.get("bucket") == wish.backup_bucket
        ),
        "",
    )


async def make_target(ctx: Context, server: str) -> str:
    """Tried first: the panel reaches the store with these keys. Raises WizardError when it does not."""
    known = await target(ctx, server)
    if known:
        return known
    store = await bucket(ctx)
    body = {
        "name": target_name(ctx),
        "provider": "Other",
        "accessKey": store.access_key,
        "bucket": store.name,
        "region": store.region,
        "endpoint": store.endpoint,
        "secretAccessKey": store.secret_key,
        "additionalFlags": [],
    }
    client = await calls(ctx, server)
    try:
        await client.post("destination.testConnection", body, timeout=120.0)
    except VendorError as error:
        # The panel's reason is rclone's command line, keys and all.
        raise WizardError(
            f"The panel of {server} cannot use the store {store.name} at {store.endpoint}",
            "the store refused the keys, or there is no such bucket",
            f"Correct [settle] backup_… and {' and '.join(KEYS)}, then run this step again.",
        ) from error
    await client.post("destination.create", body)
    return await target(ctx, server)


async def database_plan(ctx: Context, app: App, database: Database) -> str:
    """The id of the panel's plan for a database, "" if there is none."""
    view = await (await calls(ctx, app.server)).get("compose.one", composeId=app_record(ctx, app).id)
    return next(
        (
            str(row["backupId"])
            for row in view.get("backups") or ()
            if row.get("database") == database.database and row.get("serviceName") == database.service
        ),
        "",
    )


async def make_database_plan(ctx: Context, app: App, database: Database) -> None:
    if await database_plan(ctx, app, database):
        return
    body = {
        "schedule": ctx.config.settle.backup_schedule,
        "enabled": True,
        "prefix": PREFIX,
        "destinationId": await target(ctx, app.server),
        "keepLatestCount": ctx.config.settle.backup_keep,
        "database": database.database,
        "serviceName": database.service,
        "composeId": app_record(ctx, app).id,
        "databaseType": "postgres",
        "backupType": "compose",
        "metadata": {"postgres": {"databaseUser": database.user}},
    }
    await (await calls(ctx, app.server)).post("backup.create", body)


async def volume_plan(ctx: Context, app: App, volume: Volume) -> Mapping[str, Any] | None:
    client, record = await calls(ctx, app.server), app_record(ctx, app)
    rows = await client.get("volumeBackups.list", id=record.id, volumeBackupType="compose")
    return next((row for row in rows or () if row.get("volumeName") == volume.name), None)


async def make_volume_plan(ctx: Context, app: App, volume: Volume, service: str, stop: bool) -> None:
    """`stop`: the service is stopped for the seconds of the copy; else the copy is one of a live volume."""
    if await volume_plan(ctx, app, volume) is not None:
        return
    body = {
        "name": f"{target_name(ctx)} {volume.name}",
        "volumeName": volume.name,
        "prefix": PREFIX,
        "serviceType": "compose",
        "composeId": app_record(ctx, app).id,
        "serviceName": service,
        "turnOff": stop,
        "cronExpression": ctx.config.settle.backup_schedule,
        "keepLatestCount": ctx.config.settle.backup_keep,
        "enabled": True,
        "destinationId": await target(ctx, app.server),
    }
    await (await calls(ctx, app.server)).post("volumeBackups.create", body)


async def remove_database_plan(ctx: Context, app: App, database: Database) -> None:
    identity = await database_plan(ctx, app, database)
    if identity:
        await (await calls(ctx, app.server)).post("backup.remove", {"backupId": identity})


async def remove_volume_plan(ctx: Context, app: App, volume: Volume) -> None:
    row = await volume_plan(ctx, app, volume)
    if row is not None:
        body = {"volumeBackupId": row["volumeBackupId"]}
        await (await calls(ctx, app.server)).post("volumeBackups.delete", body)


async def remove_target(ctx: Context, server: str) -> None:
    identity = await target(ctx, server)
    if identity:
        await (await calls(ctx, server)).post("destination.remove", {"destinationId": identity})


async def run_database(ctx: Context, app: App, database: Database) -> None:
    """Raises VendorError when the dump or its upload failed."""
    identity = await database_plan(ctx, app, database)
    await (await calls(ctx, app.server)).post(
        "backup.manualBackupCompose", {"backupId": identity}, timeout=_LONG
    )


async def run_volume(ctx: Context, app: App, volume: Volume) -> None:
    row = await volume_plan(ctx, app, volume)
    if row is None:
        raise WizardError(f"There is no plan for the volume {volume.name}", next="Run this step again.")
    await (await calls(ctx, app.server)).post(
        "volumeBackups.runManually", {"volumeBackupId": row["volumeBackupId"]}, timeout=_LONG
    )


async def files(ctx: Context, app: App, service: str) -> tuple[File, ...]:
    """What was saved of a service, the newest first (the names carry the moment)."""
    client, record = await calls(ctx, app.server), app_record(ctx, app)
    folder = f"{record.app_name}_{service}/{PREFIX}/"
    identity = await target(ctx, app.server)
    rows = await client.get("backup.listBackupFiles", destinationId=identity, search=folder)
    found = [File(str(row["Path"]), int(row.get("Size") or 0)) for row in rows or () if not row.get("IsDir")]
    return tuple(sorted(found, key=lambda file: file.path, reverse=True))
