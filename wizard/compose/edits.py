"""Small edits of the text of a compose file, found by its nodes' positions."""

from __future__ import annotations

import re

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from wizard.compose.document import Document, Entry, get, plain_is_safe
from wizard.compose.finding import Edit

_ALIAS = re.compile(r"\s*:\s*\*[^\s,\[\]{}]+")
_BEFORE_IN_BRACKETS = re.compile(r",[ \t]*\Z")
_AFTER_IN_BRACKETS = re.compile(r"\s*,[ \t]*")


def replace(document: Document, node: Node, text: str, *, secret: bool = False) -> tuple[Edit, ...]:
    """Another scalar in place of `node`, in its kind of quotes where it has any; () for a block."""
    if not isinstance(node, ScalarNode) or node.style in ("|", ">") or re.search(r"[\"'\\\n]", text):
        return ()
    start, end = document.start(node), document.end(node)
    quote = node.style or ""
    if not quote and not plain_is_safe(text, in_brackets=document.in_brackets(start)):
        quote = '"'
    return (Edit(start, end, document.text[start:end], f"{quote}{text}{quote}", secret=secret),)


def remove_entry(document: Document, entry: Entry) -> tuple[Edit, ...]:
    """Remove a key with all that belongs to it; () where that is not a matter of whole lines or commas.

    A list that hides another one, which would come back through `<<`, is emptied instead.
    """
    if entry.hides:
        return empty_list(document, entry)
    key = document.start(entry.key_node)
    line = document.line_start(key)
    if document.in_brackets(key):
        return (_cut(document, key, _value_end(document, entry)),)
    if document.text[line:key].strip():
        return ()
    return (_remove(document, line, end_of(document, entry)),)


def empty_list(document: Document, entry: Entry) -> tuple[Edit, ...]:
    """Leave a key, and its anchor, with a list of nothing; () for what is no list of its own."""
    if not isinstance(entry.value, SequenceNode) or entry.aliased:
        return ()
    key, start = document.end(entry.key_node), document.start(entry.value)
    between = document.text[key:start]
    found = (
        re.search(r"&\S+", document.text[key : document.start(entry.value.value[0])])
        if entry.value.value
        else None
    )
    anchor = f"{found[0]} " if found else ""
    if document.in_brackets(key):
        end = document.end(entry.value)
        return (Edit(start, end, document.text[start:end], f"{anchor}[]"),)
    if "#" in between:
        return ()
    end = end_of(document, entry)
    newline = document.newline if document.text[:end].endswith("\n") else ""
    return (Edit(key, end, document.text[key:end], f": {anchor}[]{newline}"),)


def remove_item(document: Document, sequence: SequenceNode, index: int) -> tuple[Edit, ...]:
    """Remove one item of a list; () for an alias, which stands elsewhere."""
    item = sequence.value[index]
    start = document.start(item)
    if not document.start(sequence) <= start <= document.end(sequence):
        return ()
    if document.in_brackets(start):
        return (_cut(document, start, document.end(item)),)
    line = document.line_start(start)
    column = len(document.text[line:start]) - len(document.text[line:start].lstrip(" "))
    if not re.fullmatch(r" *-\s+(?:[&!]\S+\s+)*", document.text[line:start]):
        return ()
    return (_remove(document, line, _end(document, line, column, item, dashes=False)),)


def add_key(document: Document, mapping: MappingNode, lines: tuple[str, ...]) -> tuple[Edit, ...]:
    """New lines (unindented) after a mapping's last own key; () where it stands inside braces."""
    if mapping.flow_style or not mapping.value:
        return ()
    key, value = mapping.value[-1]
    position = end_of(document, Entry("", key, value))
    before = document.text[document.line_start(document.start(key)) : document.start(key)]
    if before.strip(" -"):
        return ()
    newline = "" if document.text[:position].endswith("\n") else document.newline
    body = "".join(f"{' ' * len(before)}{line}{document.newline}" for line in lines)
    return (Edit(position, position, "", newline + body),)


