"""The file's text: tables with their comments, in the order in which a reader would want them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_COLUMN = 37
_WIDTH = 103


@dataclass(frozen=True, slots=True)
class Row:
    """A key; `off` writes it as a comment, for what an operator may want to add."""

    key: str
    value: Any
    comment: str = ""
    off: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """`header` with its brackets; `above` are lines of comment; `title` begins a part of the file."""

    header: str
    rows: tuple[Row, ...]
    above: tuple[str, ...] = ()
    title: str = ""


def text(introduction: Sequence[str], tables: Iterable[Table]) -> str:
    """The whole file, ending with a line end."""
    lines = [f"# {line}".rstrip() for line in introduction]
    for table in tables:
        lines.append("")
        if table.title:
            lines += ["", f"# --- {table.title} {'-' * (_WIDTH - len(table.title) - 7)}", ""]
        lines += [f"# {line}".rstrip() for line in table.above]
        lines += [table.header, *(_line(row) for row in table.rows)]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    import tomlkit

    value = list(row.value) if isinstance(row.value, tuple) else row.value
    said = f"{'# ' if row.off else ''}{row.key} = {tomlkit.item(value).as_string()}"
    return f"{said:<{_COLUMN - 1}} # {row.comment}" if row.comment else said
