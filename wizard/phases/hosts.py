"""How steps reach hosts: the new ones by the keys that we made, the old one as the operator does.

| secret | what |
|---|---|
| SSH_LOGIN_KEY | private key that logs in on the new hosts; made by provision.ssh_key |
| SSH_HOST_KEY_<SERVER> | private host key that is injected at creation; replaced at first login |
| OLD_HOST_SSH_KEY | optional private key for the old host; else config's identity, else the agent |
| OLD_HOST_PASSPHRASE | optional passphrase of the old host's identity |
| SSH_KEY_<SERVER> | optional private key for a machine of your own; else its identity, else the agent |
| SSH_PASSPHRASE_<SERVER> | passphrase of that machine's identity |

`HostKeyRecord` "host_key" of provision.<server>.server holds the public half of what was injected; of
provision.<server>.login the one that took its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from wizard.engine.step import Context, Step
from wizard.errors import WizardError
from wizard.net import spot
from wizard.records import HostKeyRecord, ServerRecord

if TYPE_CHECKING:
    from wizard.clients.ssh import HostClient, Target
    from wizard.config import Server

LOGIN_KEY = "SSH_LOGIN_KEY"
OLD_HOST_KEY = "OLD_HOST_SSH_KEY"
OLD_HOST_PASSPHRASE = "OLD_HOST_PASSPHRASE"
OLD_HOST = "old host"


@dataclass(frozen=True, slots=True)
class LetIn:
    """Record "let_in" of provision.<server>.login: since then the operator's own keys are not needed."""

    at: float


def secret_word(name: str) -> str:
    """A name as part of a secret's name."""
    return "".join(char if char.isalnum() else "_" for char in name.upper())


def owned_key_secret(server: str) -> str:
    return f"SSH_KEY_{secret_word(server)}"


def passphrase_secret(server: str) -> str:
    return f"SSH_PASSPHRASE_{secret_word(server)}"


def host_key_secret(server: str) -> str:
    return f"SSH_HOST_KEY_{secret_word(server)}"


def server_record(ctx: Context, server: str) -> ServerRecord:
    """The server as it was made. Raises WizardError before that."""
    record = ctx.saved.load("server", ServerRecord, step=f"provision.{server}.server")
    if record is None:
        raise WizardError(f"Server {server} does not exist yet", next=f"Run provision.{server}.server first.")
    return record


def left_out(ctx: Context, server: Server) -> bool:
    """Whether the migration goes on without this server; only an optional one may be missing."""
    return server.optional and ctx.saved.load("server", ServerRecord, step=_made(server.name)) is None


def _made(server: str) -> str:
    return f"provision.{server}.server"


def standing_on(server: str, *steps: Step[Any]) -> tuple[Step[Any], ...]:
    """`steps`, told that they have no purpose without this server."""
    for step in steps:
        step.rests_on = (f"provision.{server}.address", _made(server))
    return steps


def known_host_keys(ctx: Context, server: str) -> tuple[HostKeyRecord, ...]:
    """Host keys that a new host may show, the newest first."""
    keys = (
        ctx.saved.load("host_key", HostKeyRecord, step=f"provision.{server}.login"),
        ctx.saved.load("next_host_key", HostKeyRecord, step=f"provision.{server}.login"),
        ctx.saved.load("host_key", HostKeyRecord, step=f"provision.{server}.server"),
    )
    return tuple(key for key in keys if key is not None)


async def new_host_target(
    ctx: Context, server: str, key: HostKeyRecord | None = None, *, address: str = ""
) -> Target:
    """The pinned login on a new host; `key` instead of the newest known one."""
    from wizard.clients.ssh import Target

    record = server_record(ctx, server)
    keys = (key,) if key else known_host_keys(ctx, server)
    if record.outside and keys:
        return await owned_target(ctx, ctx.config.server(server), keys[0].public_key, address)
    if not keys and record.adopted:
        # A machine of the operator's own: as known to the operator, by the operator's keys.
        return Target(
            name=server,
            address=address or record.ipv4 or record.ipv6,
            known_hosts=ctx.world.endpoints.known_hosts,
            key=await ctx.world.secrets.get(LOGIN_KEY) or "",
            agent=True,
        )
    if not keys:
        raise WizardError(f"No host key of {server} is known", next=f"Run provision.{server}.server again.")
    return Target(
        name=server,
        address=address or record.ipv4 or record.ipv6,
        port=keys[0].port,
        user=keys[0].user,
        host_key=keys[0].public_key,
        key=await ctx.world.secrets.get(LOGIN_KEY) or "",
        agent=record.adopted,
    )


async def new_host(ctx: Context, server: str) -> HostClient:
    """A new host over its pinned key. Raises WizardError if there is none yet."""
    return ctx.world.ssh.host(await new_host_target(ctx, server))


async def old_host_target(ctx: Context) -> Target:
    """The old host, logged in to as the operator does: key, identity or agent; ssh config; jump host."""
    from wizard.clients.ssh import Target

    old = ctx.config.old_host
    if old is None:
        raise WizardError(
            "No old host is configured", next="Add [old_host] to the configuration if there is one."
        )
    key = await ctx.world.secrets.get(OLD_HOST_KEY) or ""
    passphrase = await ctx.world.secrets.get(OLD_HOST_PASSPHRASE) or ""
    known_hosts = ctx.world.endpoints.known_hosts
    # A key given as a secret stands for itself: neither the agent nor a file is asked then.
    identity, agent = ("", False) if key else (old.identity, not old.identity)
    target = Target(
        name=OLD_HOST,
        address=old.address,
        port=old.port,
        user=old.user,
        fingerprint=old.host_key,
        known_hosts=known_hosts,
        key=key,
        identity=identity,
        passphrase=passphrase,
        agent=agent,
        ssh_config=old.ssh_config,
    )
    return through(target, old.jump)


async def old_host(ctx: Context) -> HostClient:
    return ctx.world.ssh.host(await old_host_target(ctx))


async def owned_target(ctx: Context, server: Server, host_key: str, address: str = "") -> Target:
    """A machine of the operator's own. Once the wizard's key was let in it needs that one alone; what stands
    before it is passed by the operator's keys all the same.

    `host_key` is what it must show; "" leaves that to the configuration's fingerprint.
    """
    from wizard.clients.ssh import Target

    let_in = ctx.saved.load("let_in", LetIn, step=f"provision.{server.name}.login") is not None
    given = await ctx.world.secrets.get(owned_key_secret(server.name)) or ""
    identity, agent = ("", False) if given else (server.identity, not server.identity)
    target = Target(
        name=server.name,
        address=address or server.address,
        port=server.port,
        host_key=host_key,
        fingerprint="" if host_key else server.host_key,
        known_hosts=ctx.world.endpoints.known_hosts,
        key=given,
        identity=identity,
        passphrase=await ctx.world.secrets.get(passphrase_secret(server.name)) or "",
        passphrase_name=passphrase_secret(server.name),
        agent=agent,
        ssh_config=server.ssh_config,
    )
    target = through(target, server.jump)
    if not let_in or server.ssh_config:
        return target
    return replace(target, key=await ctx.world.secrets.get(LOGIN_KEY) or "", identity="", agent=False)


def through(target: Target, jump: str) -> Target:
    """`target` behind a jump host (``[user@]address[:port]``), which takes the same keys; "" for none."""
    if not jump:
        return target
    user, address, port = spot(jump)
    before = replace(
        target,
        name=f"jump host {address}",
        address=address,
        port=port,
        user=user or target.user,
        host_key="",
        fingerprint="",
        ssh_config="",
    )
    return replace(target, jump=before)
