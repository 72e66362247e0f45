"""Hands every event to every reader, in order."""

from __future__ import annotations

from collections.abc import Callable

from wizard.engine.events import Event

Reader = Callable[[Event], None]


class Bus:
    """Readers are called at once and must be quick; one that fails does not silence the others."""

    def __init__(self) -> None:
        self._readers: list[Reader] = []

    def subscribe(self, reader: Reader) -> Callable[[], None]:
        self._readers.append(reader)
        return lambda: self._readers.remove(reader) if reader in self._readers else None

    def publish(self, event: Event) -> None:
        for reader in tuple(self._readers):
            reader(event)
