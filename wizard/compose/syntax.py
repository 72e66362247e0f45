"""Mounts, ports and variables of a service, in compose's short and long syntax."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from wizard.compose.document import Entry, entries, items, line_of, scalar, value_of
from wizard.compose.interpolation import InterpolationError, substitute


class MountKind(StrEnum):
    BIND = "bind"
    VOLUME = "volume"
    TMPFS = "tmpfs"


@dataclass(frozen=True, slots=True)
class Mount:
    """`source` is as written; `index` is its place in the list at `entry`."""

    kind: MountKind
    source: str
    target: str
    read_only: bool
    line: int
    entry: Entry
    index: int
    node: Node

    @property
    def relative(self) -> bool:
        return self.kind is MountKind.BIND and self.source.startswith(".")

    @property
    def text(self) -> str:
        return f"{self.source}:{self.target}" + (":ro" if self.read_only else "")


@dataclass(frozen=True, slots=True)
class Port:
    """`published` is "" when Docker chooses one; `host` is the address it is bound to, "" for all."""

    target: str
    published: str
    host: str
    protocol: str
    line: int
    entry: Entry
    index: int

    @property
    def text(self) -> str:
        shown = ":".join(part for part in (self.host, self.published, self.target) if part)
        return shown if self.protocol == "tcp" else f"{shown}/{self.protocol}"

    @property
    def numbers(self) -> frozenset[int]:
        """The host's ports, with defaults in place; empty if they are not known."""
        first, dash, last = resolved(self.published).partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            return frozenset()
        start, end = int(first), int(last) if dash else int(first)
        return frozenset(range(start, min(end, start + 10_000) + 1))


@dataclass(frozen=True, slots=True)
class Variable:
    """`value` is None for one that is passed through from the environment of compose."""

    name: str
    value: str | None
    line: int
    node: Node


def mounts(entry: Entry) -> Iterator[Mount]:
    for index, item in enumerate(items(entry.value)):
        if isinstance(item, ScalarNode):
            yield _short_mount(item, entry, index)
        elif isinstance(item, MappingNode):
            kind = value_of(item, "type") or "volume"
            yield Mount(
                MountKind(kind) if kind in set(MountKind) else MountKind.VOLUME,
                value_of(item, "source") or value_of(item, "src") or "",
                value_of(item, "target") or value_of(item, "destination") or "",
                (value_of(item, "read_only") or "").lower() == "true",
                line_of(item),
                entry,
                index,
                item,
            )


def _short_mount(item: ScalarNode, entry: Entry, index: int) -> Mount:
    parts = split_outside_braces(item.value)
    if len(parts) == 1:
        return Mount(MountKind.VOLUME, "", parts[0], False, line_of(item), entry, index, item)
    source, target = parts[0], parts[1]
    options = parts[2].split(",") if len(parts) > 2 else []
    kind = MountKind.BIND if is_path(source) else MountKind.VOLUME
    return Mount(kind, source, target, "ro" in options, line_of(item), entry, index, item)


def mount_options(mount: Mount) -> str:
    """What stands after the target in the short syntax (":Z", ":ro,z"), "" for nothing."""
    if not isinstance(mount.node, ScalarNode):
        return ""
    parts = split_outside_braces(mount.node.value)
    return f":{parts[2]}" if len(parts) > 2 else ""


def is_path(source: str) -> bool:
    """Compose takes a source for a path when it begins like one; a variable may hold either."""
    return resolved(source).startswith((".", "/", "~")) or source.startswith("$")


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


@lru_cache(maxsize=1024)
def resolved(source: str) -> str:
    """`source` with the defaults of its variables, for judging it; unchanged if that fails."""
    try:
        return substitute(source, {}) or source
    except InterpolationError:
        return source


def ports(entry: Entry) -> Iterator[Port]:
    for index, item in enumerate(items(entry.value)):
        if isinstance(item, ScalarNode):
            yield _short_port(item, entry, index)
        elif isinstance(item, MappingNode):
            yield Port(
                value_of(item, "target") or "",
                value_of(item, "published") or "",
                value_of(item, "host_ip") or "",
                value_of(item, "protocol") or "tcp",
                line_of(item),
                entry,
                index,
            )


def _short_port(item: ScalarNode, entry: Entry, index: int) -> Port:
    text, protocol = item.value, "tcp"
    if text.endswith(("/udp", "/tcp", "/sctp")):
        text, _, protocol = text.rpartition("/")
    host = ""
    if text.startswith("["):
        host, _, text = text[1:].partition("]")
        text = text.lstrip(":")
    parts = split_outside_braces(text)
    if len(parts) >= 3:
        host, parts = ":".join(parts[:-2]), parts[-2:]
    published = parts[0] if len(parts) > 1 else ""
    return Port(parts[-1], published, host, protocol, line_of(item), entry, index)


def variables(node: Node) -> Iterator[Variable]:
    if isinstance(node, MappingNode):
        for entry in entries(node):
            yield Variable(entry.key, scalar(entry.value), entry.line, entry.value)
    if isinstance(node, SequenceNode):
        for item in items(node):
            text = scalar(item)
            if text is not None:
                name, equals, value = text.partition("=")
                yield Variable(name, value if equals else None, line_of(item), item)
