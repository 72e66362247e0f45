"""What the rehearsal's Hetzner remembers, and the words in which it refuses."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Document = dict[str, Any]
"""A thing as the API shows it."""
Table = dict[int, Document]

REHEARSAL_TOKEN = "rehearsalHetznerToken" + "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
READ_ONLY_TOKEN = "rehearsalHetznerReader" + "0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
EXPIRED_TOKEN = "rehearsalHetznerExpired" + "0123456789abcdefghijklmnopqrstuvwxyzABCDE"

HOURLY_LIMIT = 3600

PLAYING: ContextVar[str | None] = ContextVar("playing", default=None)
"""The fault that is played for the call under way."""


class Refused(Exception):
    """An error answer."""

    def __init__(self, status: int, code: str, message: str, details: Document | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details = status, code, message, details


@dataclass
class ActionState:
    """Runs until the moment `ends`; then `error` tells whether it failed."""

    id: int
    command: str
    started: float
    ends: float
    resources: tuple[tuple[int, str], ...]
    error: tuple[str, str] | None = None


@dataclass
class HetznerState:
    """Plain data. `scarce` are (type, location) that can't be had; limits are per project."""

    next_id: int = 4_000_000
    actions: dict[int, ActionState] = field(default_factory=dict)
    ssh_keys: Table = field(default_factory=dict)
    primary_ips: Table = field(default_factory=dict)
    networks: Table = field(default_factory=dict)
    placement_groups: Table = field(default_factory=dict)
    firewalls: Table = field(default_factory=dict)
    servers: Table = field(default_factory=dict)
    zones: dict[str, Document] = field(default_factory=dict)
    scarce: frozenset[tuple[str, str]] = frozenset()
    server_limit: int = 10
    address_limit: int = 20
    budget: float = HOURLY_LIMIT
    budget_at: float = 0.0
    requests: int = 0
    refusals: int = 0

    def number(self) -> int:
        self.next_id += 1
        return self.next_id


def when(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
