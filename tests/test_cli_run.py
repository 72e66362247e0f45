"""The commands that work on a migration, over a small outside: exit codes, lines, the summary, the lock."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.engine.outside import Make, Outside
from wizard import cli, phases
from wizard.configfile import example_text
from wizard.engine.info import Costs
from wizard.engine.lock import locked
from wizard.engine.plan import Money, Question
from wizard.engine.step import Step
from wizard.errors import ExitCode, WizardError

QUESTION = Question("apps.which", "Which one?", default="this one")
OPEN_QUESTION = Question("apps.which", "Which one?")


class Migration:
    """A folder with a configuration, whose steps are the test's own."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.capsys = folder, capsys
        self.outside = Outside()
        self.steps: tuple[Step[Any], ...] = ()
        (folder / "config.toml").write_text(example_text())
        monkeypatch.chdir(folder)
        monkeypatch.setenv("DOKPLOY_WIZARD_SECRETS", str(folder / "secrets.json"))
        monkeypatch.setattr(phases, "steps", lambda config: self.steps)
        costs = Costs(before=(Money(Decimal(20), "USD"),), after=(Money(Decimal(30)),))
        monkeypatch.setattr(phases, "costs_of", lambda config, progress: costs, raising=False)

    def make(self, step: str, *things: str, **disturbed: Any) -> Make:
        return Make(self.outside, step, things or (step,), **disturbed)

    def call(self, *words: str) -> tuple[int, str, str]:
        code = cli.main(words)
        shown = self.capsys.readouterr()
        assert "Traceback" not in shown.err + shown.out
        return code, shown.out, shown.err

    def json(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        code, out, _ = self.call(*words, "--json")
        return code, [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def migration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Migration:
    return Migration(tmp_path, monkeypatch, capsys)


def test_a_run_ends_with_a_summary_and_a_second_one_changes_nothing(migration: Migration) -> None:
    migration.steps = (migration.make("prepare.one"), migration.make("apps.two", "a", "b"))
    code, lines = migration.json("run", "--yes")
    assert code == ExitCode.DONE
    summary = lines[-1]
    assert summary["event"] == "summary" and summary["result"] == "done"
    assert summary["steps"] == {"done": 2, "failed": 0, "skipped": 0}
    assert summary["checks"] == {"passed": 2, "waived": 0, "failed": 0}
    assert summary["changes"] == 3
    assert {"visitors", "duplicates", "simulated_s", "wall_s"} <= summary.keys()
    assert {"step", "plan", "change", "changed", "check", "ended"} <= {line["event"] for line in lines}

    code, lines = migration.json("run", "--yes")
    assert code == ExitCode.DONE and lines[-1]["changes"] == 0 and lines[-1]["steps"]["done"] == 2
    assert migration.outside.made.total() == 3
    assert "nothing was changed" in migration.call("run", "--yes")[1]


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("", "Run again: it goes on from here."),
        ("Pay the bill.", "Pay the bill. Then run again: it goes on from here."),
        ("Pay the bill, then run again.", "Pay the bill, then run again."),
    ],
)
def test_a_failure_is_told_with_its_reason_and_the_way_on(migration: Migration, way: str, told: str) -> None:
    refused = WizardError("The vendor said no", "no money", way)
    migration.steps = (migration.make("prepare.one", breaks=refused),)
    code, out, err = migration.call("run", "--yes")
    assert code == ExitCode.FAILED
    assert err.splitlines()[-1] == f"prepare.one failed · The vendor said no · no money · {told}"
    assert out.splitlines()[-1].startswith("failed:")


def test_a_default_answers_a_question_and_nothing_else_does(migration: Migration) -> None:
    migration.steps = (migration.make("apps.ask", question=OPEN_QUESTION),)
    code, lines = migration.json("run", "--yes")
    assert code == ExitCode.WAITING and lines[-1]["result"] == "waiting"
    migration.steps = (migration.make("apps.ask", question=QUESTION),)
    assert migration.json("run", "--yes")[0] == ExitCode.DONE


def test_without_yes_and_without_anybody_nothing_is_changed(migration: Migration) -> None:
    migration.steps = (migration.make("prepare.one"),)
    code, _, err = migration.call("run")
    assert code == ExitCode.WAITING and "Waiting for you" in err
    assert not migration.outside.made


def test_a_second_wizard_is_kept_out(migration: Migration) -> None:
    migration.steps = (migration.make("prepare.one"),)
    with locked(Path("progress.toml")):
        code, _, err = migration.call("run", "--yes")
    assert code == ExitCode.LOCKED and str(os.getpid()) in err


