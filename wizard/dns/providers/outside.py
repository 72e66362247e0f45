"""What a provider is made of: the part of a world that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from wizard.clock import Clock
from wizard.config import Config
from wizard.endpoints import Endpoints

if TYPE_CHECKING:
    from wizard.clients.hetzner import HetznerClient
    from wizard.dns.question import DnsClient
    from wizard.secrets import Secrets


class Outside(Protocol):
    """`hetzner` and `dns` are made when first asked for."""

    config: Config
    secrets: Secrets
    endpoints: Endpoints
    clock: Clock

    @property
    def hetzner(self) -> HetznerClient: ...

    @property
    def dns(self) -> DnsClient: ...
