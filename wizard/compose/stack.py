"""What a compose file describes: services with their mounts, ports and environment, in both syntaxes."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from wizard.compose.document import (
    ComposeError,
    Document,
    Entry,
    entries,
    get,
    items,
    line_of,
    parse,
    scalar,
    strings,
    value_of,
)
from wizard.compose.interpolation import InterpolationError, substitute


class MountKind(StrEnum):
    BIND = "bind"
    VOLUME = "volume"
    TMPFS = "tmpfs"


@dataclass(frozen=True, slots=True)
class Mount:
    """`source` is as written; `index` is its place in the list that holds it."""

    kind: MountKind
    source: str
    target: str
    read_only: bool
    line: int
    index: int
    node: Node

    @property
    def relative(self) -> bool:
        """Inside the clone, which the panel deletes at each deployment."""
        return self.kind is MountKind.BIND and self.source.startswith(".")


@dataclass(frozen=True, slots=True)
class Port:
    """`published` is "" when Docker chooses one; `host` is the address it is bound to, "" for all."""

    target: str
    published: str
    host: str
    protocol: str
    line: int


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    value: str | None
    line: int
    node: Node


@dataclass(frozen=True)
class Service:
    name: str
    entry: Entry
    extended: tuple[MappingNode, ...] = ()
    """Services of the same file that it extends, nearest first."""

    @property
    def node(self) -> MappingNode:
        assert isinstance(self.entry.value, MappingNode)
        return self.entry.value

    @property
    def line(self) -> int:
        return self.entry.line

    def get(self, key: str) -> Entry | None:
        for node in (self.node, *self.extended):
            if found := get(node, key):
                return found
        return None

    def text(self, key: str) -> str | None:
        found = self.get(key)
        return scalar(found.value) if found else None

    def line_of(self, key: str) -> int:
        found = self.get(key)
        return found.line if found else self.line

    @cached_property
    def image(self) -> str | None:
        return self.text("image")

    @cached_property
    def build_context(self) -> str | None:
        """The build's context as written; None when nothing is built."""
        found = self.get("build")
        if found is None:
            return None
        written = scalar(found.value)
        return written if written is not None else value_of(found.value, "context") or "."

    @cached_property
    def mounts(self) -> tuple[Mount, ...]:
        found = self.get("volumes")
        return tuple(_mounts(found.value)) if found else ()

    @cached_property
    def ports(self) -> tuple[Port, ...]:
        found = self.get("ports")
        return tuple(_ports(found.value)) if found else ()

    @cached_property
    def environment(self) -> tuple[Variable, ...]:
        found = self.get("environment")
        return tuple(_environment(found.value)) if found else ()

    @cached_property
    def depends_on(self) -> dict[str, str]:
        """Service → condition."""
        found = self.get("depends_on")
        if found is None:
            return {}
        if isinstance(found.value, SequenceNode):
            return dict.fromkeys(strings(found.value), "service_started")
        return {
            entry.key: value_of(entry.value, "condition") or "service_started"
            for entry in entries(found.value)
        }


@dataclass(frozen=True)
class Stack:
    document: Document
    services: tuple[Service, ...]

    def service(self, name: str) -> Service | None:
        return next((service for service in self.services if service.name == name), None)

    @cached_property
    def one_shots(self) -> frozenset[str]:
        """Services that are meant to end: others wait for their completion, or they are not restarted."""
        awaited = {
            name
            for service in self.services
            for name, condition in service.depends_on.items()
            if condition == "service_completed_successfully"
        }
        return frozenset(
            awaited | {service.name for service in self.services if service.text("restart") == "no"}
        )

    def volume(self, name: str) -> Entry | None:
        return get(self.document.section("volumes"), name)


def read(text: str) -> Stack:
    """Raises ComposeError, with the line, for what no compose could read."""
    document = parse(text)
    found = get(document.root, "services")
    if found is None:
        if get(document.root, "include"):
            return Stack(document, ())
        raise ComposeError(
            "There are no services in this file", "a compose file has a mapping `services`", line=1
        )
    if not isinstance(found.value, MappingNode):
        raise ComposeError("`services` is not a mapping", line=found.line)
    listed = list(entries(found.value))
    for entry in listed:
        if not isinstance(entry.value, MappingNode):
            raise ComposeError(f"The service {entry.key!r} is not a mapping", line=entry.line)
    by_name = {entry.key: entry for entry in listed}
    services = tuple(Service(entry.key, entry, _extended(entry, by_name)) for entry in listed)
    return Stack(document, services)


