"""Killed after every synced journal line, then gone on with: `python -m tests.benchmarks.kill_everywhere`.

One migration in as many runs as there are such lines. Each run is killed the instant after its first new one;
where it stopped at the same line as the run before, at the one after it. In the end the same things must
exist as after an undisturbed run, and nothing twice.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.rehearsal.whole import Rehearsal
from wizard.engine import journal

_MOST = 3000
_OPENING = 1
"""The line with which every run begins."""


def last_line(path: Path) -> tuple[Any, ...]:
    """What the last line is about, without its moment."""
    *_, entry = journal.read(path)
    return tuple(str(entry.get(name, "")) for name in ("kind", "step", "key", "name", "question", "result"))


def main() -> None:
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        undisturbed, killed = Rehearsal(Path(first)), Rehearsal(Path(second))
        try:
            assert undisturbed.run().code == 0
            wanted = undisturbed.ask("summary")["standing"]
            kills, more = 0, 1
            before: tuple[Any, ...] = ()
            while killed.killed(_OPENING + more, what="synced") == -signal.SIGKILL:
                kills += 1
                here = last_line(killed.journal)
                more, before = (more + 1 if here == before else 1), here
                assert kills < _MOST
            last = killed.run()
            found = killed.ask("summary")
        finally:
            undisturbed.end()
            killed.end()
    print(f"killed {kills} times; then exit {last.code}, {last.summary['steps']['done']} steps done")
    print(f"made twice: {len(found['duplicates'])}; same things exist: {found['standing'] == wanted}")
    print(f"visitors: {found['visitors']}")
    sys.exit(0 if found["standing"] == wanted and not found["duplicates"] else 1)


if __name__ == "__main__":
    main()
