"""firewall.<server>.host: ufw per the document and nft for Docker, applied so that nobody is locked out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from wizard.config import Config, Server
from wizard.engine.check import Check, check
from wizard.engine.plan import Change, Kind, Plan, Wait
from wizard.engine.step import Context, Phase, Step
from wizard.errors import UnreachableError, WizardError
from wizard.phases.firewall import rules
from wizard.phases.hosts import new_host, new_host_target
from wizard.records import ServerRecord

if TYPE_CHECKING:
    from wizard.clients.ssh import HostClient

DEADMAN = "firewall"
SECONDS_TO_CONFIRM = 300
_ALONE = (
    "Undo puts the rules of before back, over SSH. This is the only layer: with SSH dead no undo is possible "
    "from here, only at the console of the machine's provider."
)


@dataclass(frozen=True, slots=True)
class Applied:
    """What was put in force, and what it replaced."""

    ssh_port: int
    admins: tuple[str, ...]
    apart: tuple[str, ...]
    ufw_was_active: bool
    nft_was_there: bool


@dataclass(frozen=True, slots=True)
class HostFirewallFacts:
    server: str
    wanted: rules.Wanted
    ufw_active: bool
    ufw_rules: tuple[str, ...]
    nft_there: bool
    nft_right: bool
    persistent: bool
    armed_until: float = 0.0


class HostFirewall(Step[HostFirewallFacts]):
    phase = Phase.FIREWALL
    way_back = (
        "Undo puts the rules of before back. With SSH dead, Hetzner's console (VNC) is the last resort."
    )

    def __init__(self, server: Server, config: Config) -> None:
        self.server = server
        self.id = f"firewall.{server.name}.host"
        self.title = f"Firewall on {server.name} itself"
        # The Cloud layer stands first: it guards while this one is being changed.
        self.needs = (f"firewall.{server.name}.cloud",)
        if server.outside:
            self.way_back = _ALONE
        self.fronts = (
            tuple(other.name for other in config.servers if other.role == "frontend")
            if server.role == "backend"
            else ()
        )

    async def observe(self, ctx: Context) -> HostFirewallFacts:
        from wizard.clients import commands

        host = await new_host(ctx, self.server.name)
        wanted = rules.Wanted(await _ssh_port(host), await self._admins(ctx, host), self._apart(ctx))
        status = (await host.run(commands.ufw("status"))).stdout
        added = (await host.run(commands.ufw("show", "added"))).stdout
        table = await host.run(commands.nft("list", "table", "inet", "wizfw"), check=False)
        unit = await host.run(commands.systemctl("is-enabled", rules.UNIT), check=False)
        kept = await host.read(rules.NFT_FILE)
        left = await _armed_seconds(host)
        return HostFirewallFacts(
            self.server.name,
            wanted,
            "Status: active" in status,
            rules.ufw_rules_of(added),
            table.ok,
            kept == wanted.nft_text(),
            unit.ok,
            ctx.now() + left if left is not None else 0.0,
        )

    def plan(self, facts: HostFirewallFacts) -> Plan:
        if facts.armed_until:
            return Plan(
                hold=Wait(facts.armed_until + 1, "an earlier, unconfirmed change is about to undo itself")
            )
        missing = [words for words in facts.wanted.ufw_rules() if not _has(facts.ufw_rules, words)]
        right = facts.ufw_active and not missing and facts.nft_there and facts.nft_right
        changes = []
        if not right:
            admins = ", ".join(facts.wanted.admins)
            changes.append(
                Change(
                    Kind.UPDATE,
                    "close",
                    f"ufw and nft on {facts.server}",
                    before=f"ufw {'active' if facts.ufw_active else 'inactive'}, "
                    f"table inet wizfw {'there' if facts.nft_there else 'absent'}",
                    after=f"{facts.wanted.ssh_port}, 80, 443 open; 3000 only from {admins}; everything else "
                    "closed, also what Docker publishes, IPv4 and IPv6",
                    why=f"rolled back by itself after {SECONDS_TO_CONFIRM} s unless a new login succeeds",
                    way_back="undo puts the earlier rules back",
                    payload=facts.wanted,
                )
            )
        if not (right and facts.persistent):
            changes.append(
                Change(
                    Kind.CREATE,
                    "persist",
                    f"{rules.UNIT} on {facts.server}",
                    after="the nft table is loaded before Docker starts, at every boot",
                    payload=facts.wanted,
                )
            )
        alone = f"No Cloud Firewall stands before {facts.server}. {_ALONE}"
        return Plan(tuple(changes), (alone,) if changes and self.server.outside else ())

    async def apply(self, change: Change, ctx: Context) -> None:
        host = await new_host(ctx, self.server.name)
        if change.key == "close":
            await self._close(ctx, host, change.payload)
        elif change.key == "persist":
            await _persist(host, change.payload)
        else:
            await _open(ctx, host)

    async def _close(self, ctx: Context, host: HostClient, wanted: rules.Wanted) -> None:
        from wizard.clients import commands

        active = "Status: active" in (await host.run(commands.ufw("status"))).stdout
        table = await host.run(commands.nft("list", "table", "inet", "wizfw"), check=False)
        before = ctx.saved.load("applied", Applied)
        ctx.saved.save(
            "applied",
            Applied(
                wanted.ssh_port,
                wanted.admins,
                wanted.apart,
                before.ufw_was_active if before else active,
                before.nft_was_there if before else table.ok,
            ),
        )
        if active:
            await host.run(commands.remove_tree(rules.UFW_BEFORE))
            await host.run(commands.copy_file("/etc/ufw", rules.UFW_BEFORE))
        if table.ok:
            await host.upload(rules.NFT_BEFORE, table.stdout)
        revert = rules.revert_script(active, table.ok)
        await host.run(commands.deadman("arm", DEADMAN, str(SECONDS_TO_CONFIRM)).with_stdin(revert))
        ctx.output(f"{host.name}: a rollback is armed for {SECONDS_TO_CONFIRM} s")
        # First everything that opens, then what closes.
        for words in wanted.ufw_rules():
            await host.run(commands.ufw(*words))
        await host.run(commands.ufw("default", "deny", "incoming"))
        await host.run(commands.nft("-f", "-", stdin=wanted.nft_text()))
        await host.run(commands.ufw("--force", "enable"))
        await self._prove_login(ctx)
        await host.run(commands.deadman("confirm", DEADMAN))
        ctx.output(f"{host.name}: a new login succeeded, the rollback is called off")

    async def _prove_login(self, ctx: Context) -> None:
        """A new connection: the one in use would survive rules that let nobody in."""
        from wizard.clients import commands

        fresh = ctx.world.ssh.fresh(await new_host_target(ctx, self.server.name))
        try:
            await fresh.run(commands.processors())
        except UnreachableError as error:
            raise WizardError(
                f"With the new rules nobody could log in on {self.server.name} any more",
                error.what,
                f"They are taken back by themselves within {SECONDS_TO_CONFIRM} s; then run again.",
            ) from error
        finally:
            await fresh.aclose()

    async def _admins(self, ctx: Context, host: HostClient) -> tuple[str, ...]:
        """The operator's address as the host sees it, for each family that reaches it."""
        from wizard.clients import commands
        from wizard.clients.ssh import HostKeyError, LoginError

        found = [await _client_address(host)]
        record = ctx.saved.load("server", ServerRecord, step=f"provision.{self.server.name}.server")
        if record is not None and record.ipv6 and record.ipv6 != host.target.address:
            other = ctx.world.ssh.fresh(await new_host_target(ctx, self.server.name, address=record.ipv6))
            with contextlib.suppress(UnreachableError, HostKeyError, LoginError):
                await other.run(commands.processors())
                found.append(await _client_address(other))
            await other.aclose()
        return tuple(dict.fromkeys(found))

    def _apart(self, ctx: Context) -> tuple[str, ...]:
        records = [ctx.saved.load("server", ServerRecord, step=f"provision.{n}.server") for n in self.fronts]
        found = [a for r in records if r is not None for a in (r.ipv4, r.ipv6, r.private_ip) if a]
        return tuple(found)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        from wizard.clients import commands

        name = self.server.name
        fresh = ctx.world.ssh.fresh(await new_host_target(ctx, name))
        try:
            status = (await fresh.run(commands.ufw("status"))).stdout
            added = rules.ufw_rules_of((await fresh.run(commands.ufw("show", "added"))).stdout)
            table = await fresh.run(commands.nft("list", "table", "inet", "wizfw"), check=False)
            unit = await fresh.run(commands.systemctl("is-enabled", rules.UNIT), check=False)
            left = await _armed_seconds(fresh)
            here = await self._admins(ctx, fresh)
        finally:
            await fresh.aclose()
        applied = ctx.saved.load("applied", Applied)
        wanted = rules.Wanted(applied.ssh_port, applied.admins, applied.apart) if applied else None
        missing = [" ".join(w) for w in wanted.ufw_rules() if not _has(added, w)] if wanted else ["all"]
        now = ctx.now()
        active = "Status: active" in status
        hooked = table.ok and "hook prerouting" in table.stdout and str(rules.PANEL_PORT) in table.stdout
        return [
            check("login", f"{name} lets the operator in through its new rules", True,
                  seen="a new SSH connection was opened for this check", vantage="operator", at=now),
            check("ufw", f"ufw on {name} has the document's rules", active and not missing,
                  seen=f"{'active' if active else 'inactive'}: {'; '.join(added) or 'no rules'}",
                  vantage=name, at=now, advice=f"Missing: {'; '.join(missing)}. Run this step again."),
            check("nft", f"what Docker publishes on {name} is closed before Docker sees it", hooked,
                  seen="table inet wizfw hooks prerouting at -150, both families" if hooked
                  else "no table inet wizfw", vantage=name, at=now, advice="Run this step again."),
            check("persistent", f"the rules of {name} come back after a restart", unit.ok and active,
                  seen=f"{rules.UNIT}: {unit.stdout.strip() or 'absent'}, ufw enabled: {active}",
                  vantage=name, at=now, advice="Run this step again."),
            check("confirmed", f"no rollback is pending on {name}", left is None,
                  seen="confirmed" if left is None else f"armed, {left} s left", vantage=name, at=now,
                  advice="Wait until it is over, then run this step again."),
            *self._knows_us(here, rules.admins_of(table.stdout), now),
        ]  # fmt: skip

    def _knows_us(self, here: Sequence[str], known: Sequence[str], at: float) -> tuple[Check, ...]:
        """Whether the operator has moved since; of no matter where the panel's port is for nobody."""
        if self.server.panel_for_nobody:
            return ()
        name = self.server.name
        allowed = ", ".join(known) or "nobody"
        seen = f"it sees you as {', '.join(here)}; port {rules.PANEL_PORT} is for {allowed}"
        return (
            check(
                "operator",
                f"the firewall of {name} knows the address that you come from",
                all(_within(address, known) for address in here),
                seen=seen,
                vantage=name,
                at=at,
                advice="If you have moved: dokploy-wizard allow-me, here and at the Cloud Firewall at once.",
            ),
        )

    async def undo(self, ctx: Context) -> Plan:
        applied = ctx.saved.load("applied", Applied)
        if applied is None:
            return Plan()
        return Plan(
            (
                Change(
                    Kind.UPDATE,
                    "open",
                    f"ufw and nft on {self.server.name}",
                    before="the wizard's rules",
                    after="ufw as it was, no table inet wizfw",
                    why="ports that Docker publishes are open to everybody again, up to the Cloud Firewall",
                ),
            )
        )


