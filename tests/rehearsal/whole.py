"""The whole migration in a process of its own, as an operator runs it; over the packaged example."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from wizard import configfile
from wizard.engine.progress import Progress, load
from wizard.rehearsal import state as states
from wizard.rehearsal.door import Wish, enter
from wizard.rehearsal.state import WorldState

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 600.0


@dataclass(frozen=True)
class Ran:
    """How a run ended; `lines` are its JSON objects."""

    code: int
    lines: tuple[dict[str, Any], ...]
    errors: str

    @property
    def summary(self) -> dict[str, Any]:
        assert self.lines and self.lines[-1]["event"] == "summary", self.story
        return self.lines[-1]

    @property
    def story(self) -> str:
        """What went wrong, for a failing assertion."""
        wrong = [
            f"{line['step']} {line['state']}: {line['why']} {' / '.join(line.get('ways') or ())}"
            for line in self.lines
            if line["event"] == "step" and line["state"] in ("failed", "asking")
        ]
        return f"exit {self.code}\n{self.errors}\n" + "\n".join(wrong)


@dataclass(frozen=True)
class Rehearsal:
    """One progress file in a folder; the world lives beside it."""

    folder: Path
    config: Path | None = None
    options: tuple[str, ...] = ()

    @property
    def progress(self) -> Path:
        return self.folder / "progress.toml"

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    def words(self, *command: str) -> list[str]:
        config = ("--config", str(self.config)) if self.config else ()
        options = (*config, "--progress", str(self.progress), *self.options)
        return [sys.executable, "-m", "wizard.cli", "rehearse", *command, *options]

    def killed(
        self,
        lines: int,
        seconds: float = 0.0,
        what: str = "any",
        command: tuple[str, ...] = ("run",),
    ) -> int:
        """A command that is killed `seconds` after its `lines`-th line in the journal; its exit status."""
        words = self.words(*command, "--yes", "--json")
        dying = [sys.executable, "-m", "tests.rehearsal.dying", what, str(lines), str(seconds), *words[3:]]
        with self._said.open("w") as out, self._complained.open("w") as err:
            return subprocess.run(
                dying, cwd=ROOT, stdout=out, stderr=err, timeout=PATIENCE, check=False
            ).returncode

    def run(self, *command: str) -> Ran:
        done = subprocess.run(
            self.words(*(command or ("run", "--yes", "--json"))),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return _ran(done.returncode, done.stdout, done.stderr)

    @contextlib.contextmanager
    def disturbed(self, how: str, lines: int) -> Iterator[subprocess.Popen[str]]:
        """A run to which something happens after its `lines`-th line in the journal (see `disturbed`)."""
        words = self.words("run", "--yes", "--json")
        command = [sys.executable, "-m", "tests.rehearsal.disturbed", how, str(lines), *words[3:]]
        with self._said.open("w") as out, self._complained.open("w") as err:
            process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err, text=True)
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    def ended(self, process: subprocess.Popen[str]) -> Ran:
        """How a disturbed run ended."""
        code = process.wait(PATIENCE)
        return _ran(code, self._said.read_text(), self._complained.read_text())

    @property
    def complaint(self) -> str:
        """What the last disturbed or killed run wrote to standard error."""
        return self._complained.read_text()

    @property
    def _said(self) -> Path:
        return self.folder / "said.jsonl"

    @property
    def _complained(self) -> Path:
        return self.folder / "complained.txt"

    def text(self, *command: str) -> str:
        """What a command prints that ends well."""
        return subprocess.run(
            self.words(*command), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True
        ).stdout

    def state(self) -> Progress:
        return load(self.progress)

    def ask(self, command: str) -> dict[str, Any]:
        """One question to the world's control, which is started if it has ended: summary, stop."""

        async def one() -> dict[str, Any]:
            with configfile.example_file() as example:
                path = self.config or example
                async with enter(configfile.load(path), path, self.progress, Wish()) as door:
                    if command == "stop":
                        await door.end()
                        return {}
                    return await door.summary()

        return asyncio.run(one())

    def end(self) -> None:
        """The world's process ends, and has kept everything when this returns."""
        world = self.progress.with_suffix(".world")
        if (world / "world.json").exists():
            self.ask("stop")
            with FileLock(world / "world.lock", timeout=PATIENCE):
                pass

    def kept(self) -> WorldState:
        """What the world remembers; it is ended first."""
        self.end()
        state = states.load(self.progress.with_suffix(".world") / "state")
        assert state is not None
        return state


def _ran(code: int, said: str, complained: str) -> Ran:
    assert "Traceback" not in said + complained, complained[-4000:]
    objects = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return Ran(code, tuple(objects), complained)
