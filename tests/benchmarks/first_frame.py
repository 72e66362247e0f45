"""First full frame of the wizard against a bare Textual app: `python -m tests.benchmarks.first_frame [RUNS]`.

Each is started in a terminal of 120 × 40 of its own, in turn; the clock runs from exec until the frame that
shows the last line of its first screen has been written whole. Bar: ≤ 1.3 ×.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

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
_PATIENCE = 30.0


def seconds_to(words: list[str], mark: bytes, folder: Path) -> float:
    """Wall seconds from exec until `mark` has been painted. Raises RuntimeError if it never is."""
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    began = time.monotonic()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(words[0], words, environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    seen = b""
    try:
        while time.monotonic() - began < _PATIENCE:
            if not select.select([terminal], [], [], 0.5)[0]:
                continue
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                break
            at = seen.find(mark)
            if at >= 0 and b"\x1b[?2026l" in seen[at:]:
                return time.monotonic() - began
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    raise RuntimeError(f"{words[-1][:40]!r} never painted {mark!r}: {seen[-400:]!r}")


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.toml").write_text(configfile.example_text())
        bare = [sys.executable, "-c", BARE]
        wizard = [sys.executable, "-m", "wizard.cli", "--progress", str(folder / "progress.toml")]
        pairs = [
            (seconds_to(wizard, b"commands", folder), seconds_to(bare, b"Leave-it", folder))
            for _ in range(runs + 1)
        ][1:]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"first full frame, median of {runs}: wizard {ours:.2f} s, bare Textual app {theirs:.2f} s")
    print(f"ratio, pair by pair: {ratio:.2f} (bar: 1.3)")


if __name__ == "__main__":
    main()
