"""A gap that the operator accepted, and its end: the new proxies order as soon as the names lead there.

Not before: an order that fails counts against the authority's limits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wizard.config import AppKind
from wizard.engine.step import Context
from wizard.phases.apps.redeploy import redeploy
from wizard.phases.cutover import authority, certificate_wait
from wizard.phases.cutover import certificate_panel as panels
from wizard.phases.cutover.certificate_records import STEP, PlacedRecord
from wizard.phases.hosts import server_record

if TYPE_CHECKING:
    from wizard.config import App

_MEASURED_WITHIN = 120.0
_AGAIN = 1.0


def bare(ctx: Context) -> tuple[App, ...]:
    """Apps that are served at their new place without a certificate of ours."""
    placed = {app: ctx.saved.load(f"placed_{app.name}", PlacedRecord, step=STEP) for app in ctx.config.apps}
    return tuple(app for app, record in placed.items() if record is not None and not record.sha256)


def accepted(ctx: Context, app: App) -> bool:
    """Whether this app goes without a certificate for a while, as the operator allowed."""
    return ctx.config.cutover.allow_certificate_gap and app in bare(ctx)


async def close(ctx: Context) -> None:
    """Have the proxies order, and tell for how long each name was without. Idempotent."""
    # All order before the first is waited for: their visitors come meanwhile.
    apps = bare(ctx)
    for app in apps:
        await _order(ctx, app, app.domains)
    await asyncio.gather(*(_measured(ctx, app, app.domains) for app in apps))


async def close_for(ctx: Context, name: str) -> None:
    """As `close`, for a name that leads to the new place while others still wait for their turn.

    A stack waits for all of its names: each order would recreate its containers.
    """
    for app in bare(ctx):
        if name in app.domains and app.kind is not AppKind.COMPOSE:
            await authority.until_all(ctx, [(name, "A")], certificate_wait.leads(ctx, app), "the new address")
            await _order(ctx, app, (name,))
            await _measured(ctx, app, (name,))


async def _order(ctx: Context, app: App, names: Sequence[str]) -> None:
    views = {view.host: view for view in await panels.domains_of(ctx, app)}
    due = [name for name in names if name in views and views[name].certificate != "letsencrypt"]
    for name in due:
        await panels.serve(ctx, app, name, "letsencrypt")
    if due and app.kind is AppKind.COMPOSE:
        # A stack's domains are labels of its containers: they count from its next deployment on.
        await redeploy(ctx, app)
    if due:
        ctx.output(f"The proxy of {app.server} orders certificates for {', '.join(due)} now.")


async def _measured(ctx: Context, app: App, names: Sequence[str]) -> None:
    """Until visitors trust every name, or patience ends: cutover.proof goes on waiting then."""
    deadline = ctx.now() + _MEASURED_WITHIN
    while left := certificate_wait.still_open(ctx, names):
        trusted = [name for name in left if await _trusted(ctx, app, name)]
        for name in trusted:
            certificate_wait.tell(ctx, name)
        if len(trusted) == len(left):
            return
        if ctx.now() > deadline:
            untold = ", ".join(name for name in left if name not in trusted)
            ctx.output(f"{untold}: still no trusted certificate {_MEASURED_WITHIN:.0f} s after the order.")
            return
        await ctx.world.clock.sleep(_AGAIN)


async def _trusted(ctx: Context, app: App, name: str) -> bool:
    from wizard.checks.tls import look

    trust, address = ctx.world.endpoints.trust, server_record(ctx, app.server).ipv4
    return (await look(ctx.world.net, name, address, trust=trust)).trusted_at(ctx.now())


async def untrusted(ctx: Context) -> tuple[str, ...]:
    """Names in a gap whose new place shows no trusted certificate yet."""
    found = [(name, await _trusted(ctx, app, name)) for app in bare(ctx) for name in app.domains]
    return tuple(name for name, trusted in found if not trusted)
