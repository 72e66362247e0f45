"""The whole migration walked by keys in a real terminal, small and large, seen as an operator sees it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from tests.real.terminal import POLL, STUBBORN, Terminal, command, opened
from wizard import configfile, phases

pytestmark = pytest.mark.slow
SPEED = ("--speed", "120")
STEPS = len(phases.steps(configfile.example()))
END = f"All {STEPS} steps are done and proven."
_TYPED = re.compile(r"Type (\S+(?: \S+)*?) to allow it\.")
_BOX = re.compile(r"╭─ (.+?) ─+╮")
_WALK = 3000


class Walk:
    """An operator who reads what is on the screen and does what it asks for."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.phases: list[str] = []
        """Phases whose plans were all applied with one key."""
        self.typed: list[str] = []
        self.answered: list[str] = []

    def to(self, *wanted: str) -> str:
        """Go on until the screen says `wanted`. A key is pressed again only when it did nothing for long."""
        before, patience = ("", ""), 0
        for _ in range(_WALK):
            words = self.terminal.words()
            if all(text in words for text in wanted):
                return words
            act = self._next(words)
            patience -= 1
            if act != before or patience <= 0:
                self._do(act[0], words)
                before, patience = act, STUBBORN
            time.sleep(POLL)
        raise AssertionError(f"{wanted} was never on the screen, but:\n{self.terminal.text()}")

    def _next(self, words: str) -> tuple[str, str]:
        """What the screen asks for, and of whom: the box's title, or the step's."""
        screen = self.terminal.seen[-1]
        box = _BOX.search(screen)
        title = box[1] if box else screen.splitlines()[1].partition("│")[2].strip()
        if name := _TYPED.search(words):
            return "type", f"{title} {name[1]}"
        if box and "enter answer esc later" in words:
            return "answer", title
        if box and "enter apply them all" in words:
            return "Enter", title
        if box:
            return "", title
        if "its plan waits for you" in words:
            return "a" if self._phase(words) in self.phases else "A", title
        return ("n" if "n goes there" in words else ""), title

    def _do(self, act: str, words: str) -> None:
        terminal = self.terminal
        if act == "type":
            name = _TYPED.search(words)
            assert name is not None
            terminal.press("C-u")
            terminal.type(name[1])
            terminal.press("Enter")
            self.typed.append(name[1])
        elif act == "answer":
            self.answered.append(words)
            terminal.press("Enter")
        elif act:
            if act == "A":
                self.phases.append(self._phase(words))
            terminal.press(act)

    @staticmethod
    def _phase(words: str) -> str:
        """The open phase of the rail."""
        found = re.search(r"▾ (\w+)", words)
        return found[1] if found else ""


def secrets(folder: Path) -> list[str]:
    kept = json.loads((folder / "progress.world" / "secrets.json").read_text())
    return [value for value in kept.values() if len(value) >= 8]


@pytest.mark.timeout(600)
def test_a_whole_migration_by_keys_at_80_by_24_with_the_way_back_and_a_second_start(tmp_path: Path) -> None:
    with opened(tmp_path, 80, 24) as terminal:
        terminal.start(command(tmp_path, *SPEED))
        walk = Walk(terminal)
        assert "REHEARSAL" in terminal.until("prepare", "its plan waits for you")

        words = terminal.press_until("?", "The overview", "Keys here")
        assert "apply the plan that waits" in words
        terminal.press_until("Escape", gone="Keys here")
        words = terminal.press_until("l", "every plan", "unfinished steps")
        assert "a month: 20.00 USD + 17.99 EUR" in words
        terminal.press_until("Escape", "its plan waits for you")
        terminal.press_until("C-p", "Search for commands")
        terminal.press_until("Escape", gone="Search for commands")

        walk.to("▾ firewall", "its plan waits for you")
        assert re.search(r"20\.00 USD \+ 17\.99 EUR → \d+\.\d\d EUR/mo", terminal.words())
        walk.to("▾ apps", "its plan waits for you")
        words = terminal.press_until("m", "as they should be", "3000")
        assert "all as they should be" in words
        terminal.press_until("Escape", "its plan waits for you")

        walk.to("▾ cutover", "its plan waits for you")
        terminal.press_until("q", "Start the wizard again to go on from here")
        terminal.press_until("Enter", "ENDED 3")
        assert "The same command goes on from here." in terminal.words()
        terminal.again(command(tmp_path, *SPEED))
        words = terminal.until("▾ cutover", "its plan waits for you")
        assert "data 9/9 ✓" in words
        walk.phases.clear()

        walk.to("of 72 cached answers are new")
        terminal.until("100 % of 72 cached answers are new", "0 failed")
        walk.phases.clear()
        terminal.press_until("b", "Back to the old records", "The world is back at")
        terminal.press("Enter")
        terminal.until("100 % of 72 cached answers are old", "no cache can hold the other values")
        terminal.press_until("o", "It was taken back")
        terminal.press_until("g", "its plan waits for you")

        walk.to(END)
        words = terminal.press_until("r", "report", "Checks")
        terminal.press_until("Escape", END)
        terminal.press_until("q", "ENDED 0")

        assert {"old", "openmates-web"} <= {name.split()[0] for name in walk.typed}
        shown = "\n".join(terminal.seen)
        assert not [secret for secret in secrets(tmp_path) if secret in shown]
        assert "Traceback" not in shown


@pytest.mark.timeout(600)
def test_a_whole_migration_by_keys_at_200_by_50_shows_plan_proof_and_output_together(tmp_path: Path) -> None:
    with opened(tmp_path, 200, 50) as terminal:
        terminal.start(command(tmp_path, *SPEED))
        walk = Walk(terminal)
        words = terminal.until("its plan waits for you")
        assert all(heading in words for heading in ("Plan 1 change", "Checks", "Output"))
        walk.to(END)
        terminal.press_until("Tab", END)
        assert "decommission 9/9 ✓" in terminal.words()
        terminal.press_until("q", "ENDED 0")
        assert not [secret for secret in secrets(tmp_path) if secret in "\n".join(terminal.seen)]


@pytest.mark.parametrize("variables", [{"DOKPLOY_WIZARD_ASCII": "1"}, {"NO_COLOR": "1"}])
def test_without_unicode_or_colour_the_same_can_be_read(tmp_path: Path, variables: dict[str, str]) -> None:
    with opened(tmp_path, 80, 24) as terminal:
        terminal.start(command(tmp_path, *SPEED, **variables))
        terminal.until("prepare", "its plan waits for you")
        if "NO_COLOR" in variables:
            coloured = terminal.tmux("capture-pane", "-e", "-p")
            shades = re.findall(r"[34]8;2;(\d+);(\d+);(\d+)", coloured)
            assert shades
            assert all(red == green == blue for red, green, blue in shades)
        else:
            assert terminal.text().isascii()
        terminal.press_until("q", "Start the wizard again")
        terminal.press_until("Enter", "ENDED 3")
