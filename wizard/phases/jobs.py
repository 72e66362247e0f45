"""Detached work on a host, followed line by line, taken up again wherever it was left."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.engine.step import Context
from wizard.errors import WizardError

if TYPE_CHECKING:
    from wizard.clients.commands import Script
    from wizard.clients.ssh import HostClient


@dataclass(frozen=True, slots=True)
class LogPlace:
    """How many bytes of a job's log have been shown."""

    job: str
    offset: int


async def run_job(ctx: Context, host: HostClient, name: str, content: Script) -> None:
    """Start the job unless it runs or has succeeded already, show its log, and wait for its end.

    One that failed or was lost is put aside and begun anew. Raises WizardError with the last lines of
    the log when it fails, UnreachableError when the host stays away (the job goes on there).
    """
    status = await host.job_status(name)
    if status.state == "lost" or (status.state == "done" and status.exit_status != 0):
        await host.forget_job(name)
        ctx.saved.drop(_place(name))
    await host.start_job(name, content)
    tail = await _follow(ctx, host, name)
    status = await host.job_status(name)
    if status.state == "done" and status.exit_status == 0:
        return
    ended = f"exit status {status.exit_status}" if status.state == "done" else "it has vanished"
    raise WizardError(
        f"{name} failed on {host.name}: {ended}",
        " / ".join(line for line in tail if line.strip())[-500:],
        "The whole log is in /var/lib/dokploy-wizard/jobs on the host. Running again begins it anew.",
    )


async def begin_anew(ctx: Context, host: HostClient, name: str) -> bool:
    """Whether the job has to begin from the start; an ended one is put aside, a running one is kept."""
    status = await host.job_status(name)
    if status.state == "running":
        return False
    if status.state != "absent":
        await host.forget_job(name)
        ctx.saved.drop(_place(name))
    return True


def _place(name: str) -> str:
    return f"log {name}"


async def _follow(ctx: Context, host: HostClient, name: str) -> list[str]:
    """Show whole lines; the place is saved before they are shown, so that none is shown twice."""
    place = ctx.saved.load(_place(name), LogPlace)
    offset = place.offset if place else 0
    rest = b""
    tail: list[str] = []
    async with contextlib.aclosing(host.follow_job(name, offset)) as chunks:
        async for after, chunk in chunks:
            whole, newline, rest = (rest + chunk).rpartition(b"\n")
            if not newline:
                rest = whole + rest
                continue
            ctx.saved.save(_place(name), LogPlace(name, after - len(rest)))
            for line in whole.decode("utf-8", "replace").split("\n"):
                ctx.output(line)
                tail = [*tail[-9:], line]
    if rest:
        ctx.output(rest.decode("utf-8", "replace"))
        tail.append(rest.decode("utf-8", "replace"))
    return tail
