"""What was found, and what could not be asked. Names only: no value of a variable, no token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wizard.config import GitHost, OldHost


@dataclass(frozen=True, slots=True)
class FoundProject:
    """A project at Vercel. `team` is its slug, "" for the person's own; `root` its folder in git."""

    name: str
    team: str
    domains: tuple[str, ...]
    apex: str
    host: GitHost | None
    repository: str
    branch: str
    root: str
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundImage:
    """A Dockerfile and what it says of itself; `there` is false when the repository has none."""

    dockerfile: str
    context: str
    port: int
    health: str
    arguments: tuple[str, ...]
    there: bool = True


@dataclass(frozen=True, slots=True)
class FoundStack:
    compose_file: str
    services: tuple[str, ...]
    health: tuple[tuple[str, str], ...]
    """(service, path) from health checks."""
    caches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundDatabase:
    service: str
    container: str
    user: str
    database: str


@dataclass(frozen=True, slots=True)
class FoundSite:
    """A name that the old host's web server leads to a service."""

    domain: str
    service: str
    port: int


@dataclass(frozen=True, slots=True)
class FoundHost:
    """`access` is how it was reached; volumes are (name, services), without those of databases."""

    access: OldHost
    project: str
    services: tuple[str, ...]
    databases: tuple[FoundDatabase, ...]
    volumes: tuple[tuple[str, tuple[str, ...]], ...]
    sites: tuple[FoundSite, ...]
    memory_gb: float


@dataclass
class Notes:
    """What the operator should know besides; each a sentence."""

    lines: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        if line not in self.lines:
            self.lines.append(line)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator said on the command line; empty means that it is to be found or asked."""

    name: str = ""
    email: str = ""
    team: str = ""
    repository: str = ""
    branch: str = ""
    zone: str = ""
    old_host: OldHost | None = None
    projects: Sequence[str] = ()
