"""The typed description of a migration: what `config.toml` says.

Reading the file (with every mistake at once) is `wizard.configfile`; here is only what it means.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AppKind(StrEnum):
    DOCKERFILE = "dockerfile"
    COMPOSE = "compose"


class GitHost(StrEnum):
    GITHUB = "github"
    GITLAB = "gitlab"


class EnvSource(StrEnum):
    NONE = "none"
    OLD_HOST = "old-host"
    FILE = "file"
    VERCEL = "vercel"


class CachePolicy(StrEnum):
    """The document's three options after a deployment, and the safe default."""

    SELECTIVE = "selective"
    VERSIONED_KEYS = "versioned-keys"
    FLUSHALL = "flushall"
    NONE = "none"


class DnsProviderName(StrEnum):
    HETZNER = "hetzner"
    CLOUDFLARE = "cloudflare"
    VERCEL = "vercel"
    RFC2136 = "rfc2136"
    MANUAL = "manual"
    OTHER = "other"
    """One of those that dns-lexicon knows, named by `lexicon`."""


@dataclass(frozen=True, slots=True)
class Project:
    name: str
    email: str
    """Of the operator: account of the panels, ACME contact."""


@dataclass(frozen=True, slots=True)
class Server:
    """A new host. `types` and `locations` are ranked wishes; `adopt` names an existing server instead.

    `close_panel_port` takes the panel's port from everybody at the Cloud Firewall; on the host it stays, for
    the wizard's tunnel; `unpublish_panel_port` takes it away there too: its domain is the only door then.
    `optional`: no app runs there, and the move goes on without it if it can't be had.

    `address` (and `address6`) take a machine outside Hetzner Cloud, reached as root over SSH: `host_key` is
    its SHA256 fingerprint (empty: known_hosts, else the operator is asked), `port`, `identity`, `ssh_config`
    and `jump` say how its owner logs in.
    """

    name: str
    role: str
    types: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    image: str = "ubuntu-24.04"
    ipv6: bool = True
    backups: bool = False
    protect: bool = True
    adopt: str = ""
    panel_domain: str = ""
    close_panel_port: bool = False
    unpublish_panel_port: bool = False
    optional: bool = False
    address: str = ""
    address6: str = ""
    port: int = 22
    host_key: str = ""
    identity: str = ""
    ssh_config: str = ""
    jump: str = ""

    @property
    def panel_for_nobody(self) -> bool:
        """Whether the panel's port is for nobody at all, not even for the operator."""
        return self.close_panel_port or self.unpublish_panel_port

    @property
    def outside(self) -> bool:
        """Whether it is no machine of Hetzner Cloud: nothing of it is bought, guarded or undone by an API."""
        return bool(self.address)


@dataclass(frozen=True, slots=True)
class Network:
    """A private network between the new hosts; must not clash with Docker's or the panel's pools."""

    enabled: bool = True
    range: str = "172.31.0.0/16"
    zone: str = "eu-central"
    swarm_pool: str = "172.30.0.0/16"
    placement_group: bool = True


@dataclass(frozen=True, slots=True)
class App:
    """An application on a panel. `service` and `port` say what the domains lead to.

    Exactly one of `dockerfile` (with `context`) and `compose_file` is used, by `kind`.
    `build_args` names variables that are needed at build time. `health` is a path on `port`.
    """

    name: str
    server: str
    kind: AppKind
    repository: str
    branch: str
    domains: tuple[str, ...]
    port: int
    service: str = ""
    git_host: GitHost = GitHost.GITHUB
    dockerfile: str = ""
    context: str = "/"
    compose_file: str = ""
    env_source: EnvSource = EnvSource.NONE
    env_file: str = ""
    env_extra: tuple[tuple[str, str], ...] = ()
    build_args: tuple[str, ...] = ()
    health: str = "/"
    routes: tuple[str, ...] = ("/",)
    allowed_origins: tuple[str, ...] = ()
    cache_service: str = ""
    cache_policy: CachePolicy = CachePolicy.SELECTIVE
    private_repository: bool = False
    secrets_on_host: bool = True
    """False for the front end: its host must hold no secret."""


