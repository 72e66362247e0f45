"""config.toml: read whole, and wrong in every way at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wizard.config import AppKind, Config, DnsProviderName, EnvSource
from wizard.configfile import ConfigError, Mistake, example, example_text, load, loads
from wizard.configfile.edit import change, edited
from wizard.configfile.lines import line_numbers
from wizard.errors import ExitCode, UsageError

ROOT = Path(__file__).parent.parent
EXAMPLE = example_text()


def mistakes(text: str) -> tuple[Mistake, ...]:
    with pytest.raises(ConfigError) as caught:
        loads(text)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value.mistakes


def spoilt(*changes: tuple[str, str]) -> str:
    """The example with each first text replaced by the second; every one of them must be there."""
    text = EXAMPLE
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after, 1)
    return text


def line_with(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


class TestExample:
    def test_it_is_the_file_at_the_top_of_the_tree(self) -> None:
        assert (ROOT / "config.toml.example").read_text() == EXAMPLE

    def test_it_describes_the_project_of_the_migration_document(self) -> None:
        config = example()
        assert [server.role for server in config.servers] == ["frontend", "backend"]
        assert config.names == ("openmates.org", "www.openmates.org", "api.openmates.org")
        web, api = config.app("web"), config.app("api")
        assert (web.kind, web.dockerfile, web.context) == (
            AppKind.DOCKERFILE,
            "frontend/apps/web_app/Dockerfile",
            "/",
        )
        assert (api.kind, api.service, api.port, api.env_source) == (
            AppKind.COMPOSE,
            "api",
            8000,
            EnvSource.OLD_HOST,
        )
        assert config.dns.provider is DnsProviderName.HETZNER
        assert config.old_host is not None and config.old_host.address == "198.51.100.20"

    def test_the_development_host_can_be_uncommented(self) -> None:
        start = EXAMPLE.index("# [[servers]]")
        end = EXAMPLE.index("\n\n", start)
        block = re.sub(r"(?m)^# ", "", EXAMPLE[start:end])
        config = loads(EXAMPLE[:start] + block + EXAMPLE[end:])
        assert config.server("dev").optional

    def test_every_key_of_the_description_that_a_reader_needs_is_explained(self) -> None:
        for table in ("project", "network", "dns", "old_host", "cutover", "settle", "decommission"):
            assert f"\n[{table}]\n" in EXAMPLE
        for table in ("servers", "apps", "databases", "volumes", "vercel"):
            assert f"\n[[{table}]]\n" in EXAMPLE


# What is wrong, in which words of the file, what the operator is told, what is suggested.
SINGLE = {
    "unknown key": ('role = "backend"', 'rol = "backend"', "not a known key", 'Did you mean "role"'),
    "key of another table": (
        "quiet_seconds = 60",
        "quiet_seconds = 60\nttl = 60",
        "not a known key",
        "[dns]",
    ),
    "unknown table": ("[cutover]", "[cutovr]", "not a known key", 'Did you mean "cutover"'),
    "no jump host": (
        '# jump = "user@bastion.example.org"',
        'jump = "me@bastion:ssh"',
        "which is no jump host",
        "me@jump.example.org:22",
    ),
    "number in quotation marks": ("port = 8000", 'port = "8000"', "a whole number", "port = 8000"),
    "text instead of a list": ('["cx23", "cpx12", "cpx22", "cx33"]', '"cx23"', "a list", 'types = ["cx23"]'),
    "text instead of true": ("delete_project = true", 'delete_project = "yes"', "true or false", "= true"),
    "true instead of a number": ("max_changes = 20", "max_changes = true", "a whole number", "max_changes"),
    "number instead of text": ('branch = "main"', "branch = 1", "must be text", 'branch = "1"'),
    "date instead of text": ('branch = "main"', "branch = 2026-01-01", "must be text", 'branch = "…"'),
    "one table instead of several": ("[[vercel]]", "[vercel]", "list of tables", "[[vercel]]"),
    "missing key": ('zone = "openmates.org"\n', "\n", "is missing", "Add zone"),
    "empty text": ('name = "openmates"', 'name = ""', "is empty", "Fill it in"),
    "empty list": ('["api.openmates.org"]', "[]", "is empty", "domains ="),
    "not a choice": ('provider = "hetzner"', 'provider = "hetzer"', "cannot be", 'Did you mean "hetzner"'),
    "not a role": ('role = "frontend"', 'role = "fronted"', "cannot be", 'Did you mean "frontend"'),
    "unknown server": ('server = "backend"', 'server = "bakend"', "no such server", 'Did you mean "backend"'),
    "unknown app of a database": (
        'name = "cms"\napp = "api"',
        'name = "cms"\napp = "apy"',
        "no such app",
        "api",
    ),
    "volume named twice": ('"openmates-vault-setup-data"', '"openmates-vault-data"', "a second time", "line"),
    "domain named twice": ('"www.openmates.org"]', '"openmates.org"]', "a second time", "line"),
    "domain outside the zone": (
        '["api.openmates.org"]',
        '["api.example.com"]',
        "outside the zone",
        "openmates.org",
    ),
    "zone of nobody": (
        'zone = "openmates.org"',
        'zone = "openmate.org"',
        "none of the domains",
        "openmates.org",
    ),
    "address instead of a domain": (
        '["api.openmates.org"]',
        '["https://API.openmates.org/x"]',
        "no domain name",
        '"api.openmates.org"',
    ),
    "wildcard": ('["api.openmates.org"]', '["*.openmates.org"]', "wildcard", "Name each"),
    "both kinds of app": (
        'service = "api"',
        'dockerfile = "Dockerfile"\nservice = "api"',
        "cannot stand beside",
        "out",
    ),
    "app of no kind": (
        'dockerfile = "frontend/apps/web_app/Dockerfile"',
        "",
        "is missing for an app",
        "Add dockerfile",
    ),
    "compose without a service": ('service = "api"   ', "", "is missing", "Name the service"),
    "retired type": ('"cx43"', '"cx42"', "no longer sold", '"cx43"'),
    "type that never was": ('"cx43"', '"CX43"', "no server type", '"cx43"'),
    "city instead of a location": ('"nbg1"]         #', '"Nuremberg"]  #', "no location", '"nbg1"'),
    "location in another zone": ('"nbg1"]         #', '"ash"]  #', "us-east", "one zone"),
    "ttl below the provider's": (
        "cutover_ttl = 60",
        "cutover_ttl = 30",
        "below what hetzner",
        "cutover_ttl = 60",
    ),
    "ttl too long for the move": ("cutover_ttl = 60", "cutover_ttl = 7200", "way back", "1 to 3600"),
    "ttl the wrong way round": ("\nttl = 3600", "\nttl = 60\n#", None, None),
    "range in the swarm's pool": ('"172.31.0.0/16"', '"10.0.0.0/16"', "10.0.0.0/8", "172.31.0.0/16"),
    "range that is the pool": ('"172.31.0.0/16"', '"172.30.0.0/16"', "swarm_pool", "172.31.0.0/16"),
    "range of Docker's bridge": ('"172.31.0.0/16"', '"172.17.0.0/16"', "bridge", "172.31.0.0/16"),
    "range that names a host": ('"172.31.0.0/16"', '"172.31.0.5/16"', "names a host", "172.31.0.0/16"),
    "public range": ('"172.31.0.0/16"', '"8.8.0.0/16"', "not private", "172.16.0.0/12"),
    "soak too short": ("soak_days = 7", "soak_days = 0.1", "too short to be safe", "1 to 90"),
    "soak that is no number": ("soak_days = 7", "soak_days = nan", "too short", "1 to 90"),
    "rfc2136 without a server": (
        '"hetzner"             ',
        '"rfc2136"\nkey_name = "k"  #',
        "is missing",
        "rfc2136 needs",
    ),
    "server that nobody reads": (
        "ttl = 3600",
        'server = "192.0.2.1"\nttl = 3600',
        "means nothing",
        "rfc2136",
    ),
    "file without a name": ('"old-host"', '"file"', "is missing", "env_file"),
    "secret host in front": (
        "secrets_on_host = false",
        "secrets_on_host = true",
        "must hold no secret",
        "= false",
    ),
    "cache without a name": ('cache_service = "cache"', "", "no cache is named", "cache_service"),
    "secret in the file": (
        "port = 8000",
        'env_extra = { A = "ghp_' + "a" * 36 + '" }\nport = 8000',
        "looks like a secret",
        "environment",
    ),
    "password in the file": (
        "port = 8000",
        'env_extra = { DB_PASSWORD = "hunter2" }\nport = 8000',
        "looks like a secret",
        "environment",
    ),
    "host without a purpose": (
        "[network]",
        '[[servers]]\nname = "spare"\nrole = "backend"\ntypes = ["cx23"]\nlocations = ["fsn1"]\n[network]',
        "no app runs there",
        "optional",
    ),
    "panel without a door": ("backups = true", "close_panel_port = true", "without a door", "panel_domain"),
    "too few changes for the names": ("max_changes = 20", "max_changes = 3", "up to 6", "max_changes = 20"),
    "bucket without a store": ('backup_endpoint = "https', '#"', "is missing", "store"),
    "schedule that is none": ('"0 3 * * *"', '"daily"', "no schedule", "Five fields"),
    "repository by its address": (
        '"glowingkitty/OpenMates"',
        '"https://github.com/glowingkitty/OpenMates.git"',
        "no repository",
        '"glowingkitty/OpenMates"',
    ),
    "path out of the repository": (
        '"frontend/apps/web_app/Dockerfile"',
        '"../Dockerfile"',
        "leaves",
        '"Dockerfile"',
    ),
    "port out of range": ("port = 8000", "port = 80000", "no port", "1 to 65535"),
    "address that is none": ('"198.51.100.20"', '"198.51.100.2000"', "no address", "198.51.100.20"),
    "old host that is missing": ("[old_host]", "[[old_host]]", "must be a table", "[old_host]"),
    "quotation mark left open": (
        'name = "openmates-web"',
        'name = "openmates-web',
        "is no TOML",
        "quotation",
    ),
    "yes": ("watch_public = true", "watch_public = yes", "is no TOML", "true and false"),
    "key twice": ("enabled = true", "enabled = true\nenabled = false", "is no TOML", "keep one"),
    "table twice": ("[cutover]", "[settle]\n[cutover]", "is no TOML", "keep one"),
}


@pytest.mark.parametrize("kind", SINGLE)
def test_a_mistake_is_found_where_it_is_with_a_suggestion(kind: str) -> None:
    before, after, what, suggestion = SINGLE[kind]
    if what is None:
        loads(spoilt((before, after)))
        return
    text = spoilt((before, after))
    found = mistakes(text)
    assert len(found) == 1, [str(mistake) for mistake in found]
    assert what in found[0].what and str(suggestion) in found[0].suggestion, str(found[0])
    assert found[0].line > 0


def test_the_line_is_that_of_the_key() -> None:
    text = spoilt(("port = 8000", 'port = "8000"'), ('"cpx42"', '"cx42"'))
    assert [mistake.line for mistake in mistakes(text)] == [
        line_with(text, '"cx42"'),
        line_with(text, '"8000"'),
    ]


def test_ten_kinds_of_mistake_are_told_at_once() -> None:
    kinds = (
        "unknown key",
        "number in quotation marks",
        "text instead of true",
        "unknown server",
        "retired type",
        "range in the swarm's pool",
        "soak too short",
        "wildcard",
        "yes",
        "ttl below the provider's",
        "quotation mark left open",
    )
    text = spoilt(*(SINGLE[kind][:2] for kind in kinds))
    found = mistakes(text)
    for kind in kinds:
        what = SINGLE[kind][2]
        assert any(what in mistake.what for mistake in found), kind
    assert [mistake.line for mistake in found] == sorted(mistake.line for mistake in found)
    assert all(mistake.suggestion and mistake.line for mistake in found)
    assert len(found) == len(kinds)


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path / "config.toml")
    assert "init" in caught.value.next and caught.value.exit_code is ExitCode.USAGE


def test_a_file_that_is_no_text_is_explained(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        load(tmp_path / "config.toml")


def test_a_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["", "# nothing\n", "\ufeff", "[", "a = " + "[" * 5000])
def test_an_empty_or_absurd_file_is_explained(text: str) -> None:
    assert mistakes(text)


def test_windows_line_ends_and_a_byte_order_mark_do_not_matter() -> None:
    assert loads("\ufeff" + EXAMPLE.replace("\n", "\r\n")).apps == example().apps


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(EXAMPLE)), st.integers(0, 40), st.text(alphabet="[]{}=\"'#.,\n a1-\\", max_size=6))
def test_no_damage_ends_in_anything_but_a_list_of_mistakes(start: int, length: int, inserted: str) -> None:
    text = EXAMPLE[:start] + inserted + EXAMPLE[start + length :]
    try:
        config = loads(text)
    except ConfigError as error:
        last = text.count("\n") + 1
        assert all(0 <= mistake.line <= last for mistake in error.mistakes)
    else:
        assert isinstance(config, Config)


def test_every_key_has_its_line() -> None:
    text = (
        '\na.b = 1\n"q x" = [\n  1, # one\n  { z = """\n\n""" },\n]\n'
        "[t]\nk = 'x'\n[[l]]\n[l.m]\nn = {o = 1}\n[[l]]\np = 2\n"
    )
    assert line_numbers(text) == {
        ("a",): 2,
        ("a", "b"): 2,
        ("q x",): 3,
        ("q x", 0): 4,
        ("q x", 1): 5,
        ("q x", 1, "z"): 5,
        ("t",): 9,
        ("t", "k"): 10,
        ("l",): 11,
        ("l", 0): 11,
        ("l", 0, "m"): 12,
        ("l", 0, "m", "n"): 13,
        ("l", 0, "m", "n", "o"): 13,
        ("l", 1): 14,
        ("l", 1, "p"): 15,
    }


class TestEdit:
    def test_comments_and_order_survive(self) -> None:
        after = edited(EXAMPLE, {("dns", "cutover_ttl"): 120, ("servers", 1, "name"): "back"})
        changed = [
            (old, new)
            for old, new in zip(EXAMPLE.splitlines(), after.splitlines(), strict=True)
            if old != new
        ]
        assert [new.split("#")[0].strip() for _, new in changed] == ['name = "back"', "cutover_ttl = 120"]
        assert all(old.partition("#")[2] == new.partition("#")[2] for old, new in changed)

    def test_the_file_before_is_kept(self, tmp_path: Path) -> None:
        file = tmp_path / "config.toml"
        file.write_text(EXAMPLE)
        change(file, {("dns", "cutover_ttl"): 120})
        assert load(file).dns.cutover_ttl == 120
        assert (tmp_path / "config.toml.bak").read_text() == EXAMPLE
