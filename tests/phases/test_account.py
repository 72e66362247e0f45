"""The panel's account and key: made once, adopted, settled after lost answers, taken back."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.phases.context import Bench
from tests.rehearsal.hosts_stage import CONFIG
from tests.rehearsal.panels_stage import EMAIL, PASSWORD, PanelWorld, panel_world
from wizard.config import Config, DnsProviderName
from wizard.engine.check import CheckState
from wizard.engine.plan import Ask, Failed
from wizard.errors import CredentialError, UnreachableError
from wizard.phases import dns01
from wizard.phases.hosts import server_record
from wizard.phases.panels import api_key_secret, panel, password_secret
from wizard.phases.provision.account import Account
from wizard.records import HostKeyRecord, PanelRecord, ServerRecord
from wizard.rehearsal.faults import PROFILES, Rule
from wizard.rehearsal.hosts.standin import Host
from wizard.rehearsal.panels.standin import Panel


@dataclass
class Scene:
    small: PanelWorld
    bench: Bench
    host: Host
    panel: Panel
    step: Account

    @property
    def ctx(self) -> Any:
        return self.bench.context(self.step)

    def standing(self, what: str) -> int:
        return sum(what in thing for thing in self.panel.state.standing)


@contextlib.asynccontextmanager
async def scene(folder: Path, *, config: Config = CONFIG, faults: str = "none") -> AsyncIterator[Scene]:
    async with panel_world(folder, config=config, faults=faults) as small:
        bench = Bench(small.small.world, folder)
        host, panel = small.install("backend", 20)
        key = asyncssh.import_private_key(host.state.host_key).export_public_key().decode().strip()
        saved = bench.context("provision.backend.server").saved
        saved.save(
            "server", ServerRecord("backend", 1, "cx43", "fsn1", host.ipv4, host.ipv6, host.private_ip)
        )
        bench.context("provision.backend.login").saved.save("host_key", HostKeyRecord(key))
        step = Account(config.project, config.server("backend"), config.dns.provider)
        try:
            yield Scene(small, bench, host, panel, step)
        finally:
            bench.close()


def lose(monkeypatch: pytest.MonkeyPatch, act: str) -> str:
    """A profile in which the first answer to `act` is lost."""
    monkeypatch.setitem(PROFILES, "lost", (Rule("panel", act, "lost_answer", times=1),))
    return "lost"


async def test_a_bare_panel_gets_one_account_and_a_key_without_a_limit(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        turn = await at.bench.drive(at.step)

        assert turn.done, turn.story
        assert [change.key for change in turn.applied] == ["account", "key"]
        assert {check.name for check in turn.checks} == {"key", "ui", "sign_up", "version"}
        assert at.panel.state.person is not None and at.panel.state.person.email == CONFIG.project.email
        assert [key.limited for key in at.panel.state.keys.values()] == [False]
        record = at.ctx.saved.load("panel", PanelRecord)
        assert record == PanelRecord(
            "backend", "v0.30.2", at.panel.state.organization["id"], CONFIG.project.email
        )
        assert (await at.bench.plan(at.step)).empty
        for _ in range(12):
            assert await (await panel(at.ctx, "backend")).get("settings.health") == {"status": "ok"}


async def test_no_secret_reaches_the_progress_file_or_the_journal(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.bench.drive(at.step)
        secrets = at.small.small.world.secrets
        kept = [await secrets.get(word("backend")) for word in (api_key_secret, password_secret)]
        written = (tmp_path / "progress.toml").read_text() + (tmp_path / "journal.jsonl").read_text()
        for secret in kept:
            assert secret and secret not in written


async def test_a_lost_answer_to_the_sign_up_is_settled_by_signing_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path, faults=lose(monkeypatch, "sign_up")) as at:
        turn = await at.bench.drive(at.step)
        assert turn.done, turn.story
        assert at.small.stage.ledger.count("panel", "create", "backend account") == 1


async def test_a_key_whose_value_was_lost_is_replaced_and_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path, faults=lose(monkeypatch, "user.createApiKey")) as at:
        with pytest.raises(UnreachableError):
            await at.bench.drive(at.step)
        assert len(at.panel.state.keys) == 1

        turn = await at.bench.drive(at.step)

        assert turn.done, turn.story
        assert [change.key for change in turn.applied] == ["key"]
        assert len(at.panel.state.keys) == 1


async def test_a_wizard_that_dies_around_keeping_the_key_goes_on_with_one_key_that_undo_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path) as at:
        secrets = at.small.small.world.secrets
        plain = secrets.put

        async def dying(name: str, value: str, *, kept: bool) -> None:
            if kept or name != api_key_secret("backend"):
                await plain(name, value)
            if name == api_key_secret("backend"):
                raise ConnectionAbortedError("the wizard died")

        for kept in (False, True):
            monkeypatch.setattr(secrets, "put", partial(dying, kept=kept))
            with pytest.raises(ConnectionAbortedError):
                await at.bench.drive(at.step)
        monkeypatch.setattr(secrets, "put", plain)

        turn = await at.bench.drive(at.step)

        assert turn.done, turn.story
        assert [change.key for change in turn.applied] == ["adopt"]
        assert len(at.panel.state.keys) == 1
        await at.bench.undo(at.step)
        assert not at.panel.state.keys


async def test_a_panel_of_somebody_else_asks_for_a_key_and_is_adopted_by_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        client = await at.small.client(at.host)
        turn = await at.bench.drive(at.step)
        assert isinstance(turn.hold, Ask) and turn.hold.question.secret
        assert turn.hold.question.id == "DOKPLOY_BACKEND_API_KEY"

        given = next(iter(at.panel.state.keys.values())).key
        await at.small.small.world.secrets.put(turn.hold.question.id, given)
        turn = await at.bench.drive(at.step)

        assert turn.done, turn.story
        assert [change.key for change in turn.applied] == ["adopt"]
        record = at.ctx.saved.load("panel", PanelRecord)
        assert record is not None and record.admin == EMAIL
        assert (await at.bench.undo(at.step)).empty
        assert await client.get("settings.health") == {"status": "ok"}


async def test_a_given_key_that_is_not_accepted_is_asked_for_again_and_why_is_said(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.small.client(at.host)
        await at.small.small.world.secrets.put(api_key_secret("backend"), "not-a-key-of-this-panel")
        plan = await at.bench.plan(at.step)
        assert isinstance(plan.hold, Ask) and "rate limit is used up" in plan.hold.question.why


async def test_a_kept_password_that_was_changed_is_not_tried_for_ever(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.small.client(at.host)
        await at.small.small.world.secrets.put(password_secret("backend"), "another-password")
        with pytest.raises(CredentialError, match="kept password"):
            await at.bench.drive(at.step)
        assert at.panel.state.person is not None and at.panel.state.person.password == PASSWORD


async def test_undo_deletes_the_key_and_doing_it_again_makes_another(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.bench.drive(at.step)
        client = await panel(at.ctx, "backend")

        plan = await at.bench.undo(at.step)

        assert [change.key for change in plan.changes] == ["key.delete"]
        assert not at.panel.state.keys
        with pytest.raises(CredentialError, match="no longer accepts"):
            await client.get("settings.health")
        assert at.ctx.saved.load("panel", PanelRecord) is None
        turn = await at.bench.drive(at.step)
        assert turn.done, turn.story
        assert [change.key for change in turn.applied] == ["key"]
        assert at.standing("account") == 1


async def test_a_panel_that_anybody_could_take_fails_the_checks(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        checks = {check.name: check for check in await at.step.verify(at.ctx)}
        assert checks["sign_up"].state is CheckState.FAILED
        assert checks["key"].state is CheckState.FAILED
        assert checks["version"].state is CheckState.UNKNOWN


async def test_another_version_is_told(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        at.panel.state.version = "v0.31.0"
        turn = await at.bench.drive(at.step)
        told = next(check for check in turn.checks if check.name == "version")
        assert told.state is CheckState.WAIVED and "v0.31.0" in told.evidence.seen


NAMED = replace(
    CONFIG,
    servers=tuple(
        replace(server, panel_domain="panel.shop.example") if server.name == "backend" else server
        for server in CONFIG.servers
    ),
)


@dataclass
class Zone:
    """A provider and the zone's own servers in one: what is set is seen."""

    records: dict[str, tuple[str, ...]]

    async def apply(self, changes: Any) -> None:
        for change in changes.changes:
            self.records[change.name] = change.new.values

    async def revert(self, changes: Any) -> None:
        for change in changes.changes:
            self.records.pop(change.name)

    async def addresses(self, ctx: Any, name: str) -> tuple[str, ...]:
        return self.records.get(name, ())

    def lookup(self, name: str, kind: str) -> tuple[str, ...]:
        return self.records.get(name, ()) if kind == "A" else ()


