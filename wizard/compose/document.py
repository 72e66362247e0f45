"""A compose file as text with positions: nodes of YAML, their lines, and what merging makes of them.

Edits are made to the text itself, so that comments, order and untouched services stay byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from wizard.errors import UsageError

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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

    @property
    def line(self) -> int:
        """Counts from 1."""
        return int(self.key_node.start_mark.line) + 1


@dataclass(frozen=True, slots=True)
class Document:
    text: str
    root: MappingNode

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines(keepends=True)

    def section(self, name: str) -> MappingNode | None:
        """A mapping at the top, e.g. `services`; None if absent or empty."""
        found = get(self.root, name)
        return found.value if found and isinstance(found.value, MappingNode) else None


def parse(text: str) -> Document:
    """Raises ComposeError with the line for what is no YAML or no mapping."""
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise ComposeError(
            f"Line {line} is not valid YAML", error.problem or "", "Mend that line and try again.", line=line
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ComposeError(
            "The file is not valid YAML", str(error), "Check that it is a text file in UTF-8."
        ) from error
    if not isinstance(root, MappingNode):
        raise ComposeError("The file is not a compose file", "its top level is not a mapping", line=1)
    return Document(text, root)


def entries(node: Node | None, *, merged: bool = True) -> Iterator[Entry]:
    """A mapping's entries: its own first, then what `<<` brings and is not overridden."""
    yield from _entries(node, merged, frozenset())


def _entries(node: Node | None, merged: bool, above: frozenset[int]) -> Iterator[Entry]:
    if not isinstance(node, MappingNode) or id(node) in above:
        return
    seen: set[str] = set()
    sources: list[Node] = []
    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            sources += value.value if isinstance(value, SequenceNode) else [value]
        elif isinstance(key, ScalarNode):
            seen.add(key.value)
            yield Entry(key.value, key, value)
    if merged:
        for source in sources:
            for entry in _entries(source, True, above | {id(node)}):
                if entry.key not in seen:
                    seen.add(entry.key)
                    yield Entry(entry.key, entry.key_node, entry.value, merged=True)


def get(node: Node | None, key: str) -> Entry | None:
    return next((entry for entry in entries(node) if entry.key == key), None)


def scalar(node: Node | None) -> str | None:
    """A scalar's text; None for null and for anything else."""
    if isinstance(node, ScalarNode) and node.tag != "tag:yaml.org,2002:null":
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


def scalars(node: Node | None, above: frozenset[int] = frozenset()) -> Iterator[ScalarNode]:
    """Every value below `node` (keys are not interpolated by compose), each node once."""
    if node is None or id(node) in above:
        return
    if isinstance(node, ScalarNode):
        yield node
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from scalars(item, above | {id(node)})
    elif isinstance(node, MappingNode):
        for _, value in node.value:
            yield from scalars(value, above | {id(node)})


def line_of(node: Node) -> int:
    return int(node.start_mark.line) + 1


def plain(node: Node | None, above: frozenset[int] = frozenset()) -> Any:
    """Plain data with merges resolved and every scalar as (tag, text): for comparing, not for typing."""
    if node is None or id(node) in above:
        return None
    if isinstance(node, MappingNode):
        inside = above | {id(node)}
        return {entry.key: plain(entry.value, inside) for entry in entries(node)}
    if isinstance(node, SequenceNode):
        return [plain(item, above | {id(node)}) for item in node.value]
    return (node.tag, node.value)
