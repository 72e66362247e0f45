"""apps.<app>.webhook: a push is deployed by itself; proven by a real delivery and the deployment it began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.config import AppKind, Config
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Ask, Change, Choice, Failed, Kind, Plan, Question, Wait
from wizard.engine.step import Context, Phase, Step
from wizard.errors import WizardError
from wizard.phases.apps import doorway as doorways
from wizard.phases.apps.delivery import Proven, deliver
from wizard.phases.apps.panel import held
from wizard.redact import remember

if TYPE_CHECKING:
    from wizard.clients.git import GitClient, Hook
    from wizard.config import App

_CERTIFICATE_WITHIN = 900.0
_AGAIN = 5.0


@dataclass(frozen=True, slots=True)
class HookRecord:
    """Record "hook": its id at the git host, "" while it is made. Its address holds a secret and is kept
    nowhere. `made` tells whether we made it or found it."""

    id: str
    made: bool


@dataclass(frozen=True, slots=True)
class DoorRecord:
    """Record "door": the name or the route of this server's doorway is being made, or was."""

    server: str


@dataclass(frozen=True, slots=True)
class WebhookFacts:
    """`hook` is the id of a hook that leads to this app and is noted, "" without one; `stale` those to other
    secrets."""

    doorway: doorways.Doorway
    hook: str
    stale: tuple[str, ...]
    proven: Proven | None
    added: bool
    now: float


