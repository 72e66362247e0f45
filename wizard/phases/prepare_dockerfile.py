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


def missing(found: Dockerfile, context: str, files: Iterable[str]) -> tuple[tuple[int, str], ...]:
    """What is taken from the context and isn't in it; `files` are paths from the repository's root."""
    root = _clean(context)
    prefix = f"{root}/" if root else ""
    inside = [path.removeprefix(prefix) for path in files if path.startswith(prefix)]
    folders = {"/".join(path.split("/")[:depth]) for path in inside for depth in range(path.count("/") + 1)}
    known = folders | set(inside) | {""}
    return tuple((line, path) for line, path in found.copied if not _there(_clean(path), known))


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
