"""What a screen shows of steps and of money: plain data, light to load."""

from __future__ import annotations

from dataclasses import dataclass

from wizard.engine.events import StepState
from wizard.engine.plan import Money
from wizard.engine.step import Phase


@dataclass(frozen=True, slots=True)
class StepInfo:
    """What a rail shows of a step."""

    id: str
    title: str
    phase: Phase
    way_back: str
    point_of_no_return: bool
    state: StepState
    why: str = ""
    until: float | None = None
    ways: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Steps of the same phase that come before it."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Monthly totals by currency, before and after the migration; empty when not known yet."""

    before: tuple[Money, ...] = ()
    after: tuple[Money, ...] = ()
