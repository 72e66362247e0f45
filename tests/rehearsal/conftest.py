"""Fixtures of the panels' tests: two new hosts with a panel each, and a shop on one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.rehearsal.panels_stage import PanelWorld, Shop, panel_world


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[PanelWorld]:
    async with panel_world(tmp_path) as found:
        yield found


@pytest_asyncio.fixture
async def shop(world: PanelWorld) -> Shop:
    return await Shop.on(world)


@pytest_asyncio.fixture
async def front_shop(world: PanelWorld) -> Shop:
    return await Shop.on(world, "frontend", 10)
