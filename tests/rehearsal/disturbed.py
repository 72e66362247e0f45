"""The command line in a process that is disturbed: `python -m tests.rehearsal.disturbed HOW LINES WORD…`.

After the LINES-th line that this process writes into the journal: `suspend` stops it, until somebody sends
SIGCONT; `world` kills the world's process and leaves the wizard alone. That happens just after the world has
written down what it is: it would forget what it said since then, which nothing real outside does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from wizard import cli
from wizard.engine.journal import Journal

_write = Journal.write


def kill_world(folder: Path) -> None:
    described = json.loads((folder / "world.json").read_text())
    written = (folder / "state").stat().st_mtime_ns
    while (folder / "state").stat().st_mtime_ns == written:
        time.sleep(0.001)
    os.kill(described["pid"], signal.SIGKILL)


def disturb_after(how: str, lines: int) -> None:
    """Let it happen; nothing of the wizard knows."""
    left = lines

    def write(self: Journal, *args: Any, **kwargs: Any) -> None:
        nonlocal left
        _write(self, *args, **kwargs)
        left -= 1
        if left == 0 and how == "suspend":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif left == 0:
            folder = self.path.parent / "progress.world"
            threading.Thread(target=kill_world, args=(folder,), daemon=True).start()

    Journal.write = write  # type: ignore[method-assign]


if __name__ == "__main__":
    disturb_after(sys.argv[1], int(sys.argv[2]))
    sys.exit(cli.main(sys.argv[3:]))
