"""The panel's procedures: what each needs, as the vendor's description requires it, and who answers.

`required` fields must be present, and may be null only where they are marked with a question mark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from wizard.rehearsal.panels_state import Refused, Row

if TYPE_CHECKING:
    from wizard.rehearsal.panels import Panel

Handler = Callable[["Panel", Row], Any]
MODULES = (
    "projects", "applications", "composes", "domains", "deployments", "operations", "backups",
    "notifications", "settings",
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
        import_module(f"wizard.rehearsal.panels_{name}")


def validate(procedure: Procedure, given: Row) -> None:
    """Raises Refused with one complaint for each field that is absent, or null where it must not be."""
    fields: dict[str, list[str]] = {}
    for name in procedure.required:
        if name not in given:
            fields[name] = ["Invalid input: expected a value, received undefined"]
        elif given[name] is None and name not in procedure.nullable:
            fields[name] = ["Invalid input: expected a value, received null"]
        elif given[name] == "" and name.endswith("Id") and name not in procedure.nullable:
            fields[name] = ["Too small: expected string to have >=1 characters"]
    if fields:
        raise Refused(400, "BAD_REQUEST", "Input validation failed", fields)


def chosen(given: Row, *names: str) -> Row:
    """The fields of these names that were given: unknown ones are dropped without a word."""
    return {name: given[name] for name in names if name in given}


def complain(field: str, text: str) -> Refused:
    return Refused(400, "BAD_REQUEST", "Input validation failed", {field: [text]})
