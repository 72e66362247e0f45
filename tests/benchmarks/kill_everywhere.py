"""Killed after each synced journal line, then gone on with:
`python -m tests.benchmarks.kill_everywhere [N] [back]`.

One migration in as many runs as there are such lines (with N: after every N-th of them). Each run is killed
the instant after the first line that no run before it wrote. In the end the same things must exist as after
an undisturbed run, and nothing twice. With `back` it is the whole way back that is killed, from the settled
migration to where it began: then the outside must be as it was before.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from dataclasses import fields
from pathlib import Path

from tests.rehearsal.test_undo_all import Outside, look, taken_back
from tests.rehearsal.whole import Rehearsal

_MOST = 3000


def main() -> None:
    words = sys.argv[1:]
    stride = next((int(word) for word in words if word.isdigit()), 1)
    sys.exit(back(stride) if "back" in words else there(stride))


def back(stride: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        rehearsal, began = Rehearsal(Path(folder)), time.monotonic()
        try:
            rehearsal.run("plan", "--json")
            before = look(rehearsal)
            assert rehearsal.run("run", "--until", "settle", "--yes", "--json").code == 0
            kills = taken_back(rehearsal, stride)
            left = rehearsal.run("undo", "prepare", "--yes", "--json")
            found, after = rehearsal.ask("summary"), look(rehearsal)
            again = rehearsal.run()
        finally:
            rehearsal.end()
    standing = [thing for thing in after.standing if not thing.startswith("acme")]
    differs = different(before, after)
    print(f"way back killed {kills} times; then exit {left.code}; forward again: exit {again.code}")
    print(f"left standing: {standing}; the rest is as it was: {not differs}")
    print(f"visitors: {found['visitors']}; {time.monotonic() - began:.0f} s")
    print("\n".join([*found["failures"], *differs]))
    return 0 if not differs and not standing and not left.code and not again.code else 1


def different(before: Outside, after: Outside) -> list[str]:
    """What is not as it was, one line each; what was made is judged by the ledger."""
    lines = []
    for field in fields(Outside):
        was, found = getattr(before, field.name), getattr(after, field.name)
        if field.name == "standing":
            continue
        for key in sorted({*was, *found}, key=str):
            if was.get(key) != found.get(key):
                lines.append(f"differs: {field.name} {key}: {was.get(key)!r} -> {found.get(key)!r}")
    return lines


def there(stride: int) -> int:
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
    if last.code:
        print(last.story)
    print(f"made twice: {len(found['duplicates'])}; same things exist: {found['standing'] == wanted}")
    print(f"visitors: {found['visitors']}; {time.monotonic() - began:.0f} s")
    print(
        "\n".join([*found["failures"], *(f"differs: {thing}" for thing in {*found["standing"]} ^ {*wanted})])
    )
    return 0 if found["standing"] == wanted and not found["duplicates"] and not last.code else 1


if __name__ == "__main__":
    main()
