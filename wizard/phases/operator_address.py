"""Where the operator comes from, as the hosts themselves see it: never asked of a what-is-my-address site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.engine.step import Context
from wizard.errors import WizardError
from wizard.phases.hosts import known_host_keys, new_host_target, server_record

if TYPE_CHECKING:
    from wizard.clients.ssh import Target


async def seen_from(ctx: Context, server: str) -> tuple[str, ...]:
    """The operator's addresses, one of each family that gets through to this server, v4 first.

    A new connection each. Raises WizardError when the server can't be reached over its first address.
    """
    record = server_record(ctx, server)
    key = known_host_keys(ctx, server)[0]
    addresses = [address for address in (record.ipv4, record.ipv6) if address]
    found: list[str] = []
    for number, address in enumerate(addresses):
        try:
            found.append(await _ask(ctx, await new_host_target(ctx, server, key, address=address)))
        except WizardError:
            # No IPv6 here is common; no way in at all is not.
            if number == len(addresses) - 1 and not found:
                raise
    return tuple(dict.fromkeys(address for address in found if address))


async def _ask(ctx: Context, target: Target) -> str:
    from wizard.clients import commands

    client = ctx.world.ssh.fresh(target)
    try:
        words = (await client.run(commands.connection_addresses())).stdout.split()
    finally:
        await client.aclose()
    return words[0].partition("%")[0] if words else ""
