"""What the certificate authority remembers: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wizard.rehearsal.acme.authority import AuthorityState


@dataclass
class Account:
    id: str
    jwk: dict[str, str]
    contact: list[str]
    status: str = "valid"


@dataclass
class Challenge:
    id: str
    type: str
    token: str
    status: str = "pending"
    validated: float = 0.0
    problem: dict[str, Any] | None = None


@dataclass
class Authorization:
    """`name` is without the wildcard's label."""

    id: str
    account: str
    name: str
    wildcard: bool
    expires: float
    challenges: list[Challenge]
    status: str = "pending"


@dataclass
class Order:
    id: str
    account: str
    names: list[str]
    authorizations: list[str]
    expires: float
    status: str = "pending"
    certificate: str = ""
    problem: dict[str, Any] | None = None


@dataclass
class CaState:
    """One directory: its keys, accounts, orders, and what its limits are counted by."""

    authority: AuthorityState
    limited: bool
    accounts: dict[str, Account] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    authorizations: dict[str, Authorization] = field(default_factory=dict)
    certificates: dict[str, str] = field(default_factory=dict)
    failures: dict[str, list[float]] = field(default_factory=dict)
    issued: list[tuple[tuple[str, ...], float]] = field(default_factory=list)
    nonces: set[str] = field(default_factory=set)
    counter: int = 0


@dataclass
class AcmeState:
    production: CaState = field(default_factory=lambda: CaState(AuthorityState("Rehearsal"), limited=True))
    staging: CaState = field(
        default_factory=lambda: CaState(AuthorityState("(STAGING) Rehearsal"), limited=False)
    )
