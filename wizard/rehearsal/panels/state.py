"""What a rehearsal's panel remembers, and the words in which it refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]
"""A thing as the API shows it."""

VERSION = "v0.30.2"
START_SECONDS = 15.0
LIMITED_CALLS = 5
"""A key with the default limit, 10 a day, is used up after five: every call counts twice."""
TABLES = (
    "project", "environment", "application", "compose", "domain", "deployment", "mount", "patch", "schedule",
    "notification", "destination", "backup", "volumeBackup", "sshKey", "certificate", "registry", "rollback",
    "redirect",
)  # fmt: skip


class Refused(Exception):
    """An error answer. `fields` are complaints by field, as the panel's own validation tells them."""

    def __init__(
        self, status: int, code: str, message: str, fields: dict[str, list[str]] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.fields = status, code, message, fields


def missing(what: str) -> Refused:
    return Refused(404, "NOT_FOUND", f"{what} not found")


def mistake(message: str) -> Refused:
    """The panel answers its plain mistakes as inner errors."""
    return Refused(500, "INTERNAL_SERVER_ERROR", message)


def bad(message: str) -> Refused:
    return Refused(400, "BAD_REQUEST", message)


@dataclass
class Person:
    id: str
    name: str
    email: str
    password: str


@dataclass
class KeyState:
    """`calls` since it was made; a key with a limit is refused when they are used up."""

    id: str
    name: str
    key: str
    limited: bool
    calls: int = 0


@dataclass
class Job:
    """A deployment in the queue. `kind` is application or compose; `deployment` "" until it is begun."""

    kind: str
    id: str
    title: str
    description: str
    deployment: str = ""


@dataclass
class Settling:
    """A rollout that Docker goes on with after the panel called it done.

    `service` is a swarm service's name, or for a stack the one that its domains lead to.
    """

    kind: str
    id: str
    service: str
    version: str
    due: float
    well: bool = True
    image: str = ""
    env: dict[str, str] = field(default_factory=dict)
    containers: tuple[str, ...] = ()


@dataclass
class Built:
    """An image that is kept: what a rollback goes back to."""

    image: str
    version: str
    env: dict[str, str]


@dataclass
class PanelState:
    """One panel. `sources` are clones as they lie on the host; `kept` images by deployment."""

    host: str
    version: str = VERSION
    ready: float = 0.0
    number: int = 0
    builds: int = 0
    person: Person | None = None
    organization: Row = field(default_factory=dict)
    sessions: dict[str, float] = field(default_factory=dict)
    keys: dict[str, KeyState] = field(default_factory=dict)
    tables: dict[str, dict[str, Row]] = field(default_factory=lambda: {name: {} for name in TABLES})
    logs: dict[str, list[str]] = field(default_factory=dict)
    sources: dict[str, dict[str, bytes]] = field(default_factory=dict)
    queue: list[Job] = field(default_factory=list)
    settling: list[Settling] = field(default_factory=list)
    kept: dict[str, Built] = field(default_factory=dict)
    running: dict[str, str] = field(default_factory=dict)
    """What was last rolled out: application id to deployment id; container name to its digest."""
    labels: dict[str, list[str]] = field(default_factory=dict)
    """Hosts that a stack's running containers are labelled with, by compose id."""
    files: dict[str, str] = field(default_factory=dict)
    objects: dict[str, dict[str, tuple[int, float]]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    """Content of stored dumps, by path."""
    """What backups wrote, by destination and path: (size, moment)."""
    standing: set[str] = field(default_factory=set)
    """Things that the ledger knows as created and not yet deleted."""
    settings: Row = field(default_factory=dict)
    delivered: list[tuple[str, str]] = field(default_factory=list)
    """Messages that arrived: (kind of notification, text)."""
    hooks: list[tuple[str, int, str]] = field(default_factory=list)
    """Webhooks that came in: (event, answer's status, answer's text)."""


@dataclass
class PanelsState:
    panels: dict[str, PanelState] = field(default_factory=dict)


def when(moment: float) -> str:
    """A moment as the panel writes it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
