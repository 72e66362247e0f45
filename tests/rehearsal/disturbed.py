"""The command line in a process that is disturbed: `python -m tests.rehearsal.disturbed HOW LINES WORD…`.

After the LINES-th line that this process writes into the journal: `suspend` stops it, until somebody sends
SIGCONT; `world` kills the world's process and leaves the wizard alone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from wizard import cli
from wizard.engine.journal import Journal

_write = Journal.write


def kill_world(journal: Path) -> None:
    described = json.loads((journal.parent / "progress.world" / "world.json").read_text())
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
            kill_world(self.path)

    Journal.write = write  # type: ignore[method-assign]


if __name__ == "__main__":
    disturb_after(sys.argv[1], int(sys.argv[2]))
    sys.exit(cli.main(sys.argv[3:]))
