"""How a git host reaches a panel whose port is closed: a name and a route for webhooks, and for nothing else.

The proxy of the host gets a file with one route: this name, over HTTPS, paths under /api/deploy/ only. The
secret in a webhook's address never travels in the clear, and the panel's other pages stay behind SSH.
A name of its own keeps the production names as they are; its certificate is ordered by the proxy at once,
because nobody else uses the name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import Config, DnsProviderName
from wizard.engine.step import Context
from wizard.errors import UnreachableError
from wizard.phases import dns01
from wizard.phases.hosts import new_host, server_record

if TYPE_CHECKING:
    from wizard.dns.records import ChangeSet

FILE = "/etc/dokploy/traefik/dynamic/dokploy-wizard-deploy.yml"
PATH = "/api/deploy/"
_SEEN_WITHIN = 900.0
_ASK_AGAIN = 5.0
_TTL = 300


@dataclass(frozen=True, slots=True)
class Doorway:
    """`addresses`: where the name leads by the zone's own servers. `route`: the proxy leads it to the panel.

    `by_hand`: we cannot set its record. `panel`: it is the panel's own domain, made with its account.
    """

    name: str
    address: str
    addresses: tuple[str, ...]
    route: bool
    by_hand: bool
    panel: bool = False

    @property
    def leads_here(self) -> bool:
        return self.addresses == (self.address,)


def doorway_name(config: Config, server: str) -> str:
    """The panel's own domain if it has one, else a name for this alone."""
    return config.server(server).panel_domain or f"deploy-{server}.{config.dns.zone}".lower()


def route_text(name: str) -> str:
    """The proxy's file. `dokploy` is the panel's name in the network that it shares with the proxy."""
    return f"""http:
  routers:
    dokploy-wizard-deploy:
      rule: "Host(`{name}`) && PathPrefix(`{PATH}`)"
      entryPoints:
        - websecure
      service: dokploy-wizard-panel
      tls:
        certResolver: letsencrypt
  services:
    dokploy-wizard-panel:
      loadBalancer:
        passHostHeader: true
        servers:
          - url: "http://dokploy:3000"
"""


async def look(ctx: Context, server: str) -> Doorway:
    name, own = doorway_name(ctx.config, server), bool(ctx.config.server(server).panel_domain)
    return Doorway(
        name,
        server_record(ctx, server).ipv4,
        await dns01.addresses(ctx, name),
        own or await (await new_host(ctx, server)).read(FILE) == route_text(name),
        ctx.config.dns.provider is DnsProviderName.MANUAL,
        own,
    )


def record_of(config: Config, server: str, address: str, at: float) -> ChangeSet:
    """The one record that leads the name to the host."""
    from wizard.dns.records import ChangeSet, RecordChange, rrset

    name = doorway_name(config, server)
    new = rrset(name, "A", _TTL, (address,))
    return ChangeSet(config.dns.zone, (RecordChange(name, "A", None, new),), at)


async def seen(ctx: Context, server: str) -> None:
    """Return when the zone's own servers show the record: the authority must not ask too early."""
    deadline = ctx.now() + _SEEN_WITHIN
    while not (await look(ctx, server)).leads_here:
        if ctx.now() > deadline:
            raise UnreachableError(
                f"{doorway_name(ctx.config, server)} is not seen on the zone's name servers",
                next="Run the step again: it goes on from here.",
            )
        await ctx.world.clock.sleep(_ASK_AGAIN)


async def open_route(ctx: Context, server: str) -> None:
    """The proxy watches its folder: no restart."""
    text = route_text(doorway_name(ctx.config, server))
    await (await new_host(ctx, server)).upload(FILE, text, 0o644)


async def close_route(ctx: Context, server: str) -> None:
    from wizard.clients import commands

    await (await new_host(ctx, server)).run(commands.remove_file(FILE))
