"""apps.<app>.source: what the panel clones and builds, and how it runs it; what it holds is what we wish."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wizard.config import AppKind, Config
from wizard.engine.check import Check, check
from wizard.engine.plan import Ask, Change, Failed, Kind, Plan, Refusal
from wizard.engine.step import Context, Phase, Step
from wizard.errors import WizardError
from wizard.phases.apps import git
from wizard.phases.apps import wish as wishes
from wizard.phases.apps.compose import images_of_today, production
from wizard.phases.apps.panel import app_record, held
from wizard.phases.apps.production import PinnedImages, Production
from wizard.phases.apps.review import hold, reviewed
from wizard.phases.compose_setting import memory_of
from wizard.phases.cutover.certificate_panel import calls

if TYPE_CHECKING:
    from wizard.config import App

_HEAP = re.compile(r"max[-_]old[-_]space[-_]size=(\d+)")
_ROOM_MB = 1024
"""What the system, the panel and the copy that runs need beside a build."""


@dataclass(frozen=True, slots=True)
class SourceBefore:
    """Whether a repository's file was laid over by us, for undo."""

    patch: str = ""


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """`heap_mb` is what the build asks for at least, `memory_mb` what the host has (0: not known).

    `answers` are those about the review's findings.
    """

    differing: tuple[wishes.Differing, ...]
    key: git.KeyFacts
    production: Production | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    patch_wrong: bool = False
    unpinned: bool = False
    dockerfile_missing: bool = False
    heap_mb: int = 0
    memory_mb: int = 0


