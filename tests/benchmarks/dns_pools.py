"""No premature "done" behind one address with several caches: `python -m tests.benchmarks.dns_pools [RUNS]`.

One named, four unbound caches, and for each run a name of its own and an address that hands every question
to one of the four at random. Ages are spread over the TTL; the names change all at once. Half of the watches
are told the authoritative server and half are not.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.real.dns_servers import Primary, anycast, named, unbounds
from wizard.clock import LiveClock
from wizard.dns.asking import Asker
from wizard.dns.authority import given as authoritative
from wizard.dns.question import DnsClient
from wizard.dns.resolvers import given
from wizard.dns.watch import Watch
from wizard.dns.watch_target import target
from wizard.endpoints import SocketAddress

OLD, NEW = "192.0.2.1", "192.0.2.2"
CACHES = 4


async def one_run(number: int, caches: Sequence[SocketAddress], primary: Primary, told: bool) -> Watch:
    transport, address = await anycast(caches, random.Random(number))
    client, clock = DnsClient(), LiveClock()
    servers = authoritative([primary.at], "") if told else ()
    wanted = target(f"n{number}.shop.test", "A", (NEW,), (OLD,))
    watch = Watch(Asker(client, clock), clock, (wanted,), (given(str(address)),), servers)
    await watch.begin()
    while not watch.done:
        moment = await watch.attend(patience=1.0, limit=5.0)
        await clock.sleep(min(5.0, moment - clock.now()))
    await watch.aclose()
    await client.aclose()
    transport.close()
    return watch


async def true_flip(client: DnsClient, caches: Sequence[SocketAddress], name: str) -> float:
    """When the last of the caches let go; asked so that nothing is refilled early."""
    last = 0.0
    for cache in caches:
        while (await client.ask(cache, name, "A")).values("A") != (NEW,):
            await asyncio.sleep(0.1)
        last = max(last, time.time())
    return last


async def main(runs: int, ttl: int) -> None:
    dice = random.Random(1)
    names = [f"n{number}" for number in range(runs)]
    with tempfile.TemporaryDirectory() as folder:
        async with (
            named(Path(folder) / "named", "shop.test", [f"{n} IN A {OLD}" for n in names], ttl) as primary,
            unbounds(Path(folder), primary, [""] * CACHES) as caches,
        ):
            client = DnsClient()
            began = time.time()
            fills = sorted((dice.uniform(0.0, ttl - 5.0), name, cache) for name in names for cache in caches)
            for at, name, cache in fills:
                await asyncio.sleep(max(0.0, began + at - time.time()))
                await client.ask(cache, f"{name}.shop.test", "A")
            watches = [
                asyncio.create_task(one_run(number, caches, primary, number % 2 == 0))
                for number in range(0, runs, 2)
            ]
            await asyncio.sleep(1.0)
            for name in names:
                await primary.put(name, "A", ttl, NEW)
            # Those who are not told of the authoritative server can but begin after the change.
            watches += [
                asyncio.create_task(one_run(number, caches, primary, False)) for number in range(1, runs, 2)
            ]
            async with asyncio.TaskGroup() as group:
                truths = [
                    group.create_task(true_flip(client, caches, f"{name}.shop.test"))
                    for name in (*names[::2], *names[1::2])
                ]
                ended = [group.create_task(_ended(watch)) for watch in watches]
            await client.aclose()
    report([task.result() for task in truths], [task.result() for task in ended], runs)


async def _ended(task: asyncio.Task[Watch]) -> tuple[float, Watch]:
    watch = await task
    return time.time(), watch


def report(truths: list[float], ended: list[tuple[float, Watch]], runs: int) -> None:
    after = [done - truth for truth, (done, _) in zip(truths, ended, strict=True)]
    half = len(range(0, runs, 2))
    for label, part in (("authoritative server told", slice(0, half)), ("not told", slice(half, None))):
        found = [watch.cells[0] for _, watch in ended[part]]
        print(
            f"{label}: {len(found)} runs, premature {sum(gap < 0 for gap in after[part])}, "
            f"done {statistics.fmean(after[part]):.1f} s (least {min(after[part]):.1f}) after the last flip, "
            f"{statistics.fmean(cell.forecast.caches for cell in found):.1f} caches told apart, "
            f"{statistics.fmean(cell.queries for cell in found):.1f} queries"
        )


if __name__ == "__main__":
    asyncio.run(main(*(int(word) for word in (*sys.argv[1:], *("50", "60")[len(sys.argv) - 1 :]))))
