"""The record sets that a flip changes, and what stands in its way. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wizard.config import Config
from wizard.dns.leftovers import ALIASES, HINTS, Leftover, leftovers
from wizard.dns.leftovers import Kind as LeftoverKind
from wizard.dns.records import ChangeSet, RecordChange, RRset, ZoneSnapshot
from wizard.phases.cutover.records import ZoneRecord
from wizard.phases.prepare.dns_zone import IN_THE_FLIP, decided


@dataclass(frozen=True, slots=True)
class Hands:
    """What the provider can do: `swaps` an alias at once; `ttl` is that of the new record sets."""

    swaps: bool
    ttl: int


@dataclass(frozen=True, slots=True)
class Intent:
    """`troubles` are sentences: each of them makes the flip refuse itself."""

    changes: ChangeSet
    troubles: tuple[str, ...] = ()
    third: tuple[str, ...] = ()
    """Record sets that are neither what was recorded nor what is planned."""


@dataclass(frozen=True, slots=True)
class _Zone:
    snapshot: ZoneSnapshot
    targets: Mapping[str, str]
    siblings: Mapping[str, tuple[str, ...]]
    answers: Mapping[str, str]
    hands: Hands


def intended(
    config: Config,
    snapshot: ZoneSnapshot,
    targets: Mapping[str, str],
    record: ZoneRecord | None,
    answers: Mapping[str, str],
    hands: Hands,
) -> Intent:
    """What is to change so that every name leads to its new address (`targets`, by name)."""
    siblings = {
        name: tuple(other for other in config.names if other != name and targets[other] == targets[name])
        for name in config.names
    }
    zone = _Zone(snapshot, targets, siblings, answers, hands)
    changes: list[RecordChange] = []
    troubles: list[str] = []
    for name in config.names:
        more, bad = _name(zone, name)
        changes += more
        troubles += bad
    changed = tuple(one for one in changes if one.old != one.new)
    third = _third_values(snapshot, record, config.names, targets)
    return Intent(ChangeSet(snapshot.zone, changed), tuple(troubles), third)


def _name(zone: _Zone, name: str) -> tuple[list[RecordChange], list[str]]:
    found = leftovers(zone.snapshot, (name,))
    troubles = [
        f"{one.name} {one.type} {one.seen} is left over: {one.effect}"
        for one in found
        if one.kind is not LeftoverKind.WILDCARD and decided(zone.answers, one) != IN_THE_FLIP
    ]
    if troubles:
        return [], troubles
    alias = next((one for one in found if one.kind is LeftoverKind.ALIAS), None)
    if alias is not None and not zone.hands.swaps:
        return _retargeted(zone, name, alias)
    changes = [
        RecordChange(name, one.type, one, None)
        for one in zone.snapshot.at(name)
        if one.type in ("AAAA", *HINTS, *ALIASES)
    ]
    old = zone.snapshot.find(name, "A")
    return [*changes, RecordChange(name, "A", old, _address(zone, name, old))], []


def _address(zone: _Zone, name: str, old: RRset | None) -> RRset:
    values = (zone.targets[name],)
    if old is not None and old.values == values:
        return old
    return RRset(name, "A", zone.hands.ttl, values)


def _retargeted(zone: _Zone, name: str, alias: Leftover) -> tuple[list[RecordChange], list[str]]:
    """Without one call for both, taking the alias away first would leave a moment with nothing there."""
    old = zone.snapshot.find(name, alias.type)
    for other in zone.siblings[name]:
        if alias.type == "CNAME" and not any(one.type in ALIASES for one in zone.snapshot.at(other)):
            new = RRset(name, "CNAME", zone.hands.ttl, (other,))
            return [RecordChange(name, "CNAME", old, old if old and old.values == new.values else new)], []
    return [], [
        f"{name} is an alias ({alias.type} {alias.seen}), and this provider cannot replace an alias by an "
        "address in one call: for a moment nothing would stand there"
    ]


def _third_values(
    snapshot: ZoneSnapshot, record: ZoneRecord | None, names: Sequence[str], targets: Mapping[str, str]
) -> tuple[str, ...]:
    if record is None:
        return ()
    found: list[str] = []
    for name in names:
        before = {one.type: one for one in record.rrsets if one.name == name}
        now = {one.type: one for one in snapshot.at(name) if one.type in _MOVING}
        if not before and now:
            # A name that only a wildcard answered for gets its own record set with the lower TTL.
            continue
        for kind in sorted({*now, *(kind for kind in before if kind in _MOVING)}):
            old, live = before.get(kind), now.get(kind)
            if kind == "A" and live is not None and live.values == (targets[name],):
                continue
            if _by_hand(kind, before, live) or _led_home(kind, live, names):
                continue
            if (old.values if old else None) != (live.values if live else None):
                found.append(
                    f"{name} {kind} is {live or 'gone'}, which is neither the recorded {old or 'absence'} "
                    f"nor the planned {targets[name]}"
                )
    return tuple(found)


def _by_hand(kind: str, before: Mapping[str, RRset], live: RRset | None) -> bool:
    """The operator took a leftover away, or put an address in place of an alias."""
    return live is None if kind != "A" else any(alias in before for alias in ALIASES)


def _led_home(kind: str, live: RRset | None, names: Sequence[str]) -> bool:
    return live is not None and kind == "CNAME" and set(live.values) <= set(names)


_MOVING = ("A", "AAAA", *HINTS, *ALIASES)
