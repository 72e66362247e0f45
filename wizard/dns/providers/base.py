"""What every DNS provider can do for a move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from wizard.dns.records import ChangeSet, RecordChange, RRset, Standing, ZoneSnapshot, refuse_third, standing

PROOF_TTL = 60


class DnsProvider(Protocol):
    """`min_ttl`: seconds. `atomic`: a change set takes effect as a whole. `types`: what it can hold.

    `swaps`: an alias becomes an address (or the reverse) in one call, with nothing missing in between.
    `implicit`: it answers for some names that have no records of their own.
    `by_hand`: a person makes the edits; `apply` and `revert` then wait until they are seen.
    """

    name: str
    min_ttl: int
    atomic: bool
    swaps: bool
    implicit: bool
    by_hand: bool
    types: frozenset[str]

    async def snapshot(self) -> ZoneSnapshot: ...

    async def apply(self, changes: ChangeSet) -> None:
        """Idempotent. Raises ThirdValueError when a live value is neither old nor new."""
        ...

    async def revert(self, changes: ChangeSet) -> None:
        """The way back of `apply`, with the same refusal."""
        ...

    async def set_txt(self, name: str, values: Sequence[str]) -> None: ...

    async def remove_txt(self, name: str) -> None: ...


def deletions_first(changes: ChangeSet) -> tuple[RecordChange, ...]:
    """An alias must go before anything else can stand at its name."""
    return tuple(sorted(changes.changes, key=lambda change: change.new is not None))


def due(changes: ChangeSet, live: ZoneSnapshot) -> tuple[RecordChange, ...]:
    """What is still to do. Raises ThirdValueError before anything is done."""
    ordered = deletions_first(changes)
    for change in ordered:
        refuse_third(change, live.find(change.name, change.type))
    return tuple(one for one in ordered if not stands(one, live.find(one.name, one.type)))


def stands(change: RecordChange, live: RRset | None) -> bool:
    """Whether the change is made already."""
    return standing(change, live) in (Standing.NEW, Standing.BOTH)
