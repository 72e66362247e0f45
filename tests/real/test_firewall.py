"""The host layer against real sshd, ufw, nft and Docker's rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.machine import NB4, NEVER, OP4, OP6, SRV4, SRV6, SSH_PORT, RealMachine, lapse, machine
from tests.real.vantage import Fast, NetFrom
from wizard.clients import commands, ssh
from wizard.clients.ssh import HostClient, SshClients, Target
from wizard.clock import LiveClock
from wizard.errors import UnreachableError
from wizard.phases.firewall import rules

pytestmark = pytest.mark.real


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealMachine]:
    monkeypatch.setattr(ssh, "_LEAST_TIMEOUT", 1.0)
    with machine(tmp_path) as made:
        yield made


def clients_of(real: RealMachine) -> tuple[SshClients, Target]:
    target = Target("srv", SRV4, SSH_PORT, host_key=real.host_key, key=real.login)
    return SshClients(NetFrom(f"{real.prefix}op"), LiveClock()), target


async def lets_in(clients: SshClients, target: Target) -> bool:
    fresh = clients.fresh(target)
    fresh._clock = Fast()  # type: ignore[assignment]
    try:
        await fresh.run(commands.processors())
    except UnreachableError:
        return False
    finally:
        await fresh.aclose()
    return True


async def arm(host: HostClient) -> None:
    await host.install_tools()
    revert = rules.revert_script(ufw_was_active=False, nft_was_there=False)
    await host.run(commands.deadman("arm", "firewall", str(NEVER)).with_stdin(revert))


async def close(host: HostClient, wanted: rules.Wanted, *, forget_ssh: bool = False) -> None:
    for words in wanted.ufw_rules():
        if not (forget_ssh and words[1] == f"{SSH_PORT}/tcp"):
            await host.run(commands.ufw(*words))
    await host.run(commands.ufw("default", "deny", "incoming"))
    await host.run(commands.nft("-f", "-", stdin=wanted.nft_text()))
    await host.run(commands.ufw("--force", "enable"))


WANTED = rules.Wanted(SSH_PORT, (OP4, OP6))


async def test_rules_that_forget_the_port_in_use_undo_themselves(real: RealMachine) -> None:
    clients, target = clients_of(real)
    host = clients.host(target)

    await arm(host)
    await close(host, WANTED, forget_ssh=True)
    assert not await lets_in(clients, target)
    assert (await host.run(commands.processors())).ok, "the old connection is still alive"
    lapse(NEVER)
    status = ""
    while not status.startswith("reverted"):
        status = (await host.run(commands.deadman("status", "firewall"))).stdout

    assert status == "reverted 0\n"
    assert await lets_in(clients, target)
    late = await host.run(commands.deadman("confirm", "firewall"), check=False)
    assert late.exit_status == 4
    await clients.aclose()


async def test_the_right_rules_stay_once_they_are_confirmed(real: RealMachine) -> None:
    clients, target = clients_of(real)
    host = clients.host(target)

    await arm(host)
    await close(host, WANTED)
    assert await lets_in(clients, target)
    await host.run(commands.deadman("confirm", "firewall"))
    lapse(NEVER)
    while (await host.run(commands.command("pgrep", "-f", f"dw-deadman .* {NEVER}$"), check=False)).ok:
        pass

    assert (await host.run(commands.deadman("status", "firewall"))).stdout == "confirmed\n"
    assert "Status: active" in (await host.run(commands.ufw("status"))).stdout
    assert (await host.run(commands.nft("list", "table", "inet", "wizfw"))).ok
    assert await lets_in(clients, target)
    await clients.aclose()


async def test_what_docker_publishes_is_open_under_ufw_and_closed_under_ours(real: RealMachine) -> None:
    clients, target = clients_of(real)
    host = clients.host(target)
    await host.run(commands.ufw("allow", f"{SSH_PORT}/tcp"))
    await host.run(commands.ufw("allow", "443/tcp"))
    await host.run(commands.ufw("deny", "3000/tcp"))
    await host.run(commands.ufw("--force", "enable"))

    under_ufw = real.reaches(3000)
    assert under_ufw[("nb", SRV4)] == "open", "ufw's deny does not cover Docker"
    assert under_ufw[("nb", SRV6)] == "filtered", "the IPv6 proxy is an ordinary socket"

    await host.run(commands.ufw("delete", "deny", "3000/tcp"))
    await close(host, WANTED)
    ours, control = real.reaches(3000), real.reaches(443)

    assert set(control.values()) == {"open"}
    assert ours == {
        ("op", SRV4): "open",
        ("op", SRV6): "open",
        ("nb", SRV4): "filtered",
        ("nb", SRV6): "filtered",
    }
    await clients.aclose()


async def test_with_ipv6_redirected_too_both_families_are_open_under_ufw_and_closed_under_ours(
    real: RealMachine,
) -> None:
    clients, target = clients_of(real)
    host = clients.host(target)
    real.redirect_ipv6_too()
    for words in (("allow", f"{SSH_PORT}/tcp"), ("allow", "443/tcp"), ("deny", "3000/tcp")):
        await host.run(commands.ufw(*words))
    await host.run(commands.ufw("--force", "enable"))

    under_ufw = real.reaches(3000)
    await host.run(commands.ufw("delete", "deny", "3000/tcp"))
    await close(host, WANTED)
    ours, control = real.reaches(3000), real.reaches(443)

    assert set(under_ufw.values()) == {"open"}, "a redirected port never meets ufw, in neither family"
    assert ours == {
        ("op", SRV4): "open",
        ("op", SRV6): "open",
        ("nb", SRV4): "filtered",
        ("nb", SRV6): "filtered",
    }
    assert set(control.values()) == {"open"}
    await clients.aclose()


async def test_the_front_end_reaches_https_and_nothing_else(real: RealMachine) -> None:
    clients, target = clients_of(real)
    host = clients.host(target)

    await close(host, rules.Wanted(SSH_PORT, (OP4, OP6), apart=(NB4,)))

    assert real.reach("nb", SRV4, 443) == "open"
    assert real.reach("nb", SRV4, SSH_PORT) == "filtered"
    assert real.reach("op", SRV4, SSH_PORT) == "open"
    await clients.aclose()
