"""The record sets that a flip changes, and what stands in its way. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wizard.config import Config
from wizard.dns.leftovers import ALIASES, HINTS, Leftover, leftovers
from wizard.dns.leftovers import Kind as LeftoverKind
from wizard.dns.records import ChangeSet, RecordChange, RRset, ZoneSnapshot, rrset
from wizard.phases.cutover.records import ZoneRecord
from wizard.phases.prepare.dns_zone import IN_THE_FLIP, decided


@dataclass(frozen=True, slots=True)
class Hands:
    """What the provider can do: `swaps` an alias at once; `ttl` is that of the new record sets."""

    swaps: bool
    ttl: int


@dataclass(frozen=True, slots=True)
class Six:
    """IPv6 of the new places by name: those that it was proven for, and all of them."""

    proven: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)


NO_IPV6 = Six()


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
    sixes: Mapping[str, str]
    siblings: Mapping[str, tuple[str, ...]]
    answers: Mapping[str, str]
    hands: Hands


@dataclass(frozen=True, slots=True)
class _Planned:
    targets: Mapping[str, str]
    sixes: Mapping[str, str]

    def values(self, name: str, kind: str) -> tuple[str, ...] | None:
        """As record sets spell them; None where no record set of this type is planned."""
        address = {"A": self.targets, "AAAA": self.sixes}.get(kind, {}).get(name)
        return rrset(name, kind, 0, (address,)).values if address else None

    def told(self, name: str, kind: str) -> str:
        return ", ".join(self.values(name, kind) or (self.targets[name],))


def intended(
    config: Config,
    snapshot: ZoneSnapshot,
    targets: Mapping[str, str],
    record: ZoneRecord | None,
    answers: Mapping[str, str],
    hands: Hands,
    six: Six = NO_IPV6,
) -> Intent:
    """What is to change so that every name leads to its new addresses (`targets`, IPv4 by name)."""
    siblings = {
        name: tuple(other for other in config.names if other != name and targets[other] == targets[name])
        for name in config.names
    }
    zone = _Zone(snapshot, targets, six.proven, siblings, answers, hands)
    changes: list[RecordChange] = []
    troubles: list[str] = []
    for name in config.names:
        more, bad = _name(zone, name)
        changes += more
        troubles += bad
    changed = tuple(one for one in changes if one.old != one.new)
    third = _third_values(snapshot, record, config.names, _Planned(targets, six.own))
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
        if one.type in (*HINTS, *ALIASES)
    ]
    six = zone.snapshot.find(name, "AAAA")
    if six is not None:
        # Whoever had IPv6 keeps it where that was proven; an address that may lead nowhere is worse.
        proven = zone.sixes.get(name)
        changes.append(
            RecordChange(name, "AAAA", six, _leading(zone, name, "AAAA", proven) if proven else None)
        )
    old = zone.snapshot.find(name, "A")
    return [*changes, RecordChange(name, "A", old, _leading(zone, name, "A", zone.targets[name]))], []


def _leading(zone: _Zone, name: str, kind: str, address: str) -> RRset:
    new, old = rrset(name, kind, zone.hands.ttl, (address,)), zone.snapshot.find(name, kind)
    return old if old is not None and old.values == new.values else new


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
    snapshot: ZoneSnapshot, record: ZoneRecord | None, names: Sequence[str], planned: _Planned
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
            if live is not None and live.values == planned.values(name, kind):
                continue
            if _by_hand(kind, before, live) or _led_home(kind, live, names):
                continue
            if (old.values if old else None) != (live.values if live else None):
                found.append(
                    f"{name} {kind} is {live or 'gone'}, which is neither the recorded {old or 'absence'} "
                    f"nor the planned {planned.told(name, kind)}"
                )
    return tuple(found)


def _by_hand(kind: str, before: Mapping[str, RRset], live: RRset | None) -> bool:
    """The operator took a leftover away, or put an address in place of an alias."""
    return live is None if kind != "A" else any(alias in before for alias in ALIASES)


def _led_home(kind: str, live: RRset | None, names: Sequence[str]) -> bool:
    return live is not None and kind == "CNAME" and set(live.values) <= set(names)


_MOVING = ("A", "AAAA", *HINTS, *ALIASES)
