"""The provider that the configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.config import DnsProviderName
from wizard.errors import UsageError

if TYPE_CHECKING:
    from wizard.dns.providers.base import DnsProvider
    from wizard.world import World


def provider(world: World) -> DnsProvider:
    """Raises UsageError for a provider whose zones this version cannot edit."""
    dns = world.config.dns
    if dns.provider is DnsProviderName.HETZNER:
        from wizard.dns.providers.hetzner import HetznerProvider

        return HetznerProvider(world.hetzner, dns.zone)
    raise UsageError(
        f"Zones at {dns.provider} cannot be edited yet",
        "this version edits zones at Hetzner only",
        'Move the zone to Hetzner DNS first, then set dns.provider = "hetzner".',
    )
