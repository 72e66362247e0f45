"""What a watch over a flip shows at one moment: plain, frozen data, published as Detail("watch", view)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """An answer against the plan: the planned values, the recorded ones, or something else."""

    NEW = "new"
    OLD = "old"
    NEITHER = "neither"
    SILENT = "silent"
    """Asked, and no answer came."""
    UNASKED = "unasked"


@dataclass(frozen=True, slots=True)
class Asked:
    """A record set that moves: name, type, the values before and the planned ones."""

    name: str
    type: str
    old: tuple[str, ...] = ()
    new: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """What one resolver said of one record set. `expires`: when its cache runs out, None if unknown."""

    verdict: Verdict
    values: tuple[str, ...] = ()
    at: float | None = None
    expires: float | None = None
    queries: int = 0
    caches: int = 1
    """Caches told apart behind the address by their expiry."""
    caches_new: int = 0
    """How many of them have flipped."""


@dataclass(frozen=True, slots=True)
class ResolverRow:
    """`way` is how it is asked: udp, tcp, doh, with the address family. `cells` go with WatchView.asked."""

    name: str
    address: str
    way: str
    cells: tuple[Cell, ...]
    place: str = ""
    note: str = ""
    """What is odd about it: serves stale answers, rewrites TTLs, is intercepted."""


@dataclass(frozen=True, slots=True)
class AuthorityRow:
    """One address of an authoritative server; `verdicts` go with WatchView.asked."""

    server: str
    address: str
    serial: int | None
    verdicts: tuple[Verdict, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """The certificate that an address shows for a name, verified there."""

    name: str
    address: str
    trusted: bool | None
    """None: not seen yet."""
    issuer: str = ""
    until: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class HttpRow:
    """The same request to the old and to the new address, each pinned."""

    name: str
    old: str
    """As *200, 43 ms*; empty when not asked."""
    new: str
    same: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A share of all caches, 0 to 1, that has flipped at a moment."""

    at: float
    share: float


@dataclass(frozen=True, slots=True)
class Visitors:
    """Visitors of the moved site while it moves; `failures` are the latest ones as texts."""

    requests: int
    failed: int
    failures: tuple[str, ...] = ()
    new_share: float | None = None
    """Share of visits that the new hosts answer, where that can be known."""


@dataclass(frozen=True, slots=True)
class WatchView:
    """All of it. Moments are the world's time.

    `seen` is the curve so far, `predicted` goes on from it to 1 at `ends_at`, the moment after which no
    well-behaved cache can hold an old value. `back_at`: when the world would be back if the flip were
    taken back now. `returning`: the way back is what is being watched.
    """

    at: float
    asked: tuple[Asked, ...]
    resolvers: tuple[ResolverRow, ...]
    authorities: tuple[AuthorityRow, ...] = ()
    certificates: tuple[CertificateRow, ...] = ()
    http: tuple[HttpRow, ...] = ()
    flipped_at: float | None = None
    seen: tuple[Point, ...] = ()
    predicted: tuple[Point, ...] = ()
    ends_at: float | None = None
    back_at: float | None = None
    returning: bool = False
    visitors: Visitors | None = None
    notes: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """The share of caches known that hold the planned values, 0 to 1."""
        cells = [cell for row in self.resolvers for cell in row.cells if cell.verdict is not Verdict.SILENT]
        caches = sum(max(1, cell.caches) for cell in cells)
        flipped = sum(cell.caches if cell.verdict is Verdict.NEW else cell.caches_new for cell in cells)
        return flipped / caches if caches else 0.0
