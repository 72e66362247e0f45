"""A wizard that follows an installation: started, killed and started again by the test beside it.

    python -m tests.real.following FOLDER LIB PORT USER
Prints what the operator would see, a line at a time, then ``ended: …``.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.phases.context import Bench
from tests.real.sshd import AsRoot, relocate_tools
from tests.rehearsal.hosts_stage import CONFIG
from wizard import voice
from wizard.clients import commands
from wizard.clients.ssh import Target
from wizard.clock import LiveClock
from wizard.engine.events import Event, Output
from wizard.errors import WizardError
from wizard.net import LiveNet
from wizard.phases.jobs import run_job
from wizard.secrets import FileSecrets
from wizard.world import World

LINES = 300
HALTS = (150, 200)
"""Lines at which the installation stands until a file of this number is in the folder."""
JOB = "panel-install"


def installation(folder: Path) -> commands.Script:
    """Waits to be killed in, prints bytes that are no text, and has an exit status of its own."""
    text = "printf 'line %s \\377\\n' $n"
    return commands.script(commands.command("bash", "-c", counting(LINES, text, folder, *HALTS)))


def counting(lines: int, text: str, folder: Path, *halts: int) -> str:
    """A shell's loop that shows `text` for each `n`, slowly, stands at `halts`, and ends with 7."""
    stand = f"until [ -e {folder}/$n ]; do sleep 0.02; done"
    cases = "".join(f"{n}) {stand};; " for n in halts)
    return f"for n in $(seq {lines}); do {text}; case $n in {cases}esac; sleep 0.01; done; exit 7"


def show(event: Event) -> None:
    if isinstance(event, Output):
        sys.stdout.write(f"{event.line}\n")
        sys.stdout.flush()


async def main(folder: Path, lib: str, port: int, user: str) -> None:
    relocate_tools(pytest.MonkeyPatch(), lib)
    world = World(CONFIG, FileSecrets(folder / "secrets.json"))
    bench = Bench(world, folder)
    bench.bus.subscribe(show)
    key, login = (folder / "host_public").read_text(), (folder / "login").read_text()
    host = AsRoot(
        Target("real host", "127.0.0.1", port, user, host_key=key, key=login), LiveNet(), LiveClock()
    )
    ctx = bench.context("provision.backend.panel")
    voice.listen(ctx.output)
    try:
        await run_job(ctx, host, JOB, installation(folder))
    except WizardError as error:
        print(f"ended: {error.what}", flush=True)
    finally:
        await host.aclose()
        bench.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]))
