"""What was made, twice or never: every act that a vendor would bill or that must happen once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

MADE, GONE = "create", "delete"


@dataclass(frozen=True, slots=True)
class Entry:
    at: float
    system: str
    act: str
    thing: str
    detail: str = ""


@dataclass
class Ledger:
    """`thing` names a resource by what must be unique about it, not by its id: ``server frontend``."""

    entries: list[Entry] = field(default_factory=list)

    def add(self, at: float, system: str, act: str, thing: str, detail: str = "") -> None:
        self.entries.append(Entry(at, system, act, thing, detail))

    def duplicates(self) -> tuple[str, ...]:
        """Things that were created again while the first one still existed."""
        standing: Counter[tuple[str, str]] = Counter()
        doubled: list[str] = []
        for entry in self.entries:
            key = (entry.system, entry.thing)
            if entry.act == MADE:
                standing[key] += 1
                if standing[key] > 1:
                    doubled.append(f"{entry.system}: {entry.thing}")
            elif entry.act == GONE:
                standing[key] = 0
        return tuple(doubled)

    def standing(self) -> tuple[str, ...]:
        """What was made and is still there, sorted: two runs with the same end have the same."""
        there: set[str] = set()
        for entry in self.entries:
            name = f"{entry.system}: {entry.thing}"
            if entry.act == MADE:
                there.add(name)
            elif entry.act == GONE:
                there.discard(name)
        return tuple(sorted(there))

    def count(self, system: str = "", act: str = "", thing: str = "") -> int:
        return sum(
            (not system or entry.system == system)
            and (not act or entry.act == act)
            and (not thing or entry.thing == thing)
            for entry in self.entries
        )
