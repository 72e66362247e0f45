"""The journal: what was intended and done, when. Append only; synced before each mutation.

One JSON object a line. A torn last line (the machine died while writing) is tolerated and cut off.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from wizard.clock import moment_text
from wizard.errors import DiskError
from wizard.redact import redact


class Entry(StrEnum):
    """Kinds of lines. INTENT opens what OUTCOME closes; the rest let the progress file be rebuilt."""

    RUN = "run"
    STATE = "state"
    PLAN = "plan"
    INTENT = "intent"
    OUTCOME = "outcome"
    CHECK = "check"
    SAVED = "saved"
    DROPPED = "dropped"
    ANSWER = "answer"
    DETAIL = "detail"
    BACK = "back"
    """A way back begins (`target`), or is over ("")."""


class Journal:
    """Opened for appending; `read` may be called on any path.

    `shared`: another wizard may be writing meanwhile. A line goes to the file whole, so lines of two never
    mix; a line without an end may be one that the other is about to finish, and is left alone.
    """

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        self.path = path
        self._shared = shared
        path.parent.mkdir(parents=True, exist_ok=True)
        if not shared:
            _cut_torn_line(path)
        self._file = open(path, "ab", buffering=0, opener=_private)  # noqa: SIM115

    def write(self, at: float, kind: Entry, *, sync: bool = False, **fields: Any) -> None:
        """Append a line; on disk when this returns if `sync`. Raises DiskError."""
        line = {"at": moment_text(at), "moment": round(at, 3), "kind": kind.value, **fields}
        text = f"{redact(json.dumps(line, ensure_ascii=False))}\n".encode(errors="replace")
        before = 0 if self._shared else os.fstat(self._file.fileno()).st_size
        try:
            self._append(text)
            if sync:
                os.fsync(self._file.fileno())
        except OSError as error:
            if not self._shared:
                # Half a line would spoil the next one, too.
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file.fileno(), before)
            raise DiskError(self.path.name, (error.strerror or str(error)).lower()) from error

    def _append(self, text: bytes) -> None:
        left = memoryview(text)
        while left:
            left = left[self._file.write(left) :]

    def close(self) -> None:
        self._file.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def length(path: Path) -> int:
    """In bytes; 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def read(path: Path, start: int = 0) -> Iterator[dict[str, Any]]:
    """Every whole line from byte `start` on. A damaged line in the middle is skipped: the outside is the
    truth anyway."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            try:
                entry = json.loads(line.decode("utf-8", "replace"))
            except ValueError:
                continue
            if isinstance(entry, dict) and "kind" in entry:
                yield entry


def open_intents(path: Path) -> dict[str, tuple[str, ...]]:
    """For each step the keys of changes that were begun and whose end is not known."""
    intents: dict[str, list[str]] = {}
    for entry in read(path):
        step, key = str(entry.get("step", "")), str(entry.get("key", ""))
        if entry["kind"] == Entry.INTENT and key not in intents.setdefault(step, []):
            intents[step].append(key)
        elif entry["kind"] == Entry.OUTCOME and key in intents.get(step, []):
            intents[step].remove(key)
    return {step: tuple(keys) for step, keys in intents.items() if keys}


def _cut_torn_line(path: Path) -> None:
    if not path.exists():
        return
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)
