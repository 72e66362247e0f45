"""The probe reports planted gaps and slow starts, and nothing else; the judging is pure."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from wizard.checks.availability import Probe, Shot, http_fire, judge
from wizard.checks.crawl import Place
from wizard.checks.http import HttpClient
from wizard.net import LiveNet


def series(count: int, *, every: float = 0.1, latency: float = 0.02) -> list[Shot]:
    return [Shot(number * every, latency) for number in range(count)]


def failing(shots: list[Shot], first: int, last: int, why: str = "status 404") -> list[Shot]:
    return [
        Shot(shot.at, shot.latency, why) if first <= number <= last else shot
        for number, shot in enumerate(shots)
    ]


def test_a_clean_run_says_what_it_could_not_have_seen() -> None:
    seen = judge(series(100))

    assert seen.clean and seen.gaps == ()
    assert seen.resolution == pytest.approx(0.1)
    assert "0 failed" in seen.words and "shorter than 0.10 s" in seen.words


def test_a_gap_lies_between_two_bounds() -> None:
    seen = judge(failing(series(100), 40, 42))

    assert (seen.failed, len(seen.gaps)) == (3, 1)
    gap = seen.gaps[0]
    assert gap.least == pytest.approx(0.2) and gap.most == pytest.approx(0.4)
    assert seen.failures == (("status 404", 3),)


def test_a_gap_that_never_ends_is_open() -> None:
    seen = judge(failing(series(10), 8, 9, "refused"))

    assert seen.gaps[0].failures == 2 and seen.gaps[0].most == pytest.approx(0.2)


def test_slow_answers_that_come_together_are_a_slow_start_and_one_alone_is_chance() -> None:
    shots = series(100)
    alone = [Shot(s.at, 0.9) if n == 50 else s for n, s in enumerate(shots)]
    start = [Shot(s.at, 0.9) if 50 <= n <= 55 else s for n, s in enumerate(shots)]

    assert (judge(alone).slow, judge(alone).slow_episodes, judge(alone).clean) == (1, 0, True)
    assert (judge(start).slow, judge(start).slow_episodes, judge(start).clean) == (6, 1, False)


def test_what_our_own_machine_was_late_is_not_laid_at_the_services_door() -> None:
    busy = [Shot(s.at, 0.9, busy=0.85) if 50 <= n <= 55 else s for n, s in enumerate(series(100))]
    both = [Shot(s.at, 1.8, busy=0.85) if 50 <= n <= 55 else s for n, s in enumerate(series(100))]

    assert judge(busy).clean and "this machine itself was late by up to 0.85 s" in judge(busy).words
    assert judge(both).slow_episodes == 1


def test_no_shots_prove_nothing() -> None:
    assert not judge([]).clean and "no request" in judge([]).words


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_failed_shots_are_all_in_gaps_and_bounds_hold(pattern: list[bool]) -> None:
    shots = [Shot(n * 0.1, 0.01, "refused" if bad else "") for n, bad in enumerate(pattern)]

    seen = judge(shots)

    assert sum(gap.failures for gap in seen.gaps) == seen.failed == sum(pattern)
    assert all(0 <= gap.least <= gap.most + 1e-9 for gap in seen.gaps)


@dataclass
class Shop:
    """A server whose trouble starts at the nth request and lasts for some: a busy machine skips none."""

    port: int = 0
    gap: int = 0
    slow: int = 0
    still: float = 0.0
    from_request: int = 25
    requests: int = 0
    began: float = 0.0
    ended: float = 0.0

    async def handle(self, request: web.Request) -> web.Response:
        self.requests += 1
        since = self.requests - self.from_request
        if self.still and 0 <= since < 4:
            time.sleep(self.still)  # noqa: ASYNC251 - the probe runs in the same program
        if 0 <= since < self.gap:
            self.began, self.ended = self.began or time.monotonic(), time.monotonic()
            return web.Response(status=404, text="404 page not found")
        if 0 <= since < self.slow:
            # In many naps: each is as late as this program is, which the probe takes off again.
            for _ in range(35):
                await asyncio.sleep(0.02)
        return web.Response(text="marker build-7")


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    app = web.Application()
    app.router.add_get("/", shop.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    shop.port = int(runner.addresses[0][1])
    yield shop
    await runner.cleanup()


async def probed(shop: Shop, shots: int = 80) -> Probe:
    client = HttpClient(LiveNet())
    place = Place(f"http://shop.example:{shop.port}", "127.0.0.1")
    fire = http_fire(client, place, "/", marker="marker", build_of=lambda body: body.decode().split()[-1])
    async with Probe(fire, time.monotonic, rate=50) as probe, asyncio.timeout(150):
        while len(probe.shots) < shots:
            await asyncio.sleep(0.02)
    await client.aclose()
    return probe


async def test_a_planted_gap_is_reported_with_its_length(shop: Shop) -> None:
    shop.gap = 15

    shots = (await probed(shop)).shots
    seen = judge(shots)

    gap = seen.longest_gap
    assert gap is not None and len(seen.gaps) == 1
    length, travel = shop.ended - shop.began, max(shot.latency for shot in shots)
    assert gap.least <= length + travel and gap.most >= length - travel
    assert seen.failures == (("status 404", 15),)


async def test_a_planted_slow_start_is_reported(shop: Shop) -> None:
    shop.slow = 10

    seen = judge((await probed(shop)).shots)

    assert seen.failed == 0 and seen.slow >= 2 and seen.slow_episodes == 1


async def test_a_program_that_stands_still_meanwhile_gives_no_alarm(shop: Shop) -> None:
    shop.still = 0.5

    seen = judge((await probed(shop)).shots)

    assert seen.clean, seen.words
    assert seen.busy > 0.3


async def test_a_clean_server_gives_no_alarm(shop: Shop) -> None:
    seen = judge((await probed(shop)).shots)

    assert seen.clean, seen.words
    assert seen.builds == ("build-7",)
