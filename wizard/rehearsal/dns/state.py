"""What the rehearsal's DNS remembers: zones with their history, and what every cache holds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_CHAIN = 8
_HISTORY = 64


@dataclass(frozen=True)
class Row:
    """A record set in presentation form; `name` is relative, "@" at the top."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]


@dataclass
class ZoneState:
    """`past` holds earlier contents with the moment until which they were served, for a server that lags."""

    name: str
    serial: int = 2026010100
    minimum: int = 300
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    past: deque[tuple[float, int, dict[tuple[str, str], Row]]] = field(
        default_factory=lambda: deque(maxlen=_HISTORY)
    )
    elsewhere: dict[tuple[str, str], Row] | None = None
    """What the world is served when the zone is delegated to somebody else: edits here change nothing."""

    def absolute(self, label: str) -> str:
        return self.name if label == "@" else f"{label}.{self.name}"

    def relative(self, name: str) -> str:
        return "@" if name == self.name else name.removesuffix(f".{self.name}")

    def at(self, moment: float) -> tuple[int, dict[tuple[str, str], Row]]:
        """Serial and contents as they were at a moment."""
        if self.elsewhere is not None:
            return 1, self.elsewhere
        for until, serial, rows in self.past:
            if moment < until:
                return serial, rows
        return self.serial, self.rows


@dataclass(frozen=True)
class Held:
    """What a cache holds of one name and type. `chain` are record sets with absolute names."""

    chain: tuple[Row, ...]
    rcode: int
    expires: float
    since: float


@dataclass
class CacheState:
    """`quirk` is "", lie, serve_stale, min_ttl or max_ttl; `pools` are caches that answer in turn."""

    name: str
    region: str
    quirk: str = ""
    pools: list[dict[tuple[str, str], Held]] = field(default_factory=lambda: [{}])
    asked: int = 0


@dataclass
class DnsState:
    zones: dict[str, ZoneState] = field(default_factory=dict)
    caches: list[CacheState] = field(default_factory=list)
    lagging: str = ""
    """Address of the authoritative server that is behind."""


@dataclass(frozen=True)
class Found:
    """An authoritative answer: a chain of record sets with absolute names, or nothing."""

    chain: tuple[Row, ...]
    rcode: int
    zone: ZoneState | None
    serial: int = 0


def find(zones: dict[str, ZoneState], name: str, kind: str, moment: float) -> Found:
    """The truth at a moment. Aliases are followed through all zones; wildcards are known. Pure."""
    chain: list[Row] = []
    zone, serial = None, 0
    for _ in range(_CHAIN):
        zone = _zone_of(zones, name)
        if zone is None:
            return Found(tuple(chain), 0 if chain else 3, None)
        serial, rows = zone.at(moment)
        label = zone.relative(name)
        here = _source(rows, label)
        row = rows.get((here, kind))
        if row is not None:
            chain.append(Row(name, kind, row.ttl, row.values))
            return Found(tuple(chain), 0, zone, serial)
        alias = rows.get((here, "CNAME"))
        if alias is None:
            exists = any(key == here or key.endswith(f".{here}") for key, _ in rows) or here == "@"
            return Found(tuple(chain), 0 if exists or chain else 3, zone, serial)
        chain.append(Row(name, "CNAME", alias.ttl, alias.values))
        target = alias.values[0]
        name = target.rstrip(".") if target.endswith(".") else zone.absolute(target)
    return Found(tuple(chain), 2, zone, serial)


def _zone_of(zones: dict[str, ZoneState], name: str) -> ZoneState | None:
    labels = name.split(".")
    return next((zones[key] for cut in range(len(labels)) if (key := ".".join(labels[cut:])) in zones), None)


def _source(rows: dict[tuple[str, str], Row], label: str) -> str:
    """The label itself, or the wildcard that covers it (RFC 4592) when nothing is there."""
    names = {name for name, _ in rows}
    if label in names or label == "@" or any(name.endswith(f".{label}") for name in names):
        return label
    parent = label.partition(".")[2]
    wildcard = f"*.{parent}" if parent else "*"
    return wildcard if wildcard in names else label
