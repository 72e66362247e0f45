"""Compose stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from wizard.rehearsal.panels.procedures import chosen, complain, mutation, query
from wizard.rehearsal.panels.state import Refused, Row, mistake
from wizard.rehearsal.panels.view import begun, shown, thing

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

_COLUMNS = (
    "name", "description", "env", "composeFile", "sourceType", "composeType", "repository", "owner", "branch",
    "autoDeploy", "customGitUrl", "customGitBranch", "customGitSSHKeyId", "command", "enableSubmodules",
    "composePath", "suffix", "randomize", "isolatedDeployment", "triggerType", "watchPaths", "githubId",
)  # fmt: skip
_SOURCES = ("git", "github", "gitlab", "bitbucket", "gitea", "raw")
_FORBIDDEN = set(";|`$(){}<>\\\n\r")


@mutation("compose.create", "name environmentId")
def create(panel: Panel, given: Row) -> Row:
    row: Row = {
        **dict.fromkeys(_COLUMNS),
        **begun(panel, given, "compose"),
        "composeFile": given.get("composeFile") or "",
        "composeType": given.get("composeType") or "docker-compose",
        "sourceType": "github",
        "composePath": "./docker-compose.yml",
        "composeStatus": "idle",
        "command": "",
        "autoDeploy": True,
        "randomize": False,
        "isolatedDeployment": False,
        "enableSubmodules": False,
        "suffix": "",
        "triggerType": "push",
    }
    return panel.add("compose", row, thing=thing(panel, "compose", row))


def find(panel: Panel, given: Row) -> Row:
    return panel.find("compose", given["composeId"], "Compose")


@query("compose.one", "composeId")
def one(panel: Panel, given: Row) -> Row:
    row = find(panel, given)
    return {
        **shown(panel, "compose", row),
        "backups": panel.rows("backup", composeId=row["composeId"]),
    }


@mutation("compose.update", "composeId")
def update(panel: Panel, given: Row) -> Row:
    row = find(panel, given)
    changes = chosen(given, *_COLUMNS)
    if not changes:
        raise mistake("No values to set")
    if "sourceType" in changes and changes["sourceType"] not in _SOURCES:
        raise complain("sourceType", "Invalid option")
    _check_command(str(changes.get("command") or ""))
    row.update(changes)
    return row


def _check_command(command: str) -> None:
    """A custom command holds no shell characters, and chains only into docker compose itself."""
    if set(command) & _FORBIDDEN:
        raise complain("command", "Command contains forbidden characters")
    if any(not part.strip().startswith("docker compose ") for part in command.split("&&")[1:]):
        raise complain("command", "Only docker compose commands can be chained")


@mutation("compose.disconnectGitProvider", "composeId")
def disconnect(panel: Panel, given: Row) -> bool:
    """Back to a provider that nobody has connected."""
    row = find(panel, given)
    row.update(dict.fromkeys(("customGitUrl", "customGitBranch", "customGitSSHKeyId")))
    row["sourceType"], row["composeStatus"] = "github", "idle"
    return True


@mutation("compose.saveEnvironment", "composeId env?")
def save_environment(panel: Panel, given: Row) -> bool:
    find(panel, given)["env"] = given["env"]
    return True


@mutation("compose.refreshToken", "composeId")
def refresh_token(panel: Panel, given: Row) -> bool:
    find(panel, given)["refreshToken"] = panel.new_id()
    return True


@query("compose.getDefaultCommand", "composeId")
def default_command(panel: Panel, given: Row) -> str:
    row = find(panel, given)
    path = "docker-compose.yml" if row["sourceType"] == "raw" else row["composePath"]
    return f"docker compose -p {row['appName']} -f {path} up -d --build --remove-orphans"


@query("compose.loadServices", "composeId")
def load_services(panel: Panel, given: Row) -> list[str]:
    from wizard.rehearsal.panels.stack import stored_text

    row = find(panel, given)
    text = stored_text(panel, row)
    services = _services(text) if text is not None else {}
    if not services:
        raise Refused(404, "NOT_FOUND", "Services not found")
    return sorted(services)


@query("compose.loadMountsByService", "composeId serviceName")
def load_mounts(panel: Panel, given: Row) -> list[Row]:
    row = find(panel, given)
    return [
        {"Type": mount.kind, "Name": mount.name, "Source": mount.source, "Destination": mount.target}
        for box in panel.docker.of_project(row["appName"])
        if box.service == given["serviceName"]
        for mount in box.mounts
    ]


@query("compose.getConvertedCompose", "composeId")
def converted(panel: Panel, given: Row) -> str:
    """The file as it will run: parsed and written again, with the proxy's labels; comments are lost.

    Without a file, before the first clone, the panel writes out nothing at all: the word `null`.
    """
    from wizard.rehearsal.panels.stack import stored_text, with_labels

    row = find(panel, given)
    text = stored_text(panel, row)
    try:
        data = yaml.safe_load(text) if text is not None else None
        if data is None:
            return "null\n"
        return yaml.safe_dump(with_labels(panel, row, data), sort_keys=False)
    except yaml.YAMLError as error:
        raise mistake(f"Error converting: {str(error).splitlines()[0]}") from error


@mutation("compose.fetchSourceType", "composeId")
async def fetch_source(panel: Panel, given: Row) -> str:
    """Clone without deploying."""
    from wizard.rehearsal.panels.source import Failure, fetch

    row = find(panel, given)
    if row["sourceType"] != "raw":
        try:
            await fetch(panel, row, lambda line: None)
        except Failure as error:
            raise Refused(400, "BAD_REQUEST", f"Error fetching source type: {error}") from error
    return str(row["sourceType"])


@mutation("compose.delete", "composeId deleteVolumes")
def delete(panel: Panel, given: Row) -> Row:
    row = find(panel, given)
    key = row["composeId"]
    _down(panel, row)
    if given["deleteVolumes"]:
        for name in [name for name in panel.docker.volumes if name.startswith(f"{row['appName']}_")]:
            panel.docker.volumes.pop(name)
    for domain in panel.rows("domain", composeId=key):
        panel.table("domain").pop(domain["domainId"])
        panel.record("delete", f"{panel.name} domain {domain['host']}")
    for table in ("deployment", "patch", "schedule", "backup", "volumeBackup"):
        for other in panel.rows(table, composeId=key):
            panel.table(table).pop(other[f"{table}Id"])
    panel.table("compose").pop(key)
    panel.state.sources.pop(key, None)
    panel.record("delete", f"{panel.name} {thing(panel, 'compose', row)}")
    return row


def _down(panel: Panel, row: Row) -> None:
    for box in panel.docker.of_project(row["appName"]):
        panel.docker.containers.pop(box.name)
        panel.state.running.pop(box.name, None)
    for host in panel.state.labels.pop(row["composeId"], []):
        panel.front.unroute(host)
    app = panel.app_of(row)
    if app is not None:
        panel.front.app_version(app.name, "")


@mutation("compose.stop", "composeId")
def stop(panel: Panel, given: Row) -> bool:
    row = find(panel, given)
    for box in panel.docker.of_project(row["appName"]):
        box.state = "exited"
    row["composeStatus"] = "idle"
    app = panel.app_of(row)
    if app is not None:
        panel.front.app_version(app.name, "")
    return True


@mutation("compose.start", "composeId")
def start(panel: Panel, given: Row) -> bool:
    from wizard.rehearsal.panels.stack import start_again

    row = find(panel, given)
    start_again(panel, row)
    row["composeStatus"] = "done"
    return True


@query("compose.readLogs", "composeId containerId")
def read_logs(panel: Panel, given: Row) -> str:
    from wizard.rehearsal.panels.settings import container_id

    row = find(panel, given)
    for box in panel.docker.of_project(row["appName"]):
        if given["containerId"] in (box.name, container_id(box.name)):
            wanted = str(given.get("search") or "")
            lines = box.log[-int(given.get("tail") or 100) :]
            return "\n".join(line for line in lines if wanted in line)
    raise mistake("No container or service found")


def _services(text: str) -> Row:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    services = data.get("services") if isinstance(data, dict) else None
    return services if isinstance(services, dict) else {}
