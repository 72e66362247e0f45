"""Prediction of flips, without any network: single cases, then caches of every kind at random."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wizard.dns.forecast import Forecast

RETRIED = 0.25


def test_one_cache_is_asked_in_the_second_in_which_it_runs_out() -> None:
    """Given an old answer with 40 s left, the next question follows the second after its end."""
    forecast = Forecast()
    forecast.note_old(100.7, 40)

    assert 141.0 < forecast.next_at(100.7) < 141.1
    assert not forecast.done(141.05)


def test_a_cache_seen_new_after_its_end_is_not_asked_again() -> None:
    forecast = Forecast(bound=160.0)
    forecast.note_old(100.0, 40)
    forecast.note_new(141.03)

    assert forecast.done(141.03)
    assert math.isinf(forecast.next_at(141.03))


def test_an_early_flip_is_looked_at_once_more_at_the_end_that_was_foretold() -> None:
    """Given a new answer before the end, the cache was refreshed or another one answered: the end tells."""
    forecast = Forecast(bound=160.0)
    forecast.note_old(100.0, 40)
    forecast.note_new(130.0)

    assert not forecast.done(130.0)
    assert 141.0 < forecast.next_at(130.0) < 141.1
    forecast.note_new(141.03)
    assert forecast.done(141.03)


def test_stale_answers_are_named_and_asked_again_soon() -> None:
    """Given an old answer after its own end with the TTL of stale answers, no new wait begins."""
    forecast = Forecast()
    forecast.note_old(100.0, 20)
    forecast.note_old(121.5, 30)

    assert forecast.serves_stale
    assert forecast.next_at(121.5) <= 122.5
    assert forecast.caches == 1


@pytest.mark.parametrize("ttl", [2, 10, 29])
def test_a_stale_ttl_that_stands_still_is_no_cache_running_out(ttl: int) -> None:
    """Given a resolver that gives stale answers a TTL of its own, two looks a second apart unmask it."""
    forecast = Forecast()
    forecast.note_old(100.0, 20)
    forecast.note_old(121.03, ttl)
    soon = forecast.next_at(121.03)
    forecast.note_old(soon, ttl)

    assert soon <= 122.5
    assert forecast.serves_stale
    assert forecast.caches == 1


def test_a_refill_with_the_old_value_is_waited_out() -> None:
    """Given a cache that fetched the old value again from a server that lags, its new end is foreseen."""
    forecast = Forecast(bound=500.0)
    forecast.note_old(100.0, 40)
    forecast.note_old(141.03, 60)

    assert not forecast.serves_stale
    assert forecast.ends_at == 202.0


def test_an_end_that_moves_away_is_called_stale() -> None:
    forecast, at = Forecast(), 100.0
    for _ in range(12):
        forecast.note_old(at, 1)
        at = forecast.next_at(at)

    assert forecast.serves_stale
    assert forecast.caches == 1


def test_long_waits_are_interrupted_by_heartbeats() -> None:
    """Given an hour left, the cache is asked each minute, so that an early flip is seen."""
    forecast = Forecast()
    forecast.note_old(100.0, 3600)

    assert forecast.next_at(100.0) == 160.0


@dataclass
class FakeCache:
    """Drops the old record at `end`, known to itself; tells what is left in whole seconds by `told`."""

    end: float
    told: Callable[[float, float], int]

    def ask(self, now: float) -> int | None:
        """What is left of the old record, or None once it is new."""
        return None if now >= self.end else max(0, self.told(self.end, now))


def by_second(end: float, now: float) -> int:
    """As unbound and BIND: whole seconds of the day, dropped when the clock has passed the last one."""
    return math.floor(end) - 1 - math.floor(now)


def rounded_up(end: float, now: float) -> int:
    return math.ceil(end - now)


def rounded_down(end: float, now: float) -> int:
    return math.floor(end - now)


KINDS = st.sampled_from([by_second, rounded_up, rounded_down])


@st.composite
def caches(draw: st.DrawFn, most: int) -> list[FakeCache]:
    found = []
    for _ in range(draw(st.integers(1, most))):
        told = draw(KINDS)
        end = draw(st.floats(1001.0, 1119.0))
        found.append(FakeCache(float(math.ceil(end)) if told is by_second else end, told))
    return found


def watch(
    behind: list[FakeCache], forecast: Forecast, dice: random.Random, until: float
) -> tuple[float, int]:
    """Ask as the forecast says, one of the caches at random; when it had enough, and how many questions."""
    now, asked = 1000.0 + dice.random(), 0
    while now < until:
        left = dice.choice(behind).ask(now)
        asked += 1
        if left is None:
            forecast.note_new(now)
        else:
            forecast.note_old(now, left)
        due = forecast.next_at(now)
        assert due > now
        if math.isinf(due):
            break
        now = due
    return now, asked


@given(caches(6), st.integers(0, 2**32))
@settings(max_examples=400, deadline=None)
def test_never_done_while_a_cache_is_old(behind: list[FakeCache], seed: int) -> None:
    """Given caches of any kind behind one address and the bound of the flip, done comes after the last flip.

    One cache that was met alone is taken for the only one: then it is the bound that covers the others.
    """
    forecast, bound = Forecast(bound=1120.0), 1120.0
    now, _ = watch(behind, forecast, random.Random(seed), 3000.0)

    assert forecast.done(max(now, bound + 5.0))
    assert now >= max(one.end for one in behind) or (forecast.caches == 1 and len(behind) > 1)
    assert max(now, bound) >= max(one.end for one in behind)


@given(KINDS, st.floats(1002.0, 1118.0), st.floats(0.0, 0.999))
@settings(max_examples=400, deadline=None)
def test_one_cache_is_found_at_once(told: Callable[[float, float], int], end: float, phase: float) -> None:
    """Given one cache of any kind, its flip is seen within little more than two seconds and by few questions.

    A cache that counts by the seconds of the day is found within a twentieth and by two.
    """
    cache = FakeCache(float(math.ceil(end)) if told is by_second else end, told)
    forecast, now, asked = Forecast(bound=1120.0), 1000.0 + phase, 0
    while (left := cache.ask(now)) is not None:
        forecast.note_old(now, left)
        now, asked = forecast.next_at(now), asked + 1
        assert asked < 12
    late = now - cache.end

    assert late <= (0.05 if told is by_second else 2.05)
    if told is by_second and cache.end - 1000.0 - phase < 85.0:
        assert asked == 1


@given(caches(5), st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_caches_told_apart_are_there(behind: list[FakeCache], seed: int) -> None:
    """The number of caches is a lower bound: never more than there are."""
    forecast = Forecast(bound=1120.0)
    watch(behind, forecast, random.Random(seed), 3000.0)

    assert 1 <= forecast.caches <= len(behind)


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_without_a_sure_bound_more_looks_are_taken(seed: int) -> None:
    """Given a bound that was only estimated, one new answer after one known end is not believed by itself."""
    dice = random.Random(seed)
    behind = [FakeCache(float(dice.randrange(1002, 1060)), by_second) for _ in range(2)]
    forecast = Forecast(bound=1061.0, sure=False)
    now, asked = watch(behind, forecast, dice, 3000.0)

    assert asked >= 4
    assert forecast.done(max(now, 1062.5))
