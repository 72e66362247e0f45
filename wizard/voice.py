"""A client's voice: what it tells the operator while it waits, heard by whoever has the turn.

A client knows nothing of steps; the engine sets the listener for each step's task, and what is said in
that task reaches that step's output.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

Listener = Callable[[str], None]

_listener: ContextVar[Listener | None] = ContextVar("voice", default=None)


def listen(listener: Listener) -> None:
    """From now on `listener` hears what is said in this task and in those that it starts."""
    _listener.set(listener)


def say(line: str) -> None:
    """One line, without secrets; nobody hears it outside a turn."""
    listener = _listener.get()
    if listener is not None:
        listener(line)
