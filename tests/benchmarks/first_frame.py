"""First full frame of the wizard against a bare Textual app: `python -m tests.benchmarks.first_frame [RUNS]`.

Each is started in a terminal of 120 × 40 of its own, in turn; the clock runs from exec until the frame that
shows the first screen from its rail to its last line has been written whole. Bar: ≤ 1.3 ×.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.pty_screen import PtyScreen
from wizard import configfile

BARE = """
from textual.app import App
from textual.widgets import Footer, Static
class Bare(App):
    BINDINGS = [("q", "quit", "Leave-it")]
    def compose(self):
        yield Static("bare")
        yield Footer()
Bare().run()
"""
_WIDTH, _HEIGHT = 120, 40


def seconds_to(words: list[str], marks: tuple[bytes, ...], folder: Path) -> float:
    with PtyScreen(words, _WIDTH, _HEIGHT, folder) as screen:
        return screen.seconds_to(*marks)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.toml").write_text(configfile.example_text())
        bare = [sys.executable, "-c", BARE]
        wizard = [sys.executable, "-m", "wizard.cli", "--progress", str(folder / "progress.toml")]
        pairs = [
            (
                seconds_to(wizard, (b"LIVE", b"decommission", b"help"), folder),
                seconds_to(bare, (b"bare", b"Leave-it"), folder),
            )
            for _ in range(runs + 1)
        ][1:]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"first full frame, median of {runs}: wizard {ours:.2f} s, bare Textual app {theirs:.2f} s")
    print(f"ratio, pair by pair: {ratio:.2f} (bar: 1.3)")


if __name__ == "__main__":
    main()
