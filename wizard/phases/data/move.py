"""data.<database>.move and data.<volume>.move: what the trial wrote is replaced by the product's data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import Config, Database, Volume
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Change, Failed, Kind, Plan, Refusal
from wizard.engine.step import Context, Phase, Step
from wizard.errors import WizardError
from wizard.phases.data import places
from wizard.phases.data.stack import stop_stack
from wizard.phases.hosts import new_host, old_host
from wizard.phases.jobs import begin_anew, run_job

if TYPE_CHECKING:
    from wizard.clients.postgres import Fingerprint


@dataclass(frozen=True, slots=True)
class Moved:
    """What lay on the new side when the move was proven."""

    content: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    source: Fingerprint | None
    target: Fingerprint | None
    moved: str = ""


class DatabaseMove(Step[DatabaseFacts]):
    phase = Phase.DATA
    needs = ("data.freeze",)
    way_back = (
        "The old database stays whole and is served until the cutover; undoing the freeze is the way back."
    )
    enduring = False

    def __init__(self, database: Database, config: Config) -> None:
        self.database = database
        self.config = config
        self.app = config.app(database.app)
        self.id = f"data.{database.name}.move"
        self.title = f"Move the database {database.name}"

    async def observe(self, ctx: Context) -> DatabaseFacts:
        source = await places.fingerprint(await old_host(ctx), places.here(self.database))
        login = await places.there(ctx, self.config, self.database)
        target = await places.fingerprint(await new_host(ctx, self.app.server), login)
        moved = ctx.saved.load("moved", Moved)
        return DatabaseFacts(source, target, moved.content if moved else "")

    def plan(self, facts: DatabaseFacts) -> Plan:
        name, server = self.database.database, self.app.server
        if facts.source is None:
            why = f"the database {name} is not in {self.database.container} on the old host"
            return Plan(hold=Failed(why, ("Correct [[databases]] in the configuration.",), Refusal.NOT_READY))
        if facts.target is not None and not facts.source.differences(facts.target):
            return Plan(notes=(f"{name} on {server} holds exactly what the old host holds.",))
        if facts.moved and facts.target is not None and _text(facts.target) != facts.moved:
            why = f"{name} on {server} was moved before and has been written to since"
            ways = (
                "If those writes matter: go on without moving again.",
                f"If they do not: drop the database {name} on {server} by hand, then run again.",
            )
            return Plan(hold=Failed(why, ways, Refusal.THIRD_VALUE))
        filled = facts.target is not None and not facts.target.empty
        before = f"{facts.target.rows} rows from the trial" if facts.target and filled else "empty"
        return Plan(
            (
                Change(
                    Kind.REPLACE if filled else Kind.CREATE,
                    "move",
                    f"database {name} on {server}",
                    before=before,
                    after=f"{facts.source.rows} rows in {len(facts.source.tables)} tables, "
                    f"{facts.source.size / 1e6:.0f} MB from the old host",
                    why="one transaction: a stream that breaks leaves the database empty, never half full",
                    way_back="the old database is untouched",
                    confirm=name if filled else "",
                    payload=facts.source.encoding,
                ),
            )
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        from wizard.clients import commands, postgres

        await stop_stack(ctx, self.config, self.app)
        if not await places.way_is_open(ctx, self.app.server):
            await places.open_way(ctx, self.app.server)
        old, new = await old_host(ctx), await new_host(ctx, self.app.server)
        login = await places.there(ctx, self.config, self.database)
        name = f"move-{self.database.name}"
        began = ctx.now()
        if await begin_anew(ctx, old, name):
            await new.run(postgres.drop(login))
            await new.run(postgres.create(login, str(change.payload)))
        restore = await places.across(ctx, self.app.server, postgres.restore(login))
        await run_job(
            ctx, old, name, commands.script(commands.pipe(postgres.dump(places.here(self.database)), restore))
        )
        target = await places.fingerprint(new, login)
        ctx.saved.save("moved", Moved(_text(target) if target else "", ctx.now() - began))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        return [await compare_database(ctx, self.config, self.database)]


async def compare_database(ctx: Context, config: Config, database: Database) -> Check:
    """Every table's rows and digest, every sequence, indexes, constraints, extensions: both sides."""
    source = await places.fingerprint(await old_host(ctx), places.here(database))
    login = await places.there(ctx, config, database)
    target = await places.fingerprint(await new_host(ctx, config.app(database.app).server), login)
    if source is None or target is None:
        differences: tuple[str, ...] = (
            f"the database is missing on {'old' if source is None else 'new'} side",
        )
    else:
        differences = source.differences(target)
    tables = ", ".join(f"{table.name} {table.rows}" for table in (target.tables if target else ())[:12])
    return check(
        f"{database.name}.equal",
        f"the database {database.name} is the same on both sides, row by row",
        not differences,
        seen="; ".join(differences[:6])
        or f"{tables}; {len(target.sequences) if target else 0} sequences; all digests equal",
        vantage="old host and new host",
        at=ctx.now(),
        advice="Something was written during the move: undo and run the freeze again, then the move.",
    )


