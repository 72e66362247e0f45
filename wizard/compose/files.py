"""Reading a compose file and what it refers to from disk."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from yaml.nodes import MappingNode

from wizard.compose.document import ComposeError, entries, get, parse, value_of
from wizard.compose.parts import included
from wizard.compose.setting import Setting
from wizard.compose.stack import read

_LARGEST = 20_000_000
"""Compose has no such limit; what is larger was not written as a compose file."""
_MOST_FILES = 200
_ELSEWHERE = re.compile(r"\$|^~|://|^git@|^oci:")
_COMPOSE = ("docker-compose", "compose")


def read_file(path: Path) -> str:
    """The file's text, line endings as they are. Raises ComposeError for what cannot be read."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ComposeError(
                f"{path.name} is larger than a compose file can be", next="Give the compose file itself."
            )
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ComposeError(
            f"{path.name} is not a text file in UTF-8", error.reason, "Save it as UTF-8."
        ) from error
    except OSError as error:
        raise ComposeError(
            f"{path} cannot be read", (error.strerror or "").lower(), "Check the path."
        ) from error


def setting_of(
    path: Path,
    *,
    memory_mb: int = 0,
    variables: frozenset[str] | None = None,
    project: str = "",
    public: tuple[str, ...] = (),
) -> Setting:
    """What the file's surroundings tell: compose files beside it, its place, the files that it names."""
    folder = path.absolute().parent
    siblings = tuple(
        sorted(
            other.name
            for other in folder.glob("*.y*ml")
            if other.name != path.name and other.name.startswith(_COMPOSE)
        )
    )
    files, missing = _files(folder, read_file(path))
    root = next((up for up in path.absolute().parents if (up / ".git").exists()), None)
    place = folder.relative_to(root).as_posix() if root else None
    return Setting(
        "" if place == "." else place,
        siblings,
        memory_mb,
        variables,
        project,
        public,
        files,
        missing,
    )


def _files(folder: Path, text: str) -> tuple[dict[str, str], frozenset[str]]:
    """Extended and included files, and Dockerfiles, as far as they are there, and those that are not."""
    found: dict[str, str] = {}
    missing: set[str] = set()
    waiting = list(referred(text))
    while waiting and len(found) < _MOST_FILES:
        name = posixpath.normpath(waiting.pop(0))
        if name in found or name in missing:
            continue
        if not (folder / name).is_file():
            missing.add(name)
            continue
        try:
            found[name] = read_file(folder / name)
        except ComposeError:
            continue
        if name.endswith((".yml", ".yaml")):
            base = posixpath.dirname(name)
            waiting += [posixpath.join(base, other) for other in referred(found[name])]
    return found, frozenset(missing)


def referred(text: str) -> tuple[str, ...]:
    """Paths of files that a compose file refers to, as `Setting.files` wants them; () for no compose file."""
    try:
        document = parse(text)
        stack = read(text)
    except ComposeError:
        return ()
    found = [path for one in included(document) for path in one.paths]
    for service in stack.services:
        for entry in entries(service.node):
            if entry.key == "extends" and isinstance(entry.value, MappingNode):
                file = value_of(entry.value, "file")
                found += [file] if file else []
        context = service.build_context
        if (
            context
            and "://" not in context
            and "$" not in context
            and not get(service.node, "dockerfile_inline")
        ):
            found.append(posixpath.join(context, service.dockerfile))
    return tuple(dict.fromkeys(path for path in found if not _ELSEWHERE.search(path)))
