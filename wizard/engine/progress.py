"""The progress file: where the migration stands, for a person to read and for resume.

It is a memory; the outside is the truth. A damaged one is rebuilt from the journal, and what the journal
learned after the last writing of the file, because the process died in between, is read from there.
"""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from wizard.engine import journal
from wizard.engine.events import StepState, jsonable
from wizard.engine.files import write_atomically
from wizard.errors import UsageError
from wizard.redact import redact

VERSION = 1
_END = "# The end: a file without this line was cut short."
T = TypeVar("T")


@dataclass
class StepProgress:
    """`until` is a moment of the world's time; `saved` holds plain data by record name."""

    state: StepState = StepState.PENDING
    why: str = ""
    until: float | None = None
    changed: float = 0.0
    saved: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Progress:
    """In memory what the file holds. `save` makes it durable."""

    path: Path
    project: str = ""
    started: float = 0.0
    steps: dict[str, StepProgress] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    taking_back: str = ""
    """The step or phase whose way back has begun and is not over."""
    rebuilt: str = ""
    """Why the file had to be rebuilt from the journal, and from what, if it had: for the operator."""

    def step(self, step_id: str) -> StepProgress:
        return self.steps.setdefault(step_id, StepProgress())

    def state(self, step_id: str) -> StepState:
        found = self.steps.get(step_id)
        return found.state if found else StepState.PENDING

    def load_record(self, step_id: str, name: str, kind: type[T]) -> T | None:
        found = self.steps.get(step_id)
        data = found.saved.get(name) if found else None
        return None if data is None else decode(data, kind)

    @property
    def backups(self) -> Path:
        return self.path.parent / "backups"

    @property
    def journal_path(self) -> Path:
        return self.path.parent / journal_name(self.path)

    def save(self) -> None:
        import tomli_w

        text = redact(tomli_w.dumps(self._as_toml()))
        header = "# Where the migration stands. Written by dokploy-wizard; safe to read, not to edit.\n\n"
        write_atomically(
            self.path, f"{header}{text}\n{_END}\n", keep=self.path.with_name(f"{self.path.name}.previous")
        )

    def _as_toml(self) -> dict[str, Any]:
        steps: dict[str, Any] = {}
        for step_id, step in self.steps.items():
            row: dict[str, Any] = {"state": step.state.value, "changed": _when(step.changed)}
            if step.why:
                row["why"] = step.why
            if step.until is not None:
                row["until"] = _when(step.until)
            if step.saved:
                row["saved"] = step.saved
            steps[step_id] = row
        return {
            "version": VERSION,
            "project": self.project,
            "started": _when(self.started),
            "journal": journal.length(self.journal_path),
            **({"taking_back": self.taking_back} if self.taking_back else {}),
            "answers": self.answers,
            "steps": steps,
        }


def journal_name(progress: Path) -> str:
    """journal.jsonl beside progress.toml; a differently named progress file has its own."""
    return "journal.jsonl" if progress.name == "progress.toml" else f"{progress.stem}.journal.jsonl"


def load(path: Path) -> Progress:
    """What the file says; an empty one if there is none; rebuilt from the journal if it is damaged.

    Raises UsageError for a file of a newer version.
    """
    records = path.parent / journal_name(path)
    if not path.exists():
        return rebuild(path, f"{path.name} is gone") if _worth_rebuilding(records) else Progress(path)
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
        version = data["version"]
        if not isinstance(version, int):
            raise ValueError(f"its version is {version!r}")
        if version > VERSION:
            raise UsageError(
                f"{path.name} was written by a newer dokploy-wizard (version {version} of the file)",
                next="Update dokploy-wizard, or start with another --progress file.",
            )
        # Cut between two lines it would still be TOML, and whatever stood behind forgotten.
        if not text.rstrip().endswith(_END) and _worth_rebuilding(records):
            raise ValueError("its end is missing")
        progress = _from_toml(path, data)
        seen = max(0, int(data.get("journal", journal.length(records))))
    except (
        tomllib.TOMLDecodeError,
        UnicodeDecodeError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:
        return rebuild(path, f"{path.name} could not be read ({error})")
    _replay_all(progress, journal.read(records, seen))
    return progress


def rebuild(path: Path, why: str) -> Progress:
    """Replay the journal. The damaged file is kept beside as `.damaged`."""
    damaged = path.exists()
    if damaged:
        path.replace(path.with_name(f"{path.name}.damaged"))
    aside = f"; what it was is kept as {path.name}.damaged" if damaged else ""
    told = f"{why} · where the migration stands was read from the journal{aside}"
    progress = Progress(path, rebuilt=redact(told))
    _replay_all(progress, journal.read(path.parent / journal_name(path)))
    progress.save()
    return progress


def _replay_all(progress: Progress, entries: Iterable[Mapping[str, Any]]) -> None:
    """A line that was damaged so that it still is JSON tells nothing."""
    for entry in entries:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            _replay(progress, entry)


def _replay(progress: Progress, entry: Mapping[str, Any]) -> None:
    kind, at = entry["kind"], float(entry.get("moment", 0.0))
    if kind == journal.Entry.RUN:
        progress.project = progress.project or str(entry.get("project", ""))
        progress.started = progress.started or at
    elif kind == journal.Entry.STATE:
        step = progress.step(entry["step"])
        step.state, step.why, step.changed = StepState(entry["state"]), entry.get("why", ""), at
        step.until = entry.get("until")
    elif kind == journal.Entry.SAVED:
        progress.step(entry["step"]).saved[entry["name"]] = entry["record"]
    elif kind == journal.Entry.DROPPED:
        progress.step(entry["step"]).saved.pop(entry["name"], None)
    elif kind == journal.Entry.ANSWER and entry["answer"] is None:
        progress.answers.pop(entry["question"], None)
    elif kind == journal.Entry.ANSWER:
        progress.answers[entry["question"]] = entry["answer"]
    elif kind == journal.Entry.BACK:
        progress.taking_back = entry["target"]


def _worth_rebuilding(records: Path) -> bool:
    return any(entry["kind"] == journal.Entry.STATE for entry in journal.read(records))


def _from_toml(path: Path, data: Mapping[str, Any]) -> Progress:
    progress = Progress(
        path,
        project=data["project"],
        started=_moment(data["started"]),
        taking_back=str(data.get("taking_back", "")),
        answers={str(key): str(value) for key, value in data.get("answers", {}).items()},
    )
    for step_id, row in data.get("steps", {}).items():
        progress.steps[step_id] = StepProgress(
            state=StepState(row["state"]),
            why=row.get("why", ""),
            until=_moment(row["until"]) if "until" in row else None,
            changed=_moment(row["changed"]),
            saved={name: dict(record) for name, record in row.get("saved", {}).items()},
        )
    return progress


def _when(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def _moment(when: datetime) -> float:
    return when.timestamp()


def encode(record: Any) -> dict[str, Any]:
    """A record as plain TOML data: None is left out, since TOML has none."""
    data = jsonable(record)
    if not isinstance(data, dict):
        raise TypeError(f"a saved record is a dataclass, not {type(record).__name__}")
    pruned = _prune(data)
    assert isinstance(pruned, dict)
    return pruned


def decode(data: Mapping[str, Any], kind: type[T]) -> T:
    """The typed record again. Fields that are absent take the dataclass's defaults."""
    import cattrs

    return cattrs.structure(data, kind)


def _prune(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _prune(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_prune(item) for item in value if item is not None]
    return value
