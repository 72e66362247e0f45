"""A compose file as text with positions: nodes of YAML, their places, and what merging makes of them.

Edits are made to the text itself, so that comments, order and untouched services stay byte for byte.
"""

from __future__ import annotations

import gc
import re
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from wizard.errors import UsageError

_Plain: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"
_NULL = "tag:yaml.org,2002:null"
RESET = "!reset"
_BYTE_ORDER_MARK = "\ufeff"


class ComposeError(UsageError):
    """The file cannot be read as a compose file; `line` counts from 1, 0 if unknown."""

    def __init__(self, what: str, why: str = "", next: str = "", *, line: int = 0) -> None:
        super().__init__(what, why, next)
        self.line = line


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping. `merged` tells that it came through `<<` from elsewhere in the file."""

    key: str
    key_node: ScalarNode
    value: Node
    merged: bool = False
    owner: MappingNode | None = None

    @property
    def line(self) -> int:
        """Counts from 1."""
        return int(self.key_node.start_mark.line) + 1

    @property
    def aliased(self) -> bool:
        """Whether the value is `*name`, and so stands elsewhere."""
        return bool(self.value.start_mark.index < self.key_node.end_mark.index)

    @property
    def hides(self) -> bool:
        """Whether the mapping would get another value of that key through `<<` if this one went."""
        return any(get(source, self.key) for source in _merged(self.owner))


@dataclass(frozen=True)
class Document:
    """`text` is the file as it is. Positions count characters from its start."""

    text: str
    roots: tuple[MappingNode, ...]
    """Of the YAML documents in it: compose lays each over those before it."""

    @cached_property
    def root(self) -> MappingNode:
        """What they say together at the top and in its sections."""
        return joined(self.roots)

    @cached_property
    def base(self) -> int:
        """The parser does not count a byte order mark."""
        return 1 if self.text.startswith(_BYTE_ORDER_MARK) else 0

    @cached_property
    def newline(self) -> str:
        first = self.text.find("\n")
        return "\r\n" if first > 0 and self.text[first - 1] == "\r" else "\n"

    def start(self, node: Node) -> int:
        return int(node.start_mark.index) + self.base

    def end(self, node: Node) -> int:
        return int(node.end_mark.index) + self.base

    def line_start(self, position: int) -> int:
        return max(self.text.rfind("\n", 0, position) + 1, self.base)

    def next_line(self, position: int) -> int:
        """Where the line after the one at `position` begins; the text's length after the last."""
        found = self.text.find("\n", position)
        return len(self.text) if found < 0 else found + 1

    def section(self, name: str) -> MappingNode | None:
        """A mapping at the top, e.g. `services`; None if absent or empty."""
        found = get(self.root, name)
        return found.value if found and isinstance(found.value, MappingNode) else None

    @cached_property
    def brackets(self) -> tuple[tuple[int, int], ...]:
        """Where the outermost values in brackets and braces begin and end."""
        found: list[tuple[int, int]] = []
        _brackets(self, self.root, found, set())
        return tuple(sorted(found))

    def in_brackets(self, position: int) -> bool:
        index = bisect_left(self.brackets, (position, 0)) - 1
        return index >= 0 and position < self.brackets[index][1]

    @cached_property
    def anchors(self) -> dict[int, tuple[int, ...]]:
        """Where each anchor is made → where it is used."""
        found: dict[int, list[int]] = {}
        named: dict[str, int] = {}
        if "&" not in self.text:
            return {}
        for event in yaml.parse(self.text[self.base :], Loader=_Loader):
            name = getattr(event, "anchor", None)
            if name is None or event.start_mark is None:
                continue
            position = int(event.start_mark.index) + self.base
            if isinstance(event, yaml.AliasEvent):
                found[named[name]].append(position)
            else:
                named[name] = position
                found[position] = []
        return {made: tuple(used) for made, used in found.items()}


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector of circular garbage, which walks all nodes over and over while they are made."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@lru_cache(maxsize=4)
def parse(text: str) -> Document:
    """Raises ComposeError with the line for what is no YAML or no mapping. The nodes are never changed."""
    try:
        with uncollected():
            roots = _compose(text.removeprefix(_BYTE_ORDER_MARK))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        problem = str(error.problem or "")
        if "\t" in text and "tab" not in problem and "token" in problem:
            problem += " (YAML does not allow tabs for indentation)"
        raise ComposeError(
            f"Line {line} is not valid YAML", problem, "Mend that line and try again.", line=line
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ComposeError(
            "The file is not valid YAML", _first_line(error), "Check that it is a text file in UTF-8."
        ) from error
    if not roots:
        raise ComposeError("The file is empty", next="Give a compose file, with `services`.", line=1)
    for root in roots:
        if not isinstance(root, MappingNode):
            raise ComposeError(
                "The file is not a compose file", "its top level is not a mapping", line=line_of(root)
            )
    return Document(text, tuple(root for root in roots if isinstance(root, MappingNode)))


def joined(roots: tuple[MappingNode, ...]) -> MappingNode:
    """One mapping of several, the last one first; mappings at one key are joined likewise."""
    if len(roots) == 1:
        return roots[0]
    found: dict[str, tuple[Node, list[Node]]] = {}
    for root in reversed(roots):
        for entry in entries(root):
            found.setdefault(entry.key, (entry.key_node, []))[1].append(entry.value)
    pairs = [(key, _one(values)) for key, values in found.values()]
    first = roots[0]
    return MappingNode(first.tag, pairs, first.start_mark, first.end_mark, flow_style=first.flow_style)


def _one(values: list[Node]) -> Node:
    sections = [value for value in values if isinstance(value, MappingNode)]
    if len(sections) < 2:
        return values[0]
    first = sections[-1]
    pairs = [pair for section in sections for pair in section.value]
    return MappingNode(first.tag, pairs, first.start_mark, first.end_mark, flow_style=first.flow_style)


class _Loader(_Plain):  # type: ignore[misc]
    """Judges each way of writing a scalar once: the same few words stand in a file over and over."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._tags: dict[tuple[type[Node], str, tuple[bool, bool]], str] = {}

    def resolve(self, kind: type[Node], value: str, implicit: tuple[bool, bool]) -> str:
        asked = (kind, value, implicit)
        tag = self._tags.get(asked)
        if tag is None:
            tag = self._tags[asked] = str(super().resolve(kind, value, implicit))
        return tag


class _Loose(yaml.SafeLoader):
    """Takes an anchor that is made a second time, as YAML allows and the plain loaders do not."""

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(getattr(event, "anchor", None), None)
        return super().compose_node(parent, index)


def _compose(text: str) -> list[Node]:
    try:
        return list(yaml.compose_all(text, Loader=_Loader))
    except yaml.composer.ComposerError as error:
        if "duplicate anchor" not in (error.context or ""):
            raise
    return list(yaml.compose_all(text, Loader=_Loose))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def entries(node: Node | None, *, merged: bool = True) -> Iterator[Entry]:
    """A mapping's entries: its own first, then what `<<` brings and is not overridden."""
    yield from _entries(node, merged, set(), set())


def _entries(node: Node | None, merged: bool, seen: set[str], visited: set[int]) -> Iterator[Entry]:
    if not isinstance(node, MappingNode) or id(node) in visited:
        return
    through = bool(visited)
    visited.add(id(node))
    for key, value in node.value:
        if key.tag != _MERGE and isinstance(key, ScalarNode) and key.value not in seen:
            seen.add(key.value)
            yield Entry(key.value, key, value, through, node)
    if merged:
        for source in _merged(node):
            yield from _entries(source, True, seen, visited)


def _merged(node: MappingNode | None) -> list[Node]:
    """What `<<` names, the one that wins first."""
    sources: list[Node] = []
    for key, value in node.value if node is not None else ():
        if key.tag == _MERGE:
            sources += value.value if isinstance(value, SequenceNode) else [value]
    return sources


def parts_of(node: Node, visited: dict[int, Node] | None = None) -> dict[int, Node]:
    """A mapping and all that is merged into it, by identity."""
    visited = {} if visited is None else visited
    if isinstance(node, MappingNode) and id(node) not in visited:
        visited[id(node)] = node
        for source in _merged(node):
            parts_of(source, visited)
    return visited


def get(node: Node | None, key: str) -> Entry | None:
    """The entry of that key; None without one, and for one that is taken back by `!reset`."""
    found = _find(node, key, None)
    return None if found is not None and found.value.tag == RESET else found


def _find(node: Node | None, key: str, visited: set[int] | None) -> Entry | None:
    """The first of `entries` with that key, without making the others."""
    if not isinstance(node, MappingNode) or (visited is not None and id(node) in visited):
        return None
    merges = False
    for key_node, value in node.value:
        if key_node.tag == _MERGE:
            merges = True
        elif isinstance(key_node, ScalarNode) and key_node.value == key:
            return Entry(key, key_node, value, visited is not None, node)
    if not merges:
        return None
    visited = visited or set()
    visited.add(id(node))
    sources = (_find(source, key, visited) for source in _merged(node))
    return next((found for found in sources if found is not None), None)


def scalar(node: Node | None) -> str | None:
    """A scalar's text; None for null and for anything else."""
    if isinstance(node, ScalarNode) and node.tag not in (_NULL, RESET):
        return str(node.value)
    return None


def value_of(node: Node | None, key: str) -> str | None:
    entry = get(node, key)
    return scalar(entry.value) if entry else None


def items(node: Node | None) -> tuple[Node, ...]:
    return tuple(node.value) if isinstance(node, SequenceNode) else ()


def strings(node: Node | None) -> tuple[str, ...]:
    """A scalar or a sequence of scalars as a tuple."""
    one = scalar(node)
    if one is not None:
        return (one,)
    return tuple(text for item in items(node) if (text := scalar(item)) is not None)


def scalars(node: Node | None, visited: set[int] | None = None) -> Iterator[ScalarNode]:
    """Every value below `node` (keys are not interpolated by compose), each node once."""
    visited = set() if visited is None else visited
    if node is None or id(node) in visited:
        return
    visited.add(id(node))
    if isinstance(node, ScalarNode):
        yield node
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from scalars(item, visited)
    elif isinstance(node, MappingNode):
        for _, value in node.value:
            yield from scalars(value, visited)


def duplicates(node: Node | None, visited: set[int] | None = None) -> Iterator[tuple[ScalarNode, int]]:
    """Keys that a mapping holds twice, with the line of the first."""
    visited = set() if visited is None else visited
    if node is None or id(node) in visited or isinstance(node, ScalarNode):
        return
    visited.add(id(node))
    if isinstance(node, MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.tag != _MERGE:
                if key.value in first:
                    yield key, first[key.value]
                first.setdefault(key.value, line_of(key))
            yield from duplicates(value, visited)
    for item in items(node):
        yield from duplicates(item, visited)


def line_of(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _brackets(document: Document, node: Node, found: list[tuple[int, int]], visited: set[int]) -> None:
    if id(node) in visited or isinstance(node, ScalarNode):
        return
    visited.add(id(node))
    if isinstance(node, CollectionNode) and node.flow_style:
        found.append((document.start(node), document.end(node)))
        return
    inner = [value for _, value in node.value] if isinstance(node, MappingNode) else node.value
    for value in inner:
        _brackets(document, value, found, visited)


def plain_is_safe(text: str, *, in_brackets: bool) -> bool:
    """Whether `text` may stand without quotes."""
    if not text or text != text.strip() or text[0] in "&*!|>'\"%@`#,[]{}?-:":
        return False
    if ": " in text or " #" in text or text.endswith(":"):
        return False
    return not (in_brackets and re.search(r"[{}\[\],]", text))
