"""provision.<server>.login: in by the injected key, out with it: the host makes a key of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import Server
from wizard.engine.check import Check, check
from wizard.engine.plan import Change, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.errors import UnreachableError, WizardError
from wizard.phases.hosts import host_key_secret, known_host_keys, new_host_target, server_record
from wizard.records import HostKeyRecord, ServerRecord

if TYPE_CHECKING:
    from wizard.clients.ssh import HostClient

KEY_FILE = "/etc/ssh/ssh_host_ed25519_key"
_FRESH_KEY = "/etc/ssh/dokploy_wizard_host_key"
_PATIENCE = 600.0
_CLOUD_INIT_TIMEOUT = 900.0
_DEGRADED = 2
_ABSENT = 127


@dataclass(frozen=True, slots=True)
class LoginFacts:
    """`entered`: SSH answers with a known key and cloud-init has ended."""

    server: str
    entered: bool
    tools: bool
    rotated: bool


class Login(Step[LoginFacts]):
    phase = Phase.PROVISION
    way_back = "Nothing to take back: the host keeps its own key, and the wizard's tools are three files."

    def __init__(self, server: Server) -> None:
        self.server = server
        self.id = f"provision.{server.name}.login"
        self.title = f"First login on {server.name}"
        self.needs = (f"provision.{server.name}.server",)

    async def observe(self, ctx: Context) -> LoginFacts:
        name = self.server.name
        rotated = ctx.saved.load("host_key", HostKeyRecord) is not None
        if ctx.saved.load("server", ServerRecord, step=f"provision.{name}.server") is None:
            return LoginFacts(name, False, False, False)
        try:
            host = await open_host(ctx, name)
            entered = await _cloud_init_ended(host, wait=False)
        except UnreachableError:
            return LoginFacts(name, False, False, rotated)
        adopted = server_record(ctx, name).adopted
        return LoginFacts(name, entered, await _tools_there(host), rotated or adopted)

    def plan(self, facts: LoginFacts) -> Plan:
        name = facts.server
        changes = []
        if not facts.entered:
            changes.append(
                Change(
                    Kind.RUN,
                    "enter",
                    f"SSH on {name}",
                    after="answers with the host key that we injected; its first start has ended",
                    why="nobody can sit in between: any other key is refused",
                )
            )
        if not facts.tools:
            changes.append(
                Change(
                    Kind.CREATE,
                    "tools",
                    f"/var/lib/dokploy-wizard on {name}",
                    after="dw-job, dw-deadman, dw-volume",
                    why="long work and rollback timers live on the host, not in the connection",
                    way_back="remove the folder",
                )
            )
        if not facts.rotated:
            changes.append(
                Change(
                    Kind.REPLACE,
                    "rotate",
                    f"host key of {name}",
                    before="the injected one, which the machine's metadata still shows",
                    after="one that never left the machine",
                )
            )
        return Plan(tuple(changes))

    async def apply(self, change: Change, ctx: Context) -> None:
        name = self.server.name
        if change.key == "enter":
            await _enter(ctx, name)
        elif change.key == "tools":
            await (await open_host(ctx, name)).install_tools()
        else:
            await _rotate(ctx, name)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        from wizard.clients.ssh import HostKeyError, fingerprint

        name = self.server.name
        record = server_record(ctx, name)
        target = await new_host_target(ctx, name)
        fresh = ctx.world.ssh.fresh(target)
        try:
            await fresh.connect()
            ended = await _cloud_init_ended(fresh, wait=True)
        finally:
            await fresh.aclose()
        now = ctx.now()
        shown = fingerprint(target.host_key) if target.host_key else "the one in known_hosts"
        checks = [
            check(
                "pinned", f"{name} shows exactly the host key that is known", True,
                seen=f"new connection accepted, key {shown}", vantage="operator", at=now,
            ),
            check(
                "cloud_init", f"the first start of {name} has ended", ended,
                seen="cloud-init: done" if ended else "cloud-init still works", vantage=name, at=now,
                advice=f"Look at /var/log/cloud-init-output.log on {name}.",
            ),
        ]  # fmt: skip
        injected = ctx.saved.load("host_key", HostKeyRecord, step=f"provision.{name}.server")
        if injected is not None and not record.adopted:
            old = ctx.world.ssh.fresh(await new_host_target(ctx, name, injected))
            try:
                await old.connect()
                refused = False
            except HostKeyError:
                refused = True
            finally:
                await old.aclose()
            checks.append(
                check(
                    "rotated",
                    f"the injected host key of {name} is no longer in use",
                    refused,
                    seen="a connection pinned to it is refused" if refused else "it is still accepted",
                    vantage="operator",
                    at=ctx.now(),
                    advice="Run this step again.",
                )
            )
        return checks


async def open_host(ctx: Context, server: str) -> HostClient:
    """A connection by whichever known key is in force: a rotation may have been interrupted.

    Raises HostKeyError when it is none of them.
    """
    from wizard.clients.ssh import HostKeyError

    keys: tuple[HostKeyRecord | None, ...] = known_host_keys(ctx, server) or (None,)
    for key in keys[:-1]:
        host = ctx.world.ssh.host(await new_host_target(ctx, server, key))
        try:
            await host.connect()
            return host
        except HostKeyError:
            continue
    host = ctx.world.ssh.host(await new_host_target(ctx, server, keys[-1]))
    await host.connect()
    return host


async def _enter(ctx: Context, server: str) -> None:
    deadline = ctx.now() + _PATIENCE
    while True:
        try:
            host = await open_host(ctx, server)
            break
        except UnreachableError as error:
            if ctx.now() > deadline:
                raise
            ctx.output(f"{error.what}: asking again in 5 s")
            await ctx.world.clock.sleep(5.0)
    ctx.output(f"{server}: SSH answers with the pinned key; waiting for cloud-init")
    if not await _cloud_init_ended(host, wait=True):
        raise WizardError(
            f"The first start of {server} went wrong",
            "cloud-init reports an error",
            f"Look at /var/log/cloud-init-output.log on {server}, or delete the server and run again.",
        )


async def _cloud_init_ended(host: HostClient, *, wait: bool) -> bool:
    """Degraded counts as ended; a machine without cloud-init has nothing to wait for."""
    from wizard.clients import commands

    if wait:
        result = await host.run(commands.cloud_init_wait(), timeout=_CLOUD_INIT_TIMEOUT, check=False)
        return result.exit_status in (0, _DEGRADED, _ABSENT)
    result = await host.run(commands.cloud_init_status(), check=False)
    return result.exit_status == _ABSENT or "running" not in result.stdout


async def _tools_there(host: HostClient) -> bool:
    from wizard import host_tools

    for tool in host_tools.INSTALLED:
        if await host.read(host_tools.path(tool)) != host_tools.text(tool):
            return False
    return True


async def _rotate(ctx: Context, server: str) -> None:
    from wizard.clients import commands

    host = await open_host(ctx, server)
    coming = ctx.saved.load("next_host_key", HostKeyRecord)
    if coming is None or host.target.host_key != coming.public_key:
        public = await host.read(f"{_FRESH_KEY}.pub")
        if public is None:
            await host.run(commands.make_host_key(_FRESH_KEY))
            public = await host.read(f"{_FRESH_KEY}.pub")
        coming = HostKeyRecord((public or "").strip(), host.target.port, host.target.user)
        ctx.saved.save("next_host_key", coming)
        await host.run(commands.copy_file(f"{_FRESH_KEY}.pub", f"{KEY_FILE}.pub"))
        await host.run(commands.copy_file(_FRESH_KEY, KEY_FILE))
        await host.run(commands.reload_ssh())
    fresh = ctx.world.ssh.fresh(await new_host_target(ctx, server, coming))
    try:
        await fresh.connect()
        await fresh.run(commands.remove_file(_FRESH_KEY))
        await fresh.run(commands.remove_file(f"{_FRESH_KEY}.pub"))
    finally:
        await fresh.aclose()
    ctx.saved.save("host_key", coming)
    ctx.saved.drop("next_host_key")
    await ctx.world.secrets.drop(host_key_secret(server))
    ctx.output(f"{server}: host key replaced, and a new connection accepted it")
