"""apps.<app>.trial: a temporary name, over HTTP only, so that the app can be tried before DNS moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import AppKind, Config
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Change, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.errors import WizardError
from wizard.phases.apps.panel import app_record
from wizard.phases.apps.redirects import lead_trial
from wizard.phases.cutover import certificate_panel as panels
from wizard.phases.cutover.certificate_panel import DomainView, calls
from wizard.phases.hosts import server_record
from wizard.records import TrialRecord

if TYPE_CHECKING:
    from wizard.config import App


@dataclass(frozen=True, slots=True)
class TrialOver:
    """The name was taken off when it had served: a stack's with the deployment that brings its production
    names (record "trial_over_<app>" of cutover.certificates), an application's after the cutover (record
    "trial_over" of settle.<app>.zero_downtime)."""

    host: str
    at: float


def trial_over(ctx: Context, app: App) -> TrialOver | None:
    return ctx.saved.load(f"trial_over_{app.name}", TrialOver, step="cutover.certificates") or ctx.saved.load(
        "trial_over", TrialOver, step=f"settle.{app.name}.zero_downtime"
    )


async def take_off(ctx: Context, app: App, record: str) -> None:
    """Take the name that we made off the panel, once it is noted as `record` of the step."""
    made = ctx.saved.load("trial", TrialRecord, step=f"apps.{app.name}.trial")
    if made is None or all(view.host != made.host for view in await panels.domains_of(ctx, app)):
        return
    ctx.saved.save(record, TrialOver(made.host, ctx.now()))
    # The panel last: as long as it lists the name, whoever was cut off here begins again.
    await lead_trial(ctx, app, "")
    await panels.unserve(ctx, app, made.host)


async def put_on(ctx: Context, app: App, host: str) -> None:
    """Lead the name to the app, over HTTP only. Nothing happens when the panel has it."""
    if any(view.host == host for view in await panels.domains_of(ctx, app)):
        return
    await lead_trial(ctx, app, host)
    identity = app_record(ctx, app).id
    owner = {"applicationId": identity, "domainType": "application"}
    if app.kind is AppKind.COMPOSE:
        owner = {"composeId": identity, "serviceName": app.service, "domainType": "compose"}
    client = await calls(ctx, app.server)
    wish = {"host": host, "path": "/", "port": app.port, "https": False, "certificateType": "none"}
    await client.post("domain.create", {**wish, **owner})


class TrialStep(Step[tuple[DomainView, ...]]):
    """Facts: domains on the panel that are no production names."""

    phase = Phase.APPS
    way_back = "The temporary name is taken off the panel; nobody but you knows it."
    enduring = False

    def __init__(self, config: Config, app: App) -> None:
        self.app = app
        self.id = f"apps.{app.name}.trial"
        self.title = f"A temporary name for {app.name}"
        self.needs = (f"apps.{app.name}.environment",)

    async def observe(self, ctx: Context) -> tuple[DomainView, ...]:
        return tuple(
            view for view in await panels.domains_of(ctx, self.app) if view.host not in self.app.domains
        )

    def plan(self, facts: tuple[DomainView, ...]) -> Plan:
        if facts:
            return Plan()
        change = Change(
            Kind.CREATE,
            "domain",
            f"temporary name of {self.app.name} on {self.app.server}",
            after=f"leads to {self.app.service or self.app.name}:{self.app.port}, HTTP only, no certificate",
            why="the panel makes it from the server's address, so no DNS record is needed",
            way_back="taken off again",
        )
        return Plan((change,))

    async def apply(self, change: Change, ctx: Context) -> None:
        if change.key.startswith("drop:"):
            await panels.unserve(ctx, self.app, change.payload)
            return
        client, record = await calls(ctx, self.app.server), app_record(ctx, self.app)
        known = ctx.saved.load("trial", TrialRecord)
        host = known.host if known else ""
        if not host:
            made = await client.post("domain.generateDomain", {"appName": record.app_name})
            host = str(made or "").strip().strip('"')
            if not host:
                raise WizardError(
                    f"The panel of {self.app.server} made no temporary name",
                    "it does not know its own public address",
                    "Set the server's address in the panel's settings, then run again.",
                )
            ctx.saved.save("trial", TrialRecord(host))
        await put_on(ctx, self.app, host)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts = await self.observe(ctx)
        plain = [view for view in facts if not view.https or view.certificate == "none"]
        address = server_record(ctx, self.app.server).ipv4
        over = trial_over(ctx, self.app)
        if over is not None and not facts:
            evidence = Evidence(f"{over.host} was taken off: production names lead there", "panel", over.at)
            question = f"{self.app.name} had a temporary name while it was tried"
            return [Check(f"{self.app.name}.trial", question, CheckState.WAIVED, evidence)]
        return [
            check(
                f"{self.app.name}.trial",
                f"{self.app.name} has a temporary name on {self.app.server}, without a certificate",
                bool(plain) and len(plain) == len(facts),
                seen=", ".join(f"http://{view.host} at {address}" for view in facts) or "no such name",
                vantage=f"panel of {self.app.server}",
                at=ctx.now(),
                advice="Run this step again; a certificate for a temporary name would only use up limits.",
            )
        ]

    async def undo(self, ctx: Context) -> Plan:
        return Plan(
            tuple(
                Change(Kind.DELETE, f"drop:{view.id}", f"temporary name {view.host}", payload=view.host)
                for view in await self.observe(ctx)
            )
        )