async def _open(ctx: Context, host: HostClient) -> None:
    from wizard.clients import commands

    applied = ctx.saved.load("applied", Applied)
    await host.run(commands.systemctl("disable", rules.UNIT), check=False)
    await host.run(commands.remove_file(rules.NFT_FILE))
    await host.run(commands.ufw("--force", "disable"))
    if applied is not None and applied.ufw_was_active:
        await host.run(commands.copy_file(f"{rules.UFW_BEFORE}/.", "/etc/ufw/"))
        await host.run(commands.ufw("--force", "enable"))
    elif applied is not None:
        for words in rules.Wanted(applied.ssh_port, applied.admins).ufw_rules():
            await host.run(commands.ufw("delete", *words), check=False)
    await host.run(commands.nft("delete", "table", "inet", "wizfw"), check=False)
    ctx.saved.drop("applied")


async def let_in(ctx: Context, server: str, addresses: Sequence[str], *, keep: bool) -> bool:
    """The panel's port for `addresses` (networks) in the place of those of their families; if it was news.

    Nothing else changes, so nobody can be locked out by it. `ctx` is that of the host's firewall step.
    `keep`: what was applied is somebody else's to write down, so ufw keeps the rules that it speaks of; the
    table before it has the last word.
    """
    from wizard.clients import commands

    applied = ctx.saved.load("applied", Applied)
    if applied is None:
        return False
    nets = [ip_network(address) for address in addresses]
    families = {net.version for net in nets}
    admins = [str(net.network_address if net.num_addresses == 1 else net) for net in nets]
    admins += [one for one in applied.admins if ip_network(one).version not in families]
    host = await new_host(ctx, server)
    wanted = rules.Wanted(applied.ssh_port, tuple(admins), applied.apart)
    if await host.read(rules.NFT_FILE) == wanted.nft_text():
        return False
    for words in wanted.ufw_rules():
        await host.run(commands.ufw(*words))
    await host.run(commands.nft("-f", "-", stdin=wanted.nft_text()))
    await host.upload(rules.NFT_FILE, wanted.nft_text(), 0o644)
    if not keep:
        ctx.saved.save("applied", replace(applied, admins=wanted.admins))
        before = rules.Wanted(applied.ssh_port, applied.admins)
        for words in set(before.ufw_rules()) - set(wanted.ufw_rules()):
            await host.run(commands.ufw("delete", *words), check=False)
    return True


