"""TOML text to plain data, getting over lines that are no TOML so that one slip does not hide the others."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any

from wizard.configfile.lines import line_numbers
from wizard.configfile.mistakes import Mistake, Path

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_MOST_SLIPS = 25

_STATEMENT = "A line is `key = value`, `[table]`, `[[one of several]]` or `# a comment`."

# What the parser says first, and what to do about it.
_REMEDIES = (
    ("Unterminated string", "Close the quotation mark."),
    ("Illegal character '\\n'", "Close the quotation mark on the same line."),
    ("Invalid value", 'Text stands in quotation marks ("…"); yes and no are written true and false.'),
    ("Invalid statement", _STATEMENT),
    (
        "Expected '=' after a key",
        "A line is `key = value`, `[table]`, `[[one of several]]` or `# a comment`.",
    ),
    ("Expected ']'", "Close the bracket."),
    ("Unclosed array", "Close the bracket of the list."),
    ("Cannot overwrite a value", "The key stands there twice: keep one."),
    ("Duplicate inline table key", "The key stands there twice: keep one."),
    ("Cannot declare", "The table stands there twice: keep one, or write [[…]] where several are meant."),
    ("Expected newline or end of document", "One `key = value` to a line; a comment begins with #."),
    ("Unescaped '\\'", "Write a backslash twice, or put the text in single quotation marks."),
)


@dataclass(frozen=True, slots=True)
class Source:
    """`hidden` are words of lines that could not be read: nothing is said to be missing because of them."""

    data: dict[str, Any]
    lines: dict[Path, int]
    mistakes: tuple[Mistake, ...]
    hidden: frozenset[str]


def parse(text: str) -> Source:
    """Read all that can be read."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    rows = text.split("\n")
    mistakes: list[Mistake] = []
    hidden: set[str] = set()
    reached = 0
    while True:
        try:
            data = tomllib.loads("\n".join(rows))
            return Source(data, line_numbers("\n".join(rows)), tuple(mistakes), frozenset(hidden))
        except RecursionError:
            return Source(
                {}, {}, (*mistakes, Mistake(0, "", "is nested too deeply", "Write it flat.")), frozenset()
            )
        except ValueError as error:
            line = _line(str(error), rows)
            mistakes.append(_mistake(str(error), line))
            if line <= reached or len(mistakes) >= _MOST_SLIPS:
                return Source({}, {}, tuple(mistakes), frozenset())
            reached = line
            hidden |= _blank(rows, line)


def _line(message: str, rows: list[str]) -> int:
    """Where the parser stumbled. It names no line for keys given twice at the very end."""
    place = _PLACE.search(message)
    if place is not None and place[1]:
        return int(place[1])
    return max((number for number, row in enumerate(rows, 1) if row.strip()), default=1)


def _mistake(message: str, line: int) -> Mistake:
    what = _PLACE.sub("", message)
    remedy = next((remedy for start, remedy in _REMEDIES if what.startswith(start)), _STATEMENT)
    return Mistake(line, "", f"is no TOML: {what[:1].lower()}{what[1:]}", remedy)


def _blank(rows: list[str], line: int) -> set[str]:
    """Empty the line (a broken table header with all that stands under it) and return its words."""
    last = line
    if rows[line - 1].lstrip().startswith("["):
        while last < len(rows) and not rows[last].lstrip().startswith("["):
            last += 1
    words: set[str] = set()
    for index in range(line - 1, min(last, len(rows))):
        words |= set(re.findall(r"[\w.-]+", rows[index]))
        rows[index] = ""
    return words
