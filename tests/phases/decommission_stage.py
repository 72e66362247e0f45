"""Climbing the ladder away from Vercel, for tests of its rungs."""

from __future__ import annotations

from typing import Any

from tests.phases.context import Turn
from tests.rehearsal.vercel_stage import VercelWorld
from wizard.engine.step import Step
from wizard.phases.decommission.delete import DeleteProject
from wizard.phases.decommission.export import Export
from wizard.phases.decommission.rungs import DisconnectGit, Pause, RemoveDomains
from wizard.phases.decommission.soak import Soak
from wizard.phases.prepare.vercel import VercelStep

DAY = 86_400.0
LADDER: tuple[type[Step[Any]], ...] = (Soak, Export, DisconnectGit, Pause, RemoveDomains, DeleteProject)


async def climb(small: VercelWorld, until: type[Step[Any]] | None = None) -> Turn:
    """From the look at Vercel, over the flip, up to and with the rung `until` (the last, if not given)."""
    config = small.world.config
    turn = await small.bench.drive(VercelStep(config))
    assert turn.done, turn.story
    await small.flip()
    for made in LADDER:
        turn = await take(small, made)
        assert turn.done, f"{made.__name__}: {turn.story}"
        if made is until:
            break
    return turn


async def take(small: VercelWorld, made: type[Step[Any]]) -> Turn:
    return await small.bench.drive(made(small.world.config))  # type: ignore[call-arg]
