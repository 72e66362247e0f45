"""What Vercel shows, as we use it. Values of variables and addresses of hooks never show in a repr."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class User:
    id: str
    username: str
    blocked: str = ""
    """Why the account is blocked; "" if it isn't."""


@dataclass(frozen=True, slots=True)
class Team:
    id: str
    slug: str
    name: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class DeployHook:
    """`url` is a secret: whoever knows it can deploy."""

    id: str
    name: str
    branch: str
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class GitLink:
    """`type` is github, github-limited, github-custom-host, gitlab or bitbucket."""

    type: str
    repository: str
    branch: str
    hooks: tuple[DeployHook, ...] = ()


@dataclass(frozen=True, slots=True)
class CronJob:
    """`schedule` has five fields, in UTC."""

    path: str
    schedule: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class Production:
    """The live deployment: with its id Vercel can be led back to it."""

    id: str
    url: str
    at: float = 0.0
    commit: str = ""
    branch: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    id: str
    name: str
    owner: str
    framework: str = ""
    node: str = ""
    root: str = ""
    build_command: str = ""
    install_command: str = ""
    dev_command: str = ""
    output: str = ""
    ignore_command: str = ""
    outside_root: bool = False
    git: GitLink | None = None
    crons: tuple[CronJob, ...] = ()
    crons_on: bool = True
    paused: bool = False
    production: Production | None = None
    protection: tuple[str, ...] = ()
    firewall: tuple[str, ...] = ()
    web_analytics: bool = False
    speed_insights: bool = False
    skew_protection: bool = False
    rolling_release: bool = False
    secure_compute: bool = False
    microfrontends: bool = False
    oidc: bool = False
    system_variables: bool = False
    regions: tuple[str, ...] = ()
    integrations: tuple[str, ...] = ()
    large_files: bool = False


@dataclass(frozen=True, slots=True)
class ProjectDomain:
    """`redirect` is the domain that this one leads to; `branch` and `environment` are "" for production."""

    name: str
    apex: str
    redirect: str = ""
    redirect_status: int = 0
    branch: str = ""
    environment: str = ""
    verified: bool = True


@dataclass(frozen=True, slots=True)
class Variable:
    """One name for one set of targets and one branch: a name alone says nothing.

    `kind` is system, encrypted, plain, sensitive or secret. `value` is clear text, or None where nobody can
    read it (or nobody did yet). `hint` says which store it belongs to, if any; `integration` who set it;
    `shared` that it is the team's.
    """

    id: str
    name: str
    kind: str
    targets: tuple[str, ...]
    branch: str = ""
    environments: tuple[str, ...] = ()
    hint: str = ""
    store: str = ""
    integration: str = ""
    shared: bool = False
    updated: float = 0.0
    value: str | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """Its name in the operator's words, unique within a project."""
        where = "+".join((*self.targets, *self.environments)) or "no target"
        return f"{self.name} ({where}{f', branch {self.branch}' if self.branch else ''})"


@dataclass(frozen=True, slots=True)
class DomainConfig:
    """What DNS should say for Vercel to serve a name: the values of the way back."""

    name: str
    configured_by: str
    misconfigured: bool
    ipv4: tuple[str, ...]
    cname: str


@dataclass(frozen=True, slots=True)
class AccountDomain:
    """`hosted`: Vercel's name servers answer for it. `bought`: registered through Vercel."""

    name: str
    hosted: bool
    nameservers: tuple[str, ...]
    bought: bool
    expires: float = 0.0
    renews: bool = False


@dataclass(frozen=True, slots=True)
class ZoneRecord:
    """`name` is relative, "" at the top. `system` rows are Vercel's own."""

    name: str
    type: str
    value: str
    ttl: int
    priority: int = 0
    system: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """What the live deployment was built into."""

    functions: tuple[str, ...]
    middleware: bool
    prerendered: bool
    """Incremental regeneration: pages that are rebuilt while running."""
    images: bool
    routes: int


