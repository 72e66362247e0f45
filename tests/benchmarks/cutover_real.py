"""A whole cutover and the whole way back among real servers, with ten thousand visits on the site.

    python -m tests.benchmarks.cutover_real [--requests 10000]

named with knot as its secondary, eight unbound caches, pebble, four Caddy, sshd; the steps are those of a
live run. Prints the requests of either direction, the failed ones, and how long each step took. A connection
that is reset counts as failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

import pytest

from tests.real.cutover_scene import real_scene
from wizard.phases.cutover import steps as cutover
from wizard.phases.cutover.flip import FlipStep
from wizard.phases.prepare.dns_zone import DnsZone


async def measure(requests: int) -> dict[str, object]:
    took: dict[str, float] = {}
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        async with real_scene(Path(folder), patch) as scene:
            crowd = scene.crowd
            for step in (DnsZone(scene.config), *cutover.steps(scene.config)):
                began = time.monotonic()
                turn = await scene.bench.drive(step)
                assert turn.done, f"{step.id}: {turn.story}"
                took[step.id] = round(time.monotonic() - began, 1)
            await crowd.until(requests // 2)
            there, failed = crowd.requests, len(crowd.failures)
            began = time.monotonic()
            await scene.bench.undo(FlipStep(scene.config))
            took["the way back"] = round(time.monotonic() - began, 1)
            await crowd.until(max(requests, there + requests // 2))
            return {
                "requests": crowd.requests,
                "on_the_way_there": there,
                "on_the_way_back": crowd.requests - there,
                "failed_there": failed,
                "failed_back": len(crowd.failures) - failed,
                "failures": crowd.failures[:5],
                "seconds": took,
            }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=10_000)
    print(json.dumps(asyncio.run(measure(parser.parse_args().requests)), indent=1))


if __name__ == "__main__":
    main()
