"""Small edits of the text of a compose file, found by its nodes' positions."""

from __future__ import annotations

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from wizard.compose.document import Document, Entry, entries, get
from wizard.compose.finding import Edit


def offset(document: Document, line: int, column: int) -> int:
    """The index of a position; `line` counts from 0."""
    return sum(len(text) for text in document.lines[:line]) + column


def span(document: Document, node: Node) -> tuple[int, int]:
    start, end = node.start_mark, node.end_mark
    return offset(document, start.line, start.column), offset(document, end.line, end.column)


def replace(document: Document, node: ScalarNode, text: str) -> Edit:
    """Another scalar in place of `node`, in its own kind of quotes where it has any."""
    start, end = span(document, node)
    before = document.text[start:end]
    quote = node.style if node.style in ("'", '"') else ""
    return Edit(start, end, before, f"{quote}{text}{quote}" if quote else text)


def remove_entry(document: Document, entry: Entry) -> Edit | None:
    """Remove a key with all that belongs to it; None where it stands inside braces."""
    column = int(entry.key_node.start_mark.column)
    first = int(entry.key_node.start_mark.line)
    if document.lines[first][:column].strip():
        return None
    dashes = isinstance(entry.value, SequenceNode) and not entry.value.flow_style
    return _remove_lines(document, first, _end(document, first, column, entry.value, dashes))


def remove_item(document: Document, sequence: SequenceNode, index: int) -> Edit | None:
    """Remove one item of a block list; None for a list in brackets (see `without_items`)."""
    if sequence.flow_style:
        return None
    item = sequence.value[index]
    first = int(item.start_mark.line)
    text = document.lines[first]
    column = len(text) - len(text.lstrip(" "))
    if not text[column:].startswith("-"):
        return None
    return _remove_lines(document, first, _end(document, first, column, item, dashes=False))


def without_items(document: Document, sequence: SequenceNode, indexes: set[int]) -> Edit:
    """A list in brackets without some of its items, the rest as written."""
    start, end = span(document, sequence)
    kept = [
        document.text[slice(*span(document, item))]
        for index, item in enumerate(sequence.value)
        if index not in indexes
    ]
    return Edit(start, end, document.text[start:end], f"[{', '.join(kept)}]")


def drop_items(document: Document, entry: Entry, indexes: set[int]) -> tuple[Edit, ...]:
    """Remove items of the list at `entry`; the whole key when none is left."""
    sequence = entry.value
    assert isinstance(sequence, SequenceNode)
    if len(indexes) == len(sequence.value):
        edit = remove_entry(document, entry)
        return (edit,) if edit else ()
    if sequence.flow_style:
        return (without_items(document, sequence, indexes),)
    edits = (remove_item(document, sequence, index) for index in sorted(indexes))
    return tuple(edit for edit in edits if edit)


def add_key(document: Document, mapping: MappingNode, lines: tuple[str, ...]) -> Edit | None:
    """New lines (unindented) after a mapping's last own key; None where it stands inside braces."""
    own = list(entries(mapping, merged=False))
    if mapping.flow_style or not own:
        return None
    last = own[-1]
    column = int(last.key_node.start_mark.column)
    dashes = isinstance(last.value, SequenceNode) and not last.value.flow_style
    end = _end(document, int(last.key_node.start_mark.line), column, last.value, dashes)
    position = offset(document, end, 0)
    newline = "" if not document.text or document.text[:position].endswith("\n") else "\n"
    return Edit(position, position, "", newline + "".join(f"{' ' * column}{line}\n" for line in lines))


def add_to_section(document: Document, section: str, lines: tuple[str, ...]) -> Edit:
    """New lines in a section at the top, which is made at the end of the file if it is not there."""
    found = get(document.root, section)
    if found is not None and isinstance(found.value, MappingNode):
        edit = add_key(document, found.value, lines)
        if edit is not None:
            return edit
    end = len(document.text)
    newline = "" if document.text.endswith("\n") else "\n"
    if found is not None:
        start = offset(document, found.line - 1, 0)
        stop = offset(document, found.line, 0)
        body = "".join(f"  {line}\n" for line in lines)
        return Edit(start, stop, document.text[start:stop], f"{section}:\n{body}")
    return Edit(end, end, "", f"{newline}\n{section}:\n" + "".join(f"  {line}\n" for line in lines))


def indent_of(document: Document, entry: Entry) -> int:
    """By how much the file indents below `entry`."""
    inner = next(iter(entries(entry.value, merged=False)), None)
    if inner is None:
        return 2
    return int(inner.key_node.start_mark.column) - int(entry.key_node.start_mark.column) or 2


def _remove_lines(document: Document, first: int, end: int) -> Edit:
    start, stop = offset(document, first, 0), offset(document, end, 0)
    return Edit(start, stop, document.text[start:stop], "")


def _end(document: Document, first: int, column: int, value: Node, dashes: bool) -> int:
    """The line after the last one that belongs to what begins on `first` at `column`."""
    lines = document.lines
    least = _least_end(value)
    end = position = first + 1
    while position < len(lines):
        text = lines[position]
        stripped = text.strip()
        indent = len(text) - len(text.lstrip(" "))
        belongs = indent > column or (dashes and indent == column and stripped.startswith("-"))
        if position < least or (stripped and belongs):
            end = position + 1
        elif stripped:
            break
        position += 1
    return max(end, least, first + 1)


def _least_end(value: Node) -> int:
    """Lines that scalars and bracketed values surely cover, whatever their indentation."""
    if isinstance(value, CollectionNode) and not value.flow_style:
        return 0
    mark = value.end_mark
    return int(mark.line) + (1 if mark.column else 0)
