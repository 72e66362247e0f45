"""Backups to S3: destinations, databases, volumes. Restoring has no call over REST, so there is none here."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from wizard.rehearsal.panels.procedures import chosen, mutation, query
from wizard.rehearsal.panels.state import Row, bad, mistake, when

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

_TARGET = (
    "name",
    "provider",
    "accessKey",
    "bucket",
    "region",
    "endpoint",
    "secretAccessKey",
    "additionalFlags",
)
_REQUIRED = "name provider? accessKey bucket region endpoint secretAccessKey additionalFlags?"
_BACKUP = (
    "schedule", "enabled", "prefix", "destinationId", "keepLatestCount", "database", "serviceName",
    "composeId", "databaseType", "backupType", "metadata", "includeEncryptionKey",
)  # fmt: skip
_VOLUME = (
    "name", "volumeName", "prefix", "serviceType", "composeId", "applicationId", "serviceName", "turnOff",
    "cronExpression", "keepLatestCount", "enabled", "destinationId",
)  # fmt: skip
_SECONDS = 20.0


def _reach(given: Row) -> None:
    """Raises Refused as rclone does: with the whole command line, keys and all."""
    good = str(given["endpoint"]).startswith("https://") and given["accessKey"] and given["secretAccessKey"]
    if not good or not given["bucket"]:
        raise bad(
            f"Error: Command failed: rclone ls --s3-access-key-id={given['accessKey']} "
            f"--s3-secret-access-key={given['secretAccessKey']} --s3-endpoint={given['endpoint']} "
            f":s3:{given['bucket']}: SignatureDoesNotMatch"
        )


@mutation("destination.create", _REQUIRED)
def create_destination(panel: Panel, given: Row) -> Row:
    row = chosen(given, *_TARGET)
    row["organizationId"] = panel.state.organization.get("id", "")
    return panel.add("destination", row, thing=f"destination {given['name']}")


@mutation("destination.testConnection", _REQUIRED)
async def test_destination(panel: Panel, given: Row) -> None:
    await panel.stage.clock.sleep(1.0)
    _reach(given)


@query("destination.all")
def destinations(panel: Panel, given: Row) -> list[Row]:
    return list(panel.table("destination").values())


@query("destination.one", "destinationId")
def one_destination(panel: Panel, given: Row) -> Row:
    return panel.find("destination", given["destinationId"])


@mutation("destination.remove", "destinationId")
def remove_destination(panel: Panel, given: Row) -> Row:
    row = panel.table("destination").pop(panel.find("destination", given["destinationId"])["destinationId"])
    panel.record("delete", f"{panel.name} destination {row['name']}")
    return row


@mutation("backup.create", "schedule prefix destinationId database databaseType")
def create_backup(panel: Panel, given: Row) -> None:
    panel.find("destination", given["destinationId"])
    row = {**dict.fromkeys(_BACKUP), "enabled": True, "backupType": "database", **chosen(given, *_BACKUP)}
    row["appName"] = f"backup-{panel.suffix()}"
    owner = given.get("composeId") or given.get("postgresId") or ""
    panel.add("backup", row, thing=f"backup {given['database']} of {owner}")


@query("backup.one", "backupId")
def one_backup(panel: Panel, given: Row) -> Row:
    row = panel.find("backup", given["backupId"])
    return {**row, "deployments": list(reversed(panel.rows("deployment", backupId=row["backupId"])))}


@mutation("backup.remove", "backupId")
def remove_backup(panel: Panel, given: Row) -> Row:
    row = panel.table("backup").pop(panel.find("backup", given["backupId"])["backupId"])
    panel.record("delete", f"{panel.name} backup {row['database']} of {row.get('composeId') or ''}")
    return row


def _deployment(panel: Panel, key: str, row: Row, title: str) -> Row:
    return panel.add(
        "deployment",
        {
            "title": title,
            "description": title,
            "status": "running",
            "logPath": f"/etc/dokploy/logs/{row['appName']}/{panel.suffix()}.log",
            key: row[key],
            "startedAt": panel.stamp(),
            "finishedAt": None,
            "errorMessage": None,
            "rollbackId": None,
        },
    )


def _written(panel: Panel, destination: Row, path: str, size: int) -> None:
    panel.state.objects.setdefault(destination["destinationId"], {})[path] = (size, panel.now())
    panel.record("backup", f"{panel.name} {path}")


@mutation("backup.manualBackupCompose", "backupId")
async def run_backup(panel: Panel, given: Row) -> bool:
    """pg_dump inside the service's container, piped to S3; an error becomes the call's own."""
    from wizard.rehearsal.hosts import postgres as hosts_postgres

    row = panel.find("backup", given["backupId"])
    destination = panel.find("destination", row["destinationId"])
    stack = panel.find("compose", row["composeId"], "Compose")
    deployment = _deployment(panel, "backupId", row, "Compose Backup")
    log = panel.state.logs[deployment["deploymentId"]] = ["Initializing backup"]
    await panel.stage.clock.sleep(_SECONDS)
    boxes = panel.docker.of_project(stack["appName"])
    box = next((box for box in boxes if box.service == row["serviceName"] and box.state == "running"), None)
    why = ""
    if box is None:
        why = f"Container not found for service {row['serviceName']}"
    else:
        databases = hosts_postgres.server_of(panel.host.state, box).databases
        if row["database"] not in databases:
            why = f'pg_dump: error: database "{row["database"]}" does not exist'
    deployment["finishedAt"] = panel.stamp()
    if why:
        deployment["status"] = "error"
        log.append(why)
        raise mistake("Error running manual Compose backup")
    assert box is not None
    login = f"-U {row['metadata']['postgres']['databaseUser']}"
    _, dump = await panel.host.shell(f"docker exec -i {box.name} pg_dump {login} -Fc {row['database']}")
    folder = f"{stack['appName']}_{row['serviceName']}/{row['prefix'].strip('/')}".rstrip("/")
    name = f"{folder}/{when(panel.now()).replace(':', '-').replace('.', '-')}.sql.gz"
    panel.state.bodies[name] = gzip.compress(dump, mtime=0)
    _written(panel, destination, name, len(panel.state.bodies[name]))
    deployment["status"] = "done"
    log.append("✅ Upload completed")
    return True


@query("backup.listBackupFiles", "destinationId search")
def files(panel: Panel, given: Row) -> list[Row]:
    destination = panel.find("destination", given["destinationId"])
    return [
        {"Path": path, "Name": path.rpartition("/")[2], "Size": size, "IsDir": False, "ModTime": when(at)}
        for path, (size, at) in panel.state.objects.get(destination["destinationId"], {}).items()
        if given["search"] in path
    ]


@mutation("volumeBackups.create", "name volumeName prefix cronExpression destinationId")
def create_volume_backup(panel: Panel, given: Row) -> Row:
    panel.find("destination", given["destinationId"])
    row = {**dict.fromkeys(_VOLUME), "enabled": True, "turnOff": False, **chosen(given, *_VOLUME)}
    row["appName"] = f"volume-{panel.suffix()}"
    return panel.add("volumeBackup", row, thing=f"volume backup {given['name']}")


@query("volumeBackups.list", "id volumeBackupType")
def volume_backups(panel: Panel, given: Row) -> list[Row]:
    found = panel.rows("volumeBackup", **{f"{given['volumeBackupType']}Id": given["id"]})
    return [
        {
            **row,
            "deployments": list(reversed(panel.rows("deployment", volumeBackupId=row["volumeBackupId"]))),
        }
        for row in found
    ]


@query("volumeBackups.one", "volumeBackupId")
def one_volume_backup(panel: Panel, given: Row) -> Row:
    return panel.find("volumeBackup", given["volumeBackupId"], "Volume backup")


@mutation("volumeBackups.delete", "volumeBackupId")
def delete_volume_backup(panel: Panel, given: Row) -> Row:
    row = panel.table("volumeBackup").pop(
        panel.find("volumeBackup", given["volumeBackupId"], "Volume backup")["volumeBackupId"]
    )
    panel.record("delete", f"{panel.name} volume backup {row['name']}")
    return row


@mutation("volumeBackups.runManually", "volumeBackupId")
async def run_volume_backup(panel: Panel, given: Row) -> bool:
    """Without `turnOff` the tar is made of a live volume, and tells nobody that it is torn."""
    from wizard.rehearsal.hosts.docker import packed

    row = panel.find("volumeBackup", given["volumeBackupId"], "Volume backup")
    destination = panel.find("destination", row["destinationId"])
    deployment = _deployment(panel, "volumeBackupId", row, "Volume Backup")
    log = panel.state.logs[deployment["deploymentId"]] = ["Initializing volume backup"]
    volume = panel.docker.volumes.get(row["volumeName"])
    writers = [
        box
        for box in panel.docker.containers.values()
        if box.state == "running" and any(mount.name == row["volumeName"] for mount in box.mounts)
    ]
    for box in writers if row["turnOff"] else []:
        box.state = "exited"
        log.append(f"Stopping {box.name}")
    await panel.stage.clock.sleep(_SECONDS)
    for box in writers if row["turnOff"] else []:
        box.state = "running"
    deployment["finishedAt"] = panel.stamp()
    if volume is None:
        deployment["status"] = "error"
        log.append(f"Error: no such volume: {row['volumeName']}")
        raise mistake("Error running volume backup")
    stack = panel.table("compose").get(row.get("composeId") or "", {})
    folder = f"{stack.get('appName', row['appName'])}_{row.get('serviceName') or ''}".rstrip("_")
    stamp = panel.stamp().replace(":", "-").replace(".", "-")
    path = f"{folder}/{row['prefix'].strip('/')}/{row['volumeName']}-{stamp}.tar"
    panel.state.bodies[path] = packed(volume)
    _written(panel, destination, path, len(panel.state.bodies[path]))
    deployment["status"] = "done"
    return True
