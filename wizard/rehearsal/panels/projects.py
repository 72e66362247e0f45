"""Projects and their environments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.rehearsal.panels.procedures import chosen, complain, mutation, query
from wizard.rehearsal.panels.state import Row, mistake

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

_OTHERS = ("mariadb", "mongo", "mysql", "postgres", "redis", "libsql")


@mutation("project.create", "name")
def create(panel: Panel, given: Row) -> Row:
    if not str(given["name"]).strip():
        raise complain("name", "Too small: expected string to have >=1 characters")
    row = {
        "name": given["name"],
        "description": given.get("description"),
        "env": given.get("env", ""),
        "organizationId": panel.state.organization.get("id", ""),
    }
    project = panel.add("project", row, thing=f"project {given['name']}")
    return {"project": project, "environment": _add_environment(panel, project, "production", True)}


def _add_environment(panel: Panel, project: Row, name: str, default: bool) -> Row:
    row = {
        "name": name,
        "description": None,
        "env": "",
        "projectId": project["projectId"],
        "isDefault": default,
    }
    return panel.add("environment", row, thing=f"environment {project['name']}/{name}")


@mutation("project.update", "projectId")
def update(panel: Panel, given: Row) -> Row:
    project = panel.find("project", given["projectId"])
    changes = chosen(given, "name", "description", "env")
    if not changes:
        raise mistake("No values to set")
    project.update(changes)
    return project


@mutation("project.remove", "projectId")
def remove(panel: Panel, given: Row) -> Row:
    project = panel.table("project").pop(panel.find("project", given["projectId"])["projectId"])
    panel.record("delete", f"{panel.name} project {project['name']}")
    for environment in panel.rows("environment", projectId=project["projectId"]):
        _remove_environment(panel, environment)
    return project


def _remove_environment(panel: Panel, environment: Row) -> None:
    from wizard.rehearsal.panels import applications as panels_applications
    from wizard.rehearsal.panels import composes as panels_composes

    for row in panel.rows("application", environmentId=environment["environmentId"]):
        panels_applications.delete(panel, {"applicationId": row["applicationId"]})
    for row in panel.rows("compose", environmentId=environment["environmentId"]):
        panels_composes.delete(panel, {"composeId": row["composeId"], "deleteVolumes": False})
    panel.table("environment").pop(environment["environmentId"])
    name = panel.table("project").get(environment["projectId"], {}).get("name", "")
    panel.record("delete", f"{panel.name} environment {name}/{environment['name']}")


def _whole(panel: Panel, environment: Row) -> Row:
    key = environment["environmentId"]
    return {
        **environment,
        "applications": panel.rows("application", environmentId=key),
        "compose": panel.rows("compose", environmentId=key),
        **{name: [] for name in _OTHERS},
    }


def _with_environments(panel: Panel, project: Row) -> Row:
    found = panel.rows("environment", projectId=project["projectId"])
    return {**project, "environments": [_whole(panel, environment) for environment in found]}


@query("project.all")
def every(panel: Panel, given: Row) -> list[Row]:
    return [_with_environments(panel, project) for project in panel.table("project").values()]


@query("project.one", "projectId")
def one(panel: Panel, given: Row) -> Row:
    return _with_environments(panel, panel.find("project", given["projectId"]))


@mutation("environment.create", "name projectId")
def create_environment(panel: Panel, given: Row) -> Row:
    return _add_environment(panel, panel.find("project", given["projectId"]), given["name"], False)


@query("environment.one", "environmentId")
def one_environment(panel: Panel, given: Row) -> Row:
    environment = panel.find("environment", given["environmentId"])
    project = panel.find("project", environment["projectId"])
    return {**_whole(panel, environment), "project": project}


@query("environment.byProjectId", "projectId")
def environments(panel: Panel, given: Row) -> list[Row]:
    return [_whole(panel, row) for row in panel.rows("environment", projectId=given["projectId"])]


@mutation("environment.update", "environmentId")
def update_environment(panel: Panel, given: Row) -> Row:
    environment = panel.find("environment", given["environmentId"])
    environment.update(chosen(given, "name", "description", "env"))
    return environment


@mutation("environment.remove", "environmentId")
def remove_environment(panel: Panel, given: Row) -> Row:
    environment = panel.find("environment", given["environmentId"])
    if environment["isDefault"]:
        raise mistake("You cannot delete the default environment")
    _remove_environment(panel, environment)
    return environment
