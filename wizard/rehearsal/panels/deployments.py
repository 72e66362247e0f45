"""Deployments as the API shows them: asked for, listed, read, rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.rehearsal.panels import deploy as panels_deploy
from wizard.rehearsal.panels import images as panels_images
from wizard.rehearsal.panels.procedures import mutation, query
from wizard.rehearsal.panels.state import Row, Settling, mistake

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

_MANUAL, _AGAIN = "Manual deployment", "Rebuild deployment"


def _ask(panel: Panel, kind: str, given: Row, title: str) -> None:
    row = panel.find(kind, given[f"{kind}Id"])
    panels_deploy.enqueue(
        panel, kind, row, str(given.get("title") or title), str(given.get("description") or "")
    )


@mutation("application.deploy", "applicationId")
def deploy_application(panel: Panel, given: Row) -> None:
    _ask(panel, "application", given, _MANUAL)


@mutation("application.redeploy", "applicationId")
def redeploy_application(panel: Panel, given: Row) -> None:
    _ask(panel, "application", given, _AGAIN)


@mutation("compose.deploy", "composeId")
def deploy_compose(panel: Panel, given: Row) -> Row:
    _ask(panel, "compose", given, _MANUAL)
    row = panel.find("compose", given["composeId"])
    return {"success": True, "message": "Deployment queued", "composeId": row["composeId"]}


@mutation("compose.redeploy", "composeId")
def redeploy_compose(panel: Panel, given: Row) -> Row:
    _ask(panel, "compose", given, _AGAIN)
    return {"success": True, "message": "Redeployment queued"}


def _cancel(panel: Panel, kind: str, key: str) -> Row:
    waiting = [job for job in panel.state.queue if (job.kind, job.id) == (kind, key) and not job.deployment]
    for job in waiting:
        panel.state.queue.remove(job)
    return {"success": True, "message": "Deployment cancelled"}


@mutation("application.cancelDeployment", "applicationId")
def cancel_application(panel: Panel, given: Row) -> Row:
    return _cancel(panel, "application", given["applicationId"])


@mutation("compose.cancelDeployment", "composeId")
def cancel_compose(panel: Panel, given: Row) -> Row:
    return _cancel(panel, "compose", given["composeId"])


@mutation("application.cleanQueues", "applicationId")
def clean_application(panel: Panel, given: Row) -> None:
    _cancel(panel, "application", given["applicationId"])


@mutation("compose.cleanQueues", "composeId")
def clean_compose(panel: Panel, given: Row) -> None:
    _cancel(panel, "compose", given["composeId"])


def _newest_first(panel: Panel, **equal: str) -> list[Row]:
    return list(reversed(panel.rows("deployment", **equal)))


@query("deployment.all", "applicationId")
def of_application(panel: Panel, given: Row) -> list[Row]:
    panel.find("application", given["applicationId"], "Application")
    return _newest_first(panel, applicationId=given["applicationId"])


@query("deployment.allByCompose", "composeId")
def of_compose(panel: Panel, given: Row) -> list[Row]:
    panel.find("compose", given["composeId"], "Compose")
    return _newest_first(panel, composeId=given["composeId"])


@query("deployment.allByType", "id type")
def of_type(panel: Panel, given: Row) -> list[Row]:
    return _newest_first(panel, **{f"{given['type']}Id": given["id"]})


@query("deployment.queueList")
def queue(panel: Panel, given: Row) -> list[Row]:
    return [
        {
            "id": str(number),
            "name": "deployments",
            "data": {f"{job.kind}Id": job.id, "titleLog": job.title, "applicationType": job.kind},
            "state": "active" if job.deployment else "waiting",
            "timestamp": int(panel.now() * 1000),
        }
        for number, job in enumerate(panel.state.queue, 1)
    ]


@query("deployment.readLogs", "deploymentId")
def read_logs(panel: Panel, given: Row) -> str:
    panel.find("deployment", given["deploymentId"])
    lines = panel.state.logs.get(given["deploymentId"], [])
    return "\n".join(lines[-int(given.get("tail") or 100) :])


@mutation("deployment.removeDeployment", "deploymentId")
def remove(panel: Panel, given: Row) -> Row:
    row = panel.find("deployment", given["deploymentId"])
    panel.state.logs.pop(row["deploymentId"], None)
    return panel.table("deployment").pop(row["deploymentId"])


@mutation("rollback.rollback", "rollbackId")
async def roll_back(panel: Panel, given: Row) -> None:
    """Run a kept image again: only for applications, and only where images were kept."""
    rollback = panel.find("rollback", given["rollbackId"])
    built = panel.state.kept.get(rollback["deploymentId"])
    row = panel.table("application").get(rollback["applicationId"])
    if built is None or row is None or not row["rollbackActive"]:
        raise mistake("Rollback not found")
    await panels_images.roll_out(panel, row, built)
    panel.record("rollback", f"{panel.name} {row['name']}", built.version)
    panels_deploy.resume(panel)


@mutation("rollback.delete", "rollbackId")
def delete_rollback(panel: Panel, given: Row) -> Row:
    row = panel.find("rollback", given["rollbackId"])
    panel.state.kept.pop(row["deploymentId"], None)
    return panel.table("rollback").pop(row["rollbackId"])


def in_rollout(panel: Panel, kind: str, key: str) -> list[Settling]:
    """Rollouts of a thing that Docker is not yet through with."""
    return panels_deploy.settling(panel, kind, key)
