"""Killed at any instant, started again: nothing twice, nothing forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.outside import Before, Bench, Make
from wizard.engine import journal, progress
from wizard.engine.events import StepState
from wizard.engine.lock import locked
from wizard.engine.run import Result
from wizard.errors import LockedError, UsageError


class Killed(BaseException):
    """The process dies here: nothing after it runs, not even the engine's own handlers."""


def steps(bench: Bench) -> list[Make]:
    return [
        Make(bench.outside, "prepare.look", ["inventory"]),
        Make(bench.outside, "provision.a.server", ["a", "a-address"]),
        Make(bench.outside, "provision.b.server", ["b"]),
        Make(bench.outside, "cutover.flip", ["record"], hold_until=bench.clock.now() + 500),
    ]


def dying_write(last: int) -> Callable[..., None]:
    """The journal's `write`, which kills the process after line number `last`."""
    written = 0
    original = journal.Journal.write

    def write(self: journal.Journal, at: float, kind: journal.Entry, **fields: Any) -> None:
        nonlocal written
        original(self, at, kind, **fields)
        written += 1
        if written == last:
            raise Killed

    return write


async def whole_run(folder: Path) -> Bench:
    bench = Bench(folder)
    assert await bench.engine(steps(bench)).run() is Result.DONE
    return bench


@pytest.mark.parametrize("torn", [False, True])
async def test_a_kill_after_every_journal_line_ends_in_the_same_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: bool
) -> None:
    reference = await whole_run(tmp_path / "reference")
    lines = len((tmp_path / "reference" / "journal.jsonl").read_text().splitlines())
    assert lines > 20
    for kill_at in range(1, lines):
        bench = Bench(tmp_path / f"{torn}-{kill_at}")
        with monkeypatch.context() as patch:
            patch.setattr(journal.Journal, "write", dying_write(kill_at))
            with pytest.raises((Killed, BaseExceptionGroup)):
                await bench.engine(steps(bench)).run()
        if torn:
            with (bench.folder / "journal.jsonl").open("a") as file:
                file.write('{"kind": "inte')
        assert await bench.engine(steps(bench)).run() is Result.DONE, f"killed after line {kill_at}"
        assert bench.outside.things == reference.outside.things
        assert set(bench.outside.made.values()) == {1}, f"made twice when killed after line {kill_at}"


async def test_an_open_intent_that_took_effect_is_adopted(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    records = journal.Journal(tmp_path / "journal.jsonl")
    records.write(1.0, journal.Entry.INTENT, step="provision.b.server", key="make:b")
    records.close()
    bench.outside.things.add("b")
    await bench.engine(steps(bench)).run()
    assert bench.outside.made["b"] == 0
    outcomes = [entry for entry in journal.read(tmp_path / "journal.jsonl") if entry["kind"] == "outcome"]
    assert {"key": "make:b", "result": "adopted"}.items() <= next(
        entry for entry in outcomes if entry["key"] == "make:b"
    ).items()


async def test_a_damaged_progress_file_is_explained_and_rebuilt_from_the_journal(tmp_path: Path) -> None:
    bench = await whole_run(tmp_path)
    path = tmp_path / "progress.toml"
    whole = progress.load(path)
    path.write_text(path.read_text()[:100] + "\x00 = [")
    rebuilt = progress.load(path)
    assert "could not be read" in rebuilt.rebuilt
    assert (tmp_path / "progress.toml.damaged").exists()
    assert {k: (v.state, v.saved) for k, v in rebuilt.steps.items()} == {
        k: (v.state, v.saved) for k, v in whole.steps.items()
    }
    assert await bench.engine(steps(bench)).run() is Result.DONE
    assert set(bench.outside.made.values()) == {1}


async def test_a_progress_file_that_was_cut_short_anywhere_forgets_nothing(tmp_path: Path) -> None:
    await whole_run(tmp_path)
    path = tmp_path / "progress.toml"
    text, known = path.read_text(), progress.load(path).steps
    for cut in range(len(text.rstrip())):
        path.write_text(text[:cut])
        rebuilt = progress.load(path)
        assert rebuilt.rebuilt, f"cut at {cut} of {len(text)}"
        assert {k: (v.state, v.saved) for k, v in rebuilt.steps.items()} == {
            k: (v.state, v.saved) for k, v in known.items()
        }


async def test_what_was_saved_is_known_although_the_process_died_before_the_file_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    step = Make(bench.outside, "prepare.look", ["inventory"])
    bench.outside.things.add("elsewhere")
    engine = bench.engine([step])
    original = journal.Journal.write

    def write(self: journal.Journal, at: float, kind: journal.Entry, **fields: Any) -> None:
        original(self, at, kind, **fields)
        if kind is journal.Entry.SAVED:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "write", write)
        with pytest.raises((Killed, BaseExceptionGroup)):
            await engine.run()
    assert "saved" not in engine.progress.path.read_text()
    assert progress.load(engine.progress.path).load_record("prepare.look", "before", Before) == Before(())


async def test_a_journal_line_that_makes_no_sense_is_left_out(tmp_path: Path) -> None:
    await whole_run(tmp_path)
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(
            b'{"kind": "state"}\n\xff\xfe\n{"kind": "state", "step": "cutover.flip", "state": "lost"}\n'
        )
    assert progress.load(tmp_path / "progress.toml").state("cutover.flip") is StepState.DONE
    (tmp_path / "progress.toml").unlink()
    assert progress.load(tmp_path / "progress.toml").state("cutover.flip") is StepState.DONE


async def test_a_lost_progress_file_is_rebuilt_too(tmp_path: Path) -> None:
    await whole_run(tmp_path)
    (tmp_path / "progress.toml").unlink()
    assert progress.load(tmp_path / "progress.toml").state("cutover.flip") is StepState.DONE


def test_a_progress_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "progress.toml").write_text("version = 99\n")
    with pytest.raises(UsageError, match="newer"):
        progress.load(tmp_path / "progress.toml")


async def test_the_progress_file_is_private_and_the_previous_one_kept(tmp_path: Path) -> None:
    await whole_run(tmp_path)
    assert (tmp_path / "progress.toml").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "progress.toml.previous").exists()


async def test_every_journal_line_is_json_with_a_moment(tmp_path: Path) -> None:
    await whole_run(tmp_path)
    for line in (tmp_path / "journal.jsonl").read_text().splitlines():
        entry = json.loads(line)
        assert entry["kind"] in set(journal.Entry) and entry["at"].endswith("Z")


def test_a_second_wizard_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "progress.toml"
    with locked(path), pytest.raises(LockedError) as refusal, locked(path):
        pass
    assert "process" in refusal.value.why
    with locked(path):
        pass
