"""The trial stack on the new host: stopped for the move, started on the moved data."""

from __future__ import annotations

from dataclasses import dataclass

from wizard.config import App, Config
from wizard.engine.step import Context
from wizard.phases.data.places import boxes, compose_project
from wizard.phases.hosts import new_host


@dataclass(frozen=True, slots=True)
class StackStopped:
    """Containers that a move stopped, to be started again."""

    app: str
    names: tuple[str, ...] = ()


def databases_of(config: Config, app: str) -> set[str]:
    return {database.service for database in config.databases if database.app == app}


async def stop_stack(ctx: Context, config: Config, app: App) -> None:
    """Stop everything of a stack but its database servers; what ran is remembered first."""
    from wizard.clients import commands

    host = await new_host(ctx, app.server)
    kept = databases_of(config, app.name)
    found = await boxes(host, compose_project(ctx, app))
    running = tuple(box.name for box in found if box.running and box.service not in kept)
    if not running:
        return
    known = ctx.saved.load("stopped", StackStopped) or StackStopped(app.name)
    ctx.saved.save("stopped", StackStopped(app.name, tuple(dict.fromkeys((*known.names, *running)))))
    await host.run(commands.docker("stop", "--time", "60", *running), timeout=300)


def stopped_names(ctx: Context, config: Config, app: str) -> tuple[str, ...]:
    """Containers of `app` that any move stopped."""
    things = [d.name for d in config.databases if d.app == app] + [
        v.name for v in config.volumes if v.app == app
    ]
    records = [ctx.saved.load("stopped", StackStopped, step=f"data.{name}.move") for name in things]
    return tuple(dict.fromkeys(name for record in records if record for name in record.names))
