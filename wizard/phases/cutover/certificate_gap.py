"""A gap that the operator accepted, and its end: the new proxies order as soon as the names lead there.

Not before: an order that fails counts against the authority's limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.config import AppKind
from wizard.engine.step import Context
from wizard.phases.apps.redeploy import redeploy
from wizard.phases.cutover import certificate_panel as panels
from wizard.phases.cutover.certificate_records import STEP, PlacedRecord
from wizard.phases.hosts import server_record

if TYPE_CHECKING:
    from wizard.config import App


def bare(ctx: Context) -> tuple[App, ...]:
    """Apps that are served at their new place without a certificate of ours."""
    placed = {app: ctx.saved.load(f"placed_{app.name}", PlacedRecord, step=STEP) for app in ctx.config.apps}
    return tuple(app for app, record in placed.items() if record is not None and not record.sha256)


def accepted(ctx: Context, app: App) -> bool:
    """Whether this app goes without a certificate for a while, as the operator allowed."""
    return ctx.config.cutover.allow_certificate_gap and app in bare(ctx)


async def close(ctx: Context) -> None:
    """Have the proxies order. Idempotent."""
    for app in bare(ctx):
        views = {view.host: view for view in await panels.domains_of(ctx, app)}
        due = [name for name in app.domains if name in views and views[name].certificate != "letsencrypt"]
        for name in due:
            await panels.serve(ctx, app, name, "letsencrypt")
        if due and app.kind is AppKind.COMPOSE:
            # A stack's domains are labels of its containers: they count from its next deployment on.
            await redeploy(ctx, app)
        if due:
            ctx.output(f"The proxy of {app.server} orders certificates for {', '.join(due)} now.")


async def untrusted(ctx: Context) -> tuple[str, ...]:
    """Names in a gap whose new place shows no trusted certificate yet."""
    from wizard.checks.tls import look

    trust = ctx.world.endpoints.trust
    found = [
        (name, await look(ctx.world.net, name, server_record(ctx, app.server).ipv4, trust=trust))
        for app in bare(ctx)
        for name in app.domains
    ]
    return tuple(name for name, view in found if not view.trusted_at(ctx.now()))
