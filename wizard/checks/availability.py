"""Was the service there all the time? An open-loop probe, and what its shots honestly prove."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.checks.http import HttpClient, HttpProblem

if TYPE_CHECKING:
    from wizard.checks.crawl import Place

RATE = 20.0
"""Shots a real second: a fixed schedule that does not wait for answers."""
_TIMEOUT = 10.0
_SLOW_FLOOR = 0.3
_SLOW_FACTOR = 4.0


@dataclass(frozen=True, slots=True)
class Shot:
    """One request. `at` is when it was sent (the world's seconds), `latency` real seconds.

    `failure` is "" when the answer was right, else why not: refused, timeout, tls, status 404, wrong content.
    `build` is what the answer said of its version, if anything. `busy`: so many of its seconds this program
    itself was late, and could not have taken an answer.
    """

    at: float
    latency: float
    failure: str = ""
    build: str = ""
    busy: float = 0.0

    @property
    def waited(self) -> float:
        """Seconds that the other side took, for certain."""
        return max(0.0, self.latency - self.busy)


@dataclass(frozen=True, slots=True)
class Gap:
    """A run of failed shots. It was at least `least` and at most `most` seconds long: `most` reaches from
    the last right answer before it to the first one after it."""

    began: float
    least: float
    most: float
    failures: int


@dataclass(frozen=True, slots=True)
class Availability:
    """`resolution` is the longest pause between two shots: a shorter outage could have been missed.

    `busy` is the longest that this program itself was late in one of them. `slow` counts shots that took far
    longer than usual; `slow_episodes` those that came together, as a start that isn't warm makes them.
    """

    shots: int
    failed: int
    slow: int
    slow_episodes: int
    failures: tuple[tuple[str, int], ...]
    gaps: tuple[Gap, ...]
    usual: float
    worst: float
    resolution: float
    builds: tuple[str, ...]
    began: float
    ended: float
    busy: float = 0.0

    @property
    def longest_gap(self) -> Gap | None:
        return max(self.gaps, key=lambda gap: gap.most, default=None)

    @property
    def clean(self) -> bool:
        return self.shots > 0 and not self.failed and not self.slow_episodes

    @property
    def words(self) -> str:
        """One line for evidence: what was seen, and how much it proves."""
        if not self.shots:
            return "no request was made"
        parts = [f"{self.shots} requests, {self.failed} failed"]
        gap = self.longest_gap
        if gap is not None:
            why = ", ".join(f"{count} × {reason}" for reason, count in self.failures)
            parts.append(f"longest gap between {gap.least:.2f} s and {gap.most:.2f} s ({why})")
        if self.slow_episodes:
            parts.append(f"{self.slow} slow in {self.slow_episodes} episodes, up to {self.worst:.2f} s")
        parts.append(f"usually {self.usual * 1000:.0f} ms")
        if self.busy > _SLOW_FLOOR:
            parts.append(f"this machine itself was late by up to {self.busy:.2f} s")
        parts.append(f"an outage shorter than {self.resolution:.2f} s could not be seen")
        return "; ".join(parts)


def judge(shots: Sequence[Shot], *, usual: float | None = None) -> Availability:
    """Pure. `usual` is the latency to compare with; without it the median of the right answers."""
    ordered = sorted(shots, key=lambda shot: shot.at)
    right = sorted(shot.waited for shot in ordered if not shot.failure)
    normal = usual if usual is not None else (right[len(right) // 2] if right else 0.0)
    limit = max(normal * _SLOW_FACTOR, normal + _SLOW_FLOOR)
    slow = [shot for shot in ordered if not shot.failure and shot.waited > limit]
    pauses = [after.at - before.at for before, after in itertools.pairwise(ordered)]
    return Availability(
        shots=len(ordered),
        failed=sum(bool(shot.failure) for shot in ordered),
        slow=len(slow),
        slow_episodes=_episodes(ordered, limit),
        failures=tuple(Counter(shot.failure for shot in ordered if shot.failure).most_common()),
        gaps=_gaps(ordered),
        usual=normal,
        worst=right[-1] if right else 0.0,
        resolution=max(pauses, default=0.0),
        builds=tuple(dict.fromkeys(shot.build for shot in ordered if shot.build)),
        began=ordered[0].at if ordered else 0.0,
        ended=ordered[-1].at if ordered else 0.0,
        busy=max((shot.busy for shot in ordered), default=0.0),
    )


def _gaps(ordered: Sequence[Shot]) -> tuple[Gap, ...]:
    found: list[Gap] = []
    run: list[Shot] = []
    before: Shot | None = None
    for shot in ordered:
        if shot.failure:
            run.append(shot)
            continue
        if run:
            found.append(_gap(before, run, shot))
            run = []
        before = shot
    if run:
        found.append(_gap(before, run, None))
    return tuple(found)


def _gap(before: Shot | None, run: Sequence[Shot], after: Shot | None) -> Gap:
    first, last = run[0].at, run[-1].at
    most = (after.at if after else last) - (before.at if before else first)
    return Gap(first, last - first, most, len(run))


def _episodes(ordered: Sequence[Shot], limit: float) -> int:
    """Groups of slow shots that came one after the other (one quick one between them is allowed).

    Counted by shots and not by seconds, because the world's seconds may be faster than the shots.
    One slow shot alone is chance.
    """
    numbers = [n for n, shot in enumerate(ordered) if not shot.failure and shot.waited > limit]
    episodes = size = 0
    previous: int | None = None
    for number in numbers:
        size = size + 1 if previous is not None and number - previous <= 2 else 1
        episodes += size == 2
        previous = number
    return episodes


Fire = Callable[[], Awaitable[tuple[str, str]]]
"""One request: (failure or "", build or "")."""


class Probe:
    """Shoots at a fixed rate until stopped. `now` gives the world's time."""

    def __init__(self, fire: Fire, now: Callable[[], float], *, rate: float = RATE) -> None:
        self._fire = fire
        self._now = now
        self._pause = 1.0 / rate
        self._shots: list[Shot] = []
        self._flying: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._due = time.monotonic()
        self._late = 0.0

    @property
    def shots(self) -> tuple[Shot, ...]:
        return tuple(self._shots)

    async def __aenter__(self) -> Probe:
        self._loop = asyncio.create_task(self._keep_time())
        return self

    async def __aexit__(self, *_: object) -> None:
        """No more shots; those in flight are waited for, because a slow answer is an answer."""
        if self._loop is not None:
            self._loop.cancel()
        await asyncio.gather(*self._flying, return_exceptions=True)

    async def _keep_time(self) -> None:
        self._due = time.monotonic()
        while True:
            task = asyncio.create_task(self._shoot())
            self._flying.add(task)
            task.add_done_callback(self._flying.discard)
            # Behind schedule, missed shots are left out: the resolution says so, a burst would hide it.
            self._due = max(self._due + self._pause, time.monotonic())
            await asyncio.sleep(self._due - time.monotonic())
            self._late += max(0.0, time.monotonic() - self._due)

    @property
    def _lateness(self) -> float:
        """Seconds in all that this program was late, until now."""
        return self._late + max(0.0, time.monotonic() - self._due)

    async def _shoot(self) -> None:
        at, began, late = self._now(), time.monotonic(), self._lateness
        failure, build = await self._fire()
        latency = time.monotonic() - began
        self._shots.append(Shot(at, latency, failure, build, min(latency, self._lateness - late)))


def http_fire(
    http: HttpClient,
    place: Place,
    path: str,
    *,
    marker: str = "",
    build_of: Callable[[bytes], str] = lambda _: "",
) -> Fire:
    """Requests `path` of `place` on a fresh connection each time; right is 200 and `marker` in the body."""

    async def fire() -> tuple[str, str]:
        try:
            answer = await http.get(
                place.base + path, place.address, timeout=_TIMEOUT, fresh=True, limit=200_000
            )
        except HttpProblem as problem:
            return problem.kind.value, ""
        if answer.status != 200:
            return f"status {answer.status}", ""
        if marker and marker not in answer.text:
            return "wrong content", ""
        return "", build_of(answer.body)

    return fire
