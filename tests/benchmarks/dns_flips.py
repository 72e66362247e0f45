"""How late flips of real caches are seen: `python -m tests.benchmarks.dns_flips [CACHES [TTL]]`.

named, and unbound caches filled at ages spread over the TTL; the record is changed; `dokploy-wizard watch`
runs beside pollers that ask every 5 and every 30 seconds. The true moment of each flip comes from asking
that cache every 20 ms around its end. Bars (24 caches, TTL 60): mean ≤ 0.3 s, maximum ≤ 1 s, ≤ 2.5 queries.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.real.dns_servers import named, unbounds
from wizard.dns.question import DnsClient
from wizard.endpoints import SocketAddress

NAME, OLD, NEW = "www.shop.test", "192.0.2.1", "192.0.2.2"
EARLY = 1.5
STEP = 0.02


@dataclass
class Seen:
    """When each cache was first seen new, and by how many questions."""

    at: dict[SocketAddress, float] = field(default_factory=dict)
    queries: dict[SocketAddress, int] = field(default_factory=dict)


async def is_new(client: DnsClient, cache: SocketAddress) -> bool:
    return (await client.ask(cache, NAME, "A")).values("A") == (NEW,)


async def oracle(client: DnsClient, cache: SocketAddress, end: float, truth: Seen) -> None:
    await asyncio.sleep(max(0.0, end - EARLY - time.time()))
    while not await is_new(client, cache):
        await asyncio.sleep(STEP)
    truth.at[cache] = time.time()


async def fixed(client: DnsClient, cache: SocketAddress, every: float, seen: Seen) -> None:
    """Asks by the clock, as pollers do, until the flip is seen."""
    await asyncio.sleep(random.uniform(0.0, 1.0))
    while True:
        seen.queries[cache] = seen.queries.get(cache, 0) + 1
        if await is_new(client, cache):
            seen.at[cache] = time.time()
            return
        await asyncio.sleep(every)


async def ours(server: SocketAddress, caches: tuple[SocketAddress, ...], seen: Seen) -> float:
    """The command itself; when it said that all is done."""
    words = [sys.executable, "-m", "wizard.cli", "watch", NAME, "A", "--expect", NEW, "--was", OLD]
    words += ["--no-public", "--until-done", "--json", "--authoritative", str(server)]
    for cache in caches:
        words += ["--resolver", str(cache)]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    by_text = {str(cache): cache for cache in caches}
    done = 0.0
    async for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "answer":
            cache = by_text[event["address"]]
            if event["verdict"] == "new":
                seen.at.setdefault(cache, event["at"])
                seen.queries.setdefault(cache, event["queries"])
        done = event["at"] if event["event"] == "done" else done
    await process.wait()
    return done


def figures(name: str, seen: Seen, truth: Seen) -> None:
    late = [seen.at[cache] - at for cache, at in truth.at.items()]
    queries = statistics.fmean(seen.queries.values())
    ordered = sorted(late)
    print(
        f"{name:<12} mean {statistics.fmean(late):6.3f} s   p95 {ordered[int(len(late) * 0.95)]:6.3f} s   "
        f"max {max(late):6.3f} s   {queries:5.2f} queries a cache"
    )


async def main(count: int, ttl: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            named(folder / "named", "shop.test", [f"www IN A {OLD}"], ttl) as primary,
            unbounds(folder, primary, [""] * count) as caches,
        ):
            client = DnsClient()
            ends: dict[SocketAddress, float] = {}
            began = time.time()
            for number, cache in enumerate(caches):
                due = began + number * (ttl - 4) / count + random.uniform(0.0, (ttl - 4) / count)
                await asyncio.sleep(max(0.0, due - time.time()))
                await client.ask(cache, NAME, "A")
                ends[cache] = time.time() + ttl
            await asyncio.sleep(max(0.0, began + ttl - 3.5 - time.time()))
            truth, mine, fives, thirties = Seen(), Seen(), Seen(), Seen()
            watching = asyncio.create_task(ours(primary.at, caches, mine))
            await asyncio.sleep(2.0)
            await primary.put("www", "A", ttl, NEW)
            changed = time.time()
            async with asyncio.TaskGroup() as group:
                for cache, end in ends.items():
                    group.create_task(oracle(client, cache, end, truth))
                    group.create_task(fixed(client, cache, 5.0, fives))
                    group.create_task(fixed(client, cache, 30.0, thirties))
            done = await watching
            await client.aclose()
    print(f"{count} unbound caches, TTL {ttl}, last flip {max(truth.at.values()) - changed:.1f} s after")
    figures("this watch", mine, truth)
    figures("every 5 s", fives, truth)
    figures("every 30 s", thirties, truth)
    print(f"done was said {done - max(truth.at.values()):+.1f} s after the last flip")


if __name__ == "__main__":
    asyncio.run(main(*(int(word) for word in (*sys.argv[1:], *("24", "60")[len(sys.argv) - 1 :]))))
