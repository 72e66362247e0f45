"""What an application and a stack have in common on the panel, besides columns of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.rehearsal.panels.state import Row

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel


def shown(panel: Panel, kind: str, row: Row) -> Row:
    """`kind` is the panel's router: application or compose."""
    owner = {f"{kind}Id": row[f"{kind}Id"]}
    environment = panel.find("environment", row["environmentId"])
    return {
        **row,
        "environment": {**environment, "project": panel.find("project", environment["projectId"])},
        "domains": panel.rows("domain", **owner),
        "mounts": panel.rows("mount", serviceType=kind, serviceId=row[f"{kind}Id"]),
        "deployments": list(reversed(panel.rows("deployment", **owner))),
        "hasGitProviderAccess": True,
    }


def begun(panel: Panel, given: Row, prefix: str) -> Row:
    """Columns that either has when it is made. `prefix` begins its appName where none is given."""
    environment = panel.find("environment", given["environmentId"])
    base = str(given.get("appName") or prefix).lower()
    return {
        "name": given["name"],
        "appName": f"{base}-{panel.suffix(base)}",
        "description": given.get("description"),
        "environmentId": environment["environmentId"],
        "serverId": given.get("serverId"),
        "refreshToken": panel.new_id(),
    }


def thing(panel: Panel, kind: str, row: Row) -> str:
    """By which the world's ledger tells whether one was made twice."""
    environment = panel.find("environment", row["environmentId"])
    project = panel.find("project", environment["projectId"])
    return f"{kind} {project['name']}/{environment['name']}/{row['name']}"
