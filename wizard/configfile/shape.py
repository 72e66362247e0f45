"""Plain data to the dataclasses of `wizard.config`: unknown keys, wrong types and missing keys are noted.

The dataclasses are the only description of the file's shape; nothing of it is repeated here.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from wizard.config import Config
from wizard.configfile.mistakes import Mistake, Path, nearest, spoken
from wizard.configfile.values import FIELDS, misplaced_secret

_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_INTERNAL = {(Config, "source")}


class Notes:
    """Mistakes found so far, at most one for a path."""

    def __init__(self, lines: Mapping[Path, int], hidden: frozenset[str]) -> None:
        self._lines = lines
        self._hidden = set(hidden)
        self._found: dict[Path, Mistake] = {}

    def say(self, path: Path, what: str, suggestion: str = "") -> None:
        if any(path[:length] in self._found for length in range(1, len(path) + 1)):
            return
        self._found[path] = Mistake(self.line(path), spoken(path), what, suggestion)

    def line(self, path: Path) -> int:
        """The line of `path`, or of the nearest thing around it; 0 if there is none."""
        return next((self._lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self._lines), 0)

    def given(self, path: Path) -> bool:
        """Whether the file says it (rather than leaving it to the default)."""
        return path in self._lines

    def mistook(self, word: str) -> None:
        """`word` was probably meant somewhere: it is not missing as well."""
        self._hidden.add(word)

    def unreadable(self, word: str) -> bool:
        """Whether `word` stood on a line that could not be read, or was misspelt."""
        return word in self._hidden

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        return tuple(self._found.values())


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _fields(kind: type) -> dict[str, dataclasses.Field[Any]]:
    return {f.name: f for f in dataclasses.fields(kind) if (kind, f.name) not in _INTERNAL}


def _is_table(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint)


def _plain(hint: Any) -> Any:
    """`X | None` as `X`: a table that may be left out."""
    if isinstance(hint, types.UnionType):
        return next(part for part in typing.get_args(hint) if part is not type(None))
    return hint


def read_table(kind: type, table: Mapping[str, Any], path: Path, notes: Notes) -> Any:
    """An instance of the dataclass `kind`, with placeholders where a mistake was noted."""
    fields = _fields(kind)
    for key in table:
        if key not in fields:
            notes.mistook(nearest(key, fields))
            notes.say((*path, key), "is not a known key", _unknown_advice(key, fields, path))
    values = {}
    for name, field in fields.items():
        hint = _plain(_hints(kind)[name])
        here = (*path, name)
        if name in table:
            values[name] = _read(hint, table[name], here, notes)
            _check(kind, name, values[name], here, notes)
        elif field.default is dataclasses.MISSING:
            if not notes.unreadable(name):
                notes.say(here, "is missing", _missing_advice(hint, name))
            values[name] = _placeholder(hint)
    return kind(**values)


def _read(hint: Any, value: Any, path: Path, notes: Notes) -> Any:
    if _is_table(hint):
        if isinstance(value, Mapping):
            return read_table(hint, value, path, notes)
        notes.mistook(str(path[-1]))
        notes.say(path, "must be a table", f"Write [{path[-1]}] on a line of its own.")
        return _placeholder(hint)
    if typing.get_origin(hint) is tuple:
        return _read_several(typing.get_args(hint)[0], value, path, notes)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _read_choice(hint, value, path, notes)
    return _read_scalar(hint, value, path, notes)


def _read_several(item: Any, value: Any, path: Path, notes: Notes) -> tuple[Any, ...]:
    name = path[-1]
    if typing.get_origin(item) is tuple:
        if isinstance(value, Mapping):
            return tuple((key, _read(str, text, (*path, key), notes)) for key, text in value.items())
        notes.say(path, "must be a table of texts", f'Write {name} = {{ NAME = "value" }}.')
        return ()
    if _is_table(item):
        if isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value):
            return tuple(read_table(item, entry, (*path, n), notes) for n, entry in enumerate(value))
        notes.mistook(str(name))
        notes.say(path, "must be a list of tables", f"Write [[{name}]], with two brackets, before each.")
        return ()
    if isinstance(value, list):
        return tuple(_read(item, entry, (*path, n), notes) for n, entry in enumerate(value))
    example = f'["{value}"]' if isinstance(value, str) else '["…"]'
    notes.say(path, f"must be a list, not {_said(value)}", f"Write {name} = {example}.")
    return ()


def _read_choice(kind: type[StrEnum], value: Any, path: Path, notes: Notes) -> StrEnum:
    words = [member.value for member in kind]
    if isinstance(value, str) and value in words:
        return kind(value)
    meant = nearest(value, words) if isinstance(value, str) else ""
    advice = f'Did you mean "{meant}"? ' if meant else ""
    notes.say(path, f"cannot be {_said(value)}", f"{advice}It is one of {', '.join(words)}.")
    return next(iter(kind))


def _read_scalar(kind: type, value: Any, path: Path, notes: Notes) -> Any:
    if kind is float and type(value) in (int, float):
        return float(value)
    if type(value) is kind:
        return value
    notes.say(path, f"must be {_NAMES[kind]}, not {_said(value)}", _type_advice(kind, value, path))
    return _placeholder(kind)


def _type_advice(kind: type, value: Any, path: Path) -> str:
    name = path[-1] if isinstance(path[-1], str) else "it"
    if kind is str:
        return f'Write {name} = "{value}".' if isinstance(value, (int, float)) else f'Write {name} = "…".'
    if kind is bool:
        truth = str(value).strip().lower() in ("yes", "on", "1", "true")
        return f"Write {name} = {'true' if truth else 'false'}, without quotation marks."
    if isinstance(value, str) and value.strip().removeprefix("-").replace(".", "", 1).isdigit():
        return f"Write {name} = {value.strip()}, without quotation marks."
    if isinstance(value, float):
        return f"Write {name} = {value:.0f}."
    return f"Write {name} = followed by {_NAMES[kind]}."


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value[:60]}"'
    if isinstance(value, (int, float)):
        return str(value)[:60]
    return {"list": "a list", "dict": "a table"}.get(type(value).__name__, "a date")


def _placeholder(hint: Any) -> Any:
    if typing.get_origin(hint) is tuple:
        return ()
    if _is_table(hint):
        hints = _hints(hint)
        return hint(**{n: _placeholder(_plain(hints[n])) for n in _fields(hint)})
    if issubclass(hint, StrEnum):
        return next(iter(hint))
    return hint()


def _unknown_advice(key: str, fields: Mapping[str, Any], path: Path) -> str:
    meant = nearest(key, fields)
    if meant:
        return f'Did you mean "{meant}"?'
    homes = _homes(key)
    if homes:
        return f"It belongs under {' or '.join(homes)}."
    return f"Known here: {', '.join(fields)}." if path else f"Known tables: {', '.join(fields)}."


@functools.cache
def _homes(key: str) -> tuple[str, ...]:
    """The tables that have such a key."""
    found = []
    for name, hint in _hints(Config).items():
        several = typing.get_origin(hint) is tuple
        kind = typing.get_args(hint)[0] if several else _plain(hint)
        if _is_table(kind) and key in _fields(kind):
            found.append(f"[[{name}]]" if several else f"[{name}]")
    return tuple(found)


def _missing_advice(hint: Any, name: str) -> str:
    if typing.get_origin(hint) is tuple:
        return f"Add [[{name}]]." if _is_table(typing.get_args(hint)[0]) else f'Add {name} = ["…"].'
    if _is_table(hint):
        return f"Add [{name}]."
    if issubclass(hint, StrEnum):
        return f"Add {name} = one of {', '.join(member.value for member in hint)}."
    return f"Add {name} = followed by {_NAMES[hint]}."


def _check(kind: type, name: str, value: Any, path: Path, notes: Notes) -> None:
    """The rules for the value alone; for a list, for each of its entries."""
    several = isinstance(value, tuple)
    for index, entry in enumerate(value) if several else ((0, value),):
        here = (*path, index) if several else path
        if entry == "":
            if several or _fields(kind)[name].default != "":
                notes.say(here, "is empty", "Fill it in.")
            continue
        for rule in (misplaced_secret, *FIELDS.get((kind, name), ())):
            found = rule(entry)
            if found is not None:
                notes.say(here, *found)
                break
