"""The panel's procedures: what each needs, as the vendor's description requires it, and who answers.

`required` fields must be present, and may be null only where they are marked with a question mark.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wizard.rehearsal.panels.state import Refused, Row

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

_TYPES: dict[str, tuple[type, ...]] = {
    "s": (str,), "n": (int, float), "i": (int,), "b": (bool,), "a": (list,), "o": (dict,)
}  # fmt: skip
Handler = Callable[["Panel", Row], Any]
MODULES = (
    "projects", "applications", "composes", "domains", "deployments", "operations", "backups",
    "notifications", "settings", "redirects",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Procedure:
    """`reads`: asked with GET. `required` are field names, `nullable` those that may be null."""

    name: str
    reads: bool
    required: tuple[str, ...]
    nullable: frozenset[str]
    handler: Handler


PROCEDURES: dict[str, Procedure] = {}


def query(name: str, required: str = "") -> Callable[[Handler], Handler]:
    """Register what answers a GET."""
    return _register(name, True, required)


def mutation(name: str, required: str = "") -> Callable[[Handler], Handler]:
    """Register what answers a POST."""
    return _register(name, False, required)


def _register(name: str, reads: bool, required: str) -> Callable[[Handler], Handler]:
    words = required.split()

    def register(handler: Handler) -> Handler:
        PROCEDURES[name] = Procedure(
            name,
            reads,
            tuple(word.rstrip("?") for word in words),
            frozenset(word.rstrip("?") for word in words if word.endswith("?")),
            handler,
        )
        return handler

    return register


def load() -> None:
    """Import every module that registers procedures."""
    for name in MODULES:
        import_module(f"wizard.rehearsal.panels.{name}")


@cache
def fields() -> dict[str, dict[str, str]]:
    """The kinds of a change's fields: ``s`` string, ``s1`` not empty, ``s(a|b)`` one of these, ``n`` number,
    ``i`` integer, ``b`` boolean, ``a`` array, ``o`` object, ``*`` anything; ``?`` may be null."""
    table: dict[str, dict[str, str]] = json.loads(
        Path(__file__).with_name("fields.json").read_text(encoding="utf-8")
    )
    return table


def validate(procedure: Procedure, given: Row) -> None:
    """Raises Refused with a complaint for each field that is absent, or of a kind that it must not have."""
    wrong: dict[str, list[str]] = {}
    kinds = fields().get(procedure.name, {})
    for name in procedure.required:
        if name not in given:
            wrong[name] = ["Invalid input: expected a value, received undefined"]
        elif given[name] is None and name not in procedure.nullable:
            wrong[name] = ["Invalid input: expected a value, received null"]
    for name in kinds.keys() & given.keys() - wrong.keys():
        if complaint := _complaint(kinds[name], given[name]):
            wrong[name] = [complaint]
    if wrong:
        raise Refused(400, "BAD_REQUEST", "Input validation failed", wrong)


def _complaint(kind: str, value: Any) -> str:
    letters, _, choices = kind.rstrip("?").rstrip(")").partition("(")
    if letters == "*" or (value is None and kind.endswith("?")):
        return ""
    if not any(_is(letter, value) for letter in letters.replace("1", "")):
        return f"Invalid input: expected {letters}, received {type(value).__name__}"
    if choices and value not in choices.split("|"):
        return "Invalid option: expected one of " + choices
    if "1" in letters and value == "":
        return "Too small: expected string to have >=1 characters"
    return ""


def _is(letter: str, value: Any) -> bool:
    if isinstance(value, bool):
        return letter == "b"
    return isinstance(value, _TYPES[letter])


def chosen(given: Row, *names: str) -> Row:
    """The fields of these names that were given: unknown ones are dropped without a word."""
    return {name: given[name] for name in names if name in given}


def complain(field: str, text: str) -> Refused:
    return Refused(400, "BAD_REQUEST", "Input validation failed", {field: [text]})
