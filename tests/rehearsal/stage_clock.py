"""A stage's clock as a wizard sees it, without another process: it may leap."""

from __future__ import annotations

from wizard.rehearsal.clock import StageClock


class WizardClock:
    """The Clock protocol over a StageClock in the same process."""

    def __init__(self, clock: StageClock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(max(0.0, seconds))

    async def wait_until(self, moment: float) -> None:
        await self._clock.leap(moment)

    def real(self, seconds: float) -> float:
        return max(0.3, seconds / self._clock.rate)
