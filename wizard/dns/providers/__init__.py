"""Where a zone's records are edited: one small interface, one module a provider."""

from wizard.dns.providers.base import DnsProvider

__all__ = ["DnsProvider"]
