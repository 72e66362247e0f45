"""The eight phases: what is done, in the order in which a reader would do it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wizard.engine.step import Phase, Step
from wizard.phases.costs import costs_of

if TYPE_CHECKING:
    from wizard.config import Config

__all__ = ["costs_of", "steps"]


def steps(config: Config) -> tuple[Step[Any], ...]:
    """Every step of the migration that `config` describes."""
    found: list[Step[Any]] = []
    for phase in Phase:
        found.extend(import_module(f"wizard.phases.{phase.value}.steps").steps(config))
    return tuple(found)
