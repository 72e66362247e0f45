"""Applications: a repository with a Dockerfile, run as a swarm service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.rehearsal.panels.procedures import chosen, complain, mutation, query
from wizard.rehearsal.panels.state import Row, bad, mistake
from wizard.rehearsal.panels.view import begun, shown, thing

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

_BUILD_TYPES = ("dockerfile", "heroku_buildpacks", "paketo_buildpacks", "nixpacks", "static", "railpack")
_COLUMNS = (
    "name", "description", "env", "buildArgs", "buildSecrets", "createEnvFile", "memoryReservation",
    "memoryLimit", "cpuReservation", "cpuLimit", "title", "enabled", "command", "args", "sourceType",
    "autoDeploy", "replicas", "rollbackActive", "rollbackRegistryId", "registryId", "triggerType",
    "watchPaths", "enableSubmodules", "dockerfile", "dockerContextPath", "dockerBuildStage", "buildType",
    "healthCheckSwarm", "restartPolicySwarm", "placementSwarm", "updateConfigSwarm", "rollbackConfigSwarm",
    "modeSwarm", "labelsSwarm", "networkSwarm", "stopGracePeriodSwarm", "endpointSpecSwarm", "ulimitsSwarm",
    "customGitUrl", "customGitBranch", "customGitBuildPath", "customGitSSHKeyId", "dockerImage", "username",
    "password", "registryUrl", "isPreviewDeploymentsActive", "cleanCache", "publishDirectory", "isStaticSpa",
    "buildServerId", "buildRegistryId",
)  # fmt: skip
_HEALTH_FIELDS = {"Test", "Interval", "Timeout", "StartPeriod", "Retries"}
_UPDATE_FIELDS = {"Parallelism", "Delay", "FailureAction", "Monitor", "MaxFailureRatio", "Order"}


@mutation("application.create", "name environmentId")
def create(panel: Panel, given: Row) -> Row:
    row: Row = {
        **dict.fromkeys(_COLUMNS),
        **begun(panel, given, "app"),
        "sourceType": "github",
        "buildType": "nixpacks",
        "applicationStatus": "idle",
        "autoDeploy": True,
        "replicas": 1,
        "rollbackActive": False,
        "triggerType": "push",
        "enableSubmodules": False,
        "createEnvFile": True,
        "watchPaths": None,
    }
    return panel.add("application", row, thing=thing(panel, "application", row))


def find(panel: Panel, given: Row) -> Row:
    return panel.find("application", given["applicationId"], "Application")


@query("application.one", "applicationId")
def one(panel: Panel, given: Row) -> Row:
    row = find(panel, given)
    return {
        **shown(panel, "application", row),
        "ports": [],
        "security": [],
        "redirects": panel.rows("redirect", applicationId=row["applicationId"]),
        "registry": None,
    }


@mutation("application.update", "applicationId")
def update(panel: Panel, given: Row) -> bool:
    row = find(panel, given)
    changes = chosen(given, *_COLUMNS)
    if not changes:
        raise mistake("No values to set")
    _strict(changes, "healthCheckSwarm", _HEALTH_FIELDS)
    _strict(changes, "updateConfigSwarm", _UPDATE_FIELDS)
    _strict(changes, "rollbackConfigSwarm", _UPDATE_FIELDS)
    row.update(changes)
    return True


def _strict(changes: Row, name: str, known: set[str]) -> None:
    value = changes.get(name)
    if value is None:
        return
    if not isinstance(value, dict):
        raise complain(name, f"Invalid input: expected object, received {type(value).__name__}")
    if unknown := sorted(set(value) - known):
        raise complain(name, f'Unrecognized key: "{unknown[0]}"')
    if name == "updateConfigSwarm" and not {"Parallelism", "Order"} <= set(value):
        raise complain(name, "Invalid input: expected string, received undefined")


@mutation(
    "application.saveGitProvider",
    "applicationId customGitBuildPath? customGitUrl? watchPaths? customGitBranch",
)
def save_git(panel: Panel, given: Row) -> bool:
    row = find(panel, given)
    key = given.get("customGitSSHKeyId")
    if key and key not in panel.table("sshKey"):
        raise mistake("Error updating: the key is not present in table ssh-key")
    names = ("customGitBuildPath", "customGitUrl", "customGitBranch", "watchPaths")
    row.update(chosen(given, *names, "customGitSSHKeyId", "enableSubmodules"))
    row["sourceType"], row["applicationStatus"] = "git", "idle"
    return True


@mutation("application.disconnectGitProvider", "applicationId")
def disconnect(panel: Panel, given: Row) -> bool:
    """Back to a provider that nobody has connected."""
    row = find(panel, given)
    row.update(dict.fromkeys(("customGitUrl", "customGitBranch", "customGitBuildPath", "customGitSSHKeyId")))
    row["sourceType"], row["applicationStatus"] = "github", "idle"
    return True


@mutation(
    "application.saveGithubProvider",
    "applicationId repository? owner? buildPath? githubId? branch triggerType",
)
def save_github(panel: Panel, given: Row) -> bool:
    row = find(panel, given)
    row.update(chosen(given, "repository", "owner", "buildPath", "githubId", "branch", "triggerType"))
    row["sourceType"], row["applicationStatus"] = "github", "idle"
    return True


@mutation("application.saveDockerProvider", "applicationId dockerImage? username? password? registryUrl?")
def save_docker(panel: Panel, given: Row) -> bool:
    row = find(panel, given)
    row.update(chosen(given, "dockerImage", "username", "password", "registryUrl"))
    row["sourceType"], row["applicationStatus"] = "docker", "idle"
    return True


@mutation(
    "application.saveBuildType",
    "applicationId buildType dockerfile? dockerContextPath? dockerBuildStage? herokuVersion? "
    "railpackVersion?",
)
def save_build_type(panel: Panel, given: Row) -> bool:
    row = find(panel, given)
    if given["buildType"] not in _BUILD_TYPES:
        raise complain("buildType", "Invalid option")
    row.update(chosen(given, "buildType", "dockerfile", "dockerContextPath", "dockerBuildStage"))
    row.update(chosen(given, "herokuVersion", "railpackVersion", "publishDirectory", "isStaticSpa"))
    return True


@mutation("application.saveEnvironment", "applicationId env? buildArgs? buildSecrets? createEnvFile")
def save_environment(panel: Panel, given: Row) -> bool:
    find(panel, given).update(chosen(given, "env", "buildArgs", "buildSecrets", "createEnvFile"))
    return True


@mutation("application.refreshToken", "applicationId")
def refresh_token(panel: Panel, given: Row) -> bool:
    find(panel, given)["refreshToken"] = panel.new_id()
    return True


@mutation("application.delete", "applicationId")
def delete(panel: Panel, given: Row) -> Row:
    row = find(panel, given)
    key = row["applicationId"]
    for domain in panel.rows("domain", applicationId=key):
        panel.front.unroute(domain["host"])
        panel.table("domain").pop(domain["domainId"])
        panel.record("delete", f"{panel.name} domain {domain['host']}")
    for table in ("deployment", "patch", "schedule", "redirect"):
        for other in panel.rows(table, applicationId=key):
            panel.table(table).pop(other[f"{table}Id"])
    panel.docker.services.pop(row["appName"], None)
    for name in [name for name in panel.docker.containers if name.startswith(f"{row['appName']}.")]:
        panel.docker.containers.pop(name)
    panel.table("application").pop(key)
    panel.state.sources.pop(key, None)
    panel.record("delete", f"{panel.name} {thing(panel, 'application', row)}")
    return row


def _scale(panel: Panel, row: Row, running: int, status: str) -> bool:
    from wizard.rehearsal.panels import images as panels_images

    service = panel.docker.services.get(row["appName"])
    if service is None:
        raise bad(f"service {row['appName']} not found")
    service.running = service.replicas = running
    row["applicationStatus"] = status
    panels_images.show(panel, row, service.version if running else "")
    return True


@mutation("application.start", "applicationId")
def start(panel: Panel, given: Row) -> bool:
    return _scale(panel, find(panel, given), 1, "done")


@mutation("application.stop", "applicationId")
def stop(panel: Panel, given: Row) -> bool:
    return _scale(panel, find(panel, given), 0, "idle")


@mutation("application.reload", "appName applicationId")
def reload(panel: Panel, given: Row) -> bool:
    return _scale(panel, find(panel, given), 1, "done")


@query("application.readLogs", "applicationId")
def read_logs(panel: Panel, given: Row) -> str:
    row = find(panel, given)
    service = panel.docker.services.get(row["appName"])
    if service is None:
        raise mistake("No container or service found")
    lines = service.log[-int(given.get("tail") or 100) :]
    wanted = str(given.get("search") or "")
    return "\n".join(line for line in lines if wanted in line)
