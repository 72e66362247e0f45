"""What the review of a stack's file is told besides it: the app's wishes, its neighbours in git, the host."""

from __future__ import annotations

import asyncio
import posixpath
import re
from typing import TYPE_CHECKING

from wizard.engine.step import Context
from wizard.phases.hosts import new_host

if TYPE_CHECKING:
    from wizard.compose.setting import Setting
    from wizard.config import App

_COMPOSE = ("docker-compose", "compose")
_MOST_FILES = 60


async def setting_of(
    ctx: Context, app: App, text: str, *, siblings: tuple[str, ...] = (), memory_mb: int = 0
) -> Setting:
    """`siblings` and `memory_mb` only add to what is said: the edits are the same without them."""
    from wizard.compose.setting import Setting

    prefix = f"{ctx.config.project.name}_"
    prefixed = any(volume.name.startswith(prefix) for volume in ctx.config.volumes if volume.app == app.name)
    return Setting(
        posixpath.dirname(app.compose_file.strip("/")),
        siblings,
        memory_mb,
        project=ctx.config.project.name if prefixed else "",
        public=(app.service,) if app.domains else (),
        files=await _files(ctx, app, text),
    )


async def _files(ctx: Context, app: App, text: str) -> dict[str, str]:
    """Extended and included files, and Dockerfiles, as far as the branch has them."""
    from wizard.compose.files import referred

    git, folder = ctx.world.git.of(app.git_host), posixpath.dirname(app.compose_file.strip("/"))
    found: dict[str, str] = {}
    asked: set[str] = set()
    waiting = {posixpath.normpath(name) for name in referred(text)}
    while waiting and len(asked) < _MOST_FILES:
        names = sorted(waiting)[: _MOST_FILES - len(asked)]
        asked.update(names)
        waiting = set()
        paths = [posixpath.normpath(posixpath.join(folder, name)) for name in names]
        inside = [pair for pair in zip(names, paths, strict=True) if not pair[1].startswith(("/", "../"))]
        texts = await asyncio.gather(*(git.read_file(app.repository, path, app.branch) for _, path in inside))
        for (name, _), body in zip(inside, texts, strict=True):
            if body is None:
                continue
            found[name] = body
            if name.endswith((".yml", ".yaml")):
                base = posixpath.dirname(name)
                waiting |= {posixpath.normpath(posixpath.join(base, other)) for other in referred(body)}
        waiting -= asked
    return found


async def siblings_of(ctx: Context, app: App) -> tuple[str, ...]:
    """Names of the compose files that stand beside the stack's own."""
    tree = await ctx.world.git.of(app.git_host).tree(app.repository, app.branch)
    folder, own = posixpath.split(app.compose_file.strip("/"))
    beside = (posixpath.basename(path) for path in tree.files if posixpath.dirname(path) == folder)
    return tuple(sorted(name for name in beside if name != own and name.startswith(_COMPOSE)))


async def memory_of(ctx: Context, server: str) -> int:
    """What a new host has, in MB; 0 if it does not tell."""
    from wizard.clients import commands

    text = (await (await new_host(ctx, server)).run(commands.memory())).stdout
    found = re.search(r"MemTotal:\s+(\d+) kB", text)
    return int(found[1]) >> 10 if found else 0


async def memory_wished(ctx: Context, server: str) -> int:
    """What the dearest of the wished types would have, in MB; 0 for a server that is taken over."""
    wish = ctx.config.server(server)
    if not wish.types:
        return 0
    known = {one.name: one for one in await ctx.world.hetzner.server_types()}
    return next((int(known[name].memory * 1024) for name in wish.types if name in known), 0)
