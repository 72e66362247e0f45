"""Prediction of flips, without any network."""

from __future__ import annotations

import random

import pytest

from wizard.dns.forecast import Forecast


def test_one_cache_is_asked_when_it_has_run_out() -> None:
    """Given an old answer with 40 s left, the next question is half a second after its end."""
    forecast = Forecast()
    forecast.note_old(100.0, 40)

    assert forecast.next_at(100.0) == 140.5
    assert not forecast.done(140.5)


def test_an_early_flip_is_believed() -> None:
    forecast = Forecast()
    forecast.note_old(100.0, 40)
    forecast.note_new(130.0)

    assert forecast.done(130.0)


def test_stale_answers_are_named_and_asked_again_soon() -> None:
    """Given an old answer after its own end with a short TTL, the cache serves stale; no new wait begins."""
    forecast = Forecast()
    forecast.note_old(100.0, 20)
    forecast.note_old(121.5, 30)

    assert forecast.serves_stale
    assert forecast.next_at(121.5) <= 122.5
    assert forecast.caches == 1


@pytest.mark.parametrize("seed", range(50))
def test_never_done_while_one_of_four_caches_behind_an_address_is_old(seed: int) -> None:
    """Given four caches answering at random, sampled ten times, done is never said before the last flip."""
    dice = random.Random(seed)
    ends = [dice.uniform(15, 115) for _ in range(4)]
    forecast, now = Forecast(bound=115.0), 0.0
    for asked in range(1, 400):
        end = dice.choice(ends)
        if now < end:
            forecast.note_old(now, int(end - now) + 1)
        else:
            forecast.note_new(now)
        if asked > 10 and forecast.done(now):
            break
        now = now + 0.5 if asked <= 10 else forecast.next_at(now)

    assert forecast.done(now)
    assert now > max(ends)
