"""The command line in a process that is killed: `python -m tests.rehearsal.dying WHAT LINES SECONDS WORD…`.

SIGKILL comes SECONDS after the LINES-th line that this process writes into the journal; 0 is the very instant
after it. WHAT is `any`, or `synced` to count only those that are on disk when they have been written.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

from wizard import cli
from wizard.engine.journal import Journal

_write = Journal.write


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_after(what: str, lines: int, seconds: float) -> None:
    """Let this process be killed; nothing of the wizard knows."""
    left = lines

    def write(self: Journal, *args: Any, **kwargs: Any) -> None:
        nonlocal left
        _write(self, *args, **kwargs)
        left -= what == "any" or bool(kwargs.get("sync"))
        if left == 0 and seconds:
            threading.Timer(seconds, _die).start()
        elif left == 0:
            _die()

    Journal.write = write  # type: ignore[method-assign]


if __name__ == "__main__":
    die_after(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    sys.exit(cli.main(sys.argv[4:]))
