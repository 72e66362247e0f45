"""A program in a terminal of its own, which answers what terminals answer, and a clock at its frames."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_PATIENCE = 30.0
_MAY_SYNC, _DOES_SYNC = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
_FRAME_ENDS = b"\x1b[?2026l"


class PtyScreen:
    """`words` in a terminal of `width` × `height`; killed on leaving."""

    def __init__(self, words: list[str], width: int, height: int, folder: Path | None = None) -> None:
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        environment.pop("NO_COLOR", None)
        self.began = time.perf_counter()
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            if folder is not None:
                os.chdir(folder)
            os.execve(words[0], words, environment)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self._text = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._terminal)

    def press(self, key: bytes) -> None:
        """Begin a new wait: what was painted before does not count."""
        self.drain()
        self._text = b""
        self.began = time.perf_counter()
        os.write(self._terminal, key)

    def drain(self) -> None:
        """Take what was painted, so that nobody has to wait for room to paint more."""
        while select.select([self._terminal], [], [], 0)[0]:
            self._read()

    def seconds_to(self, *marks: bytes) -> float:
        """From the start, or the last key, until a frame in which all `marks` stand is whole.

        Raises RuntimeError if that never comes.
        """
        limit = time.perf_counter() + _PATIENCE
        while time.perf_counter() < limit:
            if select.select([self._terminal], [], [], 0.5)[0]:
                self._read()
                places = [self._text.find(mark) for mark in marks]
                if min(places) >= 0 and _FRAME_ENDS in self._text[max(places) :]:
                    return time.perf_counter() - self.began
        raise RuntimeError(f"{marks} were never painted: {self._text[-400:]!r}")

    def _read(self) -> None:
        fresh = os.read(self._terminal, 1 << 16)
        if _MAY_SYNC in fresh:
            os.write(self._terminal, _DOES_SYNC)
        self._text += fresh
