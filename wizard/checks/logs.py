"""What a log tells of trouble: lines that end a program, lines that tell of errors, and how many."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from wizard.redact import redact

_CRASH = re.compile(
    r"^panic: |\bpanic: runtime error|[Ss]egmentation fault|core dumped|exec format error"
    r"|[Oo]ut of memory|OOMKilled|UnhandledPromiseRejection|Exception in thread \"main\""
)
_ERROR = re.compile(
    r"\b(?:ERROR|CRITICAL|SEVERE|EMERG|ALERT|FATAL)\b|\[error\]|Traceback \(most recent call last\)"
    r"|\blevel=\"?(?:error|fatal)|\"level\": ?\"(?:error|fatal)|Uncaught (?:\w*Error|[Ee]xception)"
)
_NONE = re.compile(r"\b(?:0|no|without) errors?\b|\berrors?[=:] ?(?:0|null|none|\[\])\b", re.I)
_STAMP = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)? ")
_SHOWN = 3
_LONGEST = 160
_FEW = 20
_MOSTLY = 0.5
_WORSE, _MARGIN = 3.0, 0.05


@dataclass(frozen=True, slots=True)
class Heard:
    """`lines` were read; `crashes` and `errors` are those among them that tell of trouble, secrets masked."""

    lines: int = 0
    crashes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    def __add__(self, other: Heard) -> Heard:
        return Heard(self.lines + other.lines, self.crashes + other.crashes, self.errors + other.errors)

    @property
    def share(self) -> float:
        """Of lines that tell of errors; 0 without any line."""
        return len(self.errors) / self.lines if self.lines else 0.0

    @property
    def told(self) -> str:
        if not self.lines:
            return "nothing was written"
        counted = f"{len(self.crashes) + len(self.errors)} of {self.lines} lines tell of trouble"
        shown = (*self.crashes, *self.errors)[:_SHOWN]
        return counted + "".join(f" / {line}" for line in shown)

    def worse_than(self, before: Heard | None) -> bool:
        """Whether to look: a program ended, errors are most of it, or many times the old share."""
        if self.crashes:
            return True
        if self.lines < _FEW:
            return False
        if before is not None and before.lines >= _FEW:
            return self.share > _WORSE * before.share + _MARGIN
        return self.share > _MOSTLY


def hear(lines: Iterable[str], since: float = 0.0, name: str = "") -> Heard:
    """Judge lines, but those stamped before the moment `since`. `name` is put before what is shown."""
    read, crashes, errors = 0, list[str](), list[str]()
    for line in lines:
        stamp = _STAMP.match(line)
        if not line.strip() or (stamp and since and _moment(stamp) < since):
            continue
        read += 1
        text = line[stamp.end() :] if stamp else line
        if _CRASH.search(text):
            crashes.append(_shown(text, name))
        elif _ERROR.search(text) and not _NONE.search(text):
            errors.append(_shown(text, name))
    return Heard(read, tuple(crashes), tuple(errors))


def _moment(stamp: re.Match[str]) -> float:
    zone = (stamp[2] or "Z").replace("Z", "+00:00")
    return datetime.fromisoformat(stamp[1] + zone).timestamp()


def _shown(text: str, name: str) -> str:
    said = redact(" ".join(text.split()))
    said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
    return f"{name}: {said}" if name else said
