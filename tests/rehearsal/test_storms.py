"""Everything that can happen at once: a stormy outside, and a bad day at the operator's desk."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.rehearsal.whole import ROOT, Ran, Rehearsal
from wizard.engine.events import StepState

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
_RUNS = 3


def assert_told(ran: Ran) -> None:
    """A run that did not come to its end says why, and what to do."""
    failed = [line for line in ran.lines if line["event"] == "step" and line["state"] == "failed"]
    assert failed, ran.story
    assert all(line["why"] and line["ways"] for line in failed), ran.story


def assert_well(rehearsal: Rehearsal, ran: Ran) -> None:
    assert ran.code == 0, ran.story
    counted = rehearsal.ask("summary")
    assert counted["duplicates"] == []
    assert ran.summary["checks"]["failed"] == ran.summary["steps"]["failed"] == 0
    assert counted["visitors"]["requests"] > 200
    assert counted["visitors"]["failed"] == 0, counted["failures"]


def test_a_storm_is_weathered(tmp_path: Path) -> None:
    """Errors, cuts, lost answers and lost packets everywhere: at worst it is started again."""
    rehearsal = Rehearsal(tmp_path, options=("--seed", "2", "--faults", "storm"))
    try:
        for _ in range(_RUNS):
            ran = rehearsal.run()
            if ran.code == 0:
                break
            assert_told(ran)
        assert_well(rehearsal, ran)
        assert ran.summary["faults"] == "storm"
    finally:
        rehearsal.end()


def test_what_fails_for_good_goes_on_when_its_cause_is_gone(tmp_path: Path) -> None:
    stuck = Rehearsal(tmp_path, options=("--faults", "server-limit"))
    free = Rehearsal(tmp_path, options=("--faults", "none"))
    try:
        ran = stuck.run("run", "--until", "provision", "--yes", "--json")
        assert ran.code == 1
        assert_told(ran)
        assert "limit" in ran.errors
        standing = stuck.ask("summary")["standing"]
        assert not [thing for thing in standing if thing.startswith("hetzner: server")]
        told = stuck.text("report")
        kept = [thing for thing in standing if thing.startswith("hetzner: primary_ip")]
        assert told.count("address without a server") == len(kept), "what is billed is in the report"
        ran = free.run("run", "--until", "provision", "--yes", "--json")
        assert ran.code == 0, ran.story
        assert ran.summary["faults"] == "none"
        assert ran.summary["duplicates"] == 0
    finally:
        free.end()


def test_a_bad_day_ends_well(tmp_path: Path) -> None:
    """Suspended beside a second wizard, killed, the progress file lost and damaged, the world killed."""
    rehearsal = Rehearsal(tmp_path)
    try:
        _suspended(rehearsal)
        assert rehearsal.killed(120) == -signal.SIGKILL, rehearsal.complaint
        rehearsal.progress.unlink()
        with rehearsal.disturbed("world", 120) as process:
            ran = rehearsal.ended(process)
        assert ran.code == 1
        assert_told(ran)
        assert "rehearsal's world" in ran.errors
        assert rehearsal.killed(120) == -signal.SIGKILL, rehearsal.complaint
        text = rehearsal.progress.read_text()
        rehearsal.progress.write_text(text[: len(text) // 2])
        assert_well(rehearsal, rehearsal.run())
        assert (tmp_path / "progress.toml.damaged").exists()
        assert {row.state for row in rehearsal.state().steps.values()} == {StepState.DONE}
    finally:
        rehearsal.end()


def _suspended(rehearsal: Rehearsal) -> None:
    """The machine sleeps; a second wizard is told who works here; then the first is killed as it wakes."""
    with rehearsal.disturbed("suspend", 120) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        second = subprocess.run(
            rehearsal.words("run", "--yes", "--json"), cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert second.returncode == 4
        assert f"process {process.pid} holds its lock" in second.stderr
        process.send_signal(signal.SIGCONT)
