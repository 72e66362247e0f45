"""Deploying an app and following it until the panel says how it ended; a queued deployment is not yet one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.engine.step import Context
from wizard.errors import UnreachableError, VendorError
from wizard.phases.apps.causes import Cause, cause
from wizard.phases.apps.panel import (
    Deployment,
    app_record,
    deployments,
    log_of_deployment,
    owner_key,
    queued,
    word,
)
from wizard.phases.cutover.certificate_panel import calls

if TYPE_CHECKING:
    from wizard.config import App

_POLL_SECONDS = 5.0
_PATIENCE = 5400.0
_APPEARS_WITHIN = 600.0
_TRIES = 2
_PAUSE = 60.0
_LOG_LINES = 1000
CANCELLED = Cause(
    "the panel was restarted, or somebody cancelled it, in the middle of it",
    ("Run again: what ran before still runs.",),
    passing=True,
)


@dataclass(frozen=True, slots=True)
class Begun:
    """Deployments that the panel knew before one was asked for; saved first, so that ours is recognised."""

    known: tuple[str, ...] = ()


async def deploy(ctx: Context, app: App, title: str = "Deployed by dokploy-wizard") -> Deployment:
    """Clone, build and roll out the head of the branch; as `redeploy` otherwise."""
    return await _through(ctx, app, "deploy", title)


async def redeploy(ctx: Context, app: App, title: str = "Redeployed by dokploy-wizard") -> Deployment:
    """Build and roll out once more what was cloned last, with the settings of now; as it ended well.

    One of ours that is under way already is followed, not begun twice; somebody else's is waited for, since
    it may have begun with other settings. Raises VendorError with the cause and the log's lines when it
    failed, UnreachableError when it does not end. What passes by itself is tried a second time.
    """
    return await _through(ctx, app, "redeploy", title)


async def _through(ctx: Context, app: App, verb: str, title: str) -> Deployment:
    for attempt in range(1, _TRIES + 1):
        ended = await follow(ctx, app, await _begin(ctx, app, verb, title))
        ctx.saved.drop("begun")
        if ended.status == "done":
            return ended
        found = await why(ctx, app, ended)
        if not found.passing or attempt == _TRIES:
            raise failure(app, found)
        ctx.output(f"{app.name}: {found.why}; once more in {_PAUSE:.0f} s")
        await ctx.world.clock.sleep(_PAUSE)
    raise AssertionError("unreachable")


async def _begin(ctx: Context, app: App, verb: str, title: str) -> str:
    """The id of the deployment to be followed."""
    begun = ctx.saved.load("begun", Begun)
    there = await deployments(ctx, app)
    if begun is not None:
        # Asked for before the wizard was interrupted: it may run, have ended, or wait in the queue.
        fresh = [one for one in there if one.id not in begun.known]
        if fresh or await queued(ctx, app):
            return fresh[-1].id if fresh else await _appears(ctx, app, begun.known)
    for one in there:
        if not one.ended:
            ctx.output(f"{app.name}: another deployment is under way; it is waited for")
            await follow(ctx, app, one.id)
    begun = Begun(tuple(one.id for one in await deployments(ctx, app)))
    ctx.saved.save("begun", begun)
    client = await calls(ctx, app.server)
    await client.post(f"{word(app)}.{verb}", {owner_key(app): app_record(ctx, app).id, "title": title})
    return await _appears(ctx, app, begun.known)


async def _appears(ctx: Context, app: App, known: Sequence[str]) -> str:
    """Wait until the panel begins it; other deployments of the panel come first."""
    idle = 0.0
    while idle < _APPEARS_WITHIN:
        fresh = [one for one in await deployments(ctx, app) if one.id not in known]
        if fresh:
            return fresh[0].id
        idle = 0.0 if await queued(ctx, app) else idle + _POLL_SECONDS
        await ctx.world.clock.sleep(_POLL_SECONDS)
    raise UnreachableError(
        f"The deployment of {app.name} was taken by the panel of {app.server}, but never began",
        next="Look at the panel's queue, then run the step again.",
    )


async def follow(ctx: Context, app: App, identity: str) -> Deployment:
    """Show its log as it grows, until it has ended. A panel that restarts is waited for."""
    shown: list[str] = []
    deadline = ctx.now() + _PATIENCE
    while ctx.now() < deadline:
        try:
            found = {one.id: one for one in await deployments(ctx, app)}
            tail = (await log_of_deployment(ctx, app, identity, _LOG_LINES)).splitlines()
        except UnreachableError as error:
            ctx.output(f"{app.name}: {error.what}; waiting for the panel")
            await ctx.world.clock.sleep(2 * _POLL_SECONDS)
            continue
        for line in fresh_lines(shown, tail):
            ctx.output(f"{app.name} | {line}")
        shown = tail or shown
        if identity not in found or found[identity].ended:
            return found.get(identity, Deployment(identity, "cancelled"))
        await ctx.world.clock.sleep(_POLL_SECONDS)
    raise UnreachableError(
        f"The deployment of {app.name} did not end within {_PATIENCE / 60:.0f} minutes",
        next="Look at it in the panel: it can be cancelled there. Then run the step again.",
    )


def fresh_lines(shown: Sequence[str], tail: Sequence[str]) -> list[str]:
    """Lines of `tail` that follow those shown; `tail` may have lost its beginning."""
    for overlap in range(min(len(shown), len(tail)), 0, -1):
        if list(shown[-overlap:]) == list(tail[:overlap]):
            return list(tail[overlap:])
    return list(tail)


async def why(ctx: Context, app: App, ended: Deployment) -> Cause:
    """Why a deployment did not end well, from its log."""
    if ended.status == "cancelled":
        return CANCELLED
    return cause(await log_of_deployment(ctx, app, ended.id, _LOG_LINES), app.name)


def failure(app: App, found: Cause) -> VendorError:
    return VendorError(
        f"The deployment of {app.name} failed: {found.why}",
        " / ".join(line.strip() for line in found.lines if line.strip())[-900:],
        " ".join(found.ways),
        code="deployment",
    )
