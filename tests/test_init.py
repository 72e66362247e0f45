"""`init`: finds what there is, changes nothing, asks only what it can't know, writes a file that loads."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.phases.context import Bench
from tests.rehearsal.entered import Entered, entered
from tests.rehearsal.whole import Rehearsal
from wizard import cli, configfile
from wizard.commands import init as command
from wizard.config import Config, OldHost
from wizard.engine.plan import Question
from wizard.errors import ExitCode, UsageError, WizardError
from wizard.init.describe import Described
from wizard.init.found import FoundSite, Notes, Wishes
from wizard.init.host import sites
from wizard.init.interview import interview
from wizard.init.write import Row, Table, text
from wizard.phases.prepare.credentials import CredentialsStep
from wizard.phases.prepare.git import GitStep

EXAMPLE = configfile.example()
SAME = (
    *("kind", "repository", "branch", "domains", "port", "service", "dockerfile", "context"),
    *("compose_file", "health", "build_args", "env_source", "allowed_origins", "cache_service"),
    *("secrets_on_host", "server"),
)


@dataclass
class Script:
    """An operator who knows some answers, and takes the default of every other question."""

    answers: Mapping[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def ask(self, question: Question) -> str:
        self.asked.append(question.id)
        return self.answers.get(question.id, question.default)


@dataclass
class Interviewed:
    found: Described
    config: Config
    text: str
    notes: list[str]


async def _interview(
    there: Entered, wishes: Wishes | None = None, script: Script | None = None
) -> Interviewed:
    notes = Notes()
    wishes = wishes or Wishes(old_host=EXAMPLE.old_host)
    found = await interview(there.world, wishes, script or Script(), notes)
    written = command._text(found)
    return Interviewed(found, configfile.loads(written), written, notes.lines)


async def test_the_whole_of_the_rehearsal_s_world_is_found(tmp_path: Path) -> None:
    async with entered(tmp_path) as there:
        made = await _interview(there)
        assert made.config.names == EXAMPLE.names
        for app, wanted in zip(made.config.apps, EXAMPLE.apps, strict=True):
            for key in SAME:
                assert getattr(app, key) == getattr(wanted, key), key
        assert {volume.name: set(volume.services) for volume in made.config.volumes} == {
            volume.name: set(volume.services) for volume in EXAMPLE.volumes
        }
        database = made.config.databases[0]
        assert replace(database, name="cms") == EXAMPLE.databases[0]
        assert made.config.old_host == EXAMPLE.old_host
        assert made.config.vercel == EXAMPLE.vercel
        assert made.config.dns == EXAMPLE.dns
        assert [server.role for server in made.config.servers] == ["frontend", "backend"]


async def test_looking_changes_nothing_and_no_secret_is_written(tmp_path: Path) -> None:
    async with entered(tmp_path) as there:
        made = await _interview(there)
        assert there.made == ()
        assert {sent.partition(" ")[0] for sent in there.stage.vercel.state.counts} == {"GET"}
        boxes = there.stage.hosts.state.hosts["old-backend"].docker.containers.values()
        values = {
            value
            for box in boxes
            for name, value in box.env.items()
            if "PASSWORD" in name or "SECRET" in name
        }
        assert values and not any(value in made.text for value in values)


async def test_what_was_written_passes_the_checks(tmp_path: Path) -> None:
    async with entered(tmp_path) as there:
        there.world.config = (await _interview(there)).config
        bench = Bench(there.world, tmp_path)
        for step in (CredentialsStep(there.world.config), GitStep(there.world.config)):
            turn = await bench.drive(step)
            assert turn.done, turn.story


async def test_only_what_cannot_be_known_is_asked(tmp_path: Path) -> None:
    async with entered(tmp_path) as there:
        told = {"init.last_invoice": "31.40 USD", "init.old_host_monthly": "eighteen"}
        script = Script({"init.email": "me@openmates.org", "init.name": "Open Mates", **told})
        made = await _interview(there, script=script)
        sums = ["init.last_invoice", "init.old_host_monthly"]
        assert set(script.asked) == {"init.email", "init.name", "init.compose_file", *sums}
        leaving = made.config.decommission
        assert (leaving.last_invoice, leaving.old_host_monthly) == ("31.40 USD", "")
        assert any("eighteen is no amount" in line for line in made.notes)
        assert made.config.project.email == "me@openmates.org"
        silent = Script()
        wishes = Wishes("mates", "me@openmates.org", old_host=EXAMPLE.old_host)
        made = await _interview(there, wishes, silent)
        assert silent.asked == ["init.compose_file", *sums] and made.config.project.name == "mates"


async def test_the_operator_s_choice_of_a_file_is_taken(tmp_path: Path) -> None:
    async with entered(tmp_path) as there:
        other = "backend/core/docker-compose.yml"
        made = await _interview(there, script=Script({"init.compose_file": other}))
        assert made.config.app("api").compose_file == other


async def test_an_old_host_that_does_not_let_us_in_is_said_and_left_out(tmp_path: Path) -> None:
    async with entered(tmp_path) as there:
        await there.secrets.drop("OLD_HOST_SSH_KEY")
        made = await _interview(there)
        assert any("old host could not be looked at" in note for note in made.notes)
        assert [app.name for app in made.config.apps] == ["web"]
        assert [server.role for server in made.config.servers] == ["frontend"]
        assert made.config.old_host is None and not made.config.decommission.stop_old_host


async def test_without_vercel_the_stack_alone_is_described(tmp_path: Path) -> None:
    async with entered(tmp_path) as there:
        await there.secrets.drop("VERCEL_TOKEN")
        repository = EXAMPLE.apps[1].repository
        made = await _interview(there, Wishes(repository=repository, old_host=EXAMPLE.old_host))
        assert any("Vercel could not be asked" in note for note in made.notes)
        assert [app.name for app in made.config.apps] == ["api"] and made.config.vercel == ()


async def test_without_hetzner_it_writes_all_the_same(tmp_path: Path) -> None:
    async with entered(tmp_path) as there:
        await there.secrets.drop("HCLOUD_TOKEN")
        made = await _interview(there)
        assert made.config.dns.provider.value == "manual" and made.config.dns.cutover_ttl == 300
        assert any("name its provider" in note for note in made.notes)


async def test_with_nothing_to_look_at_there_is_a_sentence_with_a_way_on(tmp_path: Path) -> None:
    async with entered(tmp_path) as there:
        await there.secrets.drop("VERCEL_TOKEN")
        with pytest.raises(WizardError, match="Nothing was found") as refused:
            await _interview(there, Wishes())
        assert "VERCEL_TOKEN" in refused.value.next and "--old-host" in refused.value.next


CADDYFILE = """\
{
    email me@example.org
}
# api.gone.example { reverse_proxy gone:1 }
api.shop.example, https://www.shop.example {
    encode gzip
    handle /ws/* {
        reverse_proxy api:8000
    }
    reverse_proxy other:9
}
:80 {
    reverse_proxy local:80
}
files.shop.example {
    file_server
}
mail.shop.example {
    reverse_proxy http://mail:8080 {
        header_up Host {host}
    }
}
"""


def test_names_of_a_web_server_lead_to_their_services() -> None:
    assert list(sites(CADDYFILE)) == [
        FoundSite("api.shop.example", "api", 8000),
        FoundSite("www.shop.example", "api", 8000),
        FoundSite("mail.shop.example", "mail", 8080),
    ]


@given(st.text(max_size=300))
def test_any_file_of_a_web_server_is_read_without_a_crash(found: str) -> None:
    list(sites(found))


@pytest.mark.parametrize(
    ("words", "login"),
    [
        ("198.51.100.20", OldHost("198.51.100.20")),
        ("me@host.example:2222", OldHost("host.example", "me", 2222)),
        ("[2001:db8::1]:22", OldHost("2001:db8::1")),
    ],
)
def test_a_login_is_written_as_everywhere(words: str, login: OldHost) -> None:
    assert command.login(words) == login


@pytest.mark.parametrize("words", ["", "a b", "root@", "host:port"])
def test_what_is_no_login_is_said(words: str) -> None:
    with pytest.raises(UsageError, match="is no login"):
        command.login(words)


@given(st.text(), st.lists(st.text(), max_size=4), st.integers(-(2**53), 2**53), st.booleans())
def test_any_value_comes_back_as_it_was_written(
    word: str, several: list[str], number: int, yes: bool
) -> None:
    rows = (
        Row("word", word, "a remark"),
        Row("several", tuple(several)),
        Row("number", number),
        Row("yes", yes, off=True),
    )
    read: dict[str, Any] = tomllib.loads(text(("# first",), [Table("[table]", rows, ("above",), "Title")]))
    assert read == {"table": {"word": word, "several": several, "number": number}}


def test_a_file_that_is_there_is_not_replaced_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOKPLOY_WIZARD_SECRETS", str(tmp_path / "secrets.json"))
    (tmp_path / "config.toml").write_text("# mine\n")
    assert cli.main(["init", "--yes"]) == ExitCode.USAGE
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "config.toml").read_text() == "# mine\n"


async def test_only_a_yes_lets_a_file_be_replaced(tmp_path: Path) -> None:
    for answer in ("", "no", "n", "maybe"):
        with pytest.raises(UsageError, match="already"):
            await command._refuse_unasked(tmp_path, Script({"init.replace": answer}))
    await command._refuse_unasked(tmp_path, Script({"init.replace": "Y"}))


@pytest.mark.slow
def test_the_command_writes_beside_the_rehearsal_and_keeps_what_it_replaces(tmp_path: Path) -> None:
    rehearsal = Rehearsal(tmp_path)
    try:
        first = rehearsal.run("init", "--yes", "--json")
        assert first.code == ExitCode.DONE, first.errors
        target = tmp_path / "config.toml"
        assert first.lines[-1]["file"] == str(target)
        assert configfile.load(target).names == EXAMPLE.names
        assert target.read_text().count("#") > 40
        target.write_text(target.read_text() + "\n# mine\n")
        assert rehearsal.run("init", "--yes").code == ExitCode.USAGE
        assert rehearsal.run("init", "--yes", "--force").code == ExitCode.DONE
        assert target.with_name("config.toml.bak").read_text().endswith("# mine\n")
    finally:
        rehearsal.end()
