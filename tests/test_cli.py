"""The command line: words, options in any place, errors as sentences, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wizard import cli
from wizard.cli import Call, take_apart
from wizard.commands.options import options_from
from wizard.configfile import example_text
from wizard.errors import ExitCode

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ([], Call("", (), False)),
        (["run"], Call("run", (), False)),
        (["run", "--yes", "--json"], Call("run", ("--yes", "--json"), False)),
        (["--json", "run", "--yes"], Call("run", ("--json", "--yes"), False)),
        (["--config", "run", "plan"], Call("plan", ("--config", "run"), False)),
        (["rehearse"], Call("", (), True)),
        (["rehearse", "--seed", "3"], Call("", ("--seed", "3"), True)),
        (["rehearse", "--seed", "3", "run", "--yes"], Call("run", ("--seed", "3", "--yes"), True)),
        (["rehearse", "run", "--yes", "--seed", "3"], Call("run", ("--yes", "--seed", "3"), True)),
        (
            ["--progress", "p", "rehearse", "undo", "cutover"],
            Call("undo", ("--progress", "p", "cutover"), True),
        ),
        (["undo", "rehearse"], Call("undo", ("rehearse",), False)),
        (["--help"], Call("", ("--help",), False)),
    ],
)
def test_words_are_taken_apart(words: list[str], call: Call) -> None:
    assert take_apart(words) == call


def test_a_rehearsal_keeps_its_files_apart() -> None:
    call = take_apart(["rehearse", "run"])
    arguments = cli.parser_for(call).parse_args(call.rest)
    assert options_from(arguments, rehearsal=True).progress == Path("rehearsal/progress.toml")
    assert options_from(arguments, rehearsal=False).progress == Path("progress.toml")


def test_colour_is_left_out_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    parser = cli.parser_for(Call("plan", (), False))
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert options_from(parser.parse_args([]), rehearsal=False).color
    for words in (["--no-color"], ["--plain"], ["--json"]):
        assert not options_from(parser.parse_args(words), rehearsal=False).color
    monkeypatch.setenv("NO_COLOR", "1")
    assert not options_from(parser.parse_args([]), rehearsal=False).color


@pytest.mark.parametrize("command", [name for name in cli.COMMANDS if name != cli.WIZARD])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    assert "--progress" in capsys.readouterr().out


def test_help_lists_every_command_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(command in shown for command in cli.COMMANDS)
    assert all(str(code.value) in shown for code in ExitCode)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pln"], "Did you mean `plan`?"),
        (["plan", "--jsn"], "--jsn"),
        (["run", "--until", "nonsense"], "--until"),
        (["rehearse", "run", "--seed", "x"], "--seed"),
        (["rehearse", "run", "--speed", "0"], "--speed"),
        (["report", "--format", "pdf"], "--format"),
        (["plan"], "There is no config.toml"),
        (["status", "--config", "none.toml"], "none.toml"),
        (["compose", "none.yml"], "none.yml"),
    ],
)
def test_bad_usage_is_explained(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == ExitCode.USAGE
    shown = capsys.readouterr()
    assert said in shown.err and " · " in shown.err
    assert "Traceback" not in shown.err + shown.out and shown.out == ""


def test_every_mistake_of_a_configuration_is_told_without_a_traceback(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = example_text().replace("port = 8000", 'port = "8000"').replace('"cx43"', '"cx42"')
    (elsewhere / "config.toml").write_text(text)
    assert cli.main(["plan"]) == ExitCode.USAGE
    shown = capsys.readouterr().err
    assert "2 mistakes" in shown and "cx43" in shown and "port = 8000" in shown
    assert "Traceback" not in shown
    assert not (elsewhere / "progress.toml").exists()


def test_a_fault_of_ours_is_a_sentence_and_a_traceback_only_with_debug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(argv: object) -> int:
        raise ValueError("some detail")

    monkeypatch.setattr(cli, "dispatch", broken)
    assert cli.main(["plan"]) == ExitCode.FAILED
    assert "Traceback" not in (shown := capsys.readouterr().err) and "some detail" in shown
    assert cli.main(["plan", "--debug"]) == ExitCode.FAILED
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_ends_with_its_own_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(argv: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "dispatch", interrupted)
    assert cli.main(["run"]) == ExitCode.INTERRUPTED
    assert "Interrupted" in capsys.readouterr().err


def test_a_compose_file_is_reviewed_and_rewritten(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = elsewhere / "docker-compose.yml"
    file.write_text("services:\n  web:\n    image: nginx:1.27\n    ports: ['80:80']\n")
    assert cli.main(["compose", str(file), "--json", "--write", "out.yml"]) == ExitCode.DONE
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"service", "line", "severity", "rule", "why", "edit"} <= lines[0].keys()
    assert lines[-1]["event"] == "summary" and lines[-1]["written"] == "out.yml"
    assert "80:80" not in (elsewhere / "out.yml").read_text()
    assert "80:80" in file.read_text()


def test_the_file_under_review_is_never_overwritten(elsewhere: Path) -> None:
    file = elsewhere / "docker-compose.yml"
    file.write_text("services:\n  web:\n    image: nginx:1.27\n")
    assert cli.main(["compose", str(file), "--write", str(file)]) == ExitCode.USAGE


def test_a_reader_that_went_away_is_no_error(elsewhere: Path) -> None:
    services = "".join(f"  s{n}:\n    image: nginx\n    ports: ['{n}:80']\n" for n in range(1, 400))
    (elsewhere / "docker-compose.yml").write_text(f"services:\n{services}")
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        [sys.executable, "-m", "wizard.cli", "compose", "docker-compose.yml"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=150,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(writing)
    assert result.stderr == "" and result.returncode in (0, 128 + signal.SIGPIPE)