def zone_of(at: Scene, monkeypatch: pytest.MonkeyPatch, **records: tuple[str, ...]) -> Zone:
    zone = Zone({name.replace("_", "."): values for name, values in records.items()})
    monkeypatch.setattr(dns01, "addresses", zone.addresses)
    world: Any = at.small.small.world
    world.dns_provider = zone
    at.small.stage.dns = zone
    trust = Path(at.bench.folder) / "root.pem"
    trust.write_text(at.small.stage.acme.root_pem)
    world.endpoints = replace(world.endpoints, trust=str(trust))
    return zone


async def test_a_panel_with_a_name_of_its_own_answers_there_over_a_trusted_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path, config=NAMED) as at:
        zone = zone_of(at, monkeypatch)
        at.host.state.ports[80] = at.host.state.ports[443] = at.host.state.ports[3000]

        turn = await at.bench.drive(at.step)

        assert turn.done, turn.story
        assert [change.key for change in turn.applied] == [
            "account",
            "key",
            "domain.record",
            "domain.assign",
        ]
        assert (await at.bench.plan(at.step)).empty
        await at.bench.undo(at.step)
        assert not zone.records and not at.panel.state.settings["host"]


async def test_a_name_that_leads_elsewhere_is_not_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path, config=NAMED) as at:
        zone_of(at, monkeypatch, panel_shop_example=("198.51.100.99",))
        plan = await at.bench.plan(at.step)
        assert isinstance(plan.hold, Failed) and "198.51.100.99" in plan.hold.why


async def test_a_zone_edited_by_hand_asks_for_the_record_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manual = replace(NAMED, dns=replace(NAMED.dns, provider=DnsProviderName.MANUAL))
    async with scene(tmp_path, config=manual) as at:
        zone_of(at, monkeypatch)
        plan = await at.bench.plan(at.step)
        assert isinstance(plan.hold, Ask) and server_record(at.ctx, "backend").ipv4 in plan.hold.question.text
        assert at.panel.state.person is None
