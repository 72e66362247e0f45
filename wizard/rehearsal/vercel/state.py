"""What the rehearsal's Vercel remembers, and the words in which it refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
"""A thing as the API shows it."""

REHEARSAL_TOKEN = "vcp_" + "rehearsalVercelToken0123456789abcdefABCDEF"
EXPIRED_TOKEN = "vcp_" + "rehearsalVercelExpired0123456789abcdefABCD"
OTHER_TEAM_TOKEN = "vcp_" + "rehearsalVercelStranger0123456789abcdefABC"
"""Good, but of a person who belongs to none of the teams."""

USER = "usr_rehearsal"
HOUR = 3600.0


class Refused(Exception):
    """An error answer. `more` is put beside code and message."""

    def __init__(self, status: int, code: str, message: str, more: Document | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more or {}


@dataclass
class ProjectState:
    """One project. `values` are clear texts by variable id: what only the running app sees.

    `visits` counts pages that visitors loaded here, by hour since the epoch.
    """

    document: Document
    domains: dict[str, Document] = field(default_factory=dict)
    variables: dict[str, Document] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    environments: list[Document] = field(default_factory=list)
    deployments: list[Document] = field(default_factory=list)
    built: dict[str, Document] = field(default_factory=dict)
    files: list[Document] = field(default_factory=list)
    redirects: list[Document] = field(default_factory=list)
    routes: list[Document] = field(default_factory=list)
    firewall: Document | None = None
    visits: dict[int, int] = field(default_factory=dict)
    transferring: bool = False

    @property
    def id(self) -> str:
        return str(self.document["id"])

    @property
    def name(self) -> str:
        return str(self.document["name"])

    @property
    def owner(self) -> str:
        return str(self.document["accountId"])


@dataclass
class VercelState:
    """One person with some teams. Lists hold documents with `ownerId` or `teamId` of whom they belong to.

    `modern` says whether the paths of 2026 answer beside those of 2025. `throttled` refuses a path until
    a moment; `soft_block` is why the account is blocked, as for a bill that was not paid.
    """

    user: Document
    teams: dict[str, Document] = field(default_factory=dict)
    projects: dict[str, ProjectState] = field(default_factory=dict)
    aliases: list[Document] = field(default_factory=list)
    zones: dict[str, Document] = field(default_factory=dict)
    records: dict[str, list[Document]] = field(default_factory=dict)
    certificates: list[Document] = field(default_factory=list)
    shared: list[Document] = field(default_factory=list)
    shared_values: dict[str, str] = field(default_factory=dict)
    edge_configs: list[Document] = field(default_factory=list)
    edge_items: dict[str, list[Document]] = field(default_factory=dict)
    stores: list[Document] = field(default_factory=list)
    webhooks: list[Document] = field(default_factory=list)
    drains: list[Document] = field(default_factory=list)
    integrations: list[Document] = field(default_factory=list)
    charges: list[Document] = field(default_factory=list)
    tokens: list[Document] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    throttled: dict[str, float] = field(default_factory=dict)
    soft_block: str = ""
    modern: bool = True
    billing: bool = True
    page_tokens: bool = True
    """Whether the list of projects goes on by a token (or by a moment, as older answers do)."""
    requests: int = 0
    made: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    """Requests by method and path, for tests that ask what was sent."""

    def number(self) -> int:
        self.made += 1
        return self.made


def milliseconds(moment: float) -> int:
    return int(moment * 1000)
