"""The rehearsal's clock: faster than life, shared by the world's process and every wizard.

It lives in a small file that both map: simulated time is `origin + (monotonic - mark) * rate`.
Only the world's process writes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
import mmap
import struct
import time
from collections.abc import Callable
from pathlib import Path

from wizard.endpoints import SocketAddress
from wizard.errors import UnreachableError

_LAYOUT = struct.Struct("=Qddd")
_STRIDES = 24
_STRIDE_PAUSE = 0.012


class ClockFile:
    """A sequence number, the simulated origin, the monotonic mark and the rate, in one mapped page."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if create and not path.exists():
            path.write_bytes(bytes(_LAYOUT.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _LAYOUT.size)

    def write(self, origin: float, mark: float, rate: float) -> None:
        sequence = _LAYOUT.unpack(self._map[:])[0]
        # Odd while being written, so that a reader in another process tries again.
        self._map[:8] = struct.pack("=Q", sequence | 1)
        self._map[8:] = struct.pack("=ddd", origin, mark, rate)
        self._map[:8] = struct.pack("=Q", (sequence | 1) + 1)

    def read(self) -> tuple[float, float, float]:
        while True:
            before, origin, mark, rate = _LAYOUT.unpack(self._map[:])
            if not before & 1 and _LAYOUT.unpack(self._map[:])[0] == before:
                return origin, mark, rate

    def now(self) -> float:
        origin, mark, rate = self.read()
        return float(origin + (time.monotonic() - mark) * rate)

    @property
    def rate(self) -> float:
        return self.read()[2]

    def close(self) -> None:
        self._map.close()


class StageClock:
    """The world's own view: it may leap."""

    def __init__(self, file: ClockFile, start: float, rate: float) -> None:
        self._file = file
        self._rate = rate
        self._jumped = asyncio.Event()
        self._wake: list[float] = []
        self._leaping = asyncio.Lock()
        self._last = start
        self.leapt = 0.0
        """Simulated seconds that leaps have covered in all."""
        file.write(start, time.monotonic(), rate)

    def now(self) -> float:
        return self._file.now()

    @property
    def rate(self) -> float:
        return self._rate

    async def sleep(self, seconds: float) -> None:
        await self.sleep_until(self.now() + seconds)

    async def sleep_until(self, moment: float) -> None:
        now = self.now()
        while self._wake and self._wake[0] <= now:
            heapq.heappop(self._wake)
        heapq.heappush(self._wake, moment)
        while (left := moment - self.now()) > 0:
            jumped = self._jumped
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left / self._rate):
                    await jumped.wait()

    def call_later(self, seconds: float, act: Callable[[], None]) -> asyncio.Task[None]:
        """`act` after simulated `seconds`; keep the task or it may be collected."""

        async def later() -> None:
            await self.sleep(seconds)
            act()

        return asyncio.create_task(later())

    async def leap(self, until: float) -> None:
        """Go to `until` in strides, so that what is due on the way happens on the way."""
        async with self._leaping:
            self._last = self.now()
            for left in range(_STRIDES, 0, -1):
                now = self.now()
                if now >= until:
                    return
                while self._wake and self._wake[0] <= now:
                    heapq.heappop(self._wake)
                target = now + (until - now) / left
                if left > 1 and self._wake:
                    target = min(target, max(self._wake[0], now + 0.001))
                self._set(min(target, until))
                await asyncio.sleep(_STRIDE_PAUSE)
            if self.now() < until:
                self._set(until)
                await asyncio.sleep(_STRIDE_PAUSE)

    def _set(self, moment: float) -> None:
        self.leapt, self._last = self.leapt + moment - self._last, moment
        self._file.write(moment, time.monotonic(), self._rate)
        jumped, self._jumped = self._jumped, asyncio.Event()
        jumped.set()


class RehearsalClock:
    """A wizard's view of the same clock (the Clock protocol)."""

    def __init__(self, path: Path, control: SocketAddress) -> None:
        self._file = ClockFile(path)
        self._control = control

    def now(self) -> float:
        return self._file.now()

    async def sleep(self, seconds: float) -> None:
        end = self.now() + seconds
        while (left := end - self.now()) > 0:
            # Short naps, because another wizard's leap shortens the wait.
            await asyncio.sleep(min(left / self._file.rate, 0.5))

    async def wait_until(self, moment: float) -> None:
        while self.now() < moment:
            await ask(self._control, "leap", until=moment)

    def real(self, seconds: float) -> float:
        return max(1.0, seconds / self._file.rate)


async def ask(control: SocketAddress, command: str, **arguments: object) -> dict[str, object]:
    """One request to the world's control socket: a JSON line each way."""
    try:
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(control.host, control.port, limit=1 << 24)
            try:
                writer.write(json.dumps({"command": command, **arguments}).encode() + b"\n")
                await writer.drain()
                answer: dict[str, object] = json.loads(await reader.readline())
                return answer
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError) as error:
        raise UnreachableError(
            "The rehearsal's world does not answer",
            str(error),
            "Start the same command again: it goes on from there.",
        ) from error
