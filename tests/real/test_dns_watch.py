"""The watch over real caches: unbound in all its moods, behind named and knot."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real.dns_servers import Primary, anycast, knot, named, unbounds
from wizard.clock import LiveClock
from wizard.dns.asking import Asker
from wizard.dns.authority import given as authoritative
from wizard.dns.question import DnsClient
from wizard.dns.resolvers import given
from wizard.dns.view import Verdict
from wizard.dns.watch import Watch
from wizard.dns.watch_target import target
from wizard.endpoints import SocketAddress

pytestmark = [pytest.mark.real, pytest.mark.slow]
NAME, OLD, NEW, TTL = "www.shop.test", "192.0.2.1", "192.0.2.2", 8
ROWS = [f"www IN A {OLD}"]


@dataclass
class Stand:
    client: DnsClient
    primary: Primary
    caches: tuple[SocketAddress, ...]

    async def old_at(self) -> list[SocketAddress]:
        answers = [await self.client.ask(cache, NAME, "A") for cache in self.caches]
        return [
            cache for cache, answer in zip(self.caches, answers, strict=True) if answer.values("A") != (NEW,)
        ]

    def watch(self, resolvers: Sequence[SocketAddress], *servers: Primary) -> Watch:
        clock = LiveClock()
        known = authoritative([server.at for server in servers or (self.primary,)], "")
        wanted = (target(NAME, "A", (NEW,), (OLD,)),)
        vantages = [given(str(at)) for at in resolvers]
        return Watch(Asker(self.client, clock), clock, wanted, vantages, known)


@contextlib.asynccontextmanager
async def stand(folder: Path, *options: str) -> AsyncIterator[Stand]:
    """Caches with these options, filled a second after each other."""
    async with (
        named(folder / "named", "shop.test", ROWS, TTL) as primary,
        unbounds(folder, primary, options) as caches,
    ):
        client = DnsClient()
        for cache in caches:
            await client.ask(cache, NAME, "A")
            await asyncio.sleep(0.9)
        try:
            yield Stand(client, primary, caches)
        finally:
            await client.aclose()


async def to_the_end(watch: Watch) -> None:
    while not watch.done:
        moment = await watch.attend(patience=1.0, limit=5.0)
        await asyncio.sleep(max(0.0, min(5.0, moment - watch.clock.now())))
    await watch.aclose()


async def test_caches_in_every_mood_are_followed_and_named(tmp_path: Path) -> None:
    """Given plain, prefetching, stale-serving, TTL-stretching and TTL-cutting caches, done finds all new."""
    moods = ("", "prefetch: yes", "serve-expired: yes", "cache-min-ttl: 14", "cache-max-ttl: 4")
    async with stand(tmp_path, *moods) as here:
        watch = here.watch(here.caches)
        await watch.begin()
        await watch.attend(patience=0.1, limit=1.0)
        await here.primary.put("www", "A", TTL, NEW)

        await to_the_end(watch)

        assert await here.old_at() == []
        notes = [row.note for row in watch.view().resolvers]
        assert notes[0] == notes[1] == ""
        assert "stale" in notes[2]
        assert "keeps records" in notes[3]
        assert watch.cells[0].queries == 2
        assert watch.view().share == 1.0


async def test_done_is_not_said_early_behind_one_address(tmp_path: Path) -> None:
    """Given four caches of different age behind one address, none is old when done is said."""
    async with stand(tmp_path, "", "", "", "") as here:
        _, address = await anycast(here.caches, random.Random(3))
        watch = here.watch([address])
        await watch.begin()
        await watch.attend(patience=0.1, limit=1.0)
        await here.primary.put("www", "A", TTL, NEW)

        await to_the_end(watch)

        assert await here.old_at() == []


async def test_a_server_that_lags_holds_done_back(tmp_path: Path) -> None:
    """Given named changed and knot not yet, nothing is done; the old TTL counts from when knot follows."""
    async with (
        knot(tmp_path / "knot", "shop.test", ROWS, TTL) as second,
        stand(tmp_path, "") as here,
    ):
        watch = here.watch(here.caches, here.primary, second)
        await watch.begin()
        await here.primary.put("www", "A", TTL, NEW)
        behind = watch.view()
        while {row.verdicts for row in behind.authorities} != {(Verdict.NEW,), (Verdict.OLD,)}:
            await watch.attend(patience=0.1, limit=1.0)
            behind = watch.view()
            assert watch.ends_at is None and not watch.done
            await asyncio.sleep(0.2)
        assert any("Not yet changed" in note for note in behind.notes)

        await second.put("www", "A", TTL, NEW)
        changed = watch.clock.now()
        await to_the_end(watch)

        assert (watch.ends_at or 0.0) >= changed + TTL


async def test_a_name_asked_too_early_is_waited_for(tmp_path: Path) -> None:
    """Given a cache that remembers an absence (SOA minimum 30), its end is foreseen, not the record's TTL."""
    async with stand(tmp_path, "") as here:
        clock = LiveClock()
        asked = clock.now()
        await here.client.ask(here.caches[0], "new.shop.test", "A")
        remembered = clock.now()
        await here.primary.put("new", "A", TTL, NEW)
        wanted = (target("new.shop.test", "A", (NEW,), ()),)
        watch = Watch(Asker(here.client, clock), clock, wanted, [given(str(here.caches[0]))])
        await watch.begin()
        await watch.attend(patience=0.1, limit=1.0)

        cell = watch.view().resolvers[0].cells[0]
        assert cell.verdict is Verdict.OLD
        assert cell.expires is not None and asked + 28.0 < cell.expires < remembered + 32.0
        await watch.aclose()


async def test_a_long_answer_comes_whole_through_a_real_cache(tmp_path: Path) -> None:
    async with stand(tmp_path, "") as here:
        await here.primary.put("long", "TXT", TTL, *(f'"{n}{"x" * 200}"' for n in range(12)))

        answer = await here.client.ask(here.caches[0], "long.shop.test", "TXT")

        assert len(answer.values("TXT")) == 12
