"""Making a machine: its first host key, its user data, and the next choice when Hetzner has none left."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent
from typing import TYPE_CHECKING

from wizard.config import Config, Server
from wizard.engine.step import Context
from wizard.phases.hosts import LOGIN_KEY, host_key_secret
from wizard.phases.provision import naming
from wizard.phases.provision.address import ensure_address, kinds, note_billed, nothing_to_order
from wizard.phases.provision.choice import Choice
from wizard.records import HostKeyRecord

if TYPE_CHECKING:
    from wizard.clients.hetzner import NewServer
    from wizard.clients.hetzner.errors import PlacementError
    from wizard.clients.hetzner.models import CloudServer

__all__ = ["create", "host_key_secret", "user_data"]


def reverse_name(config: Config, server: Server) -> str:
    """What its addresses are called: the panel's domain, else its first app's, else its own in the zone."""
    domains = [domain for app in config.apps_on(server.name) for domain in app.domains]
    return server.panel_domain or (domains[0] if domains else f"{server.name}.{config.dns.zone}")


def user_data(private_key: str, public_key: str) -> str:
    """cloud-init: this host key and no other, no passwords. Holds no token; the key is replaced at login."""
    return (
        "#cloud-config\n"
        "ssh_deletekeys: true\n"
        "ssh_keys:\n"
        "  ed25519_private: |\n"
        f"{indent(private_key.strip(), '    ')}\n"
        f"  ed25519_public: {public_key.strip()}\n"
        "ssh_pwauth: false\n"
        "disable_root: false\n"
    )


async def create(ctx: Context, config: Config, server: Server, choices: Sequence[Choice]) -> CloudServer:
    """The first of `choices` that Hetzner really has; each is tried once.

    An answer that was lost is no loss: the name is taken then, by us, and what is there is returned.
    Raises CapacityError when none is left, PlacementError when only the placement group is in the way: it
    can be full, and to do without it is the operator's to say. LimitError and the client's others come at
    once.
    """
    from wizard.clients.hetzner.errors import CapacityError, LimitError, PlacementError

    refused: list[str] = []
    crowded: list[PlacementError] = []
    try:
        for choice, after in zip(choices, (*choices[1:], None), strict=True):
            made = await _order(ctx, config, server, choice, crowded)
            if made is not None:
                await _release_elsewhere(ctx, config, server, made.location)
                return made
            refused.append(f"{choice.type} in {choice.location}")
            if after is not None:
                ctx.output(f"Next choice: {after}")
        if len(crowded) == len(refused):
            # Not the machines are missing but room beside the others: another type would not help.
            raise crowded[-1]
        raise CapacityError(
            f"Hetzner has none of the machines that are wished for {server.name}",
            f"tried: {', '.join(refused)}",
            " ".join(await nothing_to_order(ctx, server)),
        )
    except (CapacityError, LimitError, PlacementError):
        # One address is kept for the next try; what it costs is in the report.
        await _release_elsewhere(ctx, config, server, choices[0].location)
        raise


async def _order(
    ctx: Context, config: Config, server: Server, choice: Choice, crowded: list[PlacementError]
) -> CloudServer | None:
    """The machine, or None when this choice can't be had; then nothing of it is left.

    A refusal that is the placement group's goes into `crowded`.
    """
    from wizard.clients.hetzner.errors import CapacityError, DeprecatedError, PlacementError, TakenError

    wish = await _wish(ctx, config, server, choice, apart=config.network.placement_group)
    try:
        return await ctx.world.hetzner.create_server(wish)
    except TakenError:
        found = await _ours(ctx, config, server)
        if found is None:
            raise
        return found
    except (CapacityError, DeprecatedError, PlacementError) as error:
        ctx.output(f"{choice.type} in {choice.location} can't be had: {error.why}")
        if isinstance(error, PlacementError):
            crowded.append(error)
        # Refused after the call was accepted: a machine that never came to life holds name and addresses.
        torso = await _ours(ctx, config, server)
        if torso is not None and torso.status != "running":
            await ctx.world.hetzner.delete_server(torso.id)
        return None


async def _ours(ctx: Context, config: Config, server: Server) -> CloudServer | None:
    found = await ctx.world.hetzner.servers(name=server.name)
    return found[0] if found and naming.ours(found[0], config, server.name) else None


async def _wish(ctx: Context, config: Config, server: Server, choice: Choice, *, apart: bool) -> NewServer:
    from wizard.clients.hetzner import NewServer

    hetzner, name = ctx.world.hetzner, naming.common_name(config)
    addresses = {
        kind: (await ensure_address(ctx, server.name, kind, choice.location)).id for kind in kinds(server)
    }
    await note_billed(ctx, server.name)
    network = naming.by_name(await hetzner.networks(), name) if config.network.enabled else None
    group = naming.by_name(await hetzner.placement_groups(), name) if apart else None
    firewall = naming.by_name(await hetzner.firewalls(), naming.firewall_name(config, server.name))
    private, public = await _host_key(ctx, server)
    return NewServer(
        name=server.name,
        type=choice.type,
        location=choice.location,
        image=server.image,
        ssh_keys=(await _login_key(ctx),),
        labels=naming.labels(config, server.name),
        ipv4=addresses.get("ipv4"),
        ipv6=addresses.get("ipv6"),
        firewalls=(firewall.id,) if firewall else (),
        networks=(network.id,) if network else (),
        placement_group=group.id if group else None,
        user_data=user_data(private, public),
    )


async def _login_key(ctx: Context) -> int:
    """Id of our key at Hetzner."""
    from wizard.clients.ssh import public_key_of
    from wizard.errors import WizardError

    private = await ctx.world.secrets.get(LOGIN_KEY)
    blob = public_key_of(private).split()[1] if private else ""
    for key in await ctx.world.hetzner.ssh_keys():
        if key.public_key.split()[1:2] == [blob]:
            return key.id
    raise WizardError("The login key is not at Hetzner", next="Run provision.ssh_key again.")


async def _host_key(ctx: Context, server: Server) -> tuple[str, str]:
    """The host key to be injected: made once, written down before the server exists."""
    from wizard.clients.ssh import generate_key, public_key_of

    secret = host_key_secret(server.name)
    private = await ctx.world.secrets.get(secret)
    if private is None:
        private, _ = generate_key(server.name)
        await ctx.world.secrets.put(secret, private)
    public = public_key_of(private)
    ctx.saved.save("host_key", HostKeyRecord(public))
    return private, public


async def _release_elsewhere(ctx: Context, config: Config, server: Server, location: str) -> None:
    """Addresses at places where no machine was to be had would be billed for nothing."""
    for ip in await ctx.world.hetzner.primary_ips(naming.selector(config)):
        if ip.assignee is None and ip.location != location and naming.ours(ip, config, server.name):
            await ctx.world.hetzner.delete_primary_ip(ip.id)
            ctx.output(f"Released {ip.ip} in {ip.location}: it is not needed there")
    await note_billed(ctx, server.name)
