"""On which line each key of a TOML text stands.

The parsers of the standard library and of tomlkit do not tell; this reads the text a second time,
after it was found to be valid, for positions only.
"""

from __future__ import annotations

import re
from collections import defaultdict

from wizard.configfile.mistakes import Path

_TOKEN = re.compile(
    r'''(?P<long>"""(?:\\.|[^\\])*?"{3,5}|\'{3}.*?\'{3,5})'''
    r"""|(?P<text>"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
    r"""|(?P<skip>[ \t\r]+|\#[^\n]*)"""
    r"""|(?P<mark>[\[\]{}=,.\n])"""
    r"""|(?P<bare>[^\s\[\]{}=,.\#"']+)""",
    re.DOTALL,
)


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, int]] = []
        line = 1
        for match in _TOKEN.finditer(text):
            if match.lastgroup != "skip":
                self.tokens.append((match.group(), line))
            line += match.group().count("\n")
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.counts: defaultdict[Path, int] = defaultdict(int)

    def peek(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def take(self) -> tuple[str, int]:
        token = self.tokens[self.at] if self.at < len(self.tokens) else ("", 0)
        self.at += 1
        return token

    def newlines(self) -> None:
        while self.peek() == "\n":
            self.take()

    def key(self, end: str) -> tuple[tuple[str, ...], int]:
        """A dotted key up to `end`, which is consumed."""
        parts: list[str] = []
        first = 0
        while self.peek() not in (end, ""):
            token, line = self.take()
            first = first or line
            if token != ".":
                parts.append(token[1:-1] if token[0] in "\"'" else token)
        self.take()
        return tuple(parts), first

    def note(self, path: Path, line: int) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def resolve(self, parts: tuple[str, ...]) -> Path:
        """The path of a table header; names of arrays of tables mean their last element."""
        path: Path = ()
        for part in parts:
            path = (*path, part)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        return path

    def header(self) -> Path:
        self.take()
        if self.peek() == "[":
            self.take()
            parts, line = self.key("]")
            self.take()
            array: Path = (*self.resolve(parts[:-1]), parts[-1])
            self.counts[array] += 1
            path: Path = (*array, self.counts[array] - 1)
        else:
            parts, line = self.key("]")
            path = self.resolve(parts)
        self.note(path, line)
        return path

    def assignment(self, table: Path) -> None:
        parts, line = self.key("=")
        path = (*table, *parts)
        self.note(path, line)
        self.value(path)

    def value(self, path: Path) -> None:
        opening = self.peek()
        if opening == "[":
            self.take()
            self.items(path)
        elif opening == "{":
            self.take()
            while self.peek() not in ("}", ""):
                self.assignment(path)
                if self.peek() == ",":
                    self.take()
            self.take()
        else:
            while self.peek() not in (",", "]", "}", "\n", ""):
                self.take()

    def items(self, path: Path) -> None:
        index = 0
        self.newlines()
        while self.peek() not in ("]", ""):
            self.note((*path, index), self.tokens[self.at][1])
            self.value((*path, index))
            index += 1
            self.newlines()
            if self.peek() == ",":
                self.take()
            self.newlines()
        self.take()

    def read(self) -> dict[Path, int]:
        table: Path = ()
        while True:
            self.newlines()
            if not self.peek():
                return self.lines
            if self.peek() == "[":
                table = self.header()
            else:
                self.assignment(table)


def line_numbers(text: str) -> dict[Path, int]:
    """Line (from 1) of every table, key and array element of a valid TOML text."""
    return _Reader(text).read()
