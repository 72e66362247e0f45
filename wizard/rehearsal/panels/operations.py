"""Schedules, SSH keys, registries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.rehearsal.panels.procedures import chosen, complain, mutation, query
from wizard.rehearsal.panels.state import Row, bad

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

_SCHEDULE = (
    "name", "cronExpression", "command", "scheduleType", "shellType", "script", "enabled", "serviceName",
    "applicationId", "composeId", "serverId", "timezone", "description",
)  # fmt: skip
_RUN_SECONDS = 2.0


@mutation("schedule.create", "name cronExpression command")
def create(panel: Panel, given: Row) -> Row:
    if len(str(given["cronExpression"]).split()) not in (5, 6):
        raise complain("cronExpression", "Invalid cron expression")
    row = {
        "scheduleType": "application",
        "shellType": "bash",
        "enabled": True,
        "serviceName": None,
        **chosen(given, *_SCHEDULE),
        "appName": f"schedule-{panel.suffix()}",
    }
    owner = row.get("composeId") or row.get("applicationId") or panel.name
    return panel.add("schedule", row, thing=f"schedule {given['name']} of {owner}")


@query("schedule.list", "id scheduleType")
def schedules(panel: Panel, given: Row) -> list[Row]:
    kind = given["scheduleType"]
    found = (
        panel.rows("schedule", **{f"{kind}Id": given["id"]})
        if kind in ("application", "compose")
        else panel.rows("schedule", scheduleType=kind)
    )
    return [
        {**row, "deployments": list(reversed(panel.rows("deployment", scheduleId=row["scheduleId"])))}
        for row in found
    ]


@query("schedule.one", "scheduleId")
def one(panel: Panel, given: Row) -> Row:
    return panel.find("schedule", given["scheduleId"])


@mutation("schedule.update", "scheduleId name cronExpression command")
def update(panel: Panel, given: Row) -> Row:
    row = panel.find("schedule", given["scheduleId"])
    row.update(chosen(given, *_SCHEDULE))
    return row


@mutation("schedule.delete", "scheduleId")
def delete(panel: Panel, given: Row) -> bool:
    row = panel.table("schedule").pop(panel.find("schedule", given["scheduleId"])["scheduleId"])
    owner = row.get("composeId") or row.get("applicationId") or panel.name
    panel.record("delete", f"{panel.name} schedule {row['name']} of {owner}")
    return True


@mutation("schedule.runManually", "scheduleId")
async def run(panel: Panel, given: Row) -> Row:
    """200 either way: whether the command went well is in the answer's status."""
    row = panel.find("schedule", given["scheduleId"])
    deployment = panel.add(
        "deployment",
        {
            "title": "Schedule",
            "description": "Schedule",
            "status": "running",
            "logPath": f"/etc/dokploy/schedules/{row['appName']}/{panel.suffix()}.log",
            "scheduleId": row["scheduleId"],
            "startedAt": panel.stamp(),
            "finishedAt": None,
            "errorMessage": None,
            "rollbackId": None,
        },
    )
    log = panel.state.logs[deployment["deploymentId"]] = ["Initializing schedule"]
    await panel.stage.clock.sleep(_RUN_SECONDS)
    ran = await _run_in(panel, row, log)
    log.append("✅ Command executed successfully" if ran else "❌ Command execution failed")
    deployment["status"], deployment["finishedAt"] = "done" if ran else "error", panel.stamp()
    return deployment


async def _run_in(panel: Panel, row: Row, log: list[str]) -> bool:
    name = _container(panel, row)
    if name is None:
        log.append(f"Error: No such container: {row.get('serviceName') or row['name']}")
        return False
    panel.record("schedule", f"{panel.name} {name}", row["command"])
    words = str(row["command"]).split()
    line = f"docker exec {name} {row['command']}" if words[0] == "redis-cli" else f"docker exec {name} sh"
    code, output = await panel.host.shell(line)
    log.extend(output.decode("utf-8", "replace").splitlines())
    return code == 0


def _container(panel: Panel, row: Row) -> str | None:
    if row.get("composeId"):
        stack = panel.table("compose")[row["composeId"]]
        running = [box for box in panel.docker.of_project(stack["appName"]) if box.state == "running"]
        return next((box.name for box in running if box.service == row.get("serviceName")), None)
    if row.get("applicationId"):
        app = panel.table("application")[row["applicationId"]]
        return next((n for n in panel.docker.containers if n.startswith(f"{app['appName']}.")), None)
    return "dokploy-traefik"


@mutation("sshKey.create", "name privateKey publicKey organizationId")
def create_key(panel: Panel, given: Row) -> None:
    import asyncssh

    try:
        asyncssh.import_private_key(given["privateKey"])
    except asyncssh.KeyImportError as error:
        raise bad("Invalid private key") from error
    row = chosen(given, "name", "description", "privateKey", "publicKey", "organizationId")
    panel.add("sshKey", row, thing=f"ssh key {given['name']}")


@query("sshKey.all")
def keys(panel: Panel, given: Row) -> list[Row]:
    """Private halves and all, as the real one answers."""
    return list(panel.table("sshKey").values())


@query("sshKey.one", "sshKeyId")
def one_key(panel: Panel, given: Row) -> Row:
    return panel.find("sshKey", given["sshKeyId"], "SSH Key")


@mutation("sshKey.remove", "sshKeyId")
def remove_key(panel: Panel, given: Row) -> Row:
    row = panel.table("sshKey").pop(panel.find("sshKey", given["sshKeyId"], "SSH Key")["sshKeyId"])
    panel.record("delete", f"{panel.name} ssh key {row['name']}")
    return row


@mutation("registry.create", "registryName username password registryUrl registryType imagePrefix?")
def create_registry(panel: Panel, given: Row) -> Row:
    """Logs in at once."""
    if not given["password"]:
        raise bad(
            f"Error with registry login: Error response from daemon: Get "
            f'"https://{given["registryUrl"]}/v2/": unauthorized'
        )
    row = chosen(given, "registryName", "username", "registryUrl", "registryType", "imagePrefix")
    return panel.add("registry", row, thing=f"registry {given['registryName']}")


@query("registry.all")
def registries(panel: Panel, given: Row) -> list[Row]:
    return list(panel.table("registry").values())


@mutation("registry.remove", "registryId")
def remove_registry(panel: Panel, given: Row) -> Row:
    row = panel.table("registry").pop(panel.find("registry", given["registryId"])["registryId"])
    panel.record("delete", f"{panel.name} registry {row['registryName']}")
    return row
