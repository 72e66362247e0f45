"""A session that is still being opened: the first frame need not wait for the configuration and the world."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from wizard.engine.info import Costs

if TYPE_CHECKING:
    from screens.session import Session
    from wizard.engine.events import Event


class _NotYet:
    """What is known before anything is: nothing runs, nothing is asked."""

    title = ""
    steps = ()
    running = True
    paused = False
    questions = ()
    approvals = ()
    costs = Costs()
    elapsed = 0.0
    remaining = None
    behind_back = ()
    remembered = ()
    rebuilt = ""
    trouble = None

    def __init__(self, live: bool) -> None:
        self.live = live

    def now(self) -> float:
        return 0.0

    def checks(self, step: str) -> tuple[()]:
        return ()

    def plan(self, step: str) -> None:
        return None

    async def preview(self) -> dict[str, Any]:
        return {}

    async def report(self) -> str:
        return ""

    def _ignored(self, *command: object) -> None:
        """Nothing can be told to what is not there."""

    async def _later(self, *command: object) -> None:
        """The same, for commands that are waited for."""

    pause = resume = approve = approve_phase = answer = _ignored
    start = stop = verify = undo = back = _later


class Opening:
    """Stands for the session: what it has not got itself, the real one answers as soon as it is there."""

    def __init__(self, live: bool) -> None:
        self._session: Any = _NotYet(live)
        self._readers: list[Callable[[Event], None]] = []
        self.arrived = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def subscribe(self, reader: Callable[[Event], None]) -> Callable[[], object]:
        if self.arrived:
            return cast("Session", self._session).subscribe(reader)
        self._readers.append(reader)
        return lambda: None

    def arrive(self, session: Session) -> None:
        self._session, self.arrived = session, True
        for reader in self._readers:
            session.subscribe(reader)
