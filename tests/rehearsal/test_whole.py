"""The whole migration: rehearsed to its end, left alone by a second run, killed and gone on with."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rehearsal.whole import Ran, Rehearsal
from wizard.engine.events import StepState

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
_KILLS = 25


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rehearsal, Ran]]:
    rehearsal = Rehearsal(tmp_path_factory.mktemp("whole"))
    try:
        yield rehearsal, rehearsal.run()
    finally:
        rehearsal.end()


def test_it_ends_by_itself_with_every_step_done(finished: tuple[Rehearsal, Ran]) -> None:
    _, ran = finished
    assert ran.code == 0, ran.story
    assert ran.summary["result"] == "done"
    assert ran.summary["steps"]["failed"] == ran.summary["steps"]["skipped"] == 0
    assert ran.summary["steps"]["done"] > 60
    assert ran.summary["changes"] > 60


def test_every_check_holds_and_has_evidence(finished: tuple[Rehearsal, Ran]) -> None:
    rehearsal, ran = finished
    assert ran.summary["checks"]["failed"] == 0
    assert ran.summary["checks"]["passed"] > 150
    checks = [line["check"] for line in ran.lines if line["event"] == "check"]
    assert all(check["evidence"]["seen"] and check["evidence"]["vantage"] for check in checks)
    done = {step for step, row in rehearsal.state().steps.items() if row.state is StepState.DONE}
    assert done <= {line["step"] for line in ran.lines if line["event"] == "check"}


def test_nothing_is_made_twice_and_no_visitor_notices(finished: tuple[Rehearsal, Ran]) -> None:
    rehearsal, ran = finished
    assert ran.summary["duplicates"] == 0
    assert ran.summary["visitors"]["requests"] > 200
    assert ran.summary["visitors"]["failed"] == 0, rehearsal.ask("summary")["failures"]


def test_the_report_proves_every_box_of_the_checklist(finished: tuple[Rehearsal, Ran]) -> None:
    rehearsal, _ = finished
    report = json.loads(rehearsal.text("report", "--format", "json"))
    lines = [*report["checklist"], *report["numbered"]]
    open_lines = [f"{line['section']}: {line['text']}" for line in lines if line["answer"] != "proven"]
    assert open_lines == []
    assert all(line["evidence"] for line in lines)


def test_no_secret_is_in_any_file_but_the_secrets(finished: tuple[Rehearsal, Ran]) -> None:
    rehearsal, ran = finished
    kept = json.loads((rehearsal.progress.with_suffix(".world") / "secrets.json").read_text())
    # Vercel's public variables are among them: their values stand in the configuration, too.
    secrets = {value for name, value in kept.items() if len(value) >= 16 and "_VITE_" not in name}
    assert len(secrets) >= 10
    files = [rehearsal.progress, rehearsal.journal, *(rehearsal.folder / "backups").rglob("*")]
    texts = {path.name: path.read_text() for path in files if path.is_file()}
    texts["what was printed"] = json.dumps(ran.lines)
    leaks = [f"{name}" for name, text in texts.items() for secret in secrets if secret in text]
    assert leaks == []


def test_a_second_run_changes_nothing_and_says_so(finished: tuple[Rehearsal, Ran]) -> None:
    rehearsal, _ = finished
    before = rehearsal.progress.read_text()
    again = rehearsal.run()
    assert again.code == 0, again.story
    assert again.summary["changes"] == 0
    assert again.summary["steps"]["failed"] == 0
    assert rehearsal.progress.read_text() == before
    assert "nothing was changed" in rehearsal.text("run", "--yes")


def test_killed_at_random_moments_it_ends_the_same(finished: tuple[Rehearsal, Ran], tmp_path: Path) -> None:
    """25 times, in the middle of whatever it does; then it is left to finish."""
    undisturbed, _ = finished
    lines = sum(1 for _ in undisturbed.journal.open())
    rehearsal, dice = Rehearsal(tmp_path), random.Random(20)
    try:
        ends = [
            rehearsal.killed(dice.randint(2, 2 * lines // _KILLS), dice.choice((0.0, dice.random() / 5)))
            for _ in range(_KILLS)
        ]
        assert ends.count(-signal.SIGKILL) >= _KILLS - 3, ends
        ran = rehearsal.run()
        assert ran.code == 0, ran.story
        assert ran.summary["duplicates"] == 0, rehearsal.ask("summary")["duplicates"]
        assert ran.summary["checks"]["failed"] == 0
        assert ran.summary["visitors"]["failed"] == 0, rehearsal.ask("summary")["failures"]
        assert rehearsal.ask("summary")["standing"] == undisturbed.ask("summary")["standing"]
        assert _states(rehearsal) == _states(undisturbed)
    finally:
        rehearsal.end()


def _states(rehearsal: Rehearsal) -> dict[str, str]:
    return {step: row.state.value for step, row in rehearsal.state().steps.items()}
