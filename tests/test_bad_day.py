"""What an operator is afraid of at their own desk: each ends in a clear sentence, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.outside import Make
from tests.test_cli_run import Migration, migration
from wizard.engine import journal
from wizard.engine.events import StepState
from wizard.engine.progress import load
from wizard.errors import ExitCode

__all__ = ["migration"]


class Disturbed(Make):
    """`happens` in the middle of its first change, which takes a while longer."""

    @staticmethod
    def happens() -> None: ...

    async def apply(self, change: Any, ctx: Any) -> None:
        if not self.outside.made:
            self.happens()
            for _ in range(20):
                await asyncio.sleep(0)
        await super().apply(change, ctx)


def disturbed(migration: Migration, happens: Any) -> None:
    step = Disturbed(migration.outside, "prepare.one", ("one", "two"))
    step.happens = happens  # type: ignore[method-assign]
    migration.steps = (step, migration.make("apps.three"))


def goes_on(migration: Migration) -> None:
    """A new run comes to its end, and makes nothing twice."""
    migration.steps = (migration.make("prepare.one", "one", "two"), migration.make("apps.three"))
    code, lines = migration.json("run", "--yes")
    assert code == ExitCode.DONE, lines
    assert set(migration.outside.made.values()) == {1}
    assert migration.outside.things == {"one", "two", "apps.three"}


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_terminal_that_is_closed_ends_the_run_after_the_change_under_way(
    migration: Migration, number: signal.Signals
) -> None:
    disturbed(migration, lambda: os.kill(os.getpid(), number))
    code, lines = migration.json("run", "--yes")
    assert code == ExitCode.INTERRUPTED and lines[-1]["result"] == "interrupted"
    assert migration.outside.things == {"one"}
    goes_on(migration)


def test_under_nohup_a_closed_terminal_is_no_reason_to_end(migration: Migration) -> None:
    disturbed(migration, lambda: os.kill(os.getpid(), signal.SIGHUP))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert migration.json("run", "--yes")[0] == ExitCode.DONE
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_interrupt_ends_at_once_and_the_next_run_finds_what_was_made(migration: Migration) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)

    disturbed(migration, twice)
    code, _, err = migration.call("run", "--yes")
    assert code == ExitCode.INTERRUPTED
    assert "goes on from here" in err or load(Path("progress.toml")).state("prepare.one") is StepState.PENDING
    goes_on(migration)


def test_output_that_nobody_takes_any_more_ends_the_run_after_the_change_under_way(
    migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run | head`, or a terminal that went away without a word."""

    def gone(*_: object, **__: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    def happens() -> None:
        monkeypatch.setattr("wizard.commands.lines.put_json", gone)

    disturbed(migration, happens)
    code, _, err = migration.call("run", "--yes", "--json")
    assert code == ExitCode.INTERRUPTED
    assert "Nobody takes the output" in err
    assert migration.outside.things == {"one"}
    monkeypatch.undo()
    folder = Path.cwd()
    assert load(folder / "progress.toml").state("prepare.one") is not StepState.FAILED


@contextlib.contextmanager
def room(path: Path, more: int) -> Iterator[None]:
    """No file may grow longer than `path` is now, and `more`: as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.length(path) + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("more", [0, 40, 250, 500, 800, 1200])
def test_a_full_disk_stops_the_run_before_the_next_change_and_is_told(
    migration: Migration, more: int
) -> None:
    migration.steps = (migration.make("prepare.one", "one", "two"), migration.make("apps.three"))
    with room(Path("journal.jsonl"), more):
        code, _, err = migration.call("run", "--yes")
    assert code == ExitCode.FAILED
    assert "cannot be written" in err and "run again" in err and "file too large" in err
    found = Path("journal.jsonl")
    lines = found.read_bytes() if found.exists() else b""
    assert not lines or lines.endswith(b"\n"), "no half line is left to spoil the next one"
    goes_on(migration)


def test_a_file_that_was_edited_so_that_it_makes_no_sense_is_kept_aside_and_told(
    migration: Migration,
) -> None:
    goes_on(migration)
    path = Path("progress.toml")
    whole = path.read_text()
    for wrong in (
        whole.replace('state = "done"', 'state = "finished"', 1),
        whole.replace("version = 1", 'version = "one"'),
        whole.replace("version = 1\n", ""),
        whole + "\n[steps.",
        "",
        "\x00" * 200,
        whole.replace("journal = ", 'journal = "', 1).replace("\nansw", '"\nansw', 1),
    ):
        path.write_text(wrong)
        code, out, err = migration.call("status")
        assert code == ExitCode.DONE, (wrong, err)
        assert "1 of 1" in out
        assert "could not be read" in err and "read from the journal" in err and ".damaged" in err
        told = Path("progress.toml.damaged")
        assert told.read_text() == wrong
        told.unlink()


def test_a_clock_that_was_set_back_loses_and_repeats_nothing(
    migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    migration.steps = (migration.make("prepare.one", "one", "two"),)
    assert migration.json("run", "--yes")[0] == ExitCode.DONE
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now - 90 * 86400)
    goes_on(migration)
    assert migration.call("status")[0] == ExitCode.DONE
    assert all(row.changed for row in load(Path("progress.toml")).steps.values())


PROGRAM = """
import sys
from wizard.engine.lock import locked
from pathlib import Path
with locked(Path("progress.toml")):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_of_a_wizard_that_was_killed_holds_nobody_back(migration: Migration) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        migration.steps = (migration.make("prepare.one"),)
        assert migration.call("run", "--yes")[0] == ExitCode.LOCKED
        holder.kill()
    goes_on(migration)


def test_what_was_taken_out_of_the_configuration_in_the_middle_is_not_forgotten(migration: Migration) -> None:
    server, app = migration.make("provision.front.server"), migration.make("apps.web.deploy")
    migration.steps = (server, app)
    assert migration.json("run", "--yes")[0] == ExitCode.DONE
    kept = Path("progress.toml").read_text()
    migration.steps = (migration.make("provision.edge.server"), app)
    code, _, err = migration.call("run", "--yes")
    assert code == ExitCode.USAGE
    assert "no longer has front" in err and "Put it back" in err and "undo" in err
    assert migration.outside.things == {"provision.front.server", "apps.web.deploy"}
    assert Path("progress.toml").read_text() == kept
    migration.steps = (server, app, migration.make("provision.edge.server"))
    for target in ("apps", "provision.front.server"):
        assert migration.call("undo", target, "--yes")[0] == ExitCode.DONE
    migration.steps = (migration.make("provision.edge.server"), app)
    assert migration.json("run", "--yes")[0] == ExitCode.DONE
    assert migration.outside.things == {"provision.edge.server", "apps.web.deploy"}