@dataclass(frozen=True, slots=True)
class Database:
    """A PostgreSQL database that moves. `container` and `volume` are names on the old host."""

    name: str
    app: str
    service: str
    container: str
    user: str
    database: str


@dataclass(frozen=True, slots=True)
class Volume:
    """A Docker volume that moves byte for byte, its writers stopped."""

    name: str
    app: str
    services: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Dns:
    """`ttl` is what records have in normal times, `cutover_ttl` during the move (seconds)."""

    provider: DnsProviderName
    zone: str
    ttl: int = 3600
    cutover_ttl: int = 60
    server: str = ""
    """Address[:port] of the primary for rfc2136."""
    key_name: str = ""
    lexicon: str = ""
    """The provider's name in dns-lexicon, for provider = "other"."""


@dataclass(frozen=True, slots=True)
class OldHost:
    """The machine that runs compose today, reached over SSH."""

    address: str
    user: str = "root"
    port: int = 22
    host_key: str = ""
    """SHA256 fingerprint; empty: taken from known_hosts."""
    identity: str = ""
    ssh_config: str = ""
    jump: str = ""
    directory: str = ""
    proxy: bool = True
    """Whether its reverse proxy is ours to point at the new host during the tail of the cutover."""
    proxy_service: str = "caddy"


@dataclass(frozen=True, slots=True)
class VercelProject:
    """`app` names the app of this file that takes its place."""

    name: str
    app: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class Cutover:
    quiet_seconds: int = 60
    watch_public: bool = True
    allow_certificate_gap: bool = False
    max_changes: int = 20


@dataclass(frozen=True, slots=True)
class Settle:
    """After the move: who is told of failures, where backups go."""

    discord: bool = False
    slack: bool = False
    mail: str = ""
    backup_bucket: str = ""
    backup_endpoint: str = ""
    backup_region: str = ""
    backup_schedule: str = "0 3 * * *"
    backup_keep: int = 14


@dataclass(frozen=True, slots=True)
class Decommission:
    """`last_invoice` is the operator's last monthly bill at Vercel, if its API gives none ("20.00 USD")."""

    soak_days: float = 7.0
    delete_project: bool = True
    stop_old_host: bool = True
    subscription: bool = True
    last_invoice: str = ""
    old_host_monthly: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    project: Project
    servers: tuple[Server, ...]
    apps: tuple[App, ...]
    dns: Dns
    network: Network = Network()
    databases: tuple[Database, ...] = ()
    volumes: tuple[Volume, ...] = ()
    old_host: OldHost | None = None
    vercel: tuple[VercelProject, ...] = ()
    cutover: Cutover = Cutover()
    settle: Settle = Settle()
    decommission: Decommission = Decommission()
    source: str = "config.toml"

    def server(self, name: str) -> Server:
        return next(server for server in self.servers if server.name == name)

    def app(self, name: str) -> App:
        return next(app for app in self.apps if app.name == name)

    def apps_on(self, server: str) -> tuple[App, ...]:
        return tuple(app for app in self.apps if app.server == server)

    @property
    def buys(self) -> bool:
        """Whether any server is one of Hetzner Cloud, made there or taken over."""
        return any(not server.outside for server in self.servers)

    @property
    def asks_hetzner(self) -> bool:
        """Whether anything at all is at Hetzner: a server or the zone. Without, no token of it is needed."""
        return self.buys or self.dns.provider is DnsProviderName.HETZNER

    @property
    def names(self) -> tuple[str, ...]:
        """Every domain that moves, in the order of the file."""
        return tuple(domain for app in self.apps for domain in app.domains)

    def app_of(self, domain: str) -> App:
        return next(app for app in self.apps if domain in app.domains)
