"""Killed after each synced journal line, then gone on with: `python -m tests.benchmarks.kill_everywhere [N]`.

One migration in as many runs as there are such lines (with N: after every N-th of them). Each run is killed
the instant after the first line that no run before it wrote. In the end the same things must exist as after
an undisturbed run, and nothing twice.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.rehearsal.whole import Rehearsal

_MOST = 3000


def main() -> None:
    stride = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        undisturbed, killed = Rehearsal(Path(first)), Rehearsal(Path(second))
        seen, began = Path(second) / "seen.txt", time.monotonic()
        try:
            assert undisturbed.run().code == 0
            wanted = undisturbed.ask("summary")["standing"]
            undisturbed.end()
            kills = 0
            while killed.killed(stride, what=str(seen)) == -signal.SIGKILL:
                kills += 1
                assert kills < _MOST
            last = killed.run()
            found = killed.ask("summary")
        finally:
            undisturbed.end()
            killed.end()
    print(f"killed {kills} times; then exit {last.code}, {last.summary['steps']['done']} steps done")
    print(f"made twice: {len(found['duplicates'])}; same things exist: {found['standing'] == wanted}")
    print(f"visitors: {found['visitors']}; {time.monotonic() - began:.0f} s")
    print(
        "\n".join([*found["failures"], *(f"differs: {thing}" for thing in {*found["standing"]} ^ {*wanted})])
    )
    sys.exit(0 if found["standing"] == wanted and not found["duplicates"] and not last.code else 1)


if __name__ == "__main__":
    main()
