"""`compose FILE`: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wizard import cli
from wizard.errors import ExitCode

TEXT = """\
services:
  web:
    image: nginx
    container_name: web
    restart: always
    ports:
      - "8080:80"
    environment:
      DB_PASSWORD: hunter2
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "docker-compose.yml"
    path.write_text(TEXT)
    return path


def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_findings_are_objects_with_edit_and_undo(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compose", str(file), "--json"]) == ExitCode.DONE
    *findings, summary = lines(capsys.readouterr().out)
    for finding in findings:
        assert finding["event"] == "finding"
        assert {"service", "line", "severity", "rule", "why", "edit", "undo"} <= finding.keys()
        assert bool(finding["edit"]) == bool(finding["undo"])
    port = next(finding for finding in findings if finding["rule"] == "published-port")
    assert (port["service"], port["line"], port["severity"]) == ("web", 7, "exposure")
    edit, undo = port["edit"][0], port["undo"][0]
    after = TEXT[: edit["start"]] + edit["after"] + TEXT[edit["end"] :]
    assert after[: undo["start"]] + undo["after"] + after[undo["end"] :] == TEXT
    assert summary["event"] == "summary"
    assert summary["findings"] == len(findings)
    assert summary["sets"] == ["DB_PASSWORD"]


@pytest.mark.parametrize("options", [[], ["--json"], ["--diff"], ["--write", "OUT"]])
def test_no_secret_of_the_file_is_printed(
    file: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = [str(file.parent / "out.yml") if option == "OUT" else option for option in options]
    assert cli.main(["compose", str(file), *out]) == ExitCode.DONE
    assert "hunter2" not in capsys.readouterr().out


def test_what_was_accepted_is_written_and_the_rest_is_named(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = file.parent / "production.yml"
    assert cli.main(["compose", str(file), "--write", str(out), "--decline", "container-name"]) == 0
    assert out.read_text() == (
        "services:\n  web:\n    image: nginx\n    container_name: web\n    restart: always\n"
        "    environment:\n      DB_PASSWORD: ${DB_PASSWORD}\n"
    )
    assert file.read_text() == TEXT
    printed = capsys.readouterr().out
    assert "declined: container-name:web:4" in printed
    assert "set in the panel's environment, from the old file: DB_PASSWORD" in printed


def test_only_what_is_accepted_changes(file: Path) -> None:
    out = file.parent / "production.yml"
    assert cli.main(["compose", str(file), "--write", str(out), "--accept", "container-name:web:4"]) == 0
    assert out.read_text() == TEXT.replace("    container_name: web\n", "")


def test_the_file_under_review_is_never_overwritten(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = file.parent / "link.yml"
    link.symlink_to(file)
    for out in (file, link):
        assert cli.main(["compose", str(file), "--write", str(out)]) == ExitCode.USAGE
    assert file.read_text() == TEXT
    answer = capsys.readouterr()
    assert answer.out == ""
    assert "is the file under review" in answer.err


def test_an_unknown_finding_is_refused_and_nothing_is_written(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = file.parent / "production.yml"
    assert cli.main(["compose", str(file), "--write", str(out), "--decline", "nothing:x:1"]) == ExitCode.USAGE
    assert not out.exists()
    assert "There is no finding nothing:x:1" in capsys.readouterr().err


@pytest.mark.parametrize("content, says", [
    (b"", "empty"),
    (b"\xff\xfes\x00", "not a text file in UTF-8"),
    (b"services:\n\tx: 1\n", "Line 2"),
    (b"hello", "not a compose file"),
    (b"# " + b"x" * 20_000_000, "larger than a compose file can be"),
])  # fmt: skip
def test_what_is_no_compose_file_is_a_sentence_and_exit_2(
    tmp_path: Path, content: bytes, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "compose.yml"
    path.write_bytes(content)
    assert cli.main(["compose", str(path)]) == ExitCode.USAGE
    answer = capsys.readouterr()
    assert says in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("path", ["gone.yml", "."])
def test_a_file_that_is_not_there_is_a_sentence(
    tmp_path: Path, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compose", str(tmp_path / path)]) == ExitCode.USAGE
    assert "cannot be read" in capsys.readouterr().err


def test_an_out_that_cannot_be_written_is_a_sentence(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = file / "under" / "a" / "file.yml"
    assert cli.main(["compose", str(file), "--write", str(out)]) == ExitCode.USAGE
    assert "cannot be written" in capsys.readouterr().err


def test_the_review_reads_well_at_80_columns(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compose", str(file), "--diff"]) == ExitCode.DONE
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert "EXPOSURE  published-port  [edit]\n  line 7     web: 8080:80\n" in printed
    assert "-    container_name: web\n" in printed


def test_what_stands_beside_the_file_is_looked_at(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file.parent / "docker-compose.override.yml").write_text("services: {}\n")
    (file.parent / "Dockerfile").write_text("FROM x\nCOPY src /app/src\n")
    file.write_text("services:\n  web:\n    build: .\n    volumes: ['./src:/app/src', './lib:/app/lib']\n")
    assert cli.main(["compose", str(file), "--json"]) == ExitCode.DONE
    rules = {finding["rule"]: finding.get("what") for finding in lines(capsys.readouterr().out)[:-1]}
    assert rules["override-file"] == "docker-compose.override.yml"
    assert rules["code-mount"] == "./src:/app/src"
    assert rules["code-only-by-mount"] == "./lib:/app/lib"
