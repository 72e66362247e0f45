"""provision.<server>.login: in by the injected key, out with it: the host makes a key of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wizard.config import Server
from wizard.engine.check import Check, check
from wizard.engine.plan import Change, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.errors import UnreachableError, WizardError
from wizard.phases.hosts import (
    LOGIN_KEY,
    LetIn,
    host_key_secret,
    known_host_keys,
    new_host_target,
    server_record,
)
from wizard.records import HostKeyRecord, ServerRecord

if TYPE_CHECKING:
    from wizard.clients.ssh import HostClient

AUTHORIZED = "/root/.ssh/authorized_keys"
KEY_FILE = "/etc/ssh/ssh_host_ed25519_key"
_FRESH_KEY = "/etc/ssh/dokploy_wizard_host_key"
_PATIENCE = 600.0
_CLOUD_INIT_TIMEOUT = 900.0
_DEGRADED = 2
_ABSENT = 127


@dataclass(frozen=True, slots=True)
class LoginFacts:
    """`entered`: SSH answers with a known key and cloud-init has ended.

    `known`: the wizard's own key is let in; only a machine of the operator's own has to be told.
    """

    server: str
    entered: bool
    tools: bool
    rotated: bool
    known: bool = True


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
        known = not adopted or await _own_line(ctx) in await _authorized(host)
        known = known and (not self.server.outside or ctx.saved.load("let_in", LetIn) is not None)
        return LoginFacts(name, entered, await _tools_there(host), rotated or adopted, known)

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
        if not facts.known:
            changes.append(
                Change(
                    Kind.UPDATE,
                    "authorize",
                    f"{AUTHORIZED} on {name}",
                    after="one line more: the wizard's own key, beside those that are there",
                    why="it must get in by itself, also when your agent is away",
                    way_back="undo removes the line",
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
        elif change.key == "authorize":
            await _write_authorized(ctx, await open_host(ctx, name), there=True)
            ctx.saved.save("let_in", LetIn(ctx.now()))
        elif change.key == "forget":
            host = await open_host(ctx, name)
            # The connection stands when its key goes; from then on the operator's own keys are used again.
            await _write_authorized(ctx, host, there=False)
            ctx.saved.drop("let_in")
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
        if record.adopted and not self.server.ssh_config:
            checks.append(await _own_key_works(ctx, name))
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

    async def undo(self, ctx: Context) -> Plan:
        """Only a machine of the operator's own is given back as it was."""
        record = ctx.saved.load("server", ServerRecord, step=f"provision.{self.server.name}.server")
        if record is None or not record.adopted:
            return Plan()
        if await _own_line(ctx) not in await _authorized(await open_host(ctx, self.server.name)):
            return Plan()
        target = f"{AUTHORIZED} on {self.server.name}"
        return Plan((Change(Kind.UPDATE, "forget", target, after="without the wizard's key"),))


async def _own_line(ctx: Context) -> str:
    from wizard.clients.ssh import public_key_of

    private = await ctx.world.secrets.get(LOGIN_KEY)
    if private is None:
        raise WizardError("The wizard has no login key yet", next="Run provision.ssh_key first.")
    return " ".join(public_key_of(private).split()[:2])


async def _authorized(host: HostClient) -> str:
    return await host.read(AUTHORIZED) or ""


async def _write_authorized(ctx: Context, host: HostClient, *, there: bool) -> None:
    own = await _own_line(ctx)
    lines = [line for line in (await _authorized(host)).splitlines() if own not in line]
    await host.upload(AUTHORIZED, "\n".join([*lines, *([f"{own} dokploy-wizard"] if there else [])]) + "\n")


async def _own_key_works(ctx: Context, server: str) -> Check:
    """Without the operator's agent: by the wizard's key alone."""
    from wizard.clients.ssh import LoginError

    own = await ctx.world.secrets.get(LOGIN_KEY) or ""
    target = replace(await new_host_target(ctx, server), key=own, agent=False, identity="")
    alone = ctx.world.ssh.fresh(target)
    try:
        await alone.connect()
        passed, seen = True, "a new connection by it alone"
    except LoginError as error:
        passed, seen = False, error.what
    finally:
        await alone.aclose()
    question = f"{server} lets the wizard's own key in"
    return check(
        "own_key",
        question,
        passed,
        seen=seen,
        vantage="operator",
        at=ctx.now(),
        advice="Run this step again.",
    )


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
