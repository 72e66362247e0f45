"""apps.<app>.deploy: cloned, built and rolled out by the panel, followed until Docker is through with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import AppKind, Config
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Change, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.errors import VendorError
from wizard.phases.apps import git as apps_git
from wizard.phases.apps import redeploy as app_redeploy
from wizard.phases.apps import wish as wishes
from wizard.phases.apps.compose import production
from wizard.phases.apps.environment import EnvironmentRecord
from wizard.phases.apps.panel import Deployment, app_record, deployments
from wizard.phases.apps.running import last_lines, running
from wizard.phases.cutover.certificate_panel import calls
from wizard.records import TrialRecord

if TYPE_CHECKING:
    from wizard.config import App

_CONVERGES_WITHIN = 600.0
_CONVERTED_LINES = 400


@dataclass(frozen=True, slots=True)
class Deployed:
    """Record "deployed": which deployment, of which wishes, ended when, and how long it took (seconds)."""

    deployment: str
    wish: str
    at: float
    seconds: float
    commit: str = ""


@dataclass(frozen=True, slots=True)
class DeployFacts:
    """`wish` changes with source, variables and trial name. `converted`: the stack's file as it will run.

    `sick`: how the last deployment ended up, if it never became healthy.
    """

    wish: str
    deployed: Deployed | None
    under_way: bool
    converted: str = ""
    newest: Deployment | None = None
    sick: str = ""


class DeployStep(Step[DeployFacts]):
    phase = Phase.APPS
    way_back = (
        "The containers are stopped on the panel; volumes stay. The old place serves visitors all along."
    )

    def __init__(self, config: Config, app: App) -> None:
        self.app = app
        self.id = f"apps.{app.name}.deploy"
        self.title = f"Deploy {app.name} on {app.server}"
        self.needs = (f"apps.{app.name}.trial",)

    async def observe(self, ctx: Context) -> DeployFacts:
        there = await deployments(ctx, self.app)
        deployed = ctx.saved.load("deployed", Deployed)
        return DeployFacts(
            await self._wish(ctx),
            deployed if any(one.status == "done" for one in there) else None,
            ctx.saved.load("begun", app_redeploy.Begun) is not None,
            await self._converted(ctx) if deployed is None else "",
            there[0] if there else None,
            await self._sick(ctx, deployed) if deployed is not None else "",
        )

    async def _sick(self, ctx: Context, deployed: Deployed) -> str:
        found = await running(ctx, self.app)
        late = ctx.now() > deployed.at + _CONVERGES_WITHIN
        return found.told if found.sick or (late and found.starting) else ""

    async def _wish(self, ctx: Context) -> str:
        key_id = (await apps_git.look(ctx, self.app)).panel_id
        if self.app.kind is AppKind.COMPOSE:
            made = await production(ctx, self.app)
            wish = {**wishes.stack_wish(self.app, key_id, made), "text": made.text}
        else:
            wish = {
                **wishes.git_wish(self.app, key_id),
                **wishes.build_wish(self.app),
                **wishes.run_wish(self.app),
            }
        step = f"apps.{self.app.name}"
        variables = ctx.saved.load("environment", EnvironmentRecord, step=f"{step}.environment")
        trial = ctx.saved.load("trial", TrialRecord, step=f"{step}.trial")
        whole = json.dumps([wish, variables.digest if variables else "", trial.host if trial else ""])
        return hashlib.sha256(whole.encode()).hexdigest()[:16]

    async def _converted(self, ctx: Context) -> str:
        """With the proxy's labels; empty until the panel has the file."""
        if self.app.kind is not AppKind.COMPOSE:
            return ""
        client, record = await calls(ctx, self.app.server), app_record(ctx, self.app)
        try:
            text = await client.get("compose.getConvertedCompose", composeId=record.id)
        except VendorError:
            return ""
        # Before the first clone the panel writes out nothing, in YAML.
        return text if isinstance(text, str) and text.strip() != "null" else ""

    def plan(self, facts: DeployFacts) -> Plan:
        same = facts.deployed is not None and facts.deployed.wish == facts.wish
        if same and not facts.under_way and not facts.sick:
            return Plan()
        before = "never deployed"
        if facts.under_way:
            before = "a deployment of ours is under way"
        elif facts.sick:
            before = f"never became healthy: {facts.sick}"
        elif facts.deployed is not None:
            before = "deployed with other settings"
        elif facts.newest is not None:
            before = f"the last deployment: {facts.newest.status}"
        change = Change(
            Kind.RUN,
            "deploy",
            f"{self.app.name} on {self.app.server}",
            before=before,
            after="followed to its end"
            if facts.under_way
            else f"the head of {self.app.branch}, built and run",
            why="the panel deploys one thing at a time; visitors are still served by the old place",
            way_back=self.way_back,
        )
        return Plan((change,), tuple(facts.converted.splitlines()[:_CONVERTED_LINES]))

    async def apply(self, change: Change, ctx: Context) -> None:
        if change.key == "stop":
            await (await calls(ctx, self.app.server)).post(*change.payload)
            ctx.saved.drop("deployed")
            return
        began = ctx.now()
        wish = await self._wish(ctx)
        ended = await app_redeploy.deploy(ctx, self.app)
        ctx.saved.save("deployed", Deployed(ended.id, wish, ctx.now(), ctx.now() - began, ended.commit))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        return [await self._built(ctx), await self._converged(ctx)]

    async def _built(self, ctx: Context) -> Check:
        deployed = ctx.saved.load("deployed", Deployed)
        ended = [one for one in await deployments(ctx, self.app) if one.ended]
        newest = ended[0] if ended else None
        good = deployed is not None and newest is not None and newest.status == "done"
        commit = next((text for text in (newest and newest.commit, deployed and deployed.commit) if text), "")
        seen = f"deployment {newest.id}: {newest.status}" if newest else "no deployment has ended"
        if good and deployed is not None:
            seen += f", in {deployed.seconds:.0f} s" + (f", commit {commit[:12]}" if commit else "")
        return check(
            f"{self.app.name}.built",
            f"the build and rollout of {self.app.name} ended well",
            good,
            seen=seen,
            vantage=f"panel of {self.app.server}",
            at=ctx.now(),
            advice="Read its log in the output above or on the panel, mend the cause, run this step again.",
        )

    async def _converged(self, ctx: Context) -> Check:
        found = await running(ctx, self.app)
        name = f"{self.app.name}.converged"
        question = f"Docker is through with the rollout of {self.app.name}, and the new version runs"
        deployed = ctx.saved.load("deployed", Deployed)
        patient = deployed is not None and ctx.now() < deployed.at + _CONVERGES_WITHIN
        waiting = not found.good and patient and not found.sick
        if waiting:
            evidence = Evidence(found.told, self.app.server, ctx.now())
            return Check(name, question, CheckState.PENDING, evidence, again=ctx.now() + 5.0)
        seen = found.told
        if not found.good:
            seen += "".join(f" / {line.strip()}" for line in await last_lines(ctx, self.app, found))
        advice = (
            "The new version never became healthy: this check's evidence holds its last lines. The health "
            f"check asks {self.app.health} on port {self.app.port}; variables and the address it listens on "
            "are the usual causes."
        )
        return check(
            name, question, found.good, seen=seen, vantage=self.app.server, at=ctx.now(), advice=advice
        )

    async def undo(self, ctx: Context) -> Plan:
        if ctx.saved.load("deployed", Deployed) is None:
            return Plan(notes=("It was never deployed.",))
        record = app_record(ctx, self.app)
        stack = self.app.kind is AppKind.COMPOSE
        body = {"composeId" if stack else "applicationId": record.id}
        change = Change(
            Kind.UPDATE,
            "stop",
            f"{self.app.name} on {self.app.server}",
            before="runs",
            after="stopped; volumes stay",
            payload=("compose.stop" if stack else "application.stop", body),
        )
        return Plan((change,))
