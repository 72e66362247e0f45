"""The port matrix: every relevant port from every vantage, expected against seen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from wizard.net import Reach


class Expected(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    """Refused or filtered: nobody may get an answer."""
    EITHER = "either"
    """Shown, and no fault whichever it is."""


@dataclass(frozen=True, slots=True)
class PortRule:
    """`admin` and `world` say who may connect; `control` is what a working vantage must see open."""

    port: int
    name: str
    admin: Expected
    world: Expected
    control: bool = False


SSH = 22
_ELSEWHERE = PortRule(SSH, "SSH's usual port", Expected.CLOSED, Expected.CLOSED)
RULES: tuple[PortRule, ...] = (
    PortRule(80, "HTTP", Expected.OPEN, Expected.OPEN),
    PortRule(443, "HTTPS", Expected.OPEN, Expected.OPEN, control=True),
    PortRule(3000, "panel", Expected.OPEN, Expected.CLOSED),
    PortRule(2377, "swarm", Expected.CLOSED, Expected.CLOSED),
    PortRule(5432, "PostgreSQL", Expected.CLOSED, Expected.CLOSED),
    PortRule(6379, "cache", Expected.CLOSED, Expected.CLOSED),
    PortRule(8080, "Traefik's dashboard", Expected.CLOSED, Expected.CLOSED),
)


class Standing(StrEnum):
    """Who the vantage is to the host."""

    ADMIN = "admin"
    WORLD = "world"
    APART = "apart"
    """The front end, seen from the back end: HTTPS and nothing else."""


@dataclass(frozen=True, slots=True)
class View:
    """One vantage looking at one address of a host."""

    vantage: str
    standing: Standing
    address: str
    path: str
    """IPv4, IPv6 or private."""


@dataclass(frozen=True, slots=True)
class Cell:
    port: int
    name: str
    expected: Expected
    seen: Reach
    control: bool

    @property
    def right(self) -> bool:
        if self.expected is Expected.EITHER:
            return True
        return (self.seen is Reach.OPEN) == (self.expected is Expected.OPEN)


@dataclass(frozen=True, slots=True)
class Row:
    """All ports from one view."""

    view: View
    cells: tuple[Cell, ...]
    unreached: str = ""
    """Why nobody could be asked to look from there; "" when somebody looked."""

    @property
    def can_see(self) -> bool:
        """A silent port proves nothing unless the same vantage gets an answer from another one."""
        return any(cell.control and cell.seen is Reach.OPEN for cell in self.cells)

    @property
    def wrong(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if not cell.right)


@dataclass(frozen=True, slots=True)
class PortMatrix:
    """Topic ``ports``: what each view saw of one host, at a moment."""

    host: str
    at: float
    rows: tuple[Row, ...]


def rules(ssh: int = SSH) -> tuple[PortRule, ...]:
    """What is asked of a host whose SSH listens on `ssh`; its usual port is closed then."""
    own = PortRule(ssh, "SSH", Expected.OPEN, Expected.EITHER)
    return (own, *((_ELSEWHERE,) if ssh != SSH else ()), *RULES)


def ports(ssh: int = SSH) -> tuple[int, ...]:
    return tuple(rule.port for rule in rules(ssh))


def expected(rule: PortRule, standing: Standing, *, panel_closed: bool = False) -> Expected:
    """`panel_closed`: the panel's port was taken away for everybody."""
    if standing is Standing.APART:
        return Expected.OPEN if rule.control else Expected.CLOSED
    if rule.name == "panel" and panel_closed:
        return Expected.CLOSED
    return rule.admin if standing is Standing.ADMIN else rule.world


def judge(view: View, seen: dict[int, Reach], *, ssh: int = SSH, panel_closed: bool = False) -> Row:
    """Pure. A port that was not asked counts as filtered."""
    cells = tuple(
        Cell(
            rule.port,
            rule.name,
            expected(rule, view.standing, panel_closed=panel_closed),
            seen.get(rule.port, Reach.FILTERED),
            rule.control,
        )
        for rule in rules(ssh)
    )
    return Row(view, cells)


def read_probe(output: str) -> dict[tuple[str, int], Reach]:
    """What dw-probe printed: ``ADDRESS PORT open|refused|filtered`` a line."""
    found: dict[tuple[str, int], Reach] = {}
    for line in output.splitlines():
        words = line.split()
        if len(words) == 3 and words[1].isdigit():
            found[(words[0], int(words[1]))] = Reach(words[2])
    return found