def _extended(entry: Entry, by_name: dict[str, Entry]) -> tuple[MappingNode, ...]:
    chain: list[MappingNode] = []
    seen = {entry.key}
    while extends := get(entry.value, "extends"):
        if value_of(extends.value, "file") is not None:
            break
        name = scalar(extends.value) or value_of(extends.value, "service") or ""
        if name in seen or name not in by_name:
            break
        seen.add(name)
        entry = by_name[name]
        assert isinstance(entry.value, MappingNode)
        chain.append(entry.value)
    return tuple(chain)


def split_outside_braces(text: str) -> list[str]:
    """Split at colons, but not at those inside ${…}."""
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(text):
        if text.startswith("${", position):
            depth += 1
        elif letter == "}" and depth:
            depth -= 1
        elif letter == ":" and not depth:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return parts


def _mounts(node: Node) -> Iterator[Mount]:
    for index, item in enumerate(items(node)):
        if isinstance(item, ScalarNode):
            yield _short_mount(item, index)
        elif isinstance(item, MappingNode):
            kind = value_of(item, "type") or "volume"
            yield Mount(
                MountKind(kind) if kind in set(MountKind) else MountKind.VOLUME,
                value_of(item, "source") or value_of(item, "src") or "",
                value_of(item, "target") or value_of(item, "destination") or "",
                (value_of(item, "read_only") or "").lower() == "true",
                line_of(item),
                index,
                item,
            )


def _short_mount(item: ScalarNode, index: int) -> Mount:
    parts = split_outside_braces(item.value)
    if len(parts) == 1:
        return Mount(MountKind.VOLUME, "", parts[0], False, line_of(item), index, item)
    source, target = parts[0], parts[1]
    options = parts[2].split(",") if len(parts) > 2 else []
    return Mount(
        MountKind.BIND if is_path(source) else MountKind.VOLUME,
        source,
        target,
        "ro" in options,
        line_of(item),
        index,
        item,
    )


def is_path(source: str) -> bool:
    """Compose takes a source for a path when it begins like one; a variable may hold either."""
    return source.startswith((".", "/", "~", "${", "$"))


def resolved(source: str) -> str:
    """`source` with the defaults of its variables, for judging it; unchanged if that fails."""
    try:
        return substitute(source, {}) or source
    except InterpolationError:
        return source


def _ports(node: Node) -> Iterator[Port]:
    for item in items(node):
        if isinstance(item, ScalarNode):
            yield _short_port(item)
        elif isinstance(item, MappingNode):
            yield Port(
                value_of(item, "target") or "",
                value_of(item, "published") or "",
                value_of(item, "host_ip") or "",
                value_of(item, "protocol") or "tcp",
                line_of(item),
            )


def _short_port(item: ScalarNode) -> Port:
    text, _, protocol = item.value.partition("/")
    host = ""
    if text.startswith("["):
        host, _, text = text[1:].partition("]")
        text = text.lstrip(":")
    parts = split_outside_braces(text)
    if len(parts) >= 3:
        host, parts = parts[0], parts[1:]
    published = parts[0] if len(parts) > 1 else ""
    return Port(parts[-1], published, host, protocol or "tcp", line_of(item))


def _environment(node: Node) -> Iterator[Variable]:
    if isinstance(node, MappingNode):
        for entry in entries(node):
            yield Variable(entry.key, scalar(entry.value), entry.line, entry.value)
    for item in items(node):
        text = scalar(item)
        if text is not None:
            name, equals, value = text.partition("=")
            yield Variable(name, value if equals else None, line_of(item), item)


def inside(path: str, folder: str) -> bool:
    """Whether the relative `path` surely lies in the relative `folder`, both seen from the compose file."""
    path_ups, path_rest = _climb(path)
    folder_ups, folder_rest = _climb(folder)
    if not folder_rest:
        return path_ups <= folder_ups
    return path_ups == folder_ups and path_rest[: len(folder_rest)] == folder_rest


def _climb(path: str) -> tuple[int, list[str]]:
    """How many folders up, and then down which way."""
    parts = [part for part in posixpath.normpath(path).split("/") if part != "."]
    ups = sum(part == ".." for part in parts)
    return ups, parts[ups:]