async def _persist(host: HostClient, wanted: rules.Wanted) -> None:
    from wizard.clients import commands

    await host.upload(rules.NFT_FILE, wanted.nft_text(), 0o644)
    await host.upload(rules.UNIT_FILE, rules.UNIT_TEXT, 0o644)
    await host.run(commands.systemctl("daemon-reload"))
    await host.run(commands.systemctl("enable", rules.UNIT))


async def _ssh_port(host: HostClient) -> int:
    """sshd's own word, unless the connection in use says otherwise: that one must stay open."""
    from wizard.clients import commands

    words = (await host.run(commands.connection_addresses())).stdout.split()
    if len(words) == 4:
        return int(words[3])
    said = re.search(r"^port (\d+)$", (await host.run(commands.sshd_settings())).stdout, re.MULTILINE)
    return int(said[1]) if said else host.target.port


async def _client_address(host: HostClient) -> str:
    from wizard.clients import commands

    return (await host.run(commands.connection_addresses())).stdout.split()[0].removeprefix("::ffff:")


async def _armed_seconds(host: HostClient) -> int | None:
    from wizard.clients import commands

    status = await host.run(commands.deadman("status", DEADMAN), check=False)
    words = status.stdout.split()
    return int(words[1]) if status.ok and words[:1] == ["armed"] else None


def _within(address: str, networks: Sequence[str]) -> bool:
    return any(
        net.version == (one := ip_address(address)).version and one in net
        for net in (ip_network(text, strict=False) for text in networks)
    )


def _has(added: Sequence[str], words: Sequence[str]) -> bool:
    return " ".join(words) in added