def test_until_stops_after_a_phase(migration: Migration) -> None:
    migration.steps = (migration.make("prepare.one"), migration.make("apps.two"))
    assert migration.json("run", "--yes", "--until", "prepare")[0] == ExitCode.DONE
    assert migration.outside.things == {"prepare.one"}


def test_an_interrupt_finishes_the_change_and_says_so(migration: Migration) -> None:
    class Interrupting(Make):
        """Is interrupted in the middle of its first change, which takes a while longer."""

        async def apply(self, change: Any, ctx: Any) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(20):
                await asyncio.sleep(0)
            await super().apply(change, ctx)

    migration.steps = (
        Interrupting(migration.outside, "prepare.one", ("one", "two")),
        migration.make("apps.three"),
    )
    code, lines = migration.json("run", "--yes")
    assert code == ExitCode.INTERRUPTED and lines[-1]["result"] == "interrupted"
    assert migration.outside.things == {"one"}
    migration.steps = (migration.make("prepare.one", "one", "two"), migration.make("apps.three"))
    assert migration.json("run", "--yes")[0] == ExitCode.DONE
    assert set(migration.outside.made.values()) == {1}


def test_a_plan_changes_nothing_and_tells_the_costs(migration: Migration) -> None:
    migration.steps = (migration.make("prepare.one"), migration.make("apps.two"))
    code, lines = migration.json("plan")
    assert code == ExitCode.DONE
    assert [line["step"] for line in lines[:-1]] == ["prepare.one", "apps.two"]
    assert lines[-1]["before"] == [{"amount": "20", "currency": "USD"}]
    assert not migration.outside.made and not (migration.folder / "progress.toml").exists()
    assert "Costs before: 20.00 USD/month" in migration.call("plan")[1]


def test_the_status_tells_how_far_it_is(migration: Migration) -> None:
    migration.steps = (migration.make("prepare.one"), migration.make("apps.ask", question=OPEN_QUESTION))
    migration.json("run", "--yes")
    code, out, _ = migration.call("status")
    assert code == ExitCode.WAITING
    assert "prepare" in out and "1 of 1" in out and "Which one?" in out
    code, lines = migration.json("status")
    assert {line["step"]: line["state"] for line in lines} == {"prepare.one": "done", "apps.ask": "asking"}


def test_verify_asks_again_and_undo_takes_back(migration: Migration) -> None:
    migration.steps = (migration.make("prepare.one"),)
    migration.json("run", "--yes")
    assert migration.json("verify")[0] == ExitCode.DONE
    migration.outside.things.clear()
    code, out, _ = migration.call("verify", "prepare.one")
    assert code == ExitCode.FAILED and "NOT TRUE" in out
    code, _, err = migration.call("verify", "prepare.on")
    assert code == ExitCode.USAGE and "prepare.one" in err
    migration.outside.things.add("prepare.one")
    assert migration.json("undo", "prepare", "--yes")[0] == ExitCode.DONE
    assert not migration.outside.things


def test_the_status_tells_of_what_was_taken_back(migration: Migration) -> None:
    migration.steps = (
        migration.make("prepare.one"),
        migration.make("apps.two"),
        migration.make("apps.three"),
    )
    assert migration.json("run", "--yes")[0] == ExitCode.DONE
    assert migration.call("undo", "apps.two", "--yes")[0] == ExitCode.DONE
    told = {line.split()[0]: line.rstrip() for line in migration.call("status")[1].splitlines() if line}
    assert told["prepare"].endswith("done") and told["apps"].endswith("under way")
    assert migration.call("undo", "apps", "--yes")[0] == ExitCode.DONE
    told = {line.split()[0]: line.rstrip() for line in migration.call("status")[1].splitlines() if line}
    assert told["apps"].endswith("taken back") and told["data"].endswith("done")


@pytest.mark.parametrize("form", ["md", "html", "json"])
def test_a_report_is_printed_or_written(migration: Migration, form: str) -> None:
    migration.steps = (migration.make("prepare.one"),)
    migration.json("run", "--yes")
    code, out, _ = migration.call("report", "--format", form)
    assert code == ExitCode.DONE and "prepare.one" in out and "20 USD" in out.replace("20.00", "20")
    assert migration.call("report", "--format", form, "--output", "r")[0] == ExitCode.DONE
    assert (migration.folder / "r").read_text() == out
    assert migration.call("report", "--output", "no/such/folder")[0] == ExitCode.USAGE


def test_a_configuration_of_another_migration_is_refused(migration: Migration) -> None:
    migration.steps = (migration.make("prepare.one"),)
    migration.json("run", "--yes")
    file = migration.folder / "config.toml"
    file.write_text(file.read_text().replace('name = "openmates" ', 'name = "other" '))
    code, _, err = migration.call("run", "--yes")
    assert code == ExitCode.USAGE and "openmates" in err
