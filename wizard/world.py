"""Everything outside: the clients and the clock, made when first needed.

The live world and the rehearsal's differ in `endpoints`, `clock`, `net` and `secrets` only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from wizard.clock import Clock, LiveClock
from wizard.endpoints import Endpoints
from wizard.net import LiveNet, Net

if TYPE_CHECKING:
    from wizard.checks.http import HttpClient
    from wizard.clients.acme import AcmeClient
    from wizard.clients.dokploy import DokployClients
    from wizard.clients.git import GitClients
    from wizard.clients.hetzner import HetznerClient
    from wizard.clients.ssh import SshClients
    from wizard.clients.vercel import VercelClient
    from wizard.config import Config
    from wizard.dns.providers import DnsProvider
    from wizard.dns.question import DnsClient
    from wizard.dns.watch_probes import Traffic
    from wizard.secrets import Secrets


@dataclass
class World:
    """One for each run. `aclose` ends every connection that was opened."""

    config: Config
    secrets: Secrets
    endpoints: Endpoints = field(default_factory=Endpoints)
    clock: Clock = field(default_factory=LiveClock)
    net: Net = field(default_factory=LiveNet)
    traffic: Traffic | None = None
    """Counts the visitors of the moved site, where somebody can."""
    live: bool = True
    """For the banner only: no step may ask."""

    @cached_property
    def ssh(self) -> SshClients:
        from wizard.clients.ssh import SshClients

        return SshClients(self.net, self.clock)

    @cached_property
    def http(self) -> HttpClient:
        from wizard.checks.http import HttpClient

        return HttpClient(self.net, self.endpoints.trust)

    @cached_property
    def acme(self) -> AcmeClient:
        return self._authority(self.endpoints.acme)

    @cached_property
    def acme_staging(self) -> AcmeClient:
        return self._authority(self.endpoints.acme_staging)

    def _authority(self, directory: str) -> AcmeClient:
        from wizard.clients.acme import AcmeClient

        return AcmeClient(
            directory,
            secrets=self.secrets,
            clock=self.clock,
            email=self.config.project.email,
            trust=self.endpoints.trust,
        )

    @cached_property
    def hetzner(self) -> HetznerClient:
        from wizard.clients.hetzner import HetznerClient

        return HetznerClient(self.endpoints.hetzner, lambda: self.secrets.get("HCLOUD_TOKEN"), self.clock)

    @cached_property
    def panels(self) -> DokployClients:
        from wizard.clients.dokploy import DokployClients

        return DokployClients(self.ssh, self.clock, self.endpoints.trust)

    @cached_property
    def vercel(self) -> VercelClient:
        from wizard.clients.vercel import VercelClient

        return VercelClient(self.endpoints.vercel, lambda: self.secrets.get("VERCEL_TOKEN"), self.clock)

    @cached_property
    def git(self) -> GitClients:
        from wizard.clients.git import GitClients

        return GitClients(self.endpoints.github, self.endpoints.gitlab, self.secrets, self.clock)

    @cached_property
    def dns(self) -> DnsClient:
        from wizard.dns.question import DnsClient

        return DnsClient(self.clock)

    @cached_property
    def dns_provider(self) -> DnsProvider:
        from wizard.dns.providers.choose import provider

        return provider(self)

    async def aclose(self) -> None:
        """End every connection that a client holds open."""
        for client in tuple(vars(self).values()):
            close = getattr(client, "aclose", None)
            if close is not None:
                await close()
