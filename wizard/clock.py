"""The world's clock. All waiting goes through it, so that a rehearsal can be faster than life."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Moments are seconds since the epoch, in the world's own time."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` of the world's time pass: for polling inside a step."""
        ...

    async def wait_until(self, moment: float) -> None:
        """Nothing else is to be done before `moment`: a rehearsal may leap there."""
        ...

    def real(self, seconds: float) -> float:
        """How many real seconds `seconds` of the world's time take: for time-outs of sockets."""
        ...


class LiveClock:
    """Real time."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    async def wait_until(self, moment: float) -> None:
        # Short naps: a suspended laptop wakes to the right moment, not to a stretched sleep.
        while (left := moment - time.time()) > 0:
            await asyncio.sleep(min(left, 30.0))

    def real(self, seconds: float) -> float:
        return seconds


def moment_text(moment: float) -> str:
    """A moment as people and files read it: RFC 3339, UTC, whole seconds."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
