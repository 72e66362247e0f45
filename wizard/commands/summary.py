"""Counts what a run did: the last line of a headless run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from wizard.engine import journal
from wizard.engine.check import CheckState
from wizard.engine.events import Checked, Event, StepChanged, StepState
from wizard.engine.progress import Progress
from wizard.engine.run import Result, Tally

_HOLD = (CheckState.PASSED.value, CheckState.WAIVED.value)
_GONE = (StepState.UNDONE, StepState.SKIPPED)
"""What was asked of such a step tells of nothing that is there."""


@dataclass
class Counter:
    """A reader of events. The last answer to a question is the one that counts, from earlier runs too."""

    began: float = field(default_factory=time.monotonic)
    answers: dict[tuple[str, str], str] = field(default_factory=dict)
    ways: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The ways out of each step's last failure in this run."""

    def remember(self, progress: Progress) -> None:
        """Take up the answers of earlier runs from the journal."""
        for entry in journal.read(progress.journal_path):
            if entry["kind"] == journal.Entry.CHECK:
                self.answers[entry["step"], entry["check"]["name"]] = entry["check"]["state"]
            elif entry["kind"] == journal.Entry.STATE:
                self._changed(entry["step"], StepState(entry["state"]))

    def read(self, event: Event) -> None:
        if isinstance(event, Checked):
            self.answers[event.step, event.check.name] = event.check.state.value
        elif isinstance(event, StepChanged):
            self.ways[event.step] = event.ways
            self._changed(event.step, event.state)

    def _changed(self, step: str, state: StepState) -> None:
        """Once a step is done, what did not hold before and was not asked again is over (`check.settled`)."""
        if state is StepState.DONE or state in _GONE:
            kept = _HOLD if state is StepState.DONE else ()
            rows = self.answers.items()
            self.answers = {key: said for key, said in rows if key[0] != step or said in kept}

    def checks(self) -> dict[str, int]:
        """Waived ones are the operator's decisions: neither passed nor failed."""
        states = list(self.answers.values())
        passed, waived = states.count(CheckState.PASSED.value), states.count(CheckState.WAIVED.value)
        return {"passed": passed, "waived": waived, "failed": len(states) - passed - waived}

    def summary(self, result: Result, tally: Tally, world: dict[str, Any] | None) -> dict[str, Any]:
        """`world` is what the rehearsal's world counted; a live run has no such count."""
        counted = world or {}
        return {
            "event": "summary",
            "result": result.value,
            "steps": {"done": tally.done, "failed": tally.failed, "skipped": tally.skipped},
            "checks": self.checks(),
            "changes": tally.changes,
            "visitors": counted.get("visitors"),
            "duplicates": len(counted["duplicates"]) if world else None,
            "simulated_s": counted.get("simulated_s"),
            "wall_s": round(time.monotonic() - self.began, 2),
            "seed": counted.get("seed"),
            "faults": counted.get("faults"),
        }


def sentence(summary: dict[str, Any]) -> str:
    """The summary for a person."""
    steps, checks = summary["steps"], summary["checks"]
    changes = summary["changes"]
    parts = [
        f"{steps['done']} steps done"
        + (f", {steps['failed']} failed" if steps["failed"] else "")
        + (f", {steps['skipped']} left out" if steps["skipped"] else ""),
        f"{checks['passed']} checks hold"
        + (f", {checks['waived']} waived" if checks["waived"] else "")
        + (f", {checks['failed']} do not" if checks["failed"] else ""),
        f"{changes} changes made" if changes else "nothing was changed",
    ]
    if summary["visitors"]:
        visitors = summary["visitors"]
        parts.append(f"visitors: {visitors['requests']} requests, {visitors['failed']} failed")
    if summary["duplicates"] is not None:
        parts.append(f"{summary['duplicates']} duplicates")
    if summary["simulated_s"]:
        parts.append(f"{summary['simulated_s'] / 86400:.1f} simulated days in {summary['wall_s']:.0f} s")
    return f"{summary['result']}: " + " · ".join(parts)
