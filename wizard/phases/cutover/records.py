"""What the cutover's steps remember and hand on.

| record | saved by | name |
|---|---|---|
| ZoneRecord | prepare.dns_zone | zone |
| ProbeRecord | cutover.preflight | probe |
| TtlRecord | cutover.lower_ttl, settle.raise_ttl | ttl |
| TtlRecord | settle.raise_ttl, when it was taken back | lowered |
| ProxyRecord | cutover.old_proxy | proxy |
| FlipRecord | cutover.flip | flip |
| GapRecord (certificate_wait) | cutover.flip | gap_NAME |
| HandOnRecord (hand_on) | whoever reloads the old proxy | hand_on |
"""

from __future__ import annotations

from dataclasses import dataclass

from wizard.dns.records import ChangeSet, RRset

ZONE_STEP = "prepare.dns_zone"
TTL_STEP = "cutover.lower_ttl"
FLIP_STEP = "cutover.flip"
RAISE_STEP = "settle.raise_ttl"


@dataclass(frozen=True, slots=True)
class ZoneRecord:
    """The record sets at the names that move, as they were before anything was changed.

    `backup` names the file in backups/ with the whole zone; `servers` are those that it is delegated to.
    """

    zone: str
    rrsets: tuple[RRset, ...]
    servers: tuple[str, ...]
    backup: str
    at: float

    def find(self, name: str, kind: str) -> RRset | None:
        return next((one for one in self.rrsets if one.name == name and one.type == kind), None)


@dataclass(frozen=True, slots=True)
class ProbeRecord:
    """A record of no use was written, seen on `servers` and taken away, all within `seconds`."""

    name: str
    servers: tuple[str, ...]
    seconds: float
    at: float


@dataclass(frozen=True, slots=True)
class TtlRecord:
    """TTLs before they were changed. `at`: when every server showed the new ones; 0 until then.

    `old_ttl` (seconds) is the longest of them: a cache may hold it until `at` plus it. `made` are names
    that a wildcard answered for and that got record sets of their own.
    """

    sets: tuple[RRset, ...]
    old_ttl: int
    at: float = 0.0
    made: tuple[RRset, ...] = ()

    @property
    def waited_out(self) -> float:
        return self.at + self.old_ttl


@dataclass(frozen=True, slots=True)
class ProxyRecord:
    """The old host's proxy before it was made to forward. `backup` names the file in backups/."""

    path: str
    container: str
    backup: str
    domains: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True)
class FlipRecord:
    """The flip as it was made. `old_ttl` (seconds): a cache may hold the old values until `at` plus it.

    `started` is the moment before the first record set was changed, `at` the one after which every
    authoritative server showed the last of them (`started` until that is known).
    """

    changes: ChangeSet
    at: float
    old_ttl: int
    started: float

    @property
    def sealed(self) -> bool:
        return self.at > self.started
