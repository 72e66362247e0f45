"""Waiting of steps: a moment written down, and a leap only when nobody else has work."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from wizard.clock import Clock


class WaitingRoom:
    """Knows which steps work and which wait. When all wait, the clock is told so and may leap."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._working: set[str] = set()
        self._moments: dict[str, float] = {}
        self._changed = asyncio.Event()

    def begin(self, step: str) -> None:
        self._working.add(step)
        self._stir()

    def end(self, step: str) -> None:
        self._working.discard(step)
        self._moments.pop(step, None)
        self._stir()

    @contextlib.contextmanager
    def idle(self, step: str) -> Iterator[None]:
        """While the operator is asked, the step has no work."""
        self._working.discard(step)
        self._stir()
        try:
            yield
        finally:
            self.begin(step)

    async def wait(self, step: str, until: float) -> None:
        self._moments[step] = until
        self._working.discard(step)
        self._stir()
        try:
            while self._clock.now() < until:
                await self._pause(until)
        finally:
            self._moments.pop(step, None)
            self.begin(step)

    async def _pause(self, until: float) -> None:
        changed = self._changed
        nobody_works = not self._working
        goal = min(self._moments.values(), default=until) if nobody_works else until
        nap = self._clock.wait_until(goal) if nobody_works else self._clock.sleep(goal - self._clock.now())
        sleeper, stirred = asyncio.ensure_future(nap), asyncio.ensure_future(changed.wait())
        try:
            await asyncio.wait((sleeper, stirred), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            stirred.cancel()
            await asyncio.wait((sleeper, stirred))
        if not sleeper.cancelled():
            sleeper.result()

    def _stir(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
