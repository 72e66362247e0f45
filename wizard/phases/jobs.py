"""Detached work on a host, followed line by line, taken up again wherever it was left.

What was shown stands in a transcript beside the progress file, written line by line before it is shown.
Its length is the place where the log goes on: nothing else has to be remembered, and whatever moment the
wizard is killed in, the transcript holds the log without a lost or doubled byte.
"""

from __future__ import annotations

import contextlib
import os
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.engine.step import Context
from wizard.errors import WizardError

if TYPE_CHECKING:
    from wizard.clients.commands import Script
    from wizard.clients.ssh import HostClient


_LONGEST_LINE = 256 << 10
_LAST_LINES = 10


async def run_job(ctx: Context, host: HostClient, name: str, content: Script) -> None:
    """Start the job unless it runs or has succeeded already, show its log, and wait for its end.

    One that failed or was lost is put aside and begun anew. Raises WizardError with the last lines of
    the log when it fails, UnreachableError when the host stays away and Stopped when the run is to end
    (the job goes on there).
    """
    status = await host.job_status(name)
    if status.state == "lost" or (status.state == "done" and status.exit_status != 0):
        await host.forget_job(name)
        _put_aside(ctx, name)
    elif _size(ctx.transcript(name)) > status.size:
        # The transcript is of another job of this name: of a machine that was replaced.
        _put_aside(ctx, name)
    await host.start_job(name, content)
    tail = await ctx.until_stopped(_follow(ctx, host, name))
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
    _put_aside(ctx, name)
    return True


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _put_aside(ctx: Context, name: str) -> None:
    path = ctx.transcript(name)
    if path.exists():
        path.replace(path.with_name(f"{path.name}.previous"))


def _opened(path: Path) -> FileIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileIO(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a")


async def _follow(ctx: Context, host: HostClient, name: str) -> list[str]:
    """Show the log from where the transcript ends; its last lines."""
    path = ctx.transcript(name)
    rest = b""
    tail: list[str] = []
    with _opened(path) as file:

        def show(line: bytes, end: bytes = b"") -> None:
            file.write(line + end)
            text = line.decode("utf-8", "replace")
            ctx.output(text)
            tail[:] = [*tail[1 - _LAST_LINES :], text[-500:]]

        async with contextlib.aclosing(host.follow_job(name, _size(path))) as chunks:
            async for _, chunk in chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    show(line, b"\n")
                if len(rest) > _LONGEST_LINE:
                    # A progress bar that never ends its line: shown in pieces, memory stays flat.
                    show(rest)
                    rest = b""
        if rest:
            show(rest)
        os.fsync(file.fileno())
    return tail