def add_to_section(document: Document, section: str, lines: tuple[str, ...]) -> tuple[Edit, ...]:
    """New lines in a section at the top, which is made at the end of the file if it is not there."""
    found = get(document.root, section)
    newline = document.newline
    if found is None:
        if document.root.flow_style or not _ends_openly(document):
            return ()
        end = len(document.text)
        gap = newline if document.text.endswith("\n") else newline * 2
        body = "".join(f"  {line}{newline}" for line in lines)
        return (Edit(end, end, "", body, header=f"{gap}{section}:{newline}"),)
    if isinstance(found.value, MappingNode) and found.value.value:
        return add_key(document, found.value, lines)
    return ()


def set_mapping(document: Document, entry: Entry, lines: tuple[str, ...]) -> tuple[Edit, ...]:
    """Give a key that has no value, or `{}`, a mapping of `lines`; a comment on its line stays."""
    start = document.start(entry.key_node)
    line = document.line_start(start)
    if entry.aliased or document.text[line:start].strip():
        return ()
    stop = document.next_line(document.end(entry.value))
    before = document.text[line:stop]
    found = re.fullmatch(r"( *)([^\n]*?):(?:[ \t]*(?:\{\s*\}|~|null))?([ \t]+#[^\n]*?)?[ \t]*\r?\n?", before)
    if found is None:
        return ()
    indent = f"{found[1]}  "
    newline = document.newline
    body = "".join(f"{indent}{text}{newline}" for text in lines)
    return (Edit(line, stop, before, f"{found[1]}{found[2]}:{found[3] or ''}{newline}{body}"),)


def _ends_openly(document: Document) -> bool:
    """Whether a key may follow at the end of the text."""
    return not re.search(r"^(?:\.\.\.|---)", document.text[document.end(document.root) - 4 :], re.MULTILINE)


def _cut(document: Document, start: int, end: int) -> Edit:
    """Take something out of brackets, with the comma after it or, if it is the last, the one before."""
    comma = _AFTER_IN_BRACKETS.match(document.text, end)
    if comma:
        end = comma.end()
    elif before := _BEFORE_IN_BRACKETS.search(document.text, max(start - 200, 0), start):
        start = before.start()
    return Edit(start, end, document.text[start:end], "")


def _remove(document: Document, start: int, end: int) -> Edit:
    return Edit(start, end, document.text[start:end], "")


def _value_end(document: Document, entry: Entry) -> int:
    after = document.end(entry.key_node)
    if entry.aliased:
        found = _ALIAS.match(document.text, after)
        return found.end() if found else after
    return max(document.end(entry.value), after)


def end_of(document: Document, entry: Entry) -> int:
    """Where the line after the last one that belongs to a key begins."""
    key = document.start(entry.key_node)
    line = document.line_start(key)
    dashes = isinstance(entry.value, SequenceNode) and not entry.value.flow_style
    return _end(document, line, key - line, entry.value, dashes)


def _end(document: Document, first: int, column: int, value: Node, dashes: bool) -> int:
    text = document.text
    least = _least_end(document, value, first)
    end = position = max(document.next_line(first), least)
    while position < len(text):
        after = document.next_line(position)
        line = text[position:after]
        stripped = line.strip()
        indent = len(line) - len(line.lstrip(" "))
        if stripped and not (indent > column or (dashes and indent == column and stripped[0] == "-")):
            break
        position = after
        end = after if stripped else end
    return end


def _least_end(document: Document, value: Node, first: int) -> int:
    """The line after what scalars and bracketed values surely cover, whatever their indentation."""
    end = first
    waiting, visited = [value], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in visited or document.start(node) < first:
            continue
        visited.add(id(node))
        if isinstance(node, CollectionNode) and not node.flow_style:
            pairs = node.value if isinstance(node, MappingNode) else [(item,) for item in node.value]
            waiting += [part for pair in pairs for part in pair]
        else:
            end = max(end, _covered(document, node))
    if end == first:
        return first
    return end if end == document.line_start(end) else document.next_line(end)


def _covered(document: Document, node: Node) -> int:
    end = document.end(node)
    if isinstance(node, ScalarNode) and node.style in ("|", ">"):
        written = document.text[document.start(node) : end]
        header = written.split("\n", 1)[0]
        # Blank lines after a block of text are part of it only under a "+".
        return end if "+" in header.split("#")[0] else document.start(node) + len(written.rstrip())
    return end
