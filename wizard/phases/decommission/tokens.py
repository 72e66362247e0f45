"""Credentials that the wizard was given or made: what each may do, where it is revoked, who uses it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wizard.config import Config, DnsProviderName, GitHost
from wizard.phases.panels import api_key_secret


@dataclass(frozen=True, slots=True)
class Token:
    """A credential, to be revoked when all is over: never its value.

    `name` is that of its secret, `where` the page at which it is revoked, `may` what whoever finds it could
    do. `steps` are ids of steps, or beginnings of them, that use it.
    """

    name: str
    what: str
    where: str
    may: str
    steps: tuple[str, ...]

    def uses(self, step: str) -> bool:
        return any(step == one or step.startswith(f"{one}.") for one in self.steps)


def tokens(config: Config) -> tuple[Token, ...]:
    """What to revoke at the end, and where."""
    found = []
    if config.asks_hetzner:
        at = "https://console.hetzner.cloud, the project's Security, API tokens"
        may = "make, change and delete every server, volume, firewall and zone of the project"
        users = ("prepare.credentials", "provision", "firewall", "settle.protection")
        found.append(Token("HCLOUD_TOKEN", "Hetzner Cloud, read and write", at, may, users))
    if config.vercel or config.dns.provider is DnsProviderName.VERCEL:
        may = "change and delete projects, domains and zones, and read variables that are not sensitive"
        at = "https://vercel.com/account/settings/tokens"
        found.append(Token("VERCEL_TOKEN", "Vercel", at, may, ("prepare.vercel", "decommission")))
    found += _dns(config)
    hosts = {app.git_host for app in config.apps}
    may = "read the repositories that it was given, and add webhooks and deploy keys to them"
    used = ("prepare.git", "prepare.vercel", "apps")
    if GitHost.GITHUB in hosts:
        found.append(Token("GITHUB_TOKEN", "GitHub", "https://github.com/settings/tokens", may, used))
    if GitHost.GITLAB in hosts:
        found.append(Token("GITLAB_TOKEN", "GitLab", "User settings, Access tokens", may, used))
    found += [_panel(name) for name in (server.name for server in config.servers)]
    return tuple(found)


def _panel(server: str) -> Token:
    return Token(
        api_key_secret(server),
        f"panel of {server}, made by the wizard",
        "the panel's Settings, Profile, API/CLI keys",
        "deploy anything on that host, and read its variables and keys",
        (f"provision.{server}", "apps", "cutover", "settle"),
    )


def _dns(config: Config) -> Iterable[Token]:
    may, used = f"change every record of {config.dns.zone}", ("prepare.dns", "cutover", "settle")
    match config.dns.provider:
        case DnsProviderName.CLOUDFLARE:
            name, where = "CLOUDFLARE_TOKEN", "https://dash.cloudflare.com/profile/api-tokens"
        case DnsProviderName.RFC2136:
            name, where = "RFC2136_KEY", "your name server's configuration"
        case DnsProviderName.OTHER:
            name = f"LEXICON_{config.dns.lexicon.upper().replace('-', '_')}_…"
            where = f"the account at {config.dns.lexicon}"
        case _:
            return ()
    return (Token(name, f"DNS of {config.dns.zone}", where, may, used),)
