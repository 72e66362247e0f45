"""What parts of a compose file say, to compare two of them whatever they are written like."""

from __future__ import annotations

from dataclasses import dataclass, field

from yaml.nodes import MappingNode, Node, SequenceNode

from wizard.compose.document import entries


@dataclass(frozen=True, slots=True)
class Meanings:
    """A number for what a node says, merges resolved: equal for equal meaning, however it is written."""

    _numbers: dict[tuple[object, ...], int] = field(default_factory=dict)
    _known: dict[int, tuple[Node, int]] = field(default_factory=dict)

    def of(self, node: Node) -> int:
        if id(node) not in self._known:
            # One that holds itself ends here.
            self._known[id(node)] = (node, -1)
            said = self._said(node)
            self._known[id(node)] = (node, self._numbers.setdefault(said, len(self._numbers)))
        return self._known[id(node)][1]

    def _said(self, node: Node) -> tuple[object, ...]:
        if isinstance(node, MappingNode):
            return (node.tag, *sorted((entry.key, self.of(entry.value)) for entry in entries(node)))
        if isinstance(node, SequenceNode):
            return (node.tag, *(self.of(item) for item in node.value))
        return (node.tag, node.value)
