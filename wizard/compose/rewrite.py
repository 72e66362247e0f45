"""Rewriting a compose file for production: only what was accepted changes, the rest stays byte for byte."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from wizard.compose import edits
from wizard.compose.document import Entry, entries, parse, plain, scalar
from wizard.compose.finding import Edit, Finding, apply
from wizard.compose.review import Review, review
from wizard.compose.setting import Setting
from wizard.compose.stack import read
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
    """Services that no finding names must mean the same as before."""
    named = {name for finding in taken if finding.edits for name in (finding.service, *finding.also)}
    shared = any(edit.start for finding in taken for edit in finding.edits)
    old = {service.name: plain(service.node) for service in read(before).services}
    new = {service.name: plain(service.node) for service in read(after).services}
    if set(old) != set(new):
        raise WizardError(
            "The rewritten file would have other services", next="Keep the file and report this."
        )
    if not shared:
        return
    for name, meaning in old.items():
        if name not in named and meaning != new[name] and not _through_anchor(before, name):
            raise WizardError(
                f"The rewritten file would change the service {name}, which no finding names",
                next="Keep the file and report this.",
            )


def _through_anchor(text: str, name: str) -> bool:
    """Whether the service takes part of its meaning from elsewhere in the file."""
    service = read(text).service(name)
    return service is not None and (
        any(entry.merged for entry in entries(service.node)) or bool(service.extended)
    )
