"""A whole rehearsal against its critical path: `python -m tests.benchmarks.critical_path`.

The critical path is the longest chain of steps that need each other, phase after phase, each as long as it
took by the journal (the world's time). What the engine adds is the rest. Bar: ≤ 1.15 ×. The soak of a week
hides much, so the figure without the longest step stands beside it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.rehearsal.whole import Rehearsal
from wizard import configfile, phases
from wizard.engine import journal
from wizard.engine.events import StepState
from wizard.engine.order import in_order, matches
from wizard.engine.step import Phase, Step


def spans(path: Path) -> dict[str, tuple[float, float]]:
    """For each step when it first ran and when it was done, in the world's time."""
    begun: dict[str, float] = {}
    found: dict[str, tuple[float, float]] = {}
    for entry in journal.read(path):
        if entry["kind"] != journal.Entry.STATE:
            continue
        step, at = entry["step"], float(entry["moment"])
        if entry["state"] == StepState.RUNNING.value:
            begun.setdefault(step, at)
        elif entry["state"] == StepState.DONE.value:
            found[step] = (begun[step], at)
    return found


def longest(steps: Sequence[Step[Any]], lasted: Mapping[str, float]) -> float:
    """Seconds of the longest chain within one phase. Pure."""
    ends: dict[str, float] = {}
    for step in in_order(steps):
        before = [end for other, end in ends.items() if any(matches(other, need) for need in step.needs)]
        ends[step.id] = max(before, default=0.0) + lasted.get(step.id, 0.0)
    return max(ends.values(), default=0.0)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        rehearsal = Rehearsal(Path(name))
        try:
            ran = rehearsal.run()
        finally:
            rehearsal.end()
        if ran.code:
            sys.exit(ran.story)
        taken = spans(rehearsal.journal)
    steps = phases.steps(configfile.example())
    lasted = {step: end - begin for step, (begin, end) in taken.items()}
    paths = {phase: longest([s for s in steps if s.phase is phase], lasted) for phase in Phase}
    whole = max(end for _, end in taken.values()) - min(begin for begin, _ in taken.values())
    for phase, seconds in paths.items():
        print(f"  {phase.value:<14}{seconds:>12.0f} s on the critical path")
    print(f"whole rehearsal {whole:.0f} s, critical path {sum(paths.values()):.0f} s (the world's time)")
    print(f"ratio {whole / sum(paths.values()):.3f} (bar: 1.15); {ran.summary['wall_s']} s of real time")
    soak = max(lasted.values())
    print(f"without its longest step ({soak:.0f} s): {(whole - soak) / (sum(paths.values()) - soak):.3f}")


if __name__ == "__main__":
    main()
