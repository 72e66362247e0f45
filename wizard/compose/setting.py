"""What a review knows besides the file: its neighbours, the new host, the variables that will be set."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Setting:
    """`folder` is the compose file's folder in its repository ("backend/core"; None: not known).

    `siblings` are names of compose files beside it. `memory_mb` is the new host's memory, 0 if unknown.
    `variables` are the names that the panel's environment will hold; None if that is not known yet.
    `project` is the compose project's name on the old host, which prefixes its volumes.
    `public` are the services that get a domain in the panel.
    `files` are texts of files that this one refers to (extended and included ones, Dockerfiles), by their
    path from the compose file's folder; `missing` are those that are surely not there.
    `base` is where relative paths start, from that folder: "" but in a file that another one includes.
    `elsewhere` is kind and name of what the stack's other files define; `incomplete` tells that one of them
    was not there to read.
    """

    folder: str | None = None
    siblings: tuple[str, ...] = ()
    memory_mb: int = 0
    variables: frozenset[str] | None = None
    project: str = ""
    public: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    base: str = ""
    elsewhere: frozenset[tuple[str, str]] = frozenset()
    incomplete: bool = False

    @property
    def depth(self) -> int | None:
        """How many folders below the top of the repository relative paths start."""
        if self.folder is None:
            return None
        return len(climb(posixpath.join(self.folder, self.base))[1])

    def leaves_repository(self, path: str) -> bool:
        """Whether the relative `path` surely ends outside of the repository."""
        return self.depth is not None and climb(path)[0] > self.depth

    def file(self, path: str) -> str | None:
        return self.files.get(self.place(path))

    def is_missing(self, path: str) -> bool:
        return self.place(path) in self.missing

    def place(self, path: str) -> str:
        """A relative path, seen from the folder of the file under review."""
        return posixpath.normpath(posixpath.join(self.base, path))

    def at(self, base: str) -> Setting:
        """As a file of that folder sees it, which has no neighbours and no domains of its own."""
        return replace(self, base="" if base == "." else base, siblings=(), public=())


def climb(path: str) -> tuple[int, list[str]]:
    """How many folders up, and then down which way."""
    parts = [part for part in posixpath.normpath(path).split("/") if part != "."]
    ups = sum(part == ".." for part in parts)
    return ups, parts[ups:]


def inside(path: str, folder: str) -> bool:
    """Whether the relative `path` surely lies in the relative `folder`, both seen from the compose file."""
    path_ups, path_rest = climb(path)
    folder_ups, folder_rest = climb(folder)
    if not folder_rest:
        return path_ups <= folder_ups
    return path_ups == folder_ups and path_rest[: len(folder_rest)] == folder_rest


def below(path: str, folder: str) -> str | None:
    """`path` as seen from `folder`, which holds it; None where names are missing to tell that."""
    path_ups, path_rest = climb(path)
    folder_ups, folder_rest = climb(folder)
    if path_ups == folder_ups and inside(path, folder):
        return "/".join(path_rest[len(folder_rest) :]) or "."
    return None
