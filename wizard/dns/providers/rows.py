"""Providers that keep one row a value: which rows make a record set, and how few edits change it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wizard.dns.records import RRset, rrset


@dataclass(frozen=True, slots=True)
class Row:
    """One value as the provider keeps it, under its own id. `name` is absolute."""

    id: str
    name: str
    type: str
    ttl: int
    value: str


@dataclass(frozen=True, slots=True)
class Edits:
    """`change`: rows that get another value or TTL; `delete`: ids; `add`: values."""

    change: tuple[Row, ...] = ()
    delete: tuple[str, ...] = ()
    add: tuple[str, ...] = ()


def record_sets(rows: Sequence[Row]) -> tuple[RRset, ...]:
    """Rows by name and type; the shortest TTL counts where they differ."""
    keys = dict.fromkeys((row.name, row.type) for row in rows)
    return tuple(
        rrset(
            name,
            kind,
            min(row.ttl for row in rows if (row.name, row.type) == (name, kind)),
            tuple(row.value for row in rows if (row.name, row.type) == (name, kind)),
        )
        for name, kind in keys
    )


def edits(rows: Sequence[Row], wanted: RRset | None) -> Edits:
    """The edits that turn the rows of one name and type into `wanted`; rows that fit are left alone.

    A row that must go is changed into a value that must come: nothing is missing for a moment.
    """
    if wanted is None:
        return Edits(delete=tuple(row.id for row in rows))
    missing = list(wanted.values)
    change: list[Row] = []
    spare: list[Row] = []
    for row in rows:
        value = rrset(row.name, row.type, row.ttl, (row.value,)).values[0]
        if value not in missing:
            spare.append(row)
            continue
        missing.remove(value)
        if row.ttl != wanted.ttl:
            change.append(Row(row.id, row.name, row.type, wanted.ttl, value))
    reused = [
        Row(row.id, row.name, row.type, wanted.ttl, value) for row, value in zip(spare, missing, strict=False)
    ]
    return Edits(
        change=(*change, *reused),
        delete=tuple(row.id for row in spare[len(missing) :]),
        add=tuple(missing[len(spare) :]),
    )
