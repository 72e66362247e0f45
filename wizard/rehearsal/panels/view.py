"""What the panel shows of an application or a stack besides its own columns."""

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
