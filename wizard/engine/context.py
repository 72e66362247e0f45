"""What the engine hands to a step: its configuration, the world, its records, its voice."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from wizard.config import Config
from wizard.engine.bus import Bus
from wizard.engine.events import Detail, Output, jsonable
from wizard.engine.files import write_atomically
from wizard.engine.journal import Entry, Journal
from wizard.engine.progress import Progress, encode
from wizard.engine.step import Stopped
from wizard.redact import redact
from wizard.world import World

T = TypeVar("T")


class Records:
    """A step's saved records: in the journal first, then in the progress file."""

    def __init__(self, step: str, progress: Progress, journal: Journal, world: World) -> None:
        self._step = step
        self._progress = progress
        self._journal = journal
        self._world = world

    def save(self, name: str, record: Any) -> None:
        data = encode(record)
        saved = self._progress.step(self._step).saved
        if saved.get(name) == data:
            return
        saved[name] = data
        now = self._world.clock.now()
        self._journal.write(now, Entry.SAVED, sync=True, step=self._step, name=name, record=data)
        self._progress.save()

    def load(self, name: str, kind: type[T], *, step: str = "") -> T | None:
        return self._progress.load_record(step or self._step, name, kind)

    def drop(self, name: str) -> None:
        if self._progress.step(self._step).saved.pop(name, None) is not None:
            self._journal.write(self._world.clock.now(), Entry.DROPPED, sync=True, step=self._step, name=name)
            self._progress.save()

    def forget(self, keeps: tuple[str, ...] = ()) -> None:
        """Drop every record of the step, but those whose names begin with one of `keeps`."""
        for name in [*self._progress.step(self._step).saved]:
            if not name.startswith(keeps):
                self.drop(name)


class StepContext:
    """The `Context` protocol of `wizard.engine.step`."""

    def __init__(
        self,
        step: str,
        world: World,
        progress: Progress,
        journal: Journal,
        bus: Bus,
        stopping: asyncio.Event | None = None,
    ) -> None:
        self.step = step
        self._stopping = stopping or asyncio.Event()
        self.world = world
        self.saved = Records(step, progress, journal, world)
        self._progress = progress
        self._journal = journal
        self._bus = bus

    @property
    def config(self) -> Config:
        return self.world.config

    @property
    def answers(self) -> Mapping[str, str]:
        return MappingProxyType(self._progress.answers)

    def now(self) -> float:
        return self.world.clock.now()

    def output(self, line: str) -> None:
        self._bus.publish(Output(self.now(), self.step, redact(line)))

    def detail(self, topic: str, payload: Any, *, keep: bool = False) -> None:
        if keep:
            self._journal.write(
                self.now(), Entry.DETAIL, step=self.step, topic=topic, payload=jsonable(payload)
            )
        self._bus.publish(Detail(self.now(), self.step, topic, payload))

    def backup(self, name: str, content: str) -> str:
        path = self._progress.backups / name
        if path.exists() and path.read_text(encoding="utf-8") != content:
            write_atomically(path, content, keep=path.with_name(f"{path.name}.previous"))
        elif not path.exists():
            write_atomically(path, content)
        return str(path.relative_to(self._progress.path.parent))

    def kept(self, name: str) -> str | None:
        path = self._progress.backups / name
        return path.read_text(encoding="utf-8") if path.exists() else None

    async def until_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise Stopped
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))

    def transcript(self, name: str) -> Path:
        return self._progress.path.parent / "logs" / f"{self.step}.{name}.log"
