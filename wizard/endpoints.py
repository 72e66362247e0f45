"""Where the outside is. A rehearsal differs from a live run in these and in the clock, in nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SocketAddress:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Resolver:
    """A caching resolver to be watched. `address` is where it is asked, over UDP and TCP."""

    name: str
    address: SocketAddress
    region: str = ""
    operator: str = ""
    doh: str = ""
    filtered: bool = False


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base addresses without a trailing slash.

    `gateway`: where TCP connections to hosts are opened; None means the real network. A connection
    to the gateway says where it wants to go (see `wizard.net`).
    `nameservers` maps the address of an authoritative server to where it is really asked.
    `resolvers` replaces the packaged list of public resolvers.
    `trust` is a PEM file with the only authorities to be trusted; empty means the system's.
    """

    hetzner: str = "https://api.hetzner.cloud/v1"
    vercel: str = "https://api.vercel.com"
    github: str = "https://api.github.com"
    gitlab: str = "https://gitlab.com/api/v4"
    cloudflare: str = "https://api.cloudflare.com/client/v4"
    acme: str = "https://acme-v02.api.letsencrypt.org/directory"
    acme_staging: str = "https://acme-staging-v02.api.letsencrypt.org/directory"
    panel_installer: str = "https://dokploy.com/install.sh"
    gateway: SocketAddress | None = None
    nameservers: dict[str, SocketAddress] = field(default_factory=dict)
    root_resolver: SocketAddress | None = None
    """A resolver to find delegations with; None means the system's."""
    resolvers: tuple[Resolver, ...] | None = None
    trust: str = ""
    known_hosts: str = "~/.ssh/known_hosts"
    """Host keys of machines that the wizard did not make."""

    def nameserver(self, address: str) -> SocketAddress:
        return self.nameservers.get(address, SocketAddress(address, 53))
