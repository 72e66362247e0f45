"""config.toml -> `wizard.config.Config`, with all its mistakes at once.

syntax   text to plain data, over lines that are no TOML
lines    where each key stands
shape    plain data to dataclasses: unknown keys, types, missing keys
values   what a single value may be
rules    what must fit together
edit     changes that leave comments alone
"""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path

from wizard.config import Config
from wizard.configfile.mistakes import ConfigError, Mistake
from wizard.configfile.rules import COMBINATIONS
from wizard.configfile.shape import Notes, read_table
from wizard.configfile.syntax import parse
from wizard.errors import UsageError

__all__ = ["ConfigError", "Mistake", "example", "example_file", "example_text", "load", "loads"]


def loads(text: str, source: str = "config.toml") -> Config:
    """The configuration that `text` describes. Raises ConfigError with every mistake."""
    parsed = parse(text)
    if not parsed.data:
        raise ConfigError(
            source,
            parsed.mistakes
            or (Mistake(0, "", "is empty", "Begin with config.toml.example, or run `dokploy-wizard init`."),),
        )
    notes = Notes(parsed.lines, parsed.hidden)
    config: Config = read_table(Config, parsed.data, (), notes)
    for rule in COMBINATIONS:
        rule(config, notes)
    mistakes = (*parsed.mistakes, *notes.mistakes)
    if mistakes:
        raise ConfigError(source, mistakes)
    return dataclasses.replace(config, source=source)


def load(path: Path) -> Config:
    """The same from a file. Raises UsageError when it cannot be read at all."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(
            f"There is no {path}",
            "the migration is described in that file",
            "Write one with `dokploy-wizard init`, begin with config.toml.example, or name another by "
            "--config; `dokploy-wizard rehearse` needs none.",
        ) from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is no text in UTF-8",
            f"byte {error.start} cannot be read",
            "Save it as UTF-8 in your editor.",
        ) from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read", (error.strerror or "no access").lower(), "Name a file by --config."
        ) from None
    return loads(text, str(path))


def example_file() -> AbstractContextManager[Path]:
    """The packaged example as a file on disk, for as long as the context lasts."""
    return resources.as_file(resources.files("wizard.configfile").joinpath("example.toml"))


def example_text() -> str:
    """The packaged example: the same as config.toml.example."""
    return resources.files("wizard.configfile").joinpath("example.toml").read_text(encoding="utf-8")


def example() -> Config:
    """The example's configuration, which a rehearsal takes when it is given no other."""
    return loads(example_text(), "config.toml.example")
