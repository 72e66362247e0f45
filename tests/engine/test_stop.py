"""Asked to stop once or again, an engine finishes the change under way and writes its outcome down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.engine.outside import CONFIG, Bench, Make
from wizard.engine.journal import open_intents
from wizard.engine.plan import Change, Kind
from wizard.engine.run import Engine, Result
from wizard.engine.step import Context
from wizard.secrets import FileSecrets
from wizard.session import EngineSession
from wizard.world import World


class Slow(Make):
    """A change that stays under way until it is let go; the one of `kind` alone."""

    kind = Kind.CREATE

    def begin(self) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    async def apply(self, change: Change, ctx: Context) -> None:
        if change.kind is self.kind:
            self.begun.set()
            await self.go.wait()
        await super().apply(change, ctx)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def stopped_twice(slow: Slow, stop: Callable[[], Awaitable[None]]) -> list[asyncio.Future[None]]:
    """The change is under way all the time; it is let go at the end."""
    await slow.begun.wait()
    stops = []
    for _ in range(2):
        stops.append(asyncio.ensure_future(stop()))
        for _ in range(20):
            await asyncio.sleep(0)
    slow.go.set()
    return stops


async def test_a_run_that_is_stopped_twice_finishes_its_change(bench: Bench) -> None:
    slow = Slow(bench.outside, "prepare.a", ["a"])
    slow.begin()
    engine = bench.engine([slow])
    run = asyncio.create_task(engine.run())
    await stopped_twice(slow, engine.stop)
    assert await run is Result.INTERRUPTED
    assert bench.outside.things == {"a"} and open_intents(engine.progress.journal_path) == {}


async def made(bench: Bench) -> tuple[Slow, Engine]:
    slow = Slow(bench.outside, "prepare.a", ["a"])
    slow.kind = Kind.DELETE
    slow.begin()
    engine = bench.engine([slow])
    assert await engine.run() is Result.DONE
    return slow, engine


async def test_a_way_back_that_is_stopped_twice_finishes_its_change(bench: Bench) -> None:
    slow, engine = await made(bench)
    back = asyncio.create_task(engine.undo("prepare"))
    await stopped_twice(slow, engine.stop)
    assert await back is Result.INTERRUPTED
    assert bench.outside.things == set() and open_intents(engine.progress.journal_path) == {}


@pytest.mark.parametrize("kind", [Kind.CREATE, Kind.DELETE])
async def test_a_screen_that_is_left_twice_ends_after_the_change(bench: Bench, kind: Kind) -> None:
    """Given an impatient operator, who asks to leave once more while the change is finished."""
    slow, engine = await made(bench)
    if kind is Kind.CREATE:
        slow.kind = kind
        assert await engine.undo("prepare") is Result.DONE
        slow.begin()
    world = World(CONFIG, FileSecrets(bench.folder / "secrets.json"), clock=bench.clock)
    session = EngineSession([slow], world, engine.progress)
    going = asyncio.create_task(session.start() if kind is Kind.CREATE else session.undo("prepare"))
    while not session.approvals:
        await asyncio.sleep(0)
    session.approve("prepare.a", True)
    await asyncio.gather(*await stopped_twice(slow, session.stop))
    await going
    assert bench.outside.things == ({"a"} if kind is Kind.CREATE else set())
    assert open_intents(engine.progress.journal_path) == {}
