"""The wizard in a real terminal: tmux holds it, keys go in, and what a person would see comes out."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
POLL = 0.1
_NUMBERS = itertools.count()
PATIENCE = 1200
"""Polls until something must have happened; a poll takes a tenth of a second or, on a busy machine, more."""
STUBBORN = 40
"""Polls after which a key that changed nothing is pressed again: the screen had moved on under it."""


class Terminal:
    """One program in a tmux of its own, `width` × `height`."""

    def __init__(self, socket_name: str, width: int, height: int) -> None:
        self._socket = socket_name
        self.width = width
        self.height = height
        self.seen: list[str] = []
        """Every screen that was looked at, for promises that hold of all of them."""

    def tmux(self, *words: str) -> str:
        # A session is named by its socket: nobody else's tmux is touched.
        command = ["tmux", "-L", self._socket, "-f", "/dev/null", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=150).stdout

    def start(self, command: str) -> None:
        size = ("-x", str(self.width), "-y", str(self.height))
        self.tmux("new-session", "-d", *size, f"{command}; echo ENDED $?; exec sleep 100000")

    def again(self, command: str) -> None:
        """The same terminal, after its program has ended."""
        self.tmux("respawn-window", "-k", f"{command}; echo ENDED $?; exec sleep 100000")

    def text(self) -> str:
        screen = self.tmux("capture-pane", "-p")
        self.seen.append(screen)
        return screen

    def words(self) -> str:
        """The screen with frames and line ends gone, so that wrapped sentences are whole."""
        return " ".join(re.sub(r"[│╭╮╰╯─▌]", " ", self.text()).split())

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)

    def until(self, *wanted: str, polls: int = PATIENCE) -> str:
        """The screen that says all of `wanted`. Fails with the last screen when it never comes."""
        return self.when(lambda words: all(text in words for text in wanted), f"{wanted}", polls)

    def when(self, holds: Callable[[str], bool], what: str, polls: int = PATIENCE) -> str:
        for _ in range(polls):
            words = self.words()
            if holds(words):
                return words
            time.sleep(POLL)
        raise AssertionError(f"{what} was never on the screen, but:\n{self.text()}")

    def press_until(self, key: str, *wanted: str, gone: str = "") -> str:
        """Press `key`, again if it was lost on a screen that was just changing, until it is as wished."""
        for _ in range(PATIENCE // STUBBORN):
            self.press(key)
            for _ in range(STUBBORN):
                words = self.words()
                if all(text in words for text in wanted) and not (gone and gone in words):
                    return words
                time.sleep(POLL)
        raise AssertionError(f"{key} never led to {wanted or gone}, but to:\n{self.text()}")


@contextmanager
def opened(folder: Path, width: int, height: int) -> Iterator[Terminal]:
    """A terminal whose tmux is ended afterwards, and with it all that runs in it."""
    if shutil.which("tmux") is None:
        reason = "not installed: tmux"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    found = Terminal(f"dokploy-wizard-{os.getpid()}-{next(_NUMBERS)}", width, height)
    try:
        yield found
    finally:
        subprocess.run(["tmux", "-L", found._socket, "kill-server"], capture_output=True, check=False)
        end_world(folder)


def command(folder: Path, *words: str, **variables: str) -> str:
    """The wizard as an operator starts it, in an environment that is the same everywhere."""
    chosen = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "COLORTERM": "truecolor", **variables}
    settings = " ".join(f"{name}={value}" for name, value in chosen.items())
    unset = "-u NO_COLOR -u DOKPLOY_WIZARD_ASCII"
    start = f"cd {ROOT} && exec env {unset} {settings} {sys.executable} -m wizard.cli rehearse"
    return f"({start} {' '.join(words)} --progress {folder / 'progress.toml'})"


def end_world(folder: Path) -> None:
    """The rehearsal's world goes on without a wizard for a while: here nobody comes back."""
    try:
        described = json.loads((folder / "progress.world" / "world.json").read_text())
        with socket.create_connection(("127.0.0.1", described["control"]), timeout=10) as connection:
            connection.sendall(b'{"command": "stop"}\n')
            connection.recv(64)
    except (OSError, ValueError):
        return
