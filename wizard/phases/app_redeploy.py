"""Deploying an app again and waiting until the panel says how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.config import AppKind
from wizard.engine.step import Context
from wizard.errors import UnreachableError, VendorError, WizardError
from wizard.phases.certificate_panel import calls
from wizard.records import AppRecord

if TYPE_CHECKING:
    from wizard.config import App

_POLL_SECONDS = 5.0
_POLLS = 360


async def redeploy(ctx: Context, app: App, title: str = "Redeployed by dokploy-wizard") -> None:
    """Raises VendorError when the deployment failed; a queued deployment is not yet one."""
    record = ctx.saved.load("app", AppRecord, step=f"apps.{app.name}.create")
    if record is None:
        raise WizardError(f"{app.name} is not on its panel yet", next=f"Run apps.{app.name}.create first.")
    client = await calls(ctx, app.server)
    before = {str(item["deploymentId"]) for item in await _deployments(client, app, record.id)}
    compose = app.kind is AppKind.COMPOSE
    word, owner = ("compose", "composeId") if compose else ("application", "applicationId")
    await client.post(f"{word}.redeploy", {owner: record.id, "title": title})
    for _ in range(_POLLS):
        fresh = [
            item
            for item in await _deployments(client, app, record.id)
            if str(item["deploymentId"]) not in before
        ]
        status = str(fresh[0]["status"]) if fresh else "queued"
        if status == "done":
            return
        if status in ("error", "cancelled"):
            raise VendorError(
                f"The deployment of {app.name} ended with {status}",
                next="Its log is on the panel; the version before it may still run.",
                code=status,
            )
        await ctx.world.clock.sleep(_POLL_SECONDS)
    raise UnreachableError(
        f"The deployment of {app.name} did not end within {_POLLS * _POLL_SECONDS / 60:.0f} minutes",
        next="Look at the panel's queue, then run the step again.",
    )


async def _deployments(client: Any, app: App, identity: str) -> list[dict[str, Any]]:
    if app.kind is AppKind.COMPOSE:
        return list(await client.get("deployment.allByCompose", composeId=identity))
    return list(await client.get("deployment.all", applicationId=identity))
