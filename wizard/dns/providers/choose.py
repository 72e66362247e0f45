"""The provider that the configuration names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from wizard.config import DnsProviderName
from wizard.endpoints import SocketAddress

if TYPE_CHECKING:
    from wizard.dns.providers.base import DnsProvider
    from wizard.dns.providers.outside import Outside


def provider(world: Outside) -> DnsProvider:
    """Made for this world's endpoints, secrets and clock; nothing is asked yet."""
    dns = world.config.dns
    match dns.provider:
        case DnsProviderName.HETZNER:
            from wizard.dns.providers.hetzner import HetznerProvider

            return HetznerProvider(world.hetzner, dns.zone)
        case DnsProviderName.CLOUDFLARE:
            from wizard.dns.providers import cloudflare

            url, token = world.endpoints.cloudflare, _secret(world, cloudflare.VENDOR.secret)
            return cloudflare.CloudflareProvider(url, token, world.clock, dns.zone)
        case DnsProviderName.VERCEL:
            from wizard.dns.providers import vercel

            url, token = world.endpoints.vercel, _secret(world, vercel.VENDOR.secret)
            team = next((project.team for project in world.config.vercel if project.team), "")
            return vercel.VercelProvider(url, token, world.clock, dns.zone, team)
        case DnsProviderName.RFC2136:
            from wizard.dns.providers import rfc2136

            # A rehearsal's primary is asked where the world says.
            server = world.endpoints.nameservers.get(dns.server) or _address(dns.server)
            key = _secret(world, rfc2136.SECRET)
            return rfc2136.Rfc2136Provider(server, dns.zone, dns.key_name, key)
        case DnsProviderName.OTHER:
            from wizard.dns.providers.lexicon import LexiconProvider

            return LexiconProvider(dns.lexicon, dns.zone, world.secrets)
        case DnsProviderName.MANUAL:
            from wizard.dns.providers.manual import ManualProvider

            return ManualProvider(world)


def _secret(world: Outside, name: str) -> Callable[[], Awaitable[str | None]]:
    return lambda: world.secrets.get(name)


def _address(server: str) -> SocketAddress:
    """``address``, ``address:port`` or ``[address]:port``."""
    if server.startswith("["):
        host, _, port = server[1:].partition("]")
        return SocketAddress(host, int(port.removeprefix(":") or 53))
    host, _, port = server.partition(":")
    if ":" in port:
        return SocketAddress(server, 53)
    return SocketAddress(host, int(port or 53))
