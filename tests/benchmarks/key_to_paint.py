"""Key to paint while 60 resolvers × 8 questions are live: `python -m tests.benchmarks.key_to_paint [KEYS]`.

The wizard's own cutover screen, in a terminal of its own, is fed by the real watch, which asks 60 caching
resolvers on loopback (a process of their own) eight questions each; their caches run out all the while. The
clock runs from the byte written into the terminal until the frame that shows its effect has been written
whole. Bar: 50 ms at the 99th percentile. Beside it, in turn, the same keys go to a Textual app that does
no more than show a number: what the machine and the library take by themselves at that moment.
"""

from __future__ import annotations

import multiprocessing
import random
import statistics
import sys
import time

from tests.benchmarks.dns_idle import serve
from tests.benchmarks.live_watch import QUESTIONS, RESOLVERS, name_of
from tests.benchmarks.pty_screen import PtyScreen

_WIDTH, _HEIGHT = 200, 50
_FIRST, _PAUSE = 6.0, (0.02, 0.2)


BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    BINDINGS = [("left", "go(-1)", ""), ("right", "go(1)", "")]
    at = 0
    def compose(self):
        yield Static("ready")
    def action_go(self, by):
        self.at += by
        self.query_one(Static).update(f"at number {self.at:02}.")
Bare().run()
"""


def measured(screen: PtyScreen, bare: PtyScreen, keys: int) -> tuple[list[float], list[float]]:
    """The pointer walks through the matrix; the line below names the resolver that it came to."""
    chance = random.Random(1)
    column = 0
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(keys):
        right = column == 0 or (column < RESOLVERS - 1 and chance.random() < 0.7)
        column += 1 if right else -1
        key = b"\x1b[C" if right else b"\x1b[D"
        time.sleep(chance.uniform(*_PAUSE))
        screen.press(key)
        ours.append(1000 * screen.seconds_to(f"{name_of(column)} 127.9.0.{column + 1}:".encode()))
        bare.press(key)
        theirs.append(1000 * bare.seconds_to(f"at number {column:02}.".encode()))
        screen.drain()
    return ours, theirs


def told(what: str, took: list[float]) -> str:
    cut = statistics.quantiles(took, n=100)
    return f"{what:<24} median {cut[49]:5.1f} ms, p95 {cut[94]:5.1f} ms, p99 {cut[98]:5.1f} ms"


def main() -> None:
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    here, there = multiprocessing.Pipe()
    spread = keys * (sum(_PAUSE) / 2 + 0.08)
    resolvers = multiprocessing.Process(target=serve, args=(there, _FIRST, spread), daemon=True)
    resolvers.start()
    words = [sys.executable, "-m", "tests.benchmarks.live_watch", str(here.recv())]
    try:
        with (
            PtyScreen(words, _WIDTH, _HEIGHT) as screen,
            PtyScreen([sys.executable, "-c", BARE], 80, 24) as bare,
        ):
            bare.seconds_to(b"ready")
            screen.seconds_to(b"cached answers are new", f"{name_of(0)} 127.9.0.1:".encode())
            ours, theirs = measured(screen, bare, keys)
    finally:
        resolvers.terminate()
        resolvers.join()
    print(f"key to paint, {RESOLVERS} resolvers × {QUESTIONS} questions, flips all the while, {keys} keys")
    print(told("the cutover screen", ours) + " (bar: p99 50)")
    print(told("a Textual app at rest", theirs))


if __name__ == "__main__":
    main()
