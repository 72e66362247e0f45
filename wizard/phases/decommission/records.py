"""What the ladder remembers: for its ways back, and for what later rungs rest on. No secret.

| record | saved by | name |
|---|---|---|
| SoakRecord | decommission.soak | soak |
| ExportRecord | decommission.export | export_<project> |
| GitRecord | decommission.git | git_<project> |
| DomainsRecord | decommission.domains | domains_<project> |
| GoneRecord | decommission.delete | gone_<project> |
"""

from __future__ import annotations

from dataclasses import dataclass

from wizard.clients.vercel.models import ProjectDomain

SOAK_STEP, EXPORT_STEP = "decommission.soak", "decommission.export"
FRESH = 86_400.0
"""Seconds after which an export is stale."""


@dataclass(frozen=True, slots=True)
class SoakRecord:
    """`began` at the flip. `failed` is the last moment at which the new side did not answer, of `looks`.

    `seen` is what the last look saw, one line a domain. `ended` is 0 until every check held.
    """

    began: float
    looked: float = 0.0
    looks: int = 0
    failed: float = 0.0
    seen: tuple[str, ...] = ()
    ended: float = 0.0


def export_file(project: str) -> str:
    """The export's name in backups/."""
    return f"vercel-export-{project}.json"


@dataclass(frozen=True, slots=True)
class ExportRecord:
    """`file` in backups/ with its `digest` (SHA-256); `rows` counts by kind of thing.

    `stand` tells variables and production as they were; `missing` names values that nobody can read;
    `secrets` names where clear values were kept.
    """

    project: str
    id: str
    owner: str
    file: str
    digest: str
    at: float
    stand: str
    rows: tuple[tuple[str, int], ...] = ()
    missing: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GitRecord:
    type: str
    repository: str
    branch: str
    hooks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DomainsRecord:
    domains: tuple[ProjectDomain, ...]


@dataclass(frozen=True, slots=True)
class GoneRecord:
    """A project that was deleted."""

    id: str
    at: float
