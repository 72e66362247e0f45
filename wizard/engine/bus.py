"""Hands every event to every reader, in order."""

from __future__ import annotations

from collections.abc import Callable

from wizard.engine.events import Event

Reader = Callable[[Event], None]


class Bus:
    """Readers are called at once and must be quick.

    `when_lost` takes the errors of readers that cannot write any more (a closed terminal, a pipe that nobody
    reads, a full disk): what publishes must not fail by them in the middle of a change.
    """

    def __init__(self) -> None:
        self._readers: list[Reader] = []
        self.when_lost: Callable[[OSError], None] | None = None

    def subscribe(self, reader: Reader) -> Callable[[], None]:
        self._readers.append(reader)
        return lambda: self._readers.remove(reader) if reader in self._readers else None

    def publish(self, event: Event) -> None:
        for reader in tuple(self._readers):
            try:
                reader(event)
            except OSError as error:
                if self.when_lost is None:
                    raise
                self.when_lost(error)
