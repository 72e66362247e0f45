"""Record sets, a zone as it was seen, and a change that can be taken back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from wizard.dns.wire import canonical
from wizard.errors import WizardError


@dataclass(frozen=True, slots=True)
class RRset:
    """`name` absolute, lower case, without the last dot; `values` canonical and sorted; `ttl` seconds."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.values)} (TTL {self.ttl})"


def rrset(name: str, kind: str, ttl: int, values: tuple[str, ...] | list[str]) -> RRset:
    """An RRset in canonical spelling."""
    return RRset(name.rstrip(".").lower(), kind, ttl, tuple(sorted(canonical(kind, one) for one in values)))


@dataclass(frozen=True, slots=True)
class ZoneSnapshot:
    """Everything a provider holds for a zone. `text` is its own export, a zone file where it has one."""

    zone: str
    rrsets: tuple[RRset, ...]
    text: str = ""
    proxied: tuple[str, ...] = ()
    """Names that the provider answers with addresses of its own."""

    def find(self, name: str, kind: str) -> RRset | None:
        return next((one for one in self.rrsets if one.name == name and one.type == kind), None)

    def at(self, name: str) -> tuple[RRset, ...]:
        return tuple(one for one in self.rrsets if one.name == name)


@dataclass(frozen=True, slots=True)
class RecordChange:
    """One record set before and after; None means that it isn't there."""

    name: str
    type: str
    old: RRset | None = None
    new: RRset | None = None

    @property
    def key(self) -> str:
        return f"{self.name}/{self.type}"


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Changes with the complete old record sets; stored before it is applied."""

    zone: str
    changes: tuple[RecordChange, ...]
    at: float = 0.0

    def inverse(self) -> ChangeSet:
        back = tuple(RecordChange(c.name, c.type, c.new, c.old) for c in reversed(self.changes))
        return ChangeSet(self.zone, back, self.at)

    def of(self, name: str) -> ChangeSet:
        """The part about one name: what has to change together."""
        return ChangeSet(self.zone, tuple(c for c in self.changes if c.name == name), self.at)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(change.name for change in self.changes))


class Standing(StrEnum):
    """A live record set against a change."""

    OLD = "old"
    NEW = "new"
    BOTH = "both"
    """Old and new are the same."""
    NEITHER = "neither"


def standing(change: RecordChange, live: RRset | None) -> Standing:
    """Values decide; a TTL that a provider changed is no third value."""
    old, new = _same(change.old, live), _same(change.new, live)
    if old and new:
        exact = live is None or change.new is None or live.ttl == change.new.ttl
        return Standing.BOTH if exact else Standing.OLD
    return Standing.NEW if new else Standing.OLD if old else Standing.NEITHER


def _same(wanted: RRset | None, live: RRset | None) -> bool:
    if wanted is None or live is None:
        return wanted is None and live is None
    return wanted.values == live.values


class ThirdValueError(WizardError):
    """A live record set is neither what was recorded nor what was planned: somebody else changed it."""


def refuse_third(change: RecordChange, live: RRset | None) -> None:
    """Raises ThirdValueError unless the live value is the old or the new one."""
    if standing(change, live) is Standing.NEITHER:
        raise ThirdValueError(
            f"{change.name} {change.type} was changed by somebody else",
            f"it is {live or 'gone'}, which is neither {change.old or 'absent'} nor {change.new or 'absent'}",
            "Decide which value is right, set it by hand, and run again.",
        )
