"""Visitors count honestly: every page that fails is counted, with its reason."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.small_stage import EDGE, NEW_API, NEW_WEB, OLD, SmallWorld, small_world
from wizard.endpoints import Endpoints
from wizard.rehearsal.visitors import Visitors, Wish


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SmallWorld]:
    async with small_world(tmp_path) as world:
        for name in world.stage.config.names:
            world.names.records[(name, "A")] = (OLD if name.startswith("api") else EDGE,)
        yield world


class StraightNames:
    """No caches: visitors read the authoritative records."""

    liars: frozenset[str] = frozenset()

    def __init__(self, world: SmallWorld) -> None:
        self.lookup = world.names.lookup

    def endpoints(self, base: Endpoints) -> Endpoints:
        return base


@pytest.fixture
async def visitors(world: SmallWorld) -> AsyncIterator[Visitors]:
    loose: Any = world.stage
    loose.dns = StraightNames(world)
    visitors = Visitors(world.stage, Visitors.begin(world.stage))
    visitors.rate = 0.0
    await visitors.start()
    yield visitors
    await visitors.stop()


async def visit(visitors: Visitors, times: int) -> None:
    for _ in range(times):
        await visitors.visit()


async def test_a_standing_site_fails_nobody(visitors: Visitors) -> None:
    await visit(visitors, 30)

    assert (visitors.requests, visitors.failed) == (60, 0)
    assert (visitors.state.old, visitors.state.new) == (60, 0)


async def test_visitors_see_the_new_address_when_the_answer_has_expired(
    world: SmallWorld, visitors: Visitors
) -> None:
    await visit(visitors, 24)
    for host, app, address in (("frontend", "web", NEW_WEB), ("backend", "api", NEW_API)):
        front = world.stage.fronts.of(host)
        front.app_version(app, "new")
        for domain in world.stage.config.app(app).domains:
            front.route(domain, app, "", True, "none")
            front.add_certificate(*world.stage.acme.issue(domain))
            world.names.records[(domain, "A")] = (address,)
    await world.stage.clock.leap(world.stage.clock.now() + 61)

    await visit(visitors, 24)

    assert visitors.failed == 0
    assert (visitors.state.old, visitors.state.new) == (48, 48)


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("untrusted", "TLS: self"),
        ("gone", "status 404"),
        ("paused", "status 503"),
        ("nameless", "DNS: no address"),
        ("nobody", "no route"),
    ],
)
async def test_each_kind_of_failure_is_counted_with_its_reason(
    world: SmallWorld, visitors: Visitors, fault: str, word: str
) -> None:
    names = ("shop.example", "www.shop.example")
    if fault in ("gone", "paused"):
        world.edge.verdicts |= dict.fromkeys(names, fault)
    for name in names:
        if fault == "untrusted":
            world.names.records[(name, "A")] = (NEW_WEB,)
        elif fault == "nameless":
            del world.names.records[(name, "A")]
        elif fault == "nobody":
            world.names.records[(name, "A")] = ("203.0.113.200",)

    await visit(visitors, 2)

    assert (visitors.requests, visitors.failed) == (4, 2)
    assert word in visitors.failures[0]


@pytest.mark.parametrize("moved", [True, False])
async def test_a_leap_of_the_clock_on_the_way_is_no_failure_of_the_site(
    world: SmallWorld, visitors: Visitors, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    """Who asked before days went by asks again; who then still meets the paused place has failed."""
    straight, leapt = visitors._exchange, False

    async def over_days(wish: Wish, address: str) -> Any:
        nonlocal leapt
        if not leapt:
            leapt = True
            front = world.stage.fronts.of("frontend")
            front.app_version("web", "new")
            for name in world.stage.config.app("web").domains:
                front.route(name, "web", "", True, "none")
                front.add_certificate(*world.stage.acme.issue(name))
                world.names.records[(name, "A")] = (NEW_WEB if moved else EDGE,)
                world.edge.verdicts[name] = "paused"
            await world.stage.clock.leap(world.stage.clock.now() + 86_400)
        return await straight(wish, address)

    monkeypatch.setattr(visitors, "_exchange", over_days)
    await visit(visitors, 1)
    assert visitors.failed == (0 if moved else 1), visitors.failures


async def test_redirects_are_followed(world: SmallWorld, visitors: Visitors) -> None:
    world.edge.redirects["www.shop.example"] = "shop.example"

    await visit(visitors, 48)

    assert visitors.failed == 0


async def test_they_come_by_themselves_at_the_given_rate(visitors: Visitors) -> None:
    import asyncio

    visitors.rate = 200.0
    async with asyncio.timeout(150):
        while visitors.requests < 20:
            await asyncio.sleep(0.01)

    assert visitors.failed == 0
