"""The firewall steps themselves, over their own context, against real sshd, ufw, nft and Docker's rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.phases.context import Bench
from tests.real.machine import NB4, NB6, NEVER, OP4, SRV4, SRV6, RealMachine, lapse, machine
from tests.real.vantage import Fast, NetFrom
from tests.rehearsal.hosts_stage import CONFIG
from wizard.checks.ports import PortMatrix
from wizard.clients import commands, ssh
from wizard.engine.check import CheckState
from wizard.engine.plan import Wait
from wizard.errors import WizardError
from wizard.net import Reach
from wizard.phases.firewall import host as firewall_host
from wizard.phases.firewall import rules as firewall_rules
from wizard.phases.firewall.host import HostFirewall, let_in
from wizard.phases.firewall.ports import PortsClosed
from wizard.records import HostKeyRecord, ServerRecord
from wizard.secrets import FileSecrets
from wizard.world import World

pytestmark = pytest.mark.real
HERE = CONFIG.__class__(CONFIG.project, CONFIG.servers, CONFIG.apps, CONFIG.dns)
"""Two new hosts, no old one."""


@dataclass
class Scene:
    real: RealMachine
    bench: Bench

    @property
    def firewall(self) -> HostFirewall:
        return HostFirewall(HERE.server("backend"), HERE)

    @property
    def ports(self) -> PortsClosed:
        return PortsClosed(HERE.server("backend"), HERE)

    async def matrix(self) -> dict[tuple[str, str], dict[int, Reach]]:
        """What was seen last: by vantage and path, by port."""
        await self.bench.prove(self.ports)
        seen: PortMatrix = self.bench.details("ports")[-1]
        return {
            (row.view.vantage, row.view.path): {cell.port: cell.seen for cell in row.cells}
            for row in seen.rows
        }


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealMachine]:
    monkeypatch.setattr(ssh, "_LEAST_TIMEOUT", 1.0)
    with machine(tmp_path, ssh_port=22) as made:
        yield made


@pytest_asyncio.fixture
async def scene(real: RealMachine, tmp_path: Path):  # type: ignore[no-untyped-def]
    secrets = FileSecrets(tmp_path / "secrets.json")
    await secrets.put("SSH_LOGIN_KEY", real.login)
    world = World(HERE, secrets, clock=Fast(), net=NetFrom(f"{real.prefix}op"))
    bench = Bench(world, tmp_path)
    for name, four, six in (("backend", SRV4, SRV6), ("frontend", NB4, NB6)):
        saved = bench.context(f"provision.{name}.server").saved
        saved.save("server", ServerRecord(name, 1, "cx23", "fsn1", four, six))
        saved.save("host_key", HostKeyRecord(real.host_key))
    await bench.world.ssh.host(await _target(bench)).install_tools()
    yield Scene(real, bench)
    bench.close()
    await world.aclose()


async def _target(bench: Bench):  # type: ignore[no-untyped-def]
    from wizard.phases.hosts import new_host_target

    return await new_host_target(bench.context("firewall.backend.host"), "backend")


async def test_the_step_closes_what_docker_publishes_and_the_matrix_shows_it(scene: Scene) -> None:
    scene.real.redirect_ipv6_too()
    before = await scene.matrix()

    turn = await scene.bench.drive(scene.firewall)
    after = await scene.matrix()
    checks = {check.name: check for check in await scene.bench.prove(scene.ports)}

    assert turn.done, turn.story
    for path in ("IPv4", "IPv6"):
        assert before["frontend", path][3000] is Reach.OPEN
        assert after["frontend", path][3000] is Reach.FILTERED
        assert after["frontend", path][443] is Reach.OPEN
        assert after["frontend", path][22] is Reach.FILTERED
        assert after["operator", path] | {3000: Reach.OPEN, 22: Reach.OPEN} == after["operator", path]
    assert all(check.ok for check in checks.values()), turn.story
    assert (await scene.bench.plan(scene.firewall)).empty


async def test_the_step_that_forgets_the_port_in_use_is_taken_back_and_then_done_right(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(firewall_host, "SECONDS_TO_CONFIRM", NEVER)
        patch.setattr(firewall_rules.Wanted, "ufw_rules", lambda self: (("allow", "443/tcp"),))
        with pytest.raises(WizardError, match="nobody could log in"):
            await scene.bench.drive(scene.firewall)
    shut = scene.real.reach("op", SRV4, 22)
    held = (await scene.bench.plan(scene.firewall)).hold
    lapse(NEVER)
    while (await scene.bench.plan(scene.firewall)).hold:
        pass

    turn = await scene.bench.drive(scene.firewall)

    assert shut == "filtered"
    assert isinstance(held, Wait), "the rollback that is under way is waited for"
    assert turn.done, turn.story
    assert scene.real.reach("op", SRV4, 22) == "open"


async def test_the_rules_are_loaded_again_at_boot_and_undo_takes_them_away(scene: Scene) -> None:
    assert (await scene.bench.drive(scene.firewall)).done
    scene.real.inside("nft", "delete", "table", "inet", "wizfw")
    unit = (scene.real.folder / "units" / "wizfw.service").read_text()
    start = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    scene.real.inside("nft", "-f", str(scene.real.folder / "etcdw" / start.rpartition("/")[2]))

    assert scene.real.reach("nb", SRV4, 3000) == "filtered"
    linked = scene.real.folder / "units" / "multi-user.target.wants" / "wizfw.service"
    assert linked.is_symlink()

    await scene.bench.undo(scene.firewall)

    assert scene.real.reach("nb", SRV4, 3000) == "open"
    assert not linked.is_symlink()


async def test_a_moved_operator_is_let_in_by_the_real_rules_and_the_old_address_is_not(scene: Scene) -> None:
    """Docker's port, by nft; ufw shows the same to a person who looks there."""
    assert (await scene.bench.drive(scene.firewall)).done
    ctx = scene.bench.context(scene.firewall)
    elsewhere = "10.99.0.77"

    assert await let_in(ctx, "backend", (f"{elsewhere}/32",), keep=False)

    ufw = await scene.bench.world.ssh.host(await _target(scene.bench)).run(commands.ufw("show", "added"))
    assert f"from {elsewhere} to any port 3000" in ufw.stdout and f"from {OP4} to" not in ufw.stdout
    assert scene.real.reach("op", SRV4, 3000) == "filtered"
    assert scene.real.reach("op", SRV6, 3000) == "open", "the other family keeps who it had"
    operator = next(c for c in await scene.bench.prove(scene.firewall) if c.name == "operator")
    assert operator.state is CheckState.FAILED and elsewhere in operator.evidence.seen

    assert await let_in(ctx, "backend", (f"{OP4}/32",), keep=False)

    assert scene.real.reach("op", SRV4, 3000) == "open"
    assert scene.real.reach("op", SRV4, 22) == "open"
    assert not await let_in(ctx, "backend", (OP4,), keep=False)
    assert all(check.ok for check in await scene.bench.prove(scene.firewall))
