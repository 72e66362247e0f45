"""Names of steps and phases on the command line."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from wizard.engine.step import Step
from wizard.errors import UsageError


def chosen_steps(steps: Sequence[Step[Any]], name: str) -> tuple[Step[Any], ...]:
    """The step of that id, or all whose id begins with it. Raises UsageError with the nearest one."""
    chosen = tuple(step for step in steps if step.id == name or step.id.startswith(f"{name}."))
    if chosen:
        return chosen
    near = difflib.get_close_matches(name, [step.id for step in steps], n=1, cutoff=0.5)
    raise UsageError(
        f"There is no step {name!r}",
        next=f"Did you mean `{near[0]}`?" if near else "`dokploy-wizard status` lists them all.",
    )
