"""A step: five small answers. Reading and changing never mix."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from wizard.engine.check import Check
from wizard.engine.plan import NOTHING, Change, Plan

if TYPE_CHECKING:
    from wizard.config import Config
    from wizard.world import World


class Phase(StrEnum):
    """In this order; a phase begins when the one before it has ended."""

    PREPARE = "prepare"
    PROVISION = "provision"
    FIREWALL = "firewall"
    APPS = "apps"
    DATA = "data"
    CUTOVER = "cutover"
    SETTLE = "settle"
    DECOMMISSION = "decommission"


T = TypeVar("T")


class Stopped(Exception):
    """The run is to end; a mutation that was under way has been finished, or goes on without us."""


class Skipped(Exception):
    """Raised by `apply`: what the step is for can't be had, and the migration goes on without it."""


class SavedRecords(Protocol):
    """Typed records (frozen dataclasses of plain data) that survive restarts, kept in progress.toml.

    They hold what undo needs and what later steps build on; `save` is on disk when it returns.
    Secrets never go here.
    """

    def save(self, name: str, record: Any) -> None: ...

    def load(self, name: str, kind: type[T], *, step: str = "") -> T | None:
        """The record that this step (or `step`) saved under `name`; None if there is none."""
        ...

    def drop(self, name: str) -> None: ...


class Context(Protocol):
    """What a step may use. One for each step, made by the engine."""

    @property
    def step(self) -> str: ...

    @property
    def config(self) -> Config: ...

    @property
    def world(self) -> World: ...

    @property
    def saved(self) -> SavedRecords: ...

    @property
    def answers(self) -> Mapping[str, str]:
        """Answers given so far to questions of any step, by question id."""
        ...

    def now(self) -> float: ...

    def output(self, line: str) -> None:
        """Show a line to the operator (redacted)."""
        ...

    def detail(self, topic: str, payload: Any, *, keep: bool = False) -> None:
        """Publish a typed snapshot for a special view. `keep`: a restarted screen shows it again."""
        ...

    def backup(self, name: str, content: str) -> str:
        """Write a file into backups/ (mode 0600, synced); its path, relative to the progress file."""
        ...

    def kept(self, name: str) -> str | None:
        """What stands in backups/ under `name`, read back from disk; None if nothing does."""
        ...

    async def until_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """Look on at what goes on without us. Raises Stopped, and looks no longer, when the run is to end.

        `work` changes nothing outside: it may be cancelled at any point and is taken up by the next run.
        """
        ...

    def transcript(self, name: str) -> Path:
        """The file in logs/ that holds what work named `name` has said so far; it may not exist yet."""
        ...


Facts = TypeVar("Facts")


class Step(ABC, Generic[Facts]):
    """Subclasses answer observe, plan, apply, verify, undo.

    `id` is ``phase.name`` or ``phase.thing.name``, e.g. ``provision.backend.server``. `needs` names steps
    (or prefixes of them, ``provision.backend``) of the same phase that must be done before; earlier
    phases are done anyway. `rests_on` names steps (or prefixes) of any phase without whose outcome it has no
    purpose: when one of them is skipped, so is it. Instances hold configuration only; whatever is learned
    goes into facts or saved records.
    """

    id: str
    title: str
    phase: Phase
    needs: tuple[str, ...] = ()
    rests_on: tuple[str, ...] = ()
    way_back: str = ""
    """How the step is undone and what that costs; shown before it runs."""
    keeps: ClassVar[tuple[str, ...]] = ()
    """How the names of saved records begin that outlive an undo; the others tell of what is gone then."""
    point_of_no_return: ClassVar[bool] = False
    enduring: ClassVar[bool] = True
    """Whether its checks still hold when the whole migration is over; others are not asked again."""

    @abstractmethod
    async def observe(self, ctx: Context) -> Facts:
        """Read only. May be called at any time, any number of times."""

    @abstractmethod
    def plan(self, facts: Facts) -> Plan:
        """Pure. Empty when the outside is as wished."""

    async def apply(self, change: Change, ctx: Context) -> None:
        """Make one change, idempotently, of plan or undo. The only place that mutates the outside."""
        raise AssertionError(f"{self.id} plans no changes, so {change.key} cannot be applied")

    @abstractmethod
    async def verify(self, ctx: Context) -> Sequence[Check]:
        """Read only. At least one check, each with evidence; PENDING ones are asked again at `again`."""

    async def undo(self, ctx: Context) -> Plan:
        """The changes that take the step back, from what was saved before applying."""
        return NOTHING
