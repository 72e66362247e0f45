"""`allow-me`: a moved operator is let in again, nobody else is, and it says what it did."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.rehearsal.entered import Entered, entered
from wizard import configfile
from wizard.allow_me import allow_me, new_rules
from wizard.commands import allow_me as command
from wizard.commands.options import Options
from wizard.commands.place import Place, squeezed_in
from wizard.engine import journal
from wizard.engine.lock import locked
from wizard.engine.progress import load
from wizard.errors import ExitCode, UsageError, WizardError
from wizard.phases.provision import naming, rules

EXAMPLE = Path(configfile.__file__).with_name("example.toml")


class Addresses:
    """The command's words."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)


async def _call(
    there: Entered, folder: Path, patch: pytest.MonkeyPatch, *addresses: str, as_json: bool = True
) -> int:
    options = Options(None, folder / "progress.toml", as_json, True, False, False, False, None)

    @contextlib.asynccontextmanager
    async def squeezed_in(options: Options) -> AsyncIterator[Place]:
        yield Place(options, there.world.config, there.world, load(options.progress), None)

    patch.setattr(command, "squeezed_in", squeezed_in)
    return await command.run(options, Addresses(*addresses))  # type: ignore[arg-type]


async def _firewalls(there: Entered) -> None:
    config = there.world.config
    for server in config.servers:
        await there.world.hetzner.create_firewall(
            naming.firewall_name(config, server.name),
            (*rules.public_rules(), rules.panel_rule(("198.51.100.99/32",))),
            naming.labels(config, server.role),
        )


async def _let_in(there: Entered) -> list[str]:
    return [
        source
        for wall in await there.world.hetzner.firewalls()
        for rule in wall.rules
        if rule.port == str(rules.PANEL_PORT)
        for source in rule.sources
    ]


async def test_the_new_address_takes_the_old_one_s_place_on_every_firewall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with entered(tmp_path) as there:
        await _firewalls(there)
        assert await _call(there, tmp_path, monkeypatch, "203.0.113.7") == ExitCode.DONE
        assert await _let_in(there) == ["203.0.113.7/32"] * 2
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["changed"] for line in lines] == [True, True]
        assert await _call(there, tmp_path, monkeypatch, "203.0.113.7", as_json=False) == ExitCode.DONE
        assert capsys.readouterr().out.count("was let in already") == 2


@pytest.mark.parametrize("address", ["0.0.0.0/0", "::/0", "here"])
async def test_nobody_is_let_in_by_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    async with entered(tmp_path) as there:
        await _firewalls(there)
        with pytest.raises(UsageError) as refused:
            await _call(there, tmp_path, monkeypatch, address)
        assert refused.value.next and await _let_in(there) == ["198.51.100.99/32"] * 2


async def test_before_there_is_a_firewall_or_a_server_a_way_on_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with entered(tmp_path) as there:
        with pytest.raises(WizardError, match="no Cloud Firewall"):
            await _call(there, tmp_path, monkeypatch, "203.0.113.7")
        with pytest.raises(UsageError, match="address is not known") as unknown:
            await _call(there, tmp_path, monkeypatch)
        assert "allow-me ADDRESS" in unknown.value.next


async def test_a_wizard_that_works_is_no_reason_to_stay_locked_out(tmp_path: Path) -> None:
    options = Options(EXAMPLE, tmp_path / "progress.toml", False, True, False, False, False, None)
    with locked(options.progress):
        async with squeezed_in(options) as place:
            assert place.shared
    async with squeezed_in(options) as place:
        assert not place.shared


async def test_beside_a_working_wizard_only_whole_lines_are_added_to_its_journal(tmp_path: Path) -> None:
    async with entered(tmp_path) as there:
        await _firewalls(there)
        progress = load(tmp_path / "progress.toml")
        theirs = journal.Journal(progress.journal_path)
        theirs.write(0.0, journal.Entry.RUN, project="p")
        with progress.journal_path.open("a") as file:
            file.write('{"kind": "half of a line')
        size = progress.journal_path.stat().st_size

        await allow_me(there.world, there.world.config, progress, ("203.0.113.7",), shared=True)

        assert progress.journal_path.stat().st_size > size, "what the other was writing is not cut off"
        assert not progress.path.exists(), "the other one's file is not written"
        results = [line.get("result") for line in journal.read(progress.journal_path)]
        assert results.count("applied") == 2
        theirs.close()


def test_a_panel_s_port_that_was_closed_for_good_stays_closed() -> None:
    present = (*rules.public_rules(), rules.panel_rule(("198.51.100.99/32",)))
    assert rules.same(new_rules(present, ("203.0.113.7/32",), panel=False), rules.public_rules())
