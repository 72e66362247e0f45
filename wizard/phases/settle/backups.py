"""settle.backups: databases and volumes are saved every night, one backup has run, and each was restored.

A restore is tried beside the real thing and compared with it: see backup_restore.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import AppKind, Config, Database, Volume
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Ask, Change, Choice, Kind, Plan, Question
from wizard.engine.step import Context, Phase, Step
from wizard.errors import VendorError, WizardError
from wizard.phases.data import places
from wizard.phases.hosts import new_host
from wizard.phases.settle import backup_panel as panels
from wizard.phases.settle import backup_restore as restores
from wizard.phases.settle.backup_restore import Restored, Saved

if TYPE_CHECKING:
    from wizard.config import App


@dataclass(frozen=True, slots=True)
class Thing:
    """A database or a volume that is saved. `planned`: the panel has a plan for it.

    One whose restore was not whole counts as neither saved nor restored.
    """

    name: str
    kind: str
    planned: bool
    saved: bool
    restored: bool


@dataclass(frozen=True, slots=True)
class BackupFacts:
    """`targets`: servers whose panel knows the store. `lacking`: names of missing keys."""

    targets: tuple[str, ...]
    things: tuple[Thing, ...]
    lacking: tuple[str, ...]
    answer: str


class BackupsStep(Step[BackupFacts]):
    id = "settle.backups"
    title = "Backups, and a restore that was tried"
    phase = Phase.SETTLE
    way_back = "The plans and the store are taken off the panels; files that were saved stay in the store."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config
        stacks = {app.name: app for app in config.apps if app.kind is AppKind.COMPOSE}
        self.databases = tuple(item for item in config.databases if item.app in stacks)
        self.volumes = tuple(item for item in config.volumes if item.app in stacks)
        self.saved: tuple[Database | Volume, ...] = (*self.databases, *self.volumes)
        self.servers = tuple(dict.fromkeys(stacks[item.app].server for item in self.saved))
        self.needs = tuple(dict.fromkeys(f"settle.{item.app}.rollback" for item in self.saved))

    @property
    def _question(self) -> str:
        return f"{self.id}.without"

    async def observe(self, ctx: Context) -> BackupFacts:
        lacking = tuple([name for name in panels.KEYS if not await ctx.world.secrets.get(name)])
        targets = [name for name in self.servers if await panels.target(ctx, name)]
        things = [await self._database(ctx, one) for one in self.databases]
        things += [await self._volume(ctx, one) for one in self.volumes if await self._there(ctx, one)]
        return BackupFacts(tuple(targets), tuple(things), lacking, ctx.answers.get(self._question, ""))

    async def _there(self, ctx: Context, volume: Volume) -> bool:
        host = await new_host(ctx, self.config.app(volume.app).server)
        return await places.manifest(host, volume.name) is not None

    async def _database(self, ctx: Context, one: Database) -> Thing:
        planned = bool(await panels.database_plan(ctx, self.config.app(one.app), one))
        return self._thing(ctx, one.name, "database", planned)

    async def _volume(self, ctx: Context, one: Volume) -> Thing:
        planned = await panels.volume_plan(ctx, self.config.app(one.app), one) is not None
        return self._thing(ctx, one.name, "volume", planned)

    def _thing(self, ctx: Context, name: str, kind: str, planned: bool) -> Thing:
        tried = self._restored(ctx, name)
        saved = ctx.saved.load(f"saved {name}", Saved) is not None and (tried is None or tried.whole)
        return Thing(name, kind, planned, saved, tried is not None and tried.whole)

    def _restored(self, ctx: Context, name: str) -> Restored | None:
        return ctx.saved.load(f"restored {name}", Restored)

    def plan(self, facts: BackupFacts) -> Plan:
        if not facts.things or facts.answer == "without":
            return Plan()
        if not self.config.settle.backup_bucket:
            return Plan(hold=Ask(self._ask("[settle] names no backup_bucket", ())))
        if facts.lacking and len(facts.targets) < len(self.servers):
            if facts.answer == "give":
                name = facts.lacking[0]
                return Plan(
                    hold=Ask(Question(name, f"{name} of {self.config.settle.backup_bucket}", secret=True))
                )
            return Plan(hold=Ask(self._ask("the keys of the store are not known", facts.lacking)))
        changes = [
            Change(
                Kind.CREATE,
                f"target:{server}",
                f"store {self.config.settle.backup_bucket} on the panel of {server}",
                after=f"{self.config.settle.backup_endpoint}, tried before it is kept",
            )
            for server in self.servers
            if server not in facts.targets
        ]
        for thing in facts.things:
            changes += self._changes(thing)
        return Plan(tuple(changes))

    def _ask(self, what: str, lacking: Sequence[str]) -> Question:
        choices = [Choice("without", "Go without backups by the panel: I save the data in another way")]
        if lacking:
            choices.insert(0, Choice("give", "Give the keys now; they are kept with your secrets"))
        return Question(
            self._question,
            f"{what}: nothing would be saved. How to go on?",
            choices=tuple(choices),
            default="without",
            why="Hetzner's daily images are of the whole disk as it was at that moment, and not read by file",
        )

    def _changes(self, thing: Thing) -> list[Change]:
        wish, found = self.config.settle, []
        target = f"{thing.kind} {thing.name}"
        if not thing.planned:
            why = (
                ""
                if thing.kind == "database"
                else "a service that writes is stopped for the seconds of the copy"
            )
            after = f"saved at {wish.backup_schedule}, the last {wish.backup_keep} are kept"
            found.append(Change(Kind.CREATE, f"plan:{thing.name}", target, after=after, why=why))
        if not thing.saved:
            found.append(Change(Kind.RUN, f"run:{thing.name}", target, after="saved now"))
        if not thing.restored:
            after = f"restored into a scratch {thing.kind}, compared, and the scratch removed"
            found.append(Change(Kind.RUN, f"restore:{thing.name}", target, after=after))
        return found

    async def apply(self, change: Change, ctx: Context) -> None:
        verb, _, name = change.key.partition(":")
        if verb == "target":
            await panels.make_target(ctx, name)
            return
        if verb == "untarget":
            await panels.remove_target(ctx, name)
            return
        database = next((one for one in self.databases if one.name == name), None)
        volume = next((one for one in self.volumes if one.name == name), None)
        app = self.config.app((database or volume).app)  # type: ignore[union-attr]
        if database is not None:
            await self._on_database(ctx, verb, app, database)
        elif volume is not None:
            await self._on_volume(ctx, verb, app, volume)

    async def _on_database(self, ctx: Context, verb: str, app: App, one: Database) -> None:
        if verb == "plan":
            await panels.make_database_plan(ctx, app, one)
        elif verb == "unplan":
            await panels.remove_database_plan(ctx, app, one)
        elif verb == "run":
            before = await restores.look(ctx, app, one)
            known = {file.path for file in await panels.files(ctx, app, one.service)}
            await self._run(panels.run_database(ctx, app, one), f"database {one.name}")
            fresh = [file for file in await panels.files(ctx, app, one.service) if file.path not in known]
            self._keep(ctx, one.name, fresh, tuple((t.name, t.rows) for t in before.tables))
        else:
            saved = self._saved_before(ctx, one.name)
            restored = await restores.restore_database(ctx, app, one, saved)
            ctx.saved.save(f"restored {one.name}", restored)

    async def _on_volume(self, ctx: Context, verb: str, app: App, one: Volume) -> None:
        if verb == "unplan":
            await panels.remove_volume_plan(ctx, app, one)
            return
        service, stop = await self._writer(ctx, app, one)
        if verb == "plan":
            await panels.make_volume_plan(ctx, app, one, service, stop)
            return
        if verb == "restore":
            saved = self._saved_before(ctx, one.name)
            ctx.saved.save(f"restored {one.name}", await restores.restore_volume(ctx, app, one, saved))
            return
        host = await new_host(ctx, app.server)
        content, digest = restores.volume_content(
            await places.manifest(host, one.name) or "files 0 bytes 0 digest -"
        )
        known = {file.path for file in await panels.files(ctx, app, service)}
        await self._run(panels.run_volume(ctx, app, one), f"volume {one.name}")
        fresh = [
            file
            for file in await panels.files(ctx, app, service)
            if file.path not in known and one.name in file.path
        ]
        self._keep(ctx, one.name, fresh, content, digest)

    def _saved_before(self, ctx: Context, name: str) -> Saved:
        saved = ctx.saved.load(f"saved {name}", Saved)
        if saved is None:
            raise WizardError(f"{name} has not been saved yet", next="Run this step again.")
        return saved

    async def _run(self, work: object, what: str) -> None:
        from collections.abc import Awaitable

        assert isinstance(work, Awaitable)
        try:
            await work
        except VendorError as error:
            raise WizardError(
                f"The backup of the {what} failed",
                error.why or error.what,
                "Read its log on the panel (Backups), then run this step again.",
            ) from error

    def _keep(
        self,
        ctx: Context,
        name: str,
        fresh: Sequence[panels.File],
        content: tuple[tuple[str, int], ...],
        digest: str = "",
    ) -> None:
        if not fresh:
            raise WizardError(
                f"The panel says that {name} was saved, but no new file is in the store",
                next="Look at the bucket and at the backup's log on the panel, then run this step again.",
            )
        ctx.saved.save(f"saved {name}", Saved(fresh[0].path, fresh[0].size, content, ctx.now(), digest))
        ctx.saved.drop(f"restored {name}")

    async def _writer(self, ctx: Context, app: App, volume: Volume) -> tuple[str, bool]:
        """The service to be stopped for the copy. Visitors' own is never stopped: its copy is a live one."""
        host = await new_host(ctx, app.server)
        found = await places.boxes(host, places.compose_project(ctx, app))
        users = [box.service for box in found if box.running and volume.name in box.volumes]
        quiet = [service for service in users if service != (app.service or app.name)]
        if quiet:
            return quiet[0], True
        return (users or list(volume.services) or [app.service])[0], False

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts, now = await self.observe(ctx), ctx.now()
        if not facts.things:
            seen = "no stack of the configuration has a database or a volume of ours"
            return [check("none", "there is no data to be saved", True, seen=seen, vantage="config", at=now)]
        if facts.answer == "without" and len(facts.targets) < len(self.servers):
            missing = "backup_bucket" if not self.config.settle.backup_bucket else ", ".join(facts.lacking)
            why = f"{missing or 'nothing'} is missing; the operator saves the data in another way"
            evidence = Evidence(why, "operator", now)
            return [
                Check(f"{one.name}.saved", f"the {one.kind} {one.name} is saved", CheckState.WAIVED, evidence)
                for one in facts.things
            ]
        return [self._saved(ctx, one) for one in facts.things] + [
            self._whole(ctx, one) for one in facts.things
        ]

    def _saved(self, ctx: Context, thing: Thing) -> Check:
        record = ctx.saved.load(f"saved {thing.name}", Saved)
        content = dict(record.content) if record else {}
        # A tar smaller than its files would be torn; a dump is compressed, and proven by its restore.
        least = max(1, content.get("bytes", 1)) if thing.kind == "volume" else 1
        enough = record is not None and record.size >= least
        return check(
            f"{thing.name}.saved",
            f"the {thing.kind} {thing.name} is saved by plan, and a first time now",
            thing.planned and enough,
            seen=f"{record.path}, {record.size} bytes" if record else "nothing was saved",
            vantage=f"store {self.config.settle.backup_bucket}",
            at=record.at if record else ctx.now(),
            advice="Run this step again.",
        )

    def _whole(self, ctx: Context, one: Thing) -> Check:
        record, server = self._restored(ctx, one.name), self._server(one.name)
        seen = "no restore was tried"
        if record is not None:
            how = "equal to what was saved" if record.equal else "written to meanwhile, nothing is gone"
            came = f"{record.path} into a scratch {one.kind} in {record.seconds:.0f} s: {record.told}"
            seen = f"{came}, {'; '.join(record.lost) or how}"
        return check(
            f"{one.name}.restored",
            f"a backup of the {one.kind} {one.name} was restored and is whole",
            record is not None and record.whole,
            seen=seen,
            vantage=server,
            at=record.at if record else ctx.now(),
            advice="Do not rely on this backup: run this step again, which saves and tries it anew.",
        )

    def _server(self, name: str) -> str:
        return self.config.app(next(one.app for one in self.saved if one.name == name)).server

    async def undo(self, ctx: Context) -> Plan:
        facts = await self.observe(ctx)
        changes = [
            Change(Kind.DELETE, f"unplan:{one.name}", f"plan for the {one.kind} {one.name}", "there", "gone")
            for one in facts.things
            if one.planned
        ]
        store = self.config.settle.backup_bucket
        changes += [
            Change(
                Kind.DELETE, f"untarget:{server}", f"store {store} on the panel of {server}", "there", "gone"
            )
            for server in facts.targets
        ]
        return Plan(tuple(changes), ("Files that were saved stay in the store.",))
