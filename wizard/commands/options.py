"""The options that every command knows."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

REHEARSAL_FOLDER = Path("rehearsal")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How a rehearsal's world is to be; `speed` is in simulated seconds a real second."""

    seed: int
    faults: str | None
    """None leaves a world that was begun as it is."""
    speed: float


@dataclass(frozen=True, slots=True)
class Options:
    """`config` is None when none was named: ./config.toml, or the packaged example in a rehearsal."""

    config: Path | None
    progress: Path
    json: bool
    plain: bool
    yes: bool
    color: bool
    debug: bool
    rehearsal: Rehearsal | None

    @property
    def config_path(self) -> Path:
        return self.config or Path("config.toml")


def common(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("options of every command")
    group.add_argument("--config", type=Path, metavar="FILE", help="the migration (default: config.toml)")
    group.add_argument(
        "--progress", type=Path, metavar="FILE", help="where it stands (default: progress.toml)"
    )
    group.add_argument("--json", action="store_true", help="one JSON object a line")
    group.add_argument("--plain", action="store_true", help="lines of text, no full screen, no colour")
    group.add_argument("--yes", action="store_true", help="approve plans, take the default answers")
    group.add_argument("--no-color", action="store_true", help="no colour; NO_COLOR is honoured too")
    group.add_argument("--debug", action="store_true", help="show tracebacks")


def rehearsing(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("options of a rehearsal")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="fixes its randomness (default: 0)")
    group.add_argument(
        "--faults",
        metavar="NAME",
        help="a fault profile: none, flaky, storm, or a named one (default: as before, at first none)",
    )
    group.add_argument(
        "--speed",
        type=_speed,
        default=120.0,
        metavar="X",
        help="simulated seconds a real second (default: 120)",
    )


def _speed(text: str) -> float:
    value = float(text)
    if not 0.1 <= value <= 100_000:
        raise argparse.ArgumentTypeError("choose 0.1 to 100000")
    return value


def options_from(arguments: argparse.Namespace, *, rehearsal: bool) -> Options:
    progress = arguments.progress or (REHEARSAL_FOLDER if rehearsal else Path()) / "progress.toml"
    color = not (arguments.no_color or arguments.plain or arguments.json or os.environ.get("NO_COLOR"))
    return Options(
        config=arguments.config,
        progress=progress,
        json=arguments.json,
        plain=arguments.plain,
        yes=arguments.yes,
        color=color and sys.stdout.isatty(),
        debug=arguments.debug,
        rehearsal=Rehearsal(arguments.seed, arguments.faults, arguments.speed) if rehearsal else None,
    )
