"""How a run, or a way back, ends."""

from __future__ import annotations

from enum import StrEnum


class Result(StrEnum):
    DONE = "done"
    FAILED = "failed"
    WAITING = "waiting"
    """For the operator: a question or a plan was not answered."""
    INTERRUPTED = "interrupted"
