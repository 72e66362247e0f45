"""data.rehearse, data.verify, data.start: measured before, compared after, started at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wizard.config import Config
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Change, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.phases.data import places
from wizard.phases.data.move import compare_database, compare_volume
from wizard.phases.data.stack import stopped_names
from wizard.phases.hosts import new_host, old_host
from wizard.phases.jobs import begin_anew, run_job

PREFIX = "rehearsal_"
_START_PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One database, moved for practice: how long it took and how many rows arrived."""

    database: str
    seconds: float
    rows: int
    megabytes: float


class Rehearse(Step[tuple[str, ...]]):
    """Facts: databases that were not practised yet."""

    id = "data.rehearse"
    title = "Practise the move"
    phase = Phase.DATA
    way_back = "Practice databases are dropped at once; nothing on the old host is changed but one login key."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config

    async def observe(self, ctx: Context) -> tuple[str, ...]:
        names = [database.name for database in self.config.databases]
        return tuple(name for name in names if ctx.saved.load(f"measured {name}", Measured) is None)

    def plan(self, facts: tuple[str, ...]) -> Plan:
        return Plan(
            tuple(
                Change(
                    Kind.RUN,
                    f"practise:{name}",
                    f"a copy of {name} on the new host",
                    after=f"{PREFIX}… is filled while the old side goes on, compared, and dropped",
                    why="tells how long the freeze will last, before anything is frozen",
                )
                for name in facts
            )
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        from wizard.clients import commands, postgres

        name = change.key.partition(":")[2]
        database = next(item for item in self.config.databases if item.name == name)
        server = self.config.app(database.app).server
        await places.open_way(ctx, server)
        old, new = await old_host(ctx), await new_host(ctx, server)
        login = await places.there(ctx, self.config, database, f"{PREFIX}{database.database}")
        source = await places.fingerprint(old, places.here(database))
        began = ctx.now()
        if await begin_anew(ctx, old, f"rehearse-{name}"):
            await new.run(postgres.drop(login))
            await new.run(postgres.create(login, source.encoding if source else "UTF8"))
        restore = await places.across(ctx, server, postgres.restore(login))
        dump = postgres.dump(places.here(database))
        await run_job(ctx, old, f"rehearse-{name}", commands.script(commands.pipe(dump, restore)))
        arrived = await places.fingerprint(new, login)
        await new.run(postgres.drop(login))
        rows, size = (arrived.rows, arrived.size / 1e6) if arrived else (0, 0.0)
        ctx.saved.save(f"measured {name}", Measured(name, ctx.now() - began, rows, size))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        checks = []
        for database in self.config.databases:
            measured = ctx.saved.load(f"measured {database.name}", Measured)
            seen = (
                f"{measured.rows} rows, {measured.megabytes:.0f} MB in {measured.seconds:.0f} s"
                if measured
                else "not practised"
            )
            checks.append(
                check(
                    f"{database.name}.practised",
                    f"a copy of {database.name} arrives on the new host",
                    measured is not None and measured.rows > 0,
                    seen=seen,
                    vantage="old host and new host",
                    at=ctx.now(),
                    advice="An empty database arrived: is the configured database the right one?",
                )
            )
        return checks or [
            check(
                "none",
                "there is no database to practise with",
                True,
                seen="no [[databases]]",
                vantage="configuration",
                at=ctx.now(),
            )
        ]


class Compare(Step[None]):
    id = "data.verify"
    title = "Compare both sides"
    phase = Phase.DATA
    way_back = "Nothing is changed."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config
        things = [*(item.name for item in config.databases), *(item.name for item in config.volumes)]
        self.needs = ("data.freeze", *(f"data.{name}.move" for name in things))

    async def observe(self, ctx: Context) -> None:
        return None

    def plan(self, facts: None) -> Plan:
        return Plan()

    async def verify(self, ctx: Context) -> Sequence[Check]:
        checks = [await compare_database(ctx, self.config, item) for item in self.config.databases]
        checks += [await compare_volume(ctx, self.config, item) for item in self.config.volumes]
        return checks or [
            check(
                "none",
                "there is no data to compare",
                True,
                seen="no [[databases]], no [[volumes]]",
                vantage="configuration",
                at=ctx.now(),
            )
        ]


@dataclass(frozen=True, slots=True)
class Started:
    at: float


@dataclass(frozen=True, slots=True)
class StartFacts:
    """`waiting`: (app, container) that the move stopped; `ways`: servers with the move's login."""

    waiting: tuple[tuple[str, str], ...]
    ways: tuple[str, ...]


class StartOnMoved(Step[StartFacts]):
    id = "data.start"
    title = "Start the stack on the moved data"
    phase = Phase.DATA
    needs = ("data.verify",)
    way_back = (
        "Before the cutover: undo the freeze, and the old side is as it was. Afterwards new writes live here."
    )

    def __init__(self, config: Config) -> None:
        self.config = config
        names = {*(item.app for item in config.databases), *(item.app for item in config.volumes)}
        self.apps = tuple(app for app in config.apps if app.name in names)

    async def observe(self, ctx: Context) -> StartFacts:
        waiting = []
        for app in self.apps:
            found = await places.boxes(await new_host(ctx, app.server), places.compose_project(ctx, app))
            idle = {box.name for box in found if not box.running}
            waiting += [
                (app.name, name) for name in stopped_names(ctx, self.config, app.name) if name in idle
            ]
        servers = dict.fromkeys(app.server for app in self.apps)
        ways = [server for server in servers if await places.way_is_open(ctx, server)]
        return StartFacts(tuple(waiting), tuple(ways))

    def plan(self, facts: StartFacts) -> Plan:
        changes = [
            Change(Kind.DELETE, f"way:{server}", f"the move's login on {server}", after="gone, with its key")
            for server in facts.ways
        ]
        for app in self.apps:
            names = tuple(name for known, name in facts.waiting if known == app.name)
            if names:
                changes.append(
                    Change(
                        Kind.RUN,
                        f"start:{app.name}",
                        f"stack {app.name} on {app.server}",
                        before=f"stopped: {', '.join(names)}",
                        after="running on the moved data",
                        payload=names,
                    )
                )
        return Plan(tuple(changes))

    async def apply(self, change: Change, ctx: Context) -> None:
        from wizard.clients import commands

        verb, _, name = change.key.partition(":")
        if verb == "way":
            await places.close_way(ctx, name)
            return
        host = await new_host(ctx, self.config.app(name).server)
        await host.run(commands.docker("start", *change.payload), timeout=300)
        ctx.saved.save("started", Started(ctx.now()))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        started = ctx.saved.load("started", Started)
        checks = []
        for app in self.apps:
            host = await new_host(ctx, app.server)
            found = {box.name: box for box in await places.boxes(host, places.compose_project(ctx, app))}
            expected = stopped_names(ctx, self.config, app.name)
            idle = [name for name in expected if name not in found or not found[name].running]
            patient = started is not None and ctx.now() < started.at + _START_PATIENCE
            state = CheckState.PASSED if not idle else CheckState.PENDING if patient else CheckState.FAILED
            checks.append(
                Check(
                    f"{app.name}.running",
                    f"the stack {app.name} runs on the moved data",
                    state,
                    Evidence(
                        f"{len(found) - len(idle)} of {len(found)} run; idle: {', '.join(idle) or 'none'}",
                        app.server,
                        ctx.now(),
                    ),
                    f"Look at the logs of {', '.join(idle)} in the panel." if idle else "",
                    ctx.now() + 5.0 if state is CheckState.PENDING else None,
                )
            )
        checks += [await self._rows(ctx, index) for index in range(len(self.config.databases))]
        return checks or [
            check(
                "none",
                "there is no stack with data",
                True,
                seen="no [[databases]], no [[volumes]]",
                vantage="configuration",
                at=ctx.now(),
            )
        ]

    async def _rows(self, ctx: Context, index: int) -> Check:
        """Through the running stack's own server: a volume of another name would be an empty database."""
        database = self.config.databases[index]
        login = await places.there(ctx, self.config, database)
        seen = await places.fingerprint(await new_host(ctx, self.config.app(database.app).server), login)
        return check(
            f"{database.name}.serves",
            f"the running stack serves the rows of {database.name}",
            seen is not None and seen.rows > 0,
            seen=f"{seen.rows} rows in {len(seen.tables)} tables" if seen else "no such database",
            vantage=login.container,
            at=ctx.now(),
            advice="Compare the volumes in the panel with [[volumes]].",
        )
