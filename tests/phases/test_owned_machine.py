"""A machine outside Hetzner Cloud: whose it is, how one gets in, and what stands before it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.phases.context import Bench
from tests.rehearsal.hosts_stage import CONFIG, HostsWorld, hosts_world
from wizard.clients import ssh
from wizard.clients.ssh import Target, fingerprint, generate_key
from wizard.config import Config, Server
from wizard.configfile import ConfigError, example_text, loads
from wizard.engine.plan import Ask, Failed, Plan, Skip
from wizard.engine.step import Step
from wizard.errors import UnreachableError
from wizard.phases.firewall import steps as firewall
from wizard.phases.firewall.host import HostFirewall
from wizard.phases.hosts import LetIn, new_host_target, owned_key_secret, passphrase_secret, through
from wizard.phases.provision import steps as provision
from wizard.phases.provision.login import AUTHORIZED
from wizard.phases.settle.protection import Protection
from wizard.records import ServerRecord
from wizard.rehearsal.hosts.old import JUMP_HOST
from wizard.rehearsal.hosts.standin import Host

ADDRESS, JUMP = "203.0.113.77", "root@203.0.113.78"


def config(**own: Any) -> Config:
    backend = dataclasses.replace(Server("backend", "backend", address=ADDRESS), **own)
    return dataclasses.replace(CONFIG, servers=(CONFIG.server("frontend"), backend))


@dataclass
class Scene:
    small: HostsWorld
    bench: Bench
    cfg: Config

    @property
    def host(self) -> Host:
        found = self.small.stage.hosts.get("backend")
        assert found is not None
        return found

    @property
    def shown(self) -> str:
        return fingerprint(self.host.text("/etc/ssh/ssh_host_ed25519_key.pub") or self.public)

    @property
    def public(self) -> str:
        return asyncssh.import_private_key(self.host.state.host_key).export_public_key().decode().strip()

    def step(self, name: str) -> Step[Any]:
        every = (*provision.steps(self.cfg), *firewall.steps(self.cfg))
        return next(step for step in every if step.id == name)

    @property
    def machine(self) -> Step[Any]:
        return self.step("provision.backend.server")

    @property
    def typed(self) -> dict[str, str]:
        return {"provision.backend.server/host_key": self.shown}

    async def taken(self) -> None:
        turn = await self.bench.drive(self.machine, self.typed)
        assert turn.done, turn.story
        turn = await self.bench.drive(self.step("provision.backend.login"))
        assert turn.done, turn.story

    async def authorized(self) -> str:
        return self.host.text(AUTHORIZED)


@contextlib.asynccontextmanager
async def scene(folder: Path, **own: Any) -> AsyncIterator[Scene]:
    cfg = config(**own)
    async with hosts_world(folder, config=cfg) as small:
        bench = Bench(small.world, folder)
        try:
            yield Scene(small, bench, cfg)
        finally:
            bench.close()


async def test_a_stranger_is_let_near_only_once_its_fingerprint_was_typed(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        plan = await here.bench.plan(here.machine)
        assert isinstance(plan.hold, Ask) and plan.hold.question.typed == here.shown

        turn = await here.bench.drive(here.machine, here.typed)

        assert turn.done, turn.story
        record = here.bench.context(here.machine).saved.load("server", ServerRecord)
        assert record is not None and record.outside and record.server_id == 0
        assert "what you typed" in turn.applied[0].after
        assert any("provider's console" in note for note in turn.plan.notes)


async def test_a_fingerprint_of_the_configuration_vouches_and_another_one_is_a_hard_stop(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as here:
        shown, other = here.shown, fingerprint(generate_key()[1])
        for key, good in ((shown, True), (other, False)):
            here.cfg = config(host_key=key)
            plan = await here.bench.plan(here.machine)
            assert (plan.hold is None) is good
        assert isinstance(plan.hold, Failed) and "somebody sits in between" in " ".join(plan.hold.ways)


async def test_known_hosts_vouches_and_contradicts(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        known = tmp_path / "known_hosts"
        for key, good in ((here.public, True), (generate_key()[1], False)):
            known.write_text(f"{ADDRESS} {key}\n")
            plan = await here.bench.plan(here.machine)
            assert (plan.hold is None) is good
        assert isinstance(plan.hold, Failed) and "known_hosts says another one" in plan.hold.why


async def test_a_key_that_changed_after_it_was_typed_stops_and_is_asked_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        here.bench.progress.answers.update(here.typed)
        here.host.state.host_key = generate_key()[0]
        plan = await here.bench.plan(here.machine)
        assert isinstance(plan.hold, Failed) and plan.hold.answer == "provision.backend.server/host_key"


@pytest.mark.parametrize("spare", [False, True])
async def test_one_that_does_not_answer_is_left_out_only_if_it_is_optional(
    tmp_path: Path, spare: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "_LEAST_TIMEOUT", 1.0)
    async with scene(tmp_path, optional=spare) as here:
        here.host.state.running = False
        if not spare:
            with pytest.raises(UnreachableError):
                await here.bench.plan(here.machine)
            return
        plan = await here.bench.plan(here.machine)
        assert isinstance(plan.hold, Skip) and "does not answer SSH" in plan.hold.why
        here.host.state.running = True
        assert isinstance((await here.bench.plan(here.machine)).hold, Ask)


async def test_the_wizards_own_key_is_let_in_beside_the_others_and_taken_out_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        here.host.write(AUTHORIZED, b"ssh-ed25519 AAAA someone\n", 0o600)
        await here.taken()
        assert "someone" in await here.authorized() and "dokploy-wizard" in await here.authorized()
        await here.small.world.secrets.drop(owned_key_secret("backend"))
        target = await new_host_target(here.bench.context("firewall.backend.host"), "backend")
        assert target.key and not target.agent and not target.identity

        await here.small.world.secrets.put(
            owned_key_secret("backend"), here.small.stage.hosts.state.old_login_key
        )
        await here.bench.undo(here.step("provision.backend.login"))

        assert await here.authorized() == "ssh-ed25519 AAAA someone\n"
        assert here.bench.context("provision.backend.login").saved.load("let_in", LetIn) is None
        assert (await here.bench.drive(here.step("provision.backend.login"))).done


async def test_a_file_with_a_passphrase_is_opened_by_the_one_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "id_ed25519"
    key = asyncssh.generate_private_key("ssh-ed25519")
    path.write_bytes(key.export_private_key(passphrase="open sesame"))
    async with scene(tmp_path, identity=str(path)) as here:
        here.host.state.authorized_keys = [key.export_public_key().decode().strip()]
        await here.small.world.secrets.drop(owned_key_secret("backend"))
        plan = await here.bench.plan(here.machine)
        assert isinstance(plan.hold, Ask) and plan.hold.question.secret
        assert plan.hold.question.id == passphrase_secret("backend")

        await here.small.world.secrets.put(passphrase_secret("backend"), "open sesame")

        await here.taken()


async def test_it_is_reached_through_a_jump_host_and_the_matrix_does_not_take_us_for_it(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, jump=JUMP) as here:
        await here.taken()
        jump = here.small.stage.hosts.get(JUMP_HOST)
        assert jump is not None and jump.connections
        host = HostFirewall(here.cfg.server("backend"), here.cfg)
        facts = await host.observe(here.bench.context(host))
        assert facts.wanted.admins == (jump.ipv4,)


@pytest.mark.parametrize(("written", "place"), [
    ("bastion.example.org", ("root", "bastion.example.org", 22)),
    ("me@192.0.2.7:2222", ("me", "192.0.2.7", 2222)),
    ("me@[2001:db8::7]:2222", ("me", "2001:db8::7", 2222)),
    ("2001:db8::7", ("root", "2001:db8::7", 22)),
])  # fmt: skip
def test_a_jump_host_is_written_as_for_ssh(written: str, place: tuple[str, str, int]) -> None:
    jump = through(Target("backend", "192.0.2.1"), written).jump
    assert jump is not None and (jump.user, jump.address, jump.port) == place


async def test_nothing_of_hetzner_is_asked_for_it_and_its_one_layer_is_told(tmp_path: Path) -> None:
    cfg = config()
    names = {step.id for step in (*provision.steps(cfg), *firewall.steps(cfg))}
    assert not names & {"provision.backend.address", "firewall.backend.cloud"}
    assert {"firewall.backend.host", "firewall.frontend.cloud"} <= names
    assert [server.name for server in Protection(cfg).servers] == ["frontend"]
    async with scene(tmp_path) as here:
        await here.taken()
        host = here.step("firewall.backend.host")
        plan: Plan = await here.bench.plan(host)
        assert any("No Cloud Firewall stands before backend" in note for note in plan.notes)
        assert "with SSH dead no undo is possible" in host.way_back
        assert (await here.bench.drive(host)).done


def test_what_is_bought_and_what_is_owned_do_not_mix() -> None:
    bought = example_text().replace('role = "backend"\n', 'role = "backend"\nidentity = "~/.ssh/id"\n', 1)
    owned = example_text().replace('role = "backend"\n', f'role = "backend"\naddress = "{ADDRESS}"\n', 1)
    for text, key in ((bought, "identity"), (owned, "types"), (owned, "backups")):
        with pytest.raises(ConfigError) as caught:
            loads(text)
        assert any(key in mistake.where for mistake in caught.value.mistakes), caught.value.mistakes
