"""A machine of one's own whose SSH listens on a port of its own, and a move with no server at Hetzner."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.phases.context import Bench
from tests.phases.test_owned_machine import ADDRESS, Scene, scene
from tests.rehearsal.hosts_stage import CONFIG, hosts_world
from wizard import phases
from wizard.clients import ssh
from wizard.config import Config, DnsProviderName, Server
from wizard.configfile import ConfigError, example_text, loads
from wizard.engine.plan import Ask, Failed, Wait
from wizard.errors import WizardError
from wizard.net import Reach
from wizard.phases.decommission.tokens import tokens
from wizard.phases.firewall import rules
from wizard.phases.firewall.host import SECONDS_TO_CONFIRM
from wizard.phases.firewall.ports import PortsClosed
from wizard.phases.hosts import LOGIN_KEY, new_host_target
from wizard.phases.prepare.credentials import questions
from wizard.phases.provision import steps as provision
from wizard.records import HostKeyRecord
from wizard.report.checklist import expand, items

PORT = 2222
WORLD = "198.51.100.99"


def owned() -> Config:
    """No server and no zone at Hetzner."""
    servers = (Server("frontend", "frontend", address="203.0.113.76"),)
    servers += (Server("backend", "backend", address=ADDRESS, port=PORT),)
    dns = dataclasses.replace(CONFIG.dns, provider=DnsProviderName.MANUAL)
    return dataclasses.replace(CONFIG, servers=servers, dns=dns)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path, port=PORT) as found:
        yield found


async def test_it_is_asked_for_and_kept_with_its_port(here: Scene) -> None:
    plan = await here.bench.plan(here.machine)
    assert isinstance(plan.hold, Ask) and f"{ADDRESS} port {PORT}" in plan.hold.question.text

    await here.taken()

    ctx = here.bench.context(here.machine)
    assert ctx.saved.load("host_key", HostKeyRecord) == HostKeyRecord(here.public, PORT)
    assert (await new_host_target(ctx, "backend")).port == PORT


async def test_known_hosts_speaks_of_one_port(here: Scene, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"{ADDRESS} {ssh.generate_key()[1]}\n")
    assert isinstance((await here.bench.plan(here.machine)).hold, Ask), "that line is of port 22"
    known.write_text(f"[{ADDRESS}]:{PORT} {here.public}\n")
    assert (await here.bench.plan(here.machine)).hold is None
    known.write_text(f"[{ADDRESS}]:{PORT} {ssh.generate_key()[1]}\n")
    assert isinstance((await here.bench.plan(here.machine)).hold, Failed)


async def test_a_port_that_was_corrected_later_is_looked_at_anew(here: Scene) -> None:
    await here.taken()
    assert (await here.bench.plan(here.machine)).empty
    here.cfg = dataclasses.replace(
        here.cfg,
        servers=(here.cfg.server("frontend"), dataclasses.replace(here.cfg.server("backend"), port=22)),
    )
    with pytest.raises(WizardError):
        await here.bench.plan(here.machine)


async def test_its_firewall_opens_that_port_and_the_usual_one_is_closed(here: Scene) -> None:
    await here.taken()
    plan = await here.bench.plan(here.step("firewall.backend.host"))
    assert f"{PORT}, 80, 443 open" in plan.changes[0].after

    assert (await here.bench.drive(here.step("firewall.backend.host"))).done

    internet = here.small.stage.internet
    assert internet.reach(WORLD, ADDRESS, PORT) is Reach.OPEN
    assert internet.reach(WORLD, ADDRESS, 22) is Reach.FILTERED


async def test_rules_that_forget_that_port_undo_themselves(
    here: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await here.taken()
    usual = rules.Wanted.ufw_rules
    of_22 = lambda self: usual(dataclasses.replace(self, ssh_port=22))  # noqa: E731
    monkeypatch.setattr(rules.Wanted, "ufw_rules", of_22)
    monkeypatch.setattr(ssh, "_LEAST_TIMEOUT", 1.0)
    step, internet = here.step("firewall.backend.host"), here.small.stage.internet

    with pytest.raises(WizardError, match="nobody could log in"):
        await here.bench.drive(step)
    assert internet.reach(WORLD, ADDRESS, PORT) is Reach.FILTERED
    monkeypatch.undo()
    clock = here.small.world.clock
    await clock.wait_until(clock.now() + SECONDS_TO_CONFIRM)
    for _ in range(100):
        if internet.reach(WORLD, ADDRESS, PORT) is Reach.OPEN:
            break
        await clock.sleep(5)

    assert internet.reach(WORLD, ADDRESS, PORT) is Reach.OPEN, "taken back by the host itself"
    assert not isinstance((await here.bench.plan(step)).hold, Wait)
    assert (await here.bench.drive(step)).done


async def test_the_matrix_asks_for_that_port_and_for_the_usual_one(here: Scene) -> None:
    await here.taken()
    assert (await here.bench.drive(here.step("firewall.backend.host"))).done
    await here.bench.prove(PortsClosed(here.cfg.server("backend"), here.cfg))

    row = next(row for row in here.bench.details("ports")[-1].rows if row.view.vantage == "operator")
    seen = {cell.port: (cell.name, cell.seen, cell.right) for cell in row.cells}
    assert seen[PORT] == ("SSH", Reach.OPEN, True)
    assert seen[22] == ("SSH's usual port", Reach.FILTERED, True)


@pytest.mark.parametrize("port", [80, 443, 3000, 2377])
def test_a_port_that_something_else_needs_is_refused(port: int) -> None:
    bought = example_text().index("types =")
    text = f'address = "{ADDRESS}"\nport = {port}\n'
    with pytest.raises(ConfigError, match="needs for something else"):
        loads(example_text()[:bought] + text + example_text()[bought:])


def test_a_bought_server_has_no_port_of_its_own() -> None:
    text = example_text().replace('role = "backend"\n', 'role = "backend"\nport = 2222\n', 1)
    with pytest.raises(ConfigError, match="means nothing for backend"):
        loads(text)


def test_no_server_and_no_zone_at_hetzner_needs_no_token_of_it() -> None:
    cfg = owned()
    assert "hetzner" not in {question.name for question in questions(cfg)}
    assert "HCLOUD_TOKEN" not in {token.name for token in tokens(cfg)}
    assert {question.name for question in questions(CONFIG)} >= {"hetzner"}
    zone = dataclasses.replace(cfg, dns=dataclasses.replace(cfg.dns, provider=DnsProviderName.HETZNER))
    assert "hetzner" in {question.name for question in questions(zone)}


def test_every_box_is_provable_where_nothing_is_bought() -> None:
    cfg = owned()
    ids = {step.id for step in phases.steps(cfg)}
    for item in items():
        proofs = expand(item, cfg)
        assert proofs, item.text
        for proof in proofs:
            assert proof.step in ids or "*" in proof.step, (item.text, proof.step)


async def test_the_login_key_is_made_without_a_provider(tmp_path: Path) -> None:
    cfg = owned()
    step = next(step for step in provision.steps(cfg) if step.id == "provision.ssh_key")
    async with hosts_world(tmp_path, config=cfg) as small:
        with contextlib.closing(Bench(small.world, tmp_path)) as bench:
            await small.world.secrets.drop(LOGIN_KEY)
            turn = await bench.drive(step)
            assert turn.done, turn.story
            made = await small.world.secrets.get(LOGIN_KEY)
            assert made and (await bench.plan(step)).empty
