"""An app on its panel: its names there, what the panel holds of it, and its deployments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from wizard.config import AppKind
from wizard.engine.step import Context
from wizard.errors import WizardError
from wizard.phases.cutover import certificate_panel as panels
from wizard.records import AppRecord

if TYPE_CHECKING:
    from wizard.config import App

RUNNING = ("running", "idle")
"""Words of the panel for a deployment that has not ended."""
_WAITING_STATES = ("waiting", "active", "delayed", "prioritized", "paused", "waiting-children")


@dataclass(frozen=True, slots=True)
class Deployment:
    """`status` is the panel's word: running, done, error or cancelled. `started` is 0 if unknown.

    The panel writes the commit's message over the title and ``Commit: <hash>`` over the description when
    a deployment ends.
    """

    id: str
    status: str
    title: str = ""
    description: str = ""
    started: float = 0.0

    @property
    def ended(self) -> bool:
        return self.status not in RUNNING

    @property
    def commit(self) -> str:
        """The commit that was deployed, as far as the panel tells."""
        word, _, rest = self.description.partition(":")
        return rest.strip() if word.strip() in ("Commit", "Hash") else ""


def word(app: App) -> str:
    """The panel's router for this kind of app."""
    return "compose" if app.kind is AppKind.COMPOSE else "application"


def owner_key(app: App) -> str:
    return "composeId" if app.kind is AppKind.COMPOSE else "applicationId"


def app_record(ctx: Context, app: App) -> AppRecord:
    """Raises WizardError before the app is on its panel."""
    record = ctx.saved.load("app", AppRecord, step=f"apps.{app.name}.create")
    if record is None:
        raise WizardError(f"{app.name} is not on its panel yet", next=f"Run apps.{app.name}.create first.")
    return record


async def held(ctx: Context, app: App) -> dict[str, Any]:
    """Everything that the panel holds of an app. It has secrets in it: never keep or show it whole."""
    client, record = await panels.calls(ctx, app.server), app_record(ctx, app)
    found = await client.get(f"{word(app)}.one", **{owner_key(app): record.id})
    if not isinstance(found, Mapping):
        raise WizardError(
            f"The panel of {app.server} does not know {app.name} any more",
            next=f"Undo apps.{app.name}.create, then run it again.",
        )
    return dict(found)


async def deployments(ctx: Context, app: App) -> tuple[Deployment, ...]:
    """The newest first."""
    client, record = await panels.calls(ctx, app.server), app_record(ctx, app)
    if app.kind is AppKind.COMPOSE:
        found = await client.get("deployment.allByCompose", composeId=record.id)
    else:
        found = await client.get("deployment.all", applicationId=record.id)
    return tuple(_deployment(item) for item in found or ())


def _deployment(item: Mapping[str, Any]) -> Deployment:
    return Deployment(
        str(item["deploymentId"]),
        str(item.get("status") or "running"),
        str(item.get("title") or ""),
        str(item.get("description") or ""),
        _moment(item.get("startedAt") or item.get("createdAt")),
    )


def _moment(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0


async def queued(ctx: Context, app: App) -> bool:
    """Whether a deployment of the app waits in the panel's queue, where no list shows it yet."""
    client, record = await panels.calls(ctx, app.server), app_record(ctx, app)
    rows = await client.get("deployment.queueList")
    return any(
        record.id in (row.get("data") or {}).values() and row.get("state", "waiting") in _WAITING_STATES
        for row in rows or ()
    )


async def log_of_deployment(ctx: Context, app: App, deployment: str, lines: int = 400) -> str:
    """The end of a deployment's log."""
    client = await panels.calls(ctx, app.server)
    text = await client.get("deployment.readLogs", deploymentId=deployment, tail=lines)
    return text if isinstance(text, str) else ""
