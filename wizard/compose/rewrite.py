"""Rewriting a compose file for production: only what was accepted changes, the rest stays byte for byte."""

from __future__ import annotations

import difflib
import re
import sys
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

from yaml.nodes import CollectionNode, MappingNode, Node, SequenceNode

from wizard.compose import edits
from wizard.compose.document import ComposeError, Document, Entry, entries, parse
from wizard.compose.exposure_rules import PASSWORD_IN_ADDRESS
from wizard.compose.finding import Edit, Finding, apply, settled
from wizard.compose.meaning import Meanings
from wizard.compose.review import Review, review, takes_anchor
from wizard.compose.setting import Setting
from wizard.compose.stack import Service, read
from wizard.errors import WizardError

HIDDEN = "••••••"
_BETWEEN = re.compile(r"(:-|[=:\s'\",{}$])")
_LISTS = ("volumes", "ports", "env_file", "environment")


@dataclass(frozen=True)
class Rewritten:
    """`text` with the edits of `accepted` findings, `declined` are those that had an edit and were left.

    `edits` speak of the reviewed text; `finding.inverse` takes them back. `values` must be in the panel's
    environment, by name: they stood in the file `name`, which was `before`.
    """

    text: str = field(repr=False)
    findings: tuple[Finding, ...]
    accepted: tuple[Finding, ...]
    declined: tuple[Finding, ...]
    edits: tuple[Edit, ...]
    values: tuple[tuple[str, str], ...] = field(repr=False)
    before: str = field(repr=False)
    name: str

    @cached_property
    def diff(self) -> str:
        """A unified diff for reading, with every secret hidden; "" when nothing changes."""
        secrets = {value for finding in self.findings for _, value in finding.values}
        return diff(self.before, self.text, self.name, secrets)

    @property
    def changed(self) -> bool:
        return bool(self.edits)

    @property
    def by_hand(self) -> tuple[Finding, ...]:
        """Findings without an edit: a person has to decide."""
        return tuple(finding for finding in self.findings if not finding.edits)


def prepare(
    text: str,
    setting: Setting | None = None,
    accepted: Collection[str] | None = None,
    *,
    declined: Collection[str] = (),
    name: str = "docker-compose.yml",
) -> Rewritten:
    """Review and rewrite in one. `accepted` and `declined` hold ids or rules of findings; None accepts all.

    Raises ComposeError for what is no compose file, and WizardError if the result would say something else
    about a service that no accepted edit touches.
    """
    return rewrite(review(text, setting), accepted, declined=declined, name=name)


def rewrite(
    found: Review,
    accepted: Collection[str] | None = None,
    *,
    declined: Collection[str] = (),
    name: str = "docker-compose.yml",
) -> Rewritten:
    """See `prepare`."""
    offered = [finding for finding in found.findings if finding.edits]
    taken = [
        finding
        for finding in offered
        if not _named(finding, declined) and (accepted is None or _named(finding, accepted))
    ]
    ids = {finding.id for finding in taken}
    changes = _without_bare_keys(found.text, [edit for finding in taken for edit in finding.edits])
    text = apply(found.text, changes)
    if changes:
        _hold(found, text, changes)
    values = tuple(dict(pair for finding in taken for pair in finding.values).items())
    return Rewritten(
        text,
        found.findings,
        tuple(taken),
        tuple(finding for finding in offered if finding.id not in ids),
        changes,
        values,
        found.text,
        name,
    )


def _named(finding: Finding, names: Collection[str]) -> bool:
    return finding.id in names or finding.rule.value in names


