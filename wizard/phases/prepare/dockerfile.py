"""What a Dockerfile takes from its build context, and which build arguments it knows. Pure."""

from __future__ import annotations

import fnmatch
import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_CONTINUED = re.compile(r"\\[ \t]*$")
_HEREDOC = re.compile(r"<<-?[\"']?(\w+)[\"']?")
_FLAG = re.compile(r"--(?:\w|-)+(?:=\S+)?\s+")
_REMOTE = re.compile(r"(?:https?|git|ssh)://|git@")


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """`copied`: (line, path within the context) of what COPY and ADD take. `arguments`: names of every ARG.

    Paths that hold a variable are left out: the build decides what they are.
    """

    copied: tuple[tuple[int, str], ...]
    arguments: frozenset[str]


def read(text: str) -> Dockerfile:
    """Never raises: a line that is no instruction is passed over."""
    copied: list[tuple[int, str]] = []
    arguments: set[str] = set()
    for line, instruction in _instructions(text):
        word, _, rest = instruction.partition(" ")
        match word.upper():
            case "ARG":
                arguments.update(part.partition("=")[0] for part in rest.split())
            case "COPY" | "ADD":
                copied += [(line, path) for path in _sources(rest)]
    return Dockerfile(tuple(copied), frozenset(arguments))


def missing(
    found: Dockerfile, context: str, files: Iterable[str], ignore: str = ""
) -> tuple[tuple[int, str], ...]:
    """What is taken from the context and isn't in it; `files` are paths from the repository's root.

    `ignore` is the text of the context's .dockerignore: what it leaves out isn't there for the build.
    """
    root = _clean(context)
    prefix = f"{root}/" if root else ""
    kept = _Ignore(ignore)
    inside = [path.removeprefix(prefix) for path in files if path.startswith(prefix)]
    inside = [path for path in inside if not kept.leaves_out(path)]
    folders = {"/".join(path.split("/")[:depth]) for path in inside for depth in range(path.count("/") + 1)}
    known = folders | set(inside) | {""}
    return tuple((line, path) for line, path in found.copied if not _there(_clean(path), known))


class _Ignore:
    """The patterns of a .dockerignore: the last one that fits a path, or a folder above it, decides."""

    def __init__(self, text: str) -> None:
        lines = (line.strip() for line in text.splitlines() if not line.startswith("#"))
        self._rules = [
            (not line.startswith("!"), _pattern(_clean(line.removeprefix("!").strip())))
            for line in lines
            if line.strip("!/ ")
        ]

    def leaves_out(self, path: str) -> bool:
        parts = path.split("/")
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        fitting = [out for out, rule in self._rules if any(rule.fullmatch(one) for one in above)]
        return bool(fitting) and fitting[-1]


def _pattern(glob: str) -> re.Pattern[str]:
    r"""`*` and `?` stay within a folder's name, `**` goes through any number of folders, `\` escapes."""
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|\\.|.", glob, re.DOTALL)
    text = "".join(
        signs.get(piece) or (piece if piece[0] == "[" and len(piece) > 2 else re.escape(piece[-1]))
        for piece in pieces
    )
    try:
        return re.compile(text, re.DOTALL)
    except re.error:
        return re.compile(re.escape(glob))


def _there(path: str, known: set[str]) -> bool:
    if any(sign in path for sign in "*?["):
        depth = path.count("/")
        return any(one.count("/") == depth and fnmatch.fnmatchcase(one, path) for one in known)
    return path in known


def _clean(path: str) -> str:
    cleaned = posixpath.normpath(path.lstrip("/") or ".")
    return "" if cleaned == "." else cleaned


def _sources(rest: str) -> Iterator[str]:
    """Paths in the context; nothing of another stage, of the network or of a text in the file itself."""
    text = rest.strip()
    while flag := _FLAG.match(text):
        if flag[0].startswith("--from="):
            return
        text = text[flag.end() :]
    words = text.split()
    if text.startswith("["):
        try:
            words = [str(word) for word in json.loads(text)]
        except ValueError:
            return
    for word in words[:-1]:
        if "$" not in word and not word.startswith("<<") and not _REMOTE.match(word):
            yield word.strip("\"'")


def _instructions(text: str) -> Iterator[tuple[int, str]]:
    """Each with the line that it begins on: continuations joined, comments and heredocs passed over."""
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        joined = line.strip()
        if not joined or joined.startswith("#"):
            continue
        while _CONTINUED.search(joined):
            joined = _CONTINUED.sub(" ", joined)
            _, more = next(lines, (0, ""))
            while more.lstrip().startswith("#"):
                _, more = next(lines, (0, ""))
            joined += more.strip()
        for ending in _HEREDOC.findall(joined):
            for _, inner in lines:
                if inner.strip() == ending:
                    break
        yield number, " ".join(joined.split())
