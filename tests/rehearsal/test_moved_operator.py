"""An operator whose address changed while a wizard hangs in another window: let in by the real command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.whole import ROOT, Rehearsal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ELSEWHERE = "198.51.100.99"


def said(rehearsal: Rehearsal, *command: str) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run(
        rehearsal.words(*command, "--json"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def knows_us(rehearsal: Rehearsal, layer: str, check: str) -> bool:
    """Whether this layer of the front end's host is open to the address that we come from."""
    _, events = said(rehearsal, "verify", f"firewall.frontend.{layer}")
    asked = [event["check"] for event in events if event["event"] == "check"]
    return bool(next(one for one in asked if one["name"] == check)["state"] == "passed")


def test_allow_me_beside_a_wizard_that_hangs_lets_in_at_every_layer_and_back(tmp_path: Path) -> None:
    rehearsal = Rehearsal(tmp_path)
    try:
        ran = rehearsal.run("run", "--until", "firewall", "--yes", "--json")
        assert ran.code == 0, ran.story
        with rehearsal.disturbed("suspend", 3) as hanging:
            _, status = os.waitpid(hanging.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)

            code, gone = said(rehearsal, "allow-me", ELSEWHERE)
            assert code == 0 and [one["changed"] for one in gone] == [True, True]
            assert all(ELSEWHERE in one["after"] for one in gone)
            hanging.send_signal(signal.SIGKILL)
            hanging.send_signal(signal.SIGCONT)
            hanging.wait()
        assert not knows_us(rehearsal, "host", "operator")

        code, back = said(rehearsal, "allow-me")
        assert code == 0 and [one["changed"] for one in back] == [True, True]
        assert knows_us(rehearsal, "host", "operator") and knows_us(rehearsal, "cloud", "rules")
    finally:
        rehearsal.end()
