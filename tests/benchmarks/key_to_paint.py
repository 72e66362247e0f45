"""Key to paint while 60 resolvers × 8 questions are live: `python -m tests.benchmarks.key_to_paint [KEYS]`.

The wizard's own cutover screen, in a terminal of its own, is fed by the real watch, which asks 60 caching
resolvers on loopback (a process of their own) eight questions each; their caches run out all the while. The
clock runs from the byte written into the terminal until the frame that shows its effect has been written
whole. Bar: 50 ms at the 99th percentile.
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


def measured(screen: PtyScreen, keys: int) -> list[float]:
    """The pointer walks through the matrix; the line below names the resolver that it came to."""
    chance = random.Random(1)
    column, took = 0, []
    for _ in range(keys):
        right = column == 0 or (column < RESOLVERS - 1 and chance.random() < 0.7)
        column += 1 if right else -1
        time.sleep(chance.uniform(*_PAUSE))
        screen.press(b"\x1b[C" if right else b"\x1b[D")
        took.append(1000 * screen.seconds_to(f"{name_of(column)} 127.9.0.{column + 1}:".encode()))
    return sorted(took)


def main() -> None:
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    here, there = multiprocessing.Pipe()
    spread = keys * (sum(_PAUSE) / 2 + 0.05)
    resolvers = multiprocessing.Process(target=serve, args=(there, _FIRST, spread), daemon=True)
    resolvers.start()
    words = [sys.executable, "-m", "tests.benchmarks.live_watch", str(here.recv())]
    try:
        with PtyScreen(words, _WIDTH, _HEIGHT) as screen:
            screen.seconds_to(b"cached answers are new", f"{name_of(0)} 127.9.0.1:".encode())
            took = measured(screen, keys)
    finally:
        resolvers.terminate()
        resolvers.join()
    cut = statistics.quantiles(took, n=100)
    print(f"{RESOLVERS} resolvers × {QUESTIONS} questions, flips all the while, {keys} keys")
    print(f"key to paint: median {cut[49]:.1f} ms, p95 {cut[94]:.1f} ms, p99 {cut[98]:.1f} ms (bar: 50)")


if __name__ == "__main__":
    main()
