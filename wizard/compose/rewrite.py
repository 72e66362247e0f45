"""Rewriting a compose file for production: only what was accepted changes, the rest stays byte for byte."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from wizard.compose import edits
from wizard.compose.document import Entry, entries, parse, plain, scalar, scalars
from wizard.compose.finding import Edit, Finding, apply
from wizard.compose.review import Review, review
from wizard.compose.setting import Setting
from wizard.compose.stack import Service, read
from wizard.errors import WizardError

_LISTS = ("volumes", "ports", "env_file", "environment", "networks")


def rewrite(found: Review, declined: Collection[str] = ()) -> str:
    """The file with every proposed edit but those of `declined` findings (by id).

    Raises WizardError if the result would say something else about a service that no finding names.
    """
    taken = [finding for finding in found.findings if finding.id not in declined]
    text = apply(found.text, [edit for finding in taken for edit in finding.edits])
    text = _without_empty_keys(text)
    _hold(found.text, text, taken)
    return text


def for_production(text: str, setting: Setting | None = None, declined: Collection[str] = ()) -> str:
    """Review and rewrite in one."""
    return rewrite(review(text, setting), declined)


def diff(before: str, after: str, name: str) -> str:
    """A unified diff; empty when nothing changes."""
    return "".join(
        difflib.unified_diff(
            before.splitlines(keepends=True),
            after.splitlines(keepends=True),
            f"{name} (now)",
            f"{name} (production)",
        )
    )


def _without_empty_keys(text: str) -> str:
    """A list whose items were all removed by different findings leaves a bare key: remove that too."""
    document = parse(text)
    removals: list[Edit] = []
    for service in entries(document.section("services")):
        for entry in entries(service.value, merged=False):
            if entry.key in _LISTS and _bare(entry) and (edit := edits.remove_entry(document, entry)):
                removals.append(edit)
    return apply(text, removals)


def _bare(entry: Entry) -> bool:
    return scalar(entry.value) is None and plain(entry.value) in (
        None,
        [],
        {},
        ("tag:yaml.org,2002:null", ""),
    )


def _hold(before: str, after: str, taken: Collection[Finding]) -> None:
    """A service may only mean something else where an edit touched what it is made of, anchors included."""
    old_stack = read(before)
    old = {service.name: plain(service.node) for service in old_stack.services}
    new = {service.name: plain(service.node) for service in read(after).services}
    if set(old) != set(new):
        raise WizardError(
            "The rewritten file would have other services", next="Keep the file and report this."
        )
    named = {name for finding in taken if finding.edits for name in (finding.service, *finding.also)}
    touched = _touched_lines(before, taken)
    for service in old_stack.services:
        changed = old[service.name] != new[service.name]
        if changed and service.name not in named and not touched & _lines_of(service):
            raise WizardError(
                f"The rewritten file would change the service {service.name}, which no edit touches",
                next="Keep the file and report this.",
            )


def _touched_lines(text: str, taken: Collection[Finding]) -> set[int]:
    touched: set[int] = set()
    for finding in taken:
        for edit in finding.edits:
            first = text.count("\n", 0, edit.start)
            touched.update(range(first, first + edit.before.count("\n") + 1))
    return touched


def _lines_of(service: Service) -> set[int]:
    """Every line that a service is made of, wherever anchors and `extends` take it from."""
    made_of = (service.node, *service.extended)
    return {int(node.start_mark.line) for part in made_of for node in scalars(part)}
