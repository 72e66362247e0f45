"""How steps reach a panel: through SSH on its host, by the API key that provision.<server>.account made.

| secret | what |
|---|---|
| DOKPLOY_<SERVER>_API_KEY | the panel's API key, without a rate limit |
| DOKPLOY_<SERVER>_PASSWORD | of the panel's first account, whose name is project.email |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.engine.step import Context
from wizard.errors import CredentialError
from wizard.phases.hosts import new_host_target, secret_word

if TYPE_CHECKING:
    from wizard.clients.dokploy import DokployClient, Door


@dataclass(frozen=True, slots=True)
class Unpublished:
    """Record "unpublished" of firewall.<server>.published: the panel is reached at `domain` since `at`."""

    domain: str
    at: float


def way_in(ctx: Context, server: str) -> str:
    """The name at which the panel is asked; "" for its published port."""
    record = ctx.saved.load("unpublished", Unpublished, step=f"firewall.{server}.published")
    return record.domain if record else ""


def api_key_secret(server: str) -> str:
    return f"DOKPLOY_{secret_word(server)}_API_KEY"


def password_secret(server: str) -> str:
    return f"DOKPLOY_{secret_word(server)}_PASSWORD"


async def panel(ctx: Context, server: str) -> DokployClient:
    """The panel of a server. Raises CredentialError before its account exists."""
    key = await ctx.world.secrets.get(api_key_secret(server))
    if not key:
        raise CredentialError(
            f"There is no API key for the panel of {server}",
            f"the secret {api_key_secret(server)} is not there",
            f"Run provision.{server}.account, or give the key of an account that exists.",
        )
    return ctx.world.panels.at(await new_host_target(ctx, server), key, way_in(ctx, server))


async def door(ctx: Context, server: str) -> Door:
    """The same panel as somebody without a key sees it."""
    return ctx.world.panels.door(await new_host_target(ctx, server), way_in(ctx, server))
