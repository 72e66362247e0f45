"""README and docs/ against the code: what they promise is there."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import typing
from importlib import import_module
from pathlib import Path

import pytest

from wizard import cli
from wizard.compose.finding import Rule, Severity
from wizard.config import Config
from wizard.errors import ExitCode

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = sorted((ROOT / "docs").glob("*.md"))


def tables() -> dict[str, type]:
    """Heading in docs/what-goes-into-config-toml.md -> dataclass."""
    found = {}
    for name, hint in typing.get_type_hints(Config).items():
        kinds = [kind for kind in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(kind)]
        if kinds:
            several = typing.get_origin(hint) is tuple
            found[f"[[{name}]]" if several else f"[{name}]"] = kinds[0]
    return found


@pytest.mark.parametrize("heading", tables())
def test_every_key_of_the_configuration_is_explained_with_its_default(heading: str) -> None:
    page = (ROOT / "docs" / "what-goes-into-config-toml.md").read_text()
    section = page.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (`[^|]*) \|([^|]*)\|", section, re.MULTILINE)
    told = {key: default for keys, default in rows for key in re.findall(r"`(\w+)`", keys)}
    fields = {field.name: field for field in dataclasses.fields(tables()[heading])}
    assert list(fields) and set(told) == set(fields)
    for name, field in fields.items():
        assert told[name].strip().strip("`") == default_of(field), name


def default_of(field: dataclasses.Field[object]) -> str:
    if field.default is dataclasses.MISSING:
        return ""
    value = field.default
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return {"env_extra": "{}"}.get(field.name, str(list(value)).replace("'", '"'))
    return f'"{value}"' if isinstance(value, str) else str(value)


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target


def test_every_page_is_reached_from_the_readme() -> None:
    reached = set(re.findall(r"docs/([\w-]+\.md)", README))
    assert reached == {page.name for page in PAGES}


def test_every_rule_of_the_compose_review_is_explained_once_under_its_severity() -> None:
    page = (ROOT / "docs" / "what-does-the-review-say.md").read_text()
    told = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    assert sorted(told) == sorted(rule.value for rule in Rule)
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == [severity.value for severity in Severity]


def test_readme_names_every_command_and_exit_code() -> None:
    for command in cli.COMMANDS:
        if command != cli.WIZARD:
            assert f"dokploy-wizard {command}" in README
    for code in ExitCode:
        assert f"| {code.value} |" in README


_SHOWN = re.compile(r"(?:^(?: {4}|.* && )?|`)(?:\.venv/bin/)?dokploy-wizard\b([^`\n]*)", re.MULTILINE)
_MEANT = {
    "PHASE": "apps",
    "STEP": "apps.web.deploy",
    "STEP|PHASE": "apps",
    "md|html|json": "md",
    "COMMAND": "plan",
}


def shown() -> list[str]:
    """Every command line in README and docs/, whole, with its optional parts."""
    found = [line for page in (ROOT / "README.md", *PAGES) for line in _SHOWN.findall(page.read_text())]
    commands = {
        re.split(r"  |#|(?<=]) (?=[a-z])", line)[0].strip() for line in found if not line.startswith("/")
    }
    return sorted(commands)


@pytest.mark.parametrize("line", shown())
def test_the_command_line_takes_every_command_that_is_shown(line: str) -> None:
    words = [_MEANT.get(word, word) for word in re.sub(r"[\[\]]", "", line).split()]
    call = cli.take_apart(words)
    parser = cli.parser_for(call)
    import_module(cli.module_of(call.command)).arguments(parser)
    parser.parse_args(call.rest)


def test_the_shown_commands_were_found() -> None:
    assert {"", "init", "undo cutover.flip", "rehearse --config config.toml"} <= set(shown())


def test_the_test_command_that_ci_runs_is_readmes() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"grep -m 1 -E '([^']+)' README\.md", script)
    assert pattern is not None
    found = subprocess.run(
        ["grep", "-E", pattern[1], str(ROOT / "README.md")], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(found) == 1 and found[0].endswith("python -m pytest")
