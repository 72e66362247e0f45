"""The panel's queue: one deployment at a time, each with a log, over the world's time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.rehearsal.panels import images as panels_images
from wizard.rehearsal.panels import stack as panels_stack
from wizard.rehearsal.panels.source import Failure
from wizard.rehearsal.panels.state import Job, Row, Settling

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

_PICK_UP_SECONDS = 1.0
_LONGEST_NAP = 2.0


def enqueue(panel: Panel, kind: str, row: Row, title: str, description: str = "") -> None:
    """Put a deployment into the queue; there is no trace of it among the deployments yet."""
    panel.state.queue.append(Job(kind, row[f"{kind}Id"], title, description))
    resume(panel)


def resume(panel: Panel) -> None:
    """Work the queue off, from where it was left."""
    if not panel.working:
        panel.working = True
        panel.stage.spawn(_work(panel))


async def _work(panel: Panel) -> None:
    try:
        while panel.state.queue or panel.state.settling:
            _settle(panel)
            if panel.state.queue:
                await _take(panel, panel.state.queue[0])
            elif panel.state.settling:
                due = min(item.due for item in panel.state.settling)
                await panel.stage.clock.sleep_until(min(due, panel.now() + _LONGEST_NAP))
    finally:
        panel.working = False


def _settle(panel: Panel) -> None:
    for due in [item for item in panel.state.settling if item.due <= panel.now()]:
        panel.state.settling.remove(due)
        row = panel.table(due.kind).get(due.id)
        if row is None:
            continue
        if due.kind == "application":
            panels_images.settle(panel, row, due)
        else:
            panels_stack.settle(panel, row, due)


async def _take(panel: Panel, job: Job) -> None:
    row = panel.table(job.kind).get(job.id)
    if row is None:
        panel.state.queue.remove(job)
        return
    await panel.stage.clock.sleep(_PICK_UP_SECONDS)
    deployment = panel.table("deployment").get(job.deployment) or _begin(panel, job, row)
    lines = panel.state.logs[deployment["deploymentId"]]

    def write(line: str) -> None:
        lines.extend(f"{panel.stamp()} {part}" for part in line.splitlines())

    status = "done"
    try:
        if panel.stage.faults.roll("panel", "deploy") == "restarts":
            await panel.stage.clock.sleep(panels_images.UPDATE_SECONDS)
            panel.restart()
            status = "cancelled"
        elif job.kind == "application":
            await panels_images.deploy(panel, row, deployment, write)
        else:
            await panels_stack.deploy(panel, row, deployment, write)
    except Failure as failure:
        status = "error"
        write(str(failure))
        write("Error occurred ❌, check the logs for details.")
    _end(panel, job, row, deployment, status)


def _begin(panel: Panel, job: Job, row: Row) -> Row:
    key = f"{job.kind}Id"
    deployment = panel.add(
        "deployment",
        {
            "title": job.title,
            "description": job.description,
            "status": "running",
            "logPath": f"/etc/dokploy/logs/{row['appName']}/{row['appName']}-{panel.suffix()}.log",
            "applicationId": None,
            "composeId": None,
            key: row[key],
            "startedAt": panel.stamp(),
            "finishedAt": None,
            "errorMessage": None,
            "rollbackId": None,
            "isPreviewDeployment": False,
        },
    )
    job.deployment = deployment["deploymentId"]
    panel.state.logs[job.deployment] = [f"{panel.stamp()} Initializing deployment"]
    row[f"{job.kind}Status"] = "running"
    panel.record("deploy", f"{panel.name} {row['name']}", job.title)
    return deployment


def _end(panel: Panel, job: Job, row: Row, deployment: Row, status: str) -> None:
    from wizard.rehearsal.panels.notifications import deployment_ended

    deployment["status"], deployment["finishedAt"] = status, panel.stamp()
    row[f"{job.kind}Status"] = "done" if status == "done" else "error" if status == "error" else "idle"
    if job in panel.state.queue:
        panel.state.queue.remove(job)
    deployment_ended(panel, row, status)


def settling(panel: Panel, kind: str, key: str) -> list[Settling]:
    return [item for item in panel.state.settling if (item.kind, item.id) == (kind, key)]
