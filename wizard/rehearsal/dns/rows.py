"""The stage's zone as providers show it that keep one row a value, each under an id of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from wizard.rehearsal.dns.state import Row

_ALIASES = ("CNAME", "ALIAS")


@dataclass(frozen=True)
class Value:
    """One value; `name` is relative, "@" at the top."""

    id: str
    name: str
    type: str
    ttl: int
    value: str


def values(rows: Iterable[Row], hidden: tuple[str, ...] = ("NS", "SOA")) -> list[Value]:
    return [
        Value(_id(row, value), row.name, row.type, row.ttl, value)
        for row in rows
        if not (row.name == "@" and row.type in hidden)
        for value in row.values
    ]


def _id(row: Row, value: str) -> str:
    return hashlib.sha256(f"{row.name} {row.type} {value}".encode()).hexdigest()[:24]


def clash(all_values: Iterable[Value], name: str, kind: str) -> bool:
    """An alias stands alone at its name."""
    here = [one for one in all_values if one.name == name]
    return any((one.type in _ALIASES) != (kind in _ALIASES) or kind in _ALIASES for one in here)


def as_rows(all_values: Iterable[Value]) -> dict[tuple[str, str], Row]:
    """Back to record sets; the latest TTL counts for all values of a set."""
    found: dict[tuple[str, str], Row] = {}
    for one in all_values:
        before = found.get((one.name, one.type))
        together = (*before.values, one.value) if before else (one.value,)
        found[one.name, one.type] = Row(one.name, one.type, one.ttl, together)
    return found