class WebhookStep(Step[WebhookFacts]):
    phase = Phase.APPS
    way_back = "The webhook is taken off the git host; pushes are then deployed by hand."

    def __init__(self, config: Config, app: App) -> None:
        self.config = config
        self.app = app
        self.id = f"apps.{app.name}.webhook"
        self.title = f"A push deploys {app.name}"
        before = [other.name for other in config.apps_on(app.server)]
        earlier = before[: before.index(app.name)][-1:]
        # A delivery deploys again: what is being compared must not change meanwhile.
        self.needs = (
            f"apps.{app.name}.routes",
            *((f"apps.{app.name}.cache",) if app.cache_service else ()),
            *(f"apps.{name}.webhook" for name in earlier),
        )

    async def _url(self, ctx: Context) -> str:
        token = str((await held(ctx, self.app)).get("refreshToken") or "")
        if not token:
            raise WizardError(
                f"The panel has no webhook address for {self.app.name}",
                next="Renew it on the panel (Deployments → Webhook), then run again.",
            )
        remember(token)
        kind = "compose/" if self.app.kind is AppKind.COMPOSE else ""
        return f"https://{doorways.doorway_name(self.config, self.app.server)}{doorways.PATH}{kind}{token}"

    def _git(self, ctx: Context) -> GitClient:
        return ctx.world.git.of(self.app.git_host)

    async def _hooks(self, ctx: Context) -> tuple[Hook, ...]:
        """Hooks that lead through our doorway to apps of this kind."""
        kind = "compose/" if self.app.kind is AppKind.COMPOSE else ""
        prefix = f"https://{doorways.doorway_name(self.config, self.app.server)}{doorways.PATH}{kind}"
        hooks = await self._git(ctx).hooks(self.app.repository)
        return tuple(hook for hook in hooks if hook.url.startswith(prefix))

    async def observe(self, ctx: Context) -> WebhookFacts:
        url = await self._url(ctx)
        hooks = await self._hooks(ctx)
        mine = next((hook.id for hook in hooks if hook.url == url and hook.active), "")
        known = ctx.saved.load("hook", HookRecord)
        stale = tuple(h.id for h in hooks if known and known.made and h.id == known.id != mine)
        proven = ctx.saved.load("proven", Proven)
        return WebhookFacts(
            await doorways.look(ctx, self.app.server),
            mine if known is not None and known.id == mine else "",
            stale,
            proven if proven is not None and proven.hook == mine else None,
            ctx.answers.get(f"{self.id}.record") == "added",
            ctx.now(),
        )

    def plan(self, facts: WebhookFacts) -> Plan:
        door = facts.doorway
        if not door.leads_here and door.panel:
            ways = (f"Run provision.{self.app.server}.account again: it sets up the panel's domain.",)
            return Plan(hold=Failed(f"{door.name} does not lead to {door.address}", ways))
        if not door.leads_here and door.by_hand:
            if facts.added:
                return Plan(hold=Wait(facts.now + 60.0, f"{door.name} does not lead to {door.address} yet"))
            return Plan(hold=Ask(self._record_question(door)))
        changes: list[Change] = []
        if not door.leads_here:
            changes.append(
                Change(
                    Kind.CREATE,
                    f"name:{door.name}",
                    f"DNS record {door.name} A",
                    before=", ".join(door.addresses) or "absent",
                    after=door.address,
                    why="a name for webhooks alone: production names stay as they are",
                    way_back="taken away with the last webhook of this server",
                )
            )
        if not door.route:
            changes.append(
                Change(
                    Kind.CREATE,
                    f"route:{self.app.server}",
                    f"route on the proxy of {self.app.server}",
                    after=f"https://{door.name}{doorways.PATH}… leads to the panel, nothing else of it does",
                    why=f"the panel's port is closed, and {self.app.git_host.value} must reach it",
                    way_back="the route's file is removed",
                )
            )
        changes += [
            Change(
                Kind.DELETE,
                f"stale:{one}",
                f"webhook {one} of {self.app.repository}",
                "an old secret",
                "gone",
            )
            for one in facts.stale
        ]
        if not facts.hook:
            changes.append(
                Change(
                    Kind.CREATE,
                    "hook",
                    f"webhook of {self.app.repository} at {self.app.git_host.value}",
                    after=f"each push is told to the panel of {self.app.server}",
                    way_back="taken off",
                )
            )
        if facts.proven is None:
            changes.append(
                Change(
                    Kind.RUN,
                    "deliver",
                    f"a push to {self.app.repository}, delivered once more",
                    after=f"{self.app.name} deploys the head of {self.app.branch} again",
                    why="a ping is answered before anything is looked at; only a push proves the way",
                )
            )
        return Plan(tuple(changes))

    def _record_question(self, door: doorways.Doorway) -> Question:
        return Question(
            f"{self.id}.record",
            f"Add this record to the zone: {door.name} A {door.address}",
            choices=(Choice("added", "It is added"),),
            why="the git host reaches the panel by this name; the zone is edited by hand",
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        verb, _, name = change.key.partition(":")
        server = self.app.server
        match verb:
            case "name":
                ctx.saved.save("door", DoorRecord(server))
                await ctx.world.dns_provider.apply(self._record(ctx))
                await doorways.seen(ctx, server)
            case "route":
                ctx.saved.save("door", DoorRecord(server))
                await doorways.open_route(ctx, server)
            case "stale" | "unhook":
                await self._git(ctx).remove_hook(self.app.repository, name)
            case "hook":
                await self._hook(ctx)
            case "deliver":
                record = ctx.saved.load("hook", HookRecord)
                ctx.saved.save("proven", await deliver(ctx, self.app, record.id if record else ""))
            case "unroute":
                await doorways.close_route(ctx, server)
            case "unname":
                await ctx.world.dns_provider.revert(self._record(ctx))

    def _record(self, ctx: Context) -> Any:
        from wizard.phases.hosts import server_record

        address = server_record(ctx, self.app.server).ipv4
        return doorways.record_of(self.config, self.app.server, address, ctx.now())

    async def _hook(self, ctx: Context) -> None:
        """After the certificate: a delivery before it would only fail."""
        await self._trusted(ctx)
        url = await self._url(ctx)
        there = [hook.id for hook in await self._hooks(ctx) if hook.url == url]
        before = ctx.saved.load("hook", HookRecord)
        made = not there or (before is not None and before.made and before.id in ("", *there))
        ctx.saved.save("hook", HookRecord("", made))
        found = await self._git(ctx).ensure_hook(self.app.repository, url, self.app.branch)
        ctx.saved.save("hook", HookRecord(found.id, made))

    async def _trusted(self, ctx: Context) -> None:
        deadline = ctx.now() + _CERTIFICATE_WITHIN
        while True:
            view = await self._look(ctx)
            if view.trusted:
                return
            if ctx.now() > deadline:
                raise WizardError(
                    f"The proxy of {self.app.server} has no certificate for the webhooks' name",
                    view.seen,
                    "Look at `docker logs dokploy-traefik` there, then run the step again.",
                )
            await ctx.world.clock.sleep(_AGAIN)

    async def _look(self, ctx: Context) -> Any:
        from wizard.checks.tls import look

        door = await doorways.look(ctx, self.app.server)
        return await look(ctx.world.net, door.name, door.address, trust=ctx.world.endpoints.trust)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts = await self.observe(ctx)
        return [
            self._stands(ctx, facts),
            await self._reached(ctx, facts),
            self._proof(ctx, facts),
        ]

    def _stands(self, ctx: Context, facts: WebhookFacts) -> Check:
        return check(
            f"{self.app.name}.hook",
            f"{self.app.git_host.value} tells the panel of {self.app.server} of each push",
            bool(facts.hook),
            seen=f"webhook {facts.hook} of {self.app.repository}" if facts.hook else "no such webhook",
            vantage=self.app.git_host.value,
            at=ctx.now(),
            advice="Run this step again.",
        )

    async def _reached(self, ctx: Context, facts: WebhookFacts) -> Check:
        """Only deployments are let through: the panel's sign-in page must not answer there."""
        from wizard.checks.http import HttpProblem

        door = facts.doorway
        view = await self._look(ctx)
        try:
            page = await ctx.world.http.get(f"https://{door.name}/", door.address)
            api = await ctx.world.http.get(f"https://{door.name}/api/settings.health", door.address)
            shut = page.status == 404 and api.status == 404
            seen = f"{view.seen}; / answers {page.status}, /api/settings.health {api.status}"
        except HttpProblem as problem:
            shut, seen = False, f"{view.seen}; {problem}"
        return check(
            f"{self.app.name}.doorway",
            f"https://{door.name} is trusted and leads to deployments"
            + ("" if door.panel else ", not to the rest of the panel"),
            view.trusted and (shut or door.panel),
            seen=seen,
            vantage=f"operator, at {door.address}",
            at=ctx.now(),
            advice="Run this step again.",
        )

    def _proof(self, ctx: Context, facts: WebhookFacts) -> Check:
        name, question = (
            f"{self.app.name}.delivered",
            f"a push was delivered, and {self.app.name} was deployed",
        )
        vantage = f"{self.app.git_host.value} and panel of {self.app.server}"
        if facts.proven is None:
            evidence = Evidence("no delivery has been seen yet", vantage, ctx.now())
            return Check(name, question, CheckState.UNKNOWN, evidence, "Run this step.")
        proven = facts.proven
        seen = (
            f"delivery {proven.delivery}: answer {proven.status}; deployment {proven.deployment} ended well, "
            f"{proven.told}"
        )
        return check(name, question, True, seen=seen, vantage=vantage, at=proven.at)

    async def undo(self, ctx: Context) -> Plan:
        record = ctx.saved.load("hook", HookRecord)
        made = record is not None and record.made
        if not made and ctx.saved.load("door", DoorRecord) is None:
            return Plan(notes=("No webhook was made.",))
        changes = []
        if identity := (await self._made_hook(ctx) if made else ""):
            target = f"webhook {identity} of {self.app.repository}"
            changes.append(Change(Kind.DELETE, f"unhook:{identity}", target, "there", "gone"))
        others = [app for app in self.config.apps_on(self.app.server) if app.name != self.app.name]
        if any(ctx.saved.load("hook", HookRecord, step=f"apps.{app.name}.webhook") for app in others):
            return Plan(tuple(changes))
        door = await doorways.look(ctx, self.app.server)
        if door.route and not door.panel:
            changes.append(Change(Kind.DELETE, "unroute", f"route on the proxy of {self.app.server}"))
        if door.leads_here and not door.by_hand and not door.panel:
            changes.append(Change(Kind.DELETE, "unname", f"DNS record {door.name} A", door.address, "absent"))
        return Plan(tuple(changes))

    async def _made_hook(self, ctx: Context) -> str:
        """The id of the hook that we made, "" when it is gone."""
        record, url = ctx.saved.load("hook", HookRecord), await self._url(ctx)
        known = record.id if record is not None else ""
        found = [hook.id for hook in await self._hooks(ctx) if hook.id == known or hook.url == url]
        return next(iter(found), "")
