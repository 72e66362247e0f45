"""Everything that was found of a project at Vercel and in its repository, before anything is judged."""

from __future__ import annotations

from dataclasses import dataclass

from wizard.clients.vercel.models import (
    AccountDomain,
    Built,
    DomainConfig,
    Hook,
    Project,
    ProjectDomain,
    Rule,
    Store,
    Variable,
    ZoneRecord,
)
from wizard.vercel.code import Place
from wizard.vercel.json import VercelJson


@dataclass(frozen=True, slots=True)
class Unseen:
    """What could not be looked at, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Repository:
    """What the branch says. `packages` are those of Vercel's that its package.json names.

    `functions` are files under api/; `middleware` is the file's path, "" without one. `known` is False when
    the repository could not be read.
    """

    known: bool = False
    file: VercelJson | None = None
    functions: tuple[str, ...] = ()
    middleware: str = ""
    packages: tuple[str, ...] = ()
    code: tuple[Place, ...] = ()
    """What its source code reads, imports and names of Vercel's; `read` of `of` files were searched."""
    read: int = 0
    of: int = 0
    next_config: tuple[str, ...] = ()
    """What next.config says that Vercel does for it: redirects, rewrites, headers, images, standalone."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Variables hold clear values in memory; they never leave it but as findings about their names."""

    project: Project
    team: str = ""
    blocked: str = ""
    domains: tuple[ProjectDomain, ...] = ()
    configs: tuple[DomainConfig, ...] = ()
    aliases: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = ()
    environments: tuple[str, ...] = ()
    built: Built | None = None
    redirects: tuple[Rule, ...] = ()
    routes: tuple[Rule, ...] = ()
    firewall_rules: int = 0
    account_domains: tuple[AccountDomain, ...] = ()
    records: tuple[ZoneRecord, ...] = ()
    certificates: tuple[tuple[str, float], ...] = ()
    """Names at Vercel with the moment at which their certificate ends: the way back's shelf life."""
    edge_configs: tuple[Store, ...] = ()
    stores: tuple[Store, ...] = ()
    webhooks: tuple[Hook, ...] = ()
    drains: tuple[Hook, ...] = ()
    integrations: tuple[Store, ...] = ()
    repository: Repository = Repository()
    supplied: tuple[str, ...] = ()
    """Names of variables whose value the operator gave."""
    bill: str = ""
    """What the last month cost, as ``20.00 USD``; "" where Vercel does not tell."""
    unseen: tuple[Unseen, ...] = ()
