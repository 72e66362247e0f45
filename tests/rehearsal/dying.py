"""The command line in a process that is killed: `python -m tests.rehearsal.dying WHAT LINES SECONDS WORD…`.

SIGKILL comes SECONDS after the LINES-th line that this process writes into the journal; 0 is the very instant
after it. WHAT is `any`, or a file that lists lines at which earlier processes died: then only lines are
counted that are on disk when they have been written and that stand not there, and the last one joins them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from wizard import cli
from wizard.engine.journal import Journal

_write = Journal.write
_ABOUT = ("step", "key", "name", "question", "result")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def about(kind: str, fields: dict[str, Any]) -> str:
    """What a line is about, without its moment."""
    return " ".join((kind, *(str(fields.get(name, "")) for name in _ABOUT)))


def die_after(what: str, lines: int, seconds: float) -> None:
    """Let this process be killed; nothing of the wizard knows."""
    left = lines
    known = None if what == "any" else Path(what)
    seen = set(known.read_text().splitlines()) if known is not None and known.exists() else set()

    def counts(line: str, synced: bool) -> bool:
        return known is None or (synced and line not in seen)

    def write(self: Journal, at: float, kind: Any, **fields: Any) -> None:
        nonlocal left
        _write(self, at, kind, **fields)
        line = about(str(kind), fields)
        if not counts(line, bool(fields.get("sync"))):
            return
        seen.add(line)
        left -= 1
        if left:
            return
        if known is not None:
            known.write_text("\n".join(sorted(seen)) + "\n")
        if seconds:
            threading.Timer(seconds, _die).start()
        else:
            _die()

    Journal.write = write  # type: ignore[method-assign]


if __name__ == "__main__":
    die_after(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    sys.exit(cli.main(sys.argv[4:]))