def _text(fingerprint: Fingerprint) -> str:
    """A short text that changes with the content; sizes on disk don't count."""
    import hashlib

    whole = repr((fingerprint.tables, fingerprint.sequences, fingerprint.counts))
    return hashlib.sha256(whole.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """Manifests of both sides; None where there is no such volume."""

    source: str | None
    target: str | None
    moved: str = ""
    paused: tuple[str, ...] = ()


class VolumeMove(Step[VolumeFacts]):
    """Its users on the old host are paused, not stopped, for the seconds of the copy.

    A stopped vault would come back sealed, and visitors would meet errors until somebody unseals it; a
    paused one lets them wait.
    """

    phase = Phase.DATA
    needs = ("data.freeze",)
    way_back = "The old volume is only read. On the new side the volume can be emptied and filled again."
    enduring = False

    def __init__(self, volume: Volume, config: Config) -> None:
        self.volume = volume
        self.config = config
        self.app = config.app(volume.app)
        self.id = f"data.{volume.name}.move"
        self.title = f"Move the volume {volume.name}"

    async def observe(self, ctx: Context) -> VolumeFacts:
        old = await old_host(ctx)
        users = [box for box in await places.boxes(old) if self.volume.name in box.volumes]
        moved = ctx.saved.load("moved", Moved)
        return VolumeFacts(
            await places.manifest(old, self.volume.name),
            await places.manifest(await new_host(ctx, self.app.server), self.volume.name),
            moved.content if moved else "",
            tuple(box.name for box in users if box.running),
        )

    def plan(self, facts: VolumeFacts) -> Plan:
        name, server = self.volume.name, self.app.server
        if facts.source is None:
            if self.volume.optional:
                return Plan(notes=(f"There is no volume {name} on the old host, and it is optional.",))
            why = f"there is no volume {name} on the old host"
            return Plan(hold=Failed(why, ("Correct [[volumes]] in the configuration.",), Refusal.NOT_READY))
        if facts.source == facts.target:
            return Plan(notes=(f"{name} on {server} holds exactly what the old host holds.",))
        if facts.moved and facts.target != facts.moved:
            why = f"the volume {name} on {server} was moved before and has been written to since"
            ways = (
                "If those writes matter: go on without moving again.",
                "If not: empty it, then run again.",
            )
            return Plan(hold=Failed(why, ways, Refusal.THIRD_VALUE))
        filled = facts.target is not None and not facts.target.startswith("files 0 ")
        waits = f"{', '.join(facts.paused)} waits for the seconds of the copy" if facts.paused else ""
        return Plan(
            (
                Change(
                    Kind.REPLACE if filled else Kind.CREATE,
                    "move",
                    f"volume {name} on {server}",
                    before=f"from the trial: {_short(facts.target)}" if facts.target and filled else "empty",
                    after=_short(facts.source),
                    why=waits,
                    way_back="the old volume is only read",
                    confirm=name if filled else "",
                    payload=facts.paused,
                ),
            )
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        from wizard.clients import commands

        await stop_stack(ctx, self.config, self.app)
        if not await places.way_is_open(ctx, self.app.server):
            await places.open_way(ctx, self.app.server)
        old, new = await old_host(ctx), await new_host(ctx, self.app.server)
        name = f"move-{self.volume.name}"
        began = ctx.now()
        if await begin_anew(ctx, old, name):
            await new.run(commands.create_volume(self.volume.name))
            await new.run(commands.clear_volume(self.volume.name))
        unpack = await places.across(ctx, self.app.server, commands.unpack_volume(self.volume.name))
        copy = commands.pipe(commands.pack_volume(self.volume.name), unpack)
        users: tuple[str, ...] = change.payload
        if users:
            content = commands.script(
                commands.docker("pause", *users), copy, at_end=commands.docker("unpause", *users)
            )
        else:
            content = commands.script(copy)
        await run_job(ctx, old, name, content)
        target = await places.manifest(new, self.volume.name)
        if target is None:
            raise WizardError(f"The volume {self.volume.name} is not on {self.app.server} after its move")
        ctx.saved.save("moved", Moved(target, ctx.now() - began))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        return [await compare_volume(ctx, self.config, self.volume)]


async def compare_volume(ctx: Context, config: Config, volume: Volume) -> Check:
    """Names, modes, numeric owners, links and content of every file: both sides."""
    source = await places.manifest(await old_host(ctx), volume.name)
    target = await places.manifest(await new_host(ctx, config.app(volume.app).server), volume.name)
    question = f"the volume {volume.name} is the same on both sides, byte for byte"
    if source is None and volume.optional:
        seen = "there is none on the old host, and it is optional"
        return Check(
            f"{volume.name}.equal", question, CheckState.WAIVED, Evidence(seen, "old host", ctx.now())
        )
    return check(
        f"{volume.name}.equal",
        question,
        source is not None and source == target,
        seen=f"old: {_short(source)}; new: {_short(target)}",
        vantage="old host and new host",
        at=ctx.now(),
        advice="Something was written during the copy: see who uses the volume, then move it again.",
    )


def _short(manifest: str | None) -> str:
    if manifest is None:
        return "absent"
    words = manifest.split()
    return f"{words[1]} files, {words[3]} bytes, digest {words[5][:16]}"
