"""Connections that wait at the old proxy's listener while a reload puts another in its place.

The new listener is opened and the old one closed; whoever waits there would be reset. Since 5.14 Linux hands
them on where net.ipv4.tcp_migrate_req is 1: it is so for the reload, and as before afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.engine.step import Context
from wizard.errors import WizardError

if TYPE_CHECKING:
    from wizard.clients.ssh import HostClient

RECORD = "hand_on"
NOTE = (
    "While it reloads, connections that wait at its listener are handed on: net.ipv4.tcp_migrate_req is 1 in "
    "its network meanwhile, and then as it was."
)
_SETTLES = 3.0
"""Seconds after a reload within which the last of those who waited come over."""


@dataclass(frozen=True, slots=True)
class HandOnRecord:
    """What the setting was; it stands changed from before its change until it is put back."""

    before: int
    at: float


@contextlib.asynccontextmanager
async def handing_on(ctx: Context, host: HostClient, pid: int) -> AsyncIterator[None]:
    """In the network of process `pid`; 0: the host's own. Where that fails, it is said, and all goes on."""
    changed = await _begin(ctx, host, pid)
    try:
        yield
        if changed:
            await ctx.world.clock.sleep(_SETTLES)
    finally:
        if changed:
            await put_back(ctx, host, pid)


async def _begin(ctx: Context, host: HostClient, pid: int) -> bool:
    """Whether there is something to put back."""
    from wizard.clients import commands

    left = ctx.saved.load(RECORD, HandOnRecord)
    seen = await host.run(commands.hands_on(pid), check=False)
    if not seen.ok or not seen.stdout.strip().isdigit():
        _cannot(ctx, seen.stderr)
        return left is not None
    before = int(seen.stdout)
    if left is None and before == 1:
        return False
    if left is None:
        ctx.saved.save(RECORD, HandOnRecord(before, ctx.now()))
    done = await host.run(commands.hand_on(pid, 1), check=False)
    if not done.ok:
        _cannot(ctx, done.stderr)
    return True


def _cannot(ctx: Context, said: str) -> None:
    lines = said.strip().splitlines()
    why = lines[-1] if lines else "nothing was said"
    if "cannot stat" in why or "No such file" in why:
        why = "its kernel is older than Linux 5.14"
    ctx.output(
        f"The old host does not hand on connections that wait while its proxy reloads ({why}): the few that "
        "arrive in that moment are reset, and browsers come again."
    )


async def put_back(ctx: Context, host: HostClient, pid: int) -> None:
    """Idempotent. What fails is said, and tried again by the next run or undo."""
    from wizard.clients import commands

    record = ctx.saved.load(RECORD, HandOnRecord)
    if record is None:
        return
    back = commands.hand_on(pid, record.before)
    try:
        done = await host.run(back, check=False)
        why = "" if done.ok else done.stderr.strip()
    except WizardError as error:
        why = str(error)
    if why or not done.ok:
        ctx.output(f"net.ipv4.tcp_migrate_req of the old host stays 1 ({why}): {' '.join(back.argv)}")
        return
    ctx.saved.drop(RECORD)
