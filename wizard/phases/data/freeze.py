"""data.freeze: from here on nothing is written on the old host; its reads go on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from wizard.config import Config, Database
from wizard.engine.check import Check, check
from wizard.engine.plan import Change, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.phases.data.places import Box, boxes, here
from wizard.phases.hosts import old_host

_WRITERS = re.compile(r"worker|scheduler|celery|beat\b|cron|queue|sidekiq|consumer|\bjobs?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Stopped:
    """A container that the freeze stopped, with the restart policy that it had."""

    name: str
    restart: str


@dataclass(frozen=True, slots=True)
class Frozen:
    """What the freeze did, so that it can be lifted."""

    databases: tuple[str, ...] = ()
    stopped: tuple[Stopped, ...] = ()


@dataclass(frozen=True, slots=True)
class FreezeFacts:
    """`open_databases` still accept writes; `writers` still run."""

    open_databases: tuple[str, ...]
    writers: tuple[Box, ...]


class Freeze(Step[FreezeFacts]):
    id = "data.freeze"
    title = "Stop writes on the old host"
    phase = Phase.DATA
    needs = ("data.rehearse",)
    way_back = "Undo lifts it within seconds: databases accept writes, workers start again. Nothing is lost."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config
        public = {app.service or app.name for app in config.apps}
        self.kept = public | {db.service for db in config.databases} | {a.cache_service for a in config.apps}

    async def observe(self, ctx: Context) -> FreezeFacts:
        if self.config.old_host is None:
            return FreezeFacts((), ())
        host = await old_host(ctx)
        still = [db.name for db in self.config.databases if await _read_only(ctx, db.name) != "on"]
        running = [box for box in await boxes(host) if box.running and self._writes(box)]
        return FreezeFacts(tuple(still), tuple(running))

    def _writes(self, box: Box) -> bool:
        """Workers and schedulers by their names; what answers visitors goes on, on read-only databases."""
        if box.service in self.kept or box.name in self.kept:
            return False
        return bool(_WRITERS.search(f"{box.service} {box.command}"))

    def plan(self, facts: FreezeFacts) -> Plan:
        changes = [
            Change(
                Kind.UPDATE,
                f"stop:{box.name}",
                f"container {box.name} on the old host",
                before="running, writes",
                after="stopped, and not started again by itself",
                way_back="undo starts it again",
                payload=Stopped(box.name, box.restart),
            )
            for box in facts.writers
        ]
        changes += [
            Change(
                Kind.UPDATE,
                f"freeze:{name}",
                f"database {name} on the old host",
                before="accepts writes",
                after="read only: visitors can look, nobody can change anything until the cutover is through",
                way_back="undo makes it writable again",
                payload=name,
            )
            for name in facts.open_databases
        ]
        return Plan(tuple(changes))

    async def apply(self, change: Change, ctx: Context) -> None:
        from wizard.clients import commands, postgres

        host = await old_host(ctx)
        verb, _, name = change.key.partition(":")
        frozen = ctx.saved.load("frozen", Frozen) or Frozen()
        if verb == "stop":
            box = change.payload
            if all(known.name != name for known in frozen.stopped):
                ctx.saved.save("frozen", Frozen(frozen.databases, (*frozen.stopped, box)))
            await host.run(commands.docker("update", "--restart=no", name))
            await host.run(commands.docker("stop", "--time", "60", name), timeout=180)
        elif verb == "freeze":
            if name not in frozen.databases:
                ctx.saved.save("frozen", Frozen((*frozen.databases, name), frozen.stopped))
            await host.run(postgres.freeze(here(_database(self.config, name))))
        elif verb == "thaw":
            await host.run(postgres.thaw(here(_database(self.config, name))))
            left = tuple(known for known in frozen.databases if known != name)
            ctx.saved.save("frozen", Frozen(left, frozen.stopped))
        else:
            await host.run(commands.docker("update", f"--restart={change.payload.restart or 'no'}", name))
            await host.run(commands.docker("start", name))
            kept = tuple(known for known in frozen.stopped if known.name != name)
            ctx.saved.save("frozen", Frozen(frozen.databases, kept))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        from wizard.clients import postgres

        if self.config.old_host is None:
            return [
                check(
                    "none",
                    "there is no old host whose writes must stop",
                    True,
                    seen="no [old_host]",
                    vantage="configuration",
                    at=ctx.now(),
                )
            ]
        host = await old_host(ctx)
        checks = []
        for database in self.config.databases:
            login = here(database)
            first = (await host.run(postgres.state(login))).stdout.split()
            await ctx.world.clock.sleep(5.0)
            second = (await host.run(postgres.state(login))).stdout.split()
            still = first[1] == second[1]
            checks.append(
                check(
                    f"{database.name}.read_only",
                    f"nothing is written to {database.name} on the old host any more",
                    second[0] == "on" and still,
                    seen=f"new transactions read only: {second[0]}; log of writes at {first[1]}, "
                    f"5 s later at {second[1]}",
                    vantage="old host",
                    at=ctx.now(),
                    advice="Something writes past the freeze: see pg_stat_activity on the old host.",
                )
            )
        running = [box.name for box in await boxes(host) if box.running and self._writes(box)]
        checks.append(
            check(
                "writers",
                "no worker runs on the old host",
                not running,
                seen=f"running: {', '.join(running) or 'none'}",
                vantage="old host",
                at=ctx.now(),
                advice="Stop them, or run this step again.",
            )
        )
        return checks

    async def undo(self, ctx: Context) -> Plan:
        frozen = ctx.saved.load("frozen", Frozen) or Frozen()
        changes = [
            Change(
                Kind.UPDATE, f"thaw:{name}", f"database {name} on the old host", "read only", "accepts writes"
            )
            for name in frozen.databases
        ]
        changes += [
            Change(
                Kind.UPDATE, f"start:{box.name}", f"container {box.name}", "stopped", "running", payload=box
            )
            for box in frozen.stopped
        ]
        return Plan(tuple(changes))


def _database(config: Config, name: str) -> Database:
    return next(database for database in config.databases if database.name == name)


async def _read_only(ctx: Context, name: str) -> str:
    from wizard.clients import postgres

    host = await old_host(ctx)
    result = await host.run(postgres.state(here(_database(ctx.config, name))))
    return result.stdout.split()[0]
