"""The files that `include` adds to a stack, each with the folder that its paths start in."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from yaml.nodes import MappingNode, Node

from wizard.compose.document import ComposeError, Document, entries, get, items, scalar, strings, value_of
from wizard.compose.setting import Setting
from wizard.compose.stack import Stack, read

_KINDS = ("volume", "network", "secret", "config")


@dataclass(frozen=True)
class Part:
    """`path` is from the folder of the file under review."""

    path: str
    stack: Stack
    setting: Setting


@dataclass
class Parts:
    """`unread` are included files that were not there to read, `broken` those that are no compose files."""

    found: list[Part] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    broken: list[tuple[str, ComposeError]] = field(default_factory=list)
    circles: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Included:
    """One entry of `include`: files laid over each other, the last one winning."""

    paths: tuple[str, ...]
    folder: str | None


def included(document: Document) -> Iterator[Included]:
    found = get(document.root, "include")
    for item in items(found.value) if found else ():
        if (path := scalar(item)) is not None:
            yield Included((path,), None)
        elif (several := get(item, "path")) is not None:
            yield Included(strings(several.value), value_of(item, "project_directory"))


def parts(stack: Stack, setting: Setting) -> Parts:
    """Every included file, those that they include too."""
    whole = Parts()
    _read(stack, setting, whole, ())
    return whole


def _read(stack: Stack, setting: Setting, whole: Parts, above: tuple[str, ...]) -> None:
    for one in included(stack.document):
        below: list[Part] = []
        for path in one.paths:
            full = setting.place(path)
            if full in above:
                whole.circles.append(full)
            elif part := _part(full, one, setting, whole):
                layered = _over(part, below)
                below.append(layered)
                whole.found.append(layered)
                _read(layered.stack, layered.setting, whole, (*above, full))


def _part(full: str, one: Included, setting: Setting, whole: Parts) -> Part | None:
    text = setting.files.get(full)
    if text is None:
        whole.unread.append(full)
        return None
    folder = one.folder if one.folder is not None else posixpath.dirname(one.paths[0])
    inner = setting.at(setting.place(folder or "."))
    try:
        return Part(full, read(text, inner), inner)
    except ComposeError as error:
        whole.broken.append((full, error))
        return None


def _over(part: Part, below: list[Part]) -> Part:
    """With what the files say over which this one is laid."""
    services = tuple(
        replace(service, foreign=(*service.foreign, *_lower(service.name, below)))
        for service in part.stack.services
    )
    return replace(part, stack=replace(part.stack, services=services))


def _lower(name: str, below: list[Part]) -> tuple[MappingNode, ...]:
    found = (part.stack.service(name) for part in reversed(below))
    return tuple(node for service in found if service for node in (*service.chain, *service.foreign))


def defined(stack: Stack) -> frozenset[tuple[str, str]]:
    """Kind and name of everything that a file defines."""
    found = {("service", service.name) for service in stack.services}
    for kind in _KINDS:
        section: Node | None = stack.document.section(f"{kind}s")
        found |= {(kind, entry.key) for entry in entries(section)}
    return frozenset(found)
