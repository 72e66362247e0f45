"""`check` and `run` in trouble: a clear sentence, a way on, the right exit code, and nothing changed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.entered import Entered, entered
from wizard import phases
from wizard.commands import check as check_command
from wizard.commands import run as run_command
from wizard.commands.options import Options
from wizard.commands.place import Place
from wizard.engine.progress import load
from wizard.errors import ExitCode
from wizard.phases.prepare import steps as prepare

COMMANDS = {"check": check_command, "run": run_command}


@dataclass(frozen=True)
class Said:
    code: int
    lines: tuple[dict[str, Any], ...]
    errors: str

    @property
    def text(self) -> str:
        return json.dumps(self.lines, ensure_ascii=False) + self.errors


async def _said(
    there: Entered, folder: Path, name: str, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Said:
    """One command over the first phase of the migration, as a program reads it."""
    command: Any = COMMANDS[name]
    options = Options(None, folder / "progress.toml", True, True, True, False, False, None)

    @contextlib.asynccontextmanager
    async def opened(options: Options) -> AsyncIterator[Place]:
        yield Place(options, there.world.config, there.world, load(options.progress), None)

    patch.setattr(command, "opened", opened)
    patch.setattr(phases, "steps", prepare.steps)
    words = type("Words", (), {"until": "prepare"})()
    code = await command.run(options, words)
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err + shown.out
    return Said(code, tuple(json.loads(line) for line in shown.out.splitlines()), shown.err)


async def _no_network(there: Entered) -> None:
    dead = "http://127.0.0.1:9"
    there.world.endpoints = replace(
        there.world.endpoints, hetzner=f"{dead}/v1", vercel=dead, github=dead, gitlab=dead
    )
    there.stage.internet.detach("198.51.100.20")


async def _no_tokens(there: Entered) -> None:
    for name in ("HCLOUD_TOKEN", "VERCEL_TOKEN", "GITHUB_TOKEN"):
        await there.secrets.drop(name)


async def _as_it_is(there: Entered) -> None:
    """The fault profile is the trouble."""


TROUBLES = {
    "no network": (_no_network, "none", ("does not answer",), "Check the network"),
    "no tokens": (
        _no_tokens,
        "none",
        ("There is no Hetzner token", "no Vercel token", "There is no GitHub token"),
        "HCLOUD_TOKEN",
    ),
    "read-only Hetzner token": (_as_it_is, "read-only-token", ("may only read",), "Read & Write"),
    "wrong Vercel team": (_as_it_is, "wrong-team", ("not good for team",), "scope"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_trouble_is_a_sentence_with_a_way_on_and_nothing_is_changed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    trouble: str,
) -> None:
    make, faults, sentences, way = TROUBLES[trouble]
    async with entered(tmp_path, faults=faults) as there:
        await make(there)
        said = await _said(there, tmp_path, command, monkeypatch, capsys)
        assert said.code == ExitCode.FAILED
        for sentence in sentences:
            assert sentence in said.text
        assert way in said.text
        assert there.made == ()
        assert {sent.partition(" ")[0] for sent in there.stage.vercel.state.counts} <= {"GET"}
        kept = json.loads((tmp_path / "world" / "secrets.json").read_text())
        assert not any(len(value) > 8 and value in said.text for value in kept.values())


@pytest.mark.parametrize("command", COMMANDS)
async def test_without_trouble_they_end_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    async with entered(tmp_path) as there:
        said = await _said(there, tmp_path, command, monkeypatch, capsys)
        assert said.code == ExitCode.DONE, said.text[-3000:]
        assert there.made == ()