@dataclass(frozen=True, slots=True)
class Store:
    id: str
    name: str
    type: str
    projects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook or a drain: something that Vercel calls. `url` may hold a secret."""

    id: str
    what: str
    url: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        return self.url.partition("://")[2].partition("/")[0] or "an address of its own"


@dataclass(frozen=True, slots=True)
class Rule:
    """A redirect or route of the dashboard."""

    source: str
    destination: str
    status: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    id: str
    name: str
    expires: float = 0.0


def user(row: Row) -> User:
    block = row.get("softBlock") or {}
    return User(str(row["id"]), str(row.get("username", "")), str(block.get("reason", "")))


def team(row: Row) -> Team:
    role = (row.get("membership") or {}).get("role", "")
    return Team(str(row["id"]), str(row["slug"]), str(row.get("name") or row["slug"]), str(role))


def domain(row: Row) -> ProjectDomain:
    return ProjectDomain(
        name=str(row["name"]),
        apex=str(row.get("apexName", "")),
        redirect=str(row.get("redirect") or ""),
        redirect_status=int(row.get("redirectStatusCode") or 0),
        branch=str(row.get("gitBranch") or ""),
        environment=str(row.get("customEnvironmentId") or ""),
        verified=bool(row.get("verified")),
    )


def variable(row: Row, *, shared: bool = False) -> Variable:
    """A row of a list: its value counts as clear text only for the plain kind, or where Vercel says so."""
    hint, kind = row.get("contentHint") or {}, str(row["type"])
    readable = kind == "plain" or (row.get("decrypted") is True and kind != "sensitive")
    target = row.get("target") or ()
    return Variable(
        id=str(row.get("id", "")),
        name=str(row["key"]),
        kind=kind,
        targets=(target,) if isinstance(target, str) else tuple(str(one) for one in target),
        branch=str(row.get("gitBranch") or ""),
        environments=tuple(str(one) for one in row.get("customEnvironmentIds") or ()),
        hint=str(hint.get("type", "")),
        store=str(hint.get("storeId", "")),
        integration=str(row.get("configurationId") or ""),
        shared=shared,
        updated=float(row.get("updatedAt") or row.get("createdAt") or 0) / 1000,
        value=str(row.get("value") or "") if readable else None,
    )


def domain_config(name: str, row: Row) -> DomainConfig:
    def best(key: str) -> Any:
        ranked = sorted(row.get(key) or (), key=lambda one: one.get("rank", 0))
        return ranked[0]["value"] if ranked else ()

    return DomainConfig(
        name=name,
        configured_by=str(row.get("configuredBy") or ""),
        misconfigured=bool(row.get("misconfigured")),
        ipv4=tuple(str(one) for one in best("recommendedIPv4")),
        cname=str(best("recommendedCNAME") or "").rstrip("."),
    )


def account_domain(row: Row) -> AccountDomain:
    return AccountDomain(
        name=str(row["name"]),
        hosted=row.get("serviceType") == "zeit.world",
        nameservers=tuple(str(one) for one in row.get("nameservers") or ()),
        bought=bool(row.get("boughtAt")),
        expires=float(row.get("expiresAt") or 0) / 1000,
        renews=bool(row.get("renew")),
    )


def zone_record(row: Row) -> ZoneRecord:
    return ZoneRecord(
        name=str(row.get("name", "")),
        type=str(row["type"]),
        value=str(row["value"]),
        ttl=int(row.get("ttl") or 60),
        priority=int(row.get("mxPriority") or row.get("priority") or 0),
        system=row.get("creator") == "system",
    )


def built(row: Row) -> Built:
    outputs = [one for part in row.get("lambdas") or () for one in part.get("output") or ()]
    routes = row.get("routes") or ()
    return Built(
        functions=tuple(
            dict.fromkeys((*(row.get("functions") or {}), *(str(one["path"]) for one in outputs)))
        ),
        middleware=any("middleware" in one or "middlewarePath" in one for one in routes),
        prerendered=any(str(one.get("path", "")).endswith(".prerender") for one in outputs),
        images=bool(row.get("images")),
        routes=len(routes),
    )


def store(row: Row) -> Store:
    linked = row.get("projectsMetadata") or ()
    return Store(
        str(row["id"]),
        str(row.get("name", "")),
        str(row.get("type", "")),
        tuple(str(one.get("projectId") or one.get("id", "")) for one in linked),
    )


def token(row: Row) -> Token:
    return Token(str(row["id"]), str(row.get("name", "")), float(row.get("expiresAt") or 0) / 1000)