class SourceStep(Step[SourceFacts]):
    phase = Phase.APPS
    way_back = (
        "The panel forgets the repository; a deploy key is taken back from the git host. Costs nothing."
    )

    def __init__(self, config: Config, app: App) -> None:
        self.config = config
        self.app = app
        self.id = f"apps.{app.name}.source"
        self.title = f"Where {app.name} comes from"
        self.needs = (f"apps.{app.name}.create",)

    @property
    def _stack(self) -> bool:
        return self.app.kind is AppKind.COMPOSE

    async def observe(self, ctx: Context) -> SourceFacts:
        key = await git.look(ctx, self.app)
        view = await held(ctx, self.app)
        if self._stack:
            pins = ctx.saved.load("pins", PinnedImages)
            images = pins or await images_of_today(ctx, self.app)
            made = await production(ctx, self.app, images, advised=True)
            wish = wishes.stack_wish(self.app, key.panel_id, made)
            wrong = wishes.patched(made) and await self._patch(ctx) != made.text
            differing = wishes.differences(view, wish)
            return SourceFacts(differing, key, made, dict(ctx.answers), wrong, pins is None)
        text = await ctx.world.git.of(self.app.git_host).read_file(
            self.app.repository, self.app.dockerfile, self.app.branch
        )
        return SourceFacts(
            wishes.differences(view, self._wish(key.panel_id)),
            key,
            dockerfile_missing=text is None,
            heap_mb=max((int(size) for size in _HEAP.findall(text or "")), default=0),
            memory_mb=await memory_of(ctx, self.app.server),
        )

    def _wish(self, key_id: str) -> dict[str, Any]:
        return {
            **wishes.git_wish(self.app, key_id),
            **wishes.build_wish(self.app),
            **wishes.run_wish(self.app),
        }

    async def _patch(self, ctx: Context) -> str | None:
        """The text that is laid over the stack's file; None if nothing is."""
        found = await self._patch_row(ctx)
        return str(found.get("content") or "") if found else None

    async def _patch_row(self, ctx: Context) -> Mapping[str, Any] | None:
        client, record = await calls(ctx, self.app.server), app_record(ctx, self.app)
        rows = await client.get("patch.byEntityId", id=record.id, type="compose")
        return next((row for row in rows or () if row.get("filePath") == self.app.compose_file), None)

    def plan(self, facts: SourceFacts) -> Plan:
        hold = self._hold(facts)
        notes = self._notes(facts)
        if hold is not None:
            return Plan(notes=notes, hold=hold)
        changes: list[Change] = []
        where = f"panel of {self.app.server}"
        if self.app.private_repository and not facts.key.at_host:
            changes.append(
                Change(
                    Kind.CREATE,
                    "key.host",
                    f"deploy key of {self.app.repository} at {self.app.git_host.value}",
                    after="read-only, made here, for this app alone",
                    way_back="taken back",
                )
            )
        if self.app.private_repository and not facts.key.panel_id:
            after = "the private half, by the tunnel"
            changes.append(Change(Kind.CREATE, "key.panel", f"SSH key on the {where}", after=after))
        if facts.unpinned:
            changes.append(
                Change(
                    Kind.CREATE,
                    "pins",
                    f"images of {self.app.name}",
                    after="those without a version are kept at what the old host runs today",
                    why="move first, upgrade later: a newer version may change the data for good",
                )
            )
        if facts.patch_wrong and facts.production is not None:
            changes.append(
                Change(
                    Kind.CREATE,
                    "patch",
                    f"{self.app.compose_file} on the {where}",
                    before="as in the repository",
                    after="the reviewed production version, laid over each clone",
                    why="it names files of the repository, so it is cloned; later edits of this file in the "
                    "repository stay hidden until this step is run again",
                )
            )
        if facts.differing or (self.app.private_repository and not facts.key.panel_id):
            before = "; ".join(f"{one.field}: {one.held}" for one in facts.differing[:6])
            after = "; ".join(f"{one.field}: {one.wished}" for one in facts.differing)
            changes.append(Change(Kind.UPDATE, "source", f"{self.app.name} on the {where}", before, after))
        return Plan(tuple(changes), notes)

    def _hold(self, facts: SourceFacts) -> Ask | Failed | None:
        if facts.dockerfile_missing:
            why = f"{self.app.dockerfile} is not in {self.app.repository}, branch {self.app.branch}"
            return Failed(why, ("Correct dockerfile or branch in the configuration.",), Refusal.NOT_READY)
        if facts.heap_mb and facts.memory_mb and facts.heap_mb + _ROOM_MB > facts.memory_mb:
            why = (
                f"the build of {self.app.name} asks for {facts.heap_mb} MB of heap; "
                f"{self.app.server} has {facts.memory_mb} MB in all"
            )
            ways = (
                "Take a larger type of server for it, or build the image elsewhere and deploy that.",
                "Or lower max-old-space-size in the Dockerfile, if the build can do with less.",
            )
            return Failed(why, ways, Refusal.NOT_READY)
        made = facts.production
        if made is None:
            return None
        if self.app.service not in made.services:
            why = f"{self.app.compose_file} has no service {self.app.service}, which the domains lead to"
            return Failed(why, ("Correct service in the configuration.",), Refusal.NOT_READY)
        return hold(facts.answers, self.app, made)

    def _notes(self, facts: SourceFacts) -> tuple[str, ...]:
        made = facts.production
        if made is None:
            return ()
        notes = [f"by hand: {finding.id}: {finding.why}" for finding in made.by_hand]
        if wishes.raw(made):
            notes.append(
                "The panel gets the file as text and clones nothing: a push to any branch deploys it again, "
                "and new images come only with new tags."
            )
        return (*notes, *made.diff.splitlines())

    async def apply(self, change: Change, ctx: Context) -> None:
        client, record = await calls(ctx, self.app.server), app_record(ctx, self.app)
        match change.key:
            case "key.host":
                await git.give_to_host(ctx, self.app)
            case "key.panel":
                await git.give_to_panel(ctx, self.app)
            case "key.back":
                await git.take_back(ctx, self.app)
            case "forget":
                await client.post(f"{_router(self.app)}.disconnectGitProvider", change.payload)
            case "patch.back":
                row = await self._patch_row(ctx)
                if row is not None:
                    await client.post("patch.delete", {"patchId": row["patchId"]})
            case "pins":
                ctx.saved.save("pins", await images_of_today(ctx, self.app))
            case "patch":
                await self._lay_over(ctx, client, record.id)
            case "source":
                await self._set(ctx, client, record.id)

    async def _lay_over(self, ctx: Context, client: Any, identity: str) -> None:
        text = (await production(ctx, self.app)).text
        ctx.backup(f"{self.app.name}-compose.yml", text)
        row = await self._patch_row(ctx)
        ctx.saved.save("source", SourceBefore(self.app.compose_file))
        if row is not None:
            await client.post("patch.update", {"patchId": row["patchId"], "content": text})
            return
        body = {"composeId": identity, "filePath": self.app.compose_file, "type": "update", "content": text}
        await client.post("patch.create", body)

    async def _set(self, ctx: Context, client: Any, identity: str) -> None:
        key_id = (await git.look(ctx, self.app)).panel_id
        if self._stack:
            made = await production(ctx, self.app)
            ctx.backup(f"{self.app.name}-compose.yml", made.text)
            wish = wishes.stack_wish(self.app, key_id, made)
            await client.post("compose.update", {"composeId": identity, **wish})
            return
        owner = {"applicationId": identity}
        source = {**wishes.git_wish(self.app, key_id), "watchPaths": [], "enableSubmodules": False}
        await client.post("application.saveGitProvider", {**owner, **source})
        unused = {"dockerBuildStage": "", "herokuVersion": None, "railpackVersion": None}
        await client.post("application.saveBuildType", {**owner, **wishes.build_wish(self.app), **unused})
        await client.post("application.update", {**owner, **wishes.run_wish(self.app)})

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts = await self.observe(ctx)
        wrong = [f"{one.field} is {one.held}, wished {one.wished}" for one in facts.differing]
        wrong += ["the file laid over the clone is another"] if facts.patch_wrong else []
        checks = [
            check(
                f"{self.app.name}.source",
                f"the panel takes {self.app.name} from {self.app.repository}, branch {self.app.branch}",
                not wrong,
                seen="; ".join(wrong) or self._seen(facts),
                vantage=f"panel of {self.app.server}",
                at=ctx.now(),
                advice="Run this step again.",
            )
        ]
        if self.app.private_repository:
            checks.append(
                check(
                    f"{self.app.name}.key",
                    f"{self.app.repository} may be read by a key that may not write",
                    facts.key.at_host and bool(facts.key.panel_id),
                    seen=f"at {self.app.git_host.value}: {'there' if facts.key.at_host else 'absent'}; "
                    f"on the panel: {'there' if facts.key.panel_id else 'absent'}",
                    vantage=f"{self.app.git_host.value} and panel of {self.app.server}",
                    at=ctx.now(),
                    advice="Run this step again.",
                )
            )
        if self._stack:
            assert facts.production is not None
            checks.append(reviewed(facts.answers, self.app, facts.production, ctx.now()))
        return checks

    def _seen(self, facts: SourceFacts) -> str:
        made = facts.production
        if made is None:
            return f"{self.app.dockerfile}, context {self.app.context}, start-first with a health check"
        how = "as in the repository" if not made.changed else "the reviewed version"
        way = "given as text" if wishes.raw(made) else "cloned"
        return f"{self.app.compose_file}, {how}, {way}; {len(made.services)} services"

    async def undo(self, ctx: Context) -> Plan:
        try:
            record = app_record(ctx, self.app)
        except WizardError:
            return Plan(notes=("The app is not on its panel.",))
        changes = []
        if ctx.saved.load("source", SourceBefore) is not None:
            name = f"{self.app.compose_file} on the panel of {self.app.server}"
            changes.append(Change(Kind.DELETE, "patch.back", name, "laid over", "as in the repository"))
        changes.append(
            Change(
                Kind.UPDATE,
                "forget",
                f"{self.app.name} on the panel of {self.app.server}",
                before=f"taken from {self.app.repository}",
                after="taken from nowhere",
                payload={"composeId" if self._stack else "applicationId": record.id},
            )
        )
        if (await git.look(ctx, self.app)).public:
            name = f"deploy key of {self.app.repository}"
            changes.append(Change(Kind.DELETE, "key.back", name, "there", "gone"))
        return Plan(tuple(changes))


def _router(app: App) -> str:
    return "compose" if app.kind is AppKind.COMPOSE else "application"
