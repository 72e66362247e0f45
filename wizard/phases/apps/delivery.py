"""A push delivered by the git host, the panel's answer to it, and the deployment that it begins.

A ping is answered before anything is looked at, and a 200 means queued: only a push, and the deployment that
came of it, prove the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.engine.step import Context
from wizard.errors import WizardError
from wizard.phases.apps.panel import deployments
from wizard.phases.apps.redeploy import failure, follow, why
from wizard.phases.apps.running import running

if TYPE_CHECKING:
    from wizard.clients.git import Delivery, DeliveryAnswer
    from wizard.config import App

_ARRIVES_WITHIN = 900.0
_CONVERGES_WITHIN = 600.0
_AGAIN = 5.0
_ANSWERS = {
    301: "the panel listens to another branch than the one that was pushed",
    400: "automatic deployments are turned off on the panel",
    404: "the panel does not know the secret in the address: it was renewed, or the app was made again",
}


@dataclass(frozen=True, slots=True)
class Proven:
    """Record "proven": the delivery, the panel's answer, and the deployment that it began.

    `pushed` is the commit that the push was of, `commit` the one that was deployed, as the panel tells; it is
    later when somebody pushed meanwhile. Either is "" where it is not told.
    """

    hook: str
    delivery: str
    status: int
    deployment: str
    at: float
    pushed: str = ""
    commit: str = ""

    @property
    def told(self) -> str:
        """Of the commits, for people."""
        if not self.pushed or not self.commit:
            return "which commit, is not told"
        if self.pushed == self.commit:
            return f"commit {self.commit[:12]}, as pushed"
        return f"commit {self.commit[:12]}, the branch's head, which came after {self.pushed[:12]}"


async def deliver(ctx: Context, app: App, hook: str) -> Proven:
    """Send the last push once more, await its answer, follow its deployment to the end.

    A push that has arrived already is taken for the proof. Raises WizardError with the panel's answer when
    it was refused, VendorError when the deployment failed.
    """
    git = ctx.world.git.of(app.git_host)
    past = await git.deliveries(app.repository, hook)
    there = await deployments(ctx, app)
    arrived = next((one for one in past if one.event == "push" and one.code == 200), None)
    if arrived is not None:
        # Delivered before the wizard was interrupted, or pushed by somebody since.
        answer = await git.delivery(app.repository, hook, arrived.id)
        begun = next((one.id for one in there if answer.sha in ("", one.commit)), "")
        if begun:
            return await _followed(ctx, app, hook, answer, begun)
    known, before = {one.id for one in past}, {one.id for one in there}
    await git.send_push(app.repository, hook)
    answer = await _arrived(ctx, app, hook, known)
    if answer.delivery.code != 200:
        raise WizardError(
            f"The push of {app.name} was not deployed: {told(answer, app)}",
            f"{answer.delivery.code or answer.delivery.status} {answer.body}".strip(),
            _way(answer.delivery, app),
        )
    return await _followed(ctx, app, hook, answer, await _began(ctx, app, before))


async def _arrived(ctx: Context, app: App, hook: str, known: set[str]) -> DeliveryAnswer:
    git, deadline = ctx.world.git.of(app.git_host), ctx.now() + _ARRIVES_WITHIN
    while ctx.now() < deadline:
        for one in await git.deliveries(app.repository, hook):
            if one.id not in known and one.event == "push":
                return await git.delivery(app.repository, hook, one.id)
        await ctx.world.clock.sleep(_AGAIN)
    raise WizardError(
        f"{app.git_host.value} delivered no push of {app.repository}",
        "the webhook has no new delivery",
        "Look at its recent deliveries there; an empty repository has no push to send.",
    )


async def _began(ctx: Context, app: App, before: set[str]) -> str:
    deadline = ctx.now() + _ARRIVES_WITHIN
    while ctx.now() < deadline:
        fresh = [one for one in await deployments(ctx, app) if one.id not in before]
        if fresh:
            return fresh[0].id
        await ctx.world.clock.sleep(_AGAIN)
    raise WizardError(
        f"The panel answered the push of {app.name}, but began no deployment",
        next="Look at the panel's queue, then run the step again.",
    )


async def _followed(ctx: Context, app: App, hook: str, answer: DeliveryAnswer, identity: str) -> Proven:
    """Until the app is up again: later steps look at it. Raises WizardError for another commit."""
    ended = await follow(ctx, app, identity)
    if ended.status != "done":
        raise failure(app, await why(ctx, app, ended))
    deadline = ctx.now() + _CONVERGES_WITHIN
    while ctx.now() < deadline and not (await running(ctx, app)).good:
        await ctx.world.clock.sleep(_AGAIN)
    await _same(ctx, app, answer.sha, ended.commit)
    delivery = answer.delivery
    return Proven(hook, delivery.id, delivery.code, identity, ctx.now(), answer.sha, ended.commit)


async def _same(ctx: Context, app: App, pushed: str, deployed: str) -> None:
    """The panel clones the branch's head: what was pushed, or what was pushed after it."""
    if not pushed or not deployed or pushed == deployed:
        return
    head = await ctx.world.git.of(app.git_host).head(app.repository, app.branch)
    if head is None or head.sha != deployed:
        raise WizardError(
            f"A push of {app.name} was deployed, but not what was pushed",
            f"{pushed[:12]} was pushed, the panel deployed {deployed[:12]}",
            f"Look at the panel: does it take {app.name} from {app.repository}, branch {app.branch}?",
        )


def told(answer: DeliveryAnswer, app: App) -> str:
    """What the panel's answer means."""
    delivery = answer.delivery
    if delivery.code == 301 and answer.branch and answer.branch != app.branch:
        return f"the last push was to {answer.branch}, and the panel deploys {app.branch} only"
    return _ANSWERS.get(delivery.code, f"the answer was {delivery.code or delivery.status}")


def _way(delivery: Delivery, app: App) -> str:
    if delivery.code == 301:
        return f"Push something to {app.branch}, or correct branch in the configuration, then run again."
    if delivery.code in (400, 404):
        return f"Run apps.{app.name}.source again, then this step."
    return "Look at the delivery at the git host, mend the cause, run this step again."