def diff(before: str, after: str, name: str, secrets: Collection[str] = ()) -> str:
    """A unified diff, for reading; empty when nothing changes."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{name} (now)", f"{name} (production)", lineterm=""
    )
    hider = _Hider(secrets)
    return "".join(f"{hider.hide(line)}\n" for line in lines)


class _Hider:
    """Puts dots in place of secrets, wherever they stand as a word of a value."""

    def __init__(self, secrets: Collection[str]) -> None:
        self.words = {secret for secret in secrets if not _BETWEEN.search(secret)}
        rest = sorted(set(secrets) - self.words, key=len, reverse=True)
        self.rest = re.compile("|".join(map(re.escape, rest))) if rest else None

    def hide(self, line: str) -> str:
        if self.rest:
            line = self.rest.sub(HIDDEN, line)
        if self.words:
            line = "".join(HIDDEN if word in self.words else word for word in _BETWEEN.split(line))
        return PASSWORD_IN_ADDRESS.sub(lambda found: found[0].replace(found["password"], HIDDEN), line)


def _without_bare_keys(text: str, changes: list[Edit]) -> tuple[Edit, ...]:
    """A list all of whose items go would leave a bare key, which compose refuses: the key goes too."""
    document = parse(text)
    removed = sorted((edit.start, edit.end) for edit in changes if edit.removes)
    more: list[Edit] = []
    done: set[int] = set()
    for owner in _owners(document):
        for entry in entries(owner, merged=False):
            value = entry.value
            if entry.key not in _LISTS or not isinstance(value, SequenceNode) or not value.value:
                continue
            if id(value) in done or entry.aliased:
                continue
            done.add(id(value))
            if all(_gone(document.start(item), removed) for item in value.value):
                more += _emptied(document, entry, changes)
    return settled([*changes, *more])


def _owners(document: Document) -> list[MappingNode]:
    """Services, and what they are merged from."""
    found: list[MappingNode] = []
    waiting = [value for _, value in document.root.value if isinstance(value, MappingNode)]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            found.append(node)
            waiting += [value for _, value in node.value if isinstance(value, MappingNode)]
    return found


def _gone(position: int, removed: list[tuple[int, int]]) -> bool:
    index = bisect_right(removed, (position, sys.maxsize)) - 1
    return index >= 0 and position < removed[index][1]


def _emptied(document: Document, entry: Entry, changes: list[Edit]) -> tuple[Edit, ...]:
    whole = edits.remove_entry(document, entry)
    if any("&" in edit.before for edit in whole) and takes_anchor(document, (*changes, *whole)):
        return edits.empty_list(document, entry)
    return whole


def _hold(found: Review, after: str, changes: Collection[Edit]) -> None:
    """A service may only mean something else where an edit touched what it is made of, anchors included."""
    meanings = Meanings()
    old = {service.name: tuple(map(meanings.of, service.chain)) for service in found.stack.services}
    try:
        new = {service.name: tuple(map(meanings.of, service.chain)) for service in read(after).services}
    except ComposeError as error:
        raise WizardError(
            "The rewritten file would not be valid", error.what, "Keep the file and report this."
        ) from error
    if set(old) != set(new):
        raise WizardError(
            "The rewritten file would have other services", next="Keep the file and report this."
        )
    touched = _touched_lines(found.text, changes)
    for service in found.stack.services:
        if old[service.name] != new[service.name] and not touched & _lines_of(service):
            raise WizardError(
                f"The rewritten file would change the service {service.name}, which no edit touches",
                next="Keep the file and report this.",
            )


def _touched_lines(text: str, changes: Collection[Edit]) -> set[int]:
    """Lines that edits are on; for an insertion the one above that says something, to which it belongs."""
    lines = text.split("\n")
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    touched: set[int] = set()
    for edit in changes:
        first = bisect_right(starts, edit.start) - 1
        touched.update(range(first, first + edit.before.count("\n") + 1))
        above = first - 1
        while edit.start == edit.end and above > 0 and lines[above].strip()[:1] in ("", "#"):
            above -= 1
        touched.add(above if edit.start == edit.end else first)
    return touched


def _lines_of(service: Service) -> set[int]:
    """Every line that a service is made of, wherever anchors and `extends` take it from."""
    lines: set[int] = set()
    waiting: list[Node] = list(service.chain)
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        lines.add(int(node.start_mark.line))
        if isinstance(node, CollectionNode) and not node.flow_style:
            waiting += _inside(node)
        else:
            lines.update(range(int(node.start_mark.line), int(node.end_mark.line) + 1))
            # Brackets may hold aliases of what stands elsewhere.
            waiting += _inside(node)
    return lines


def _inside(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []
