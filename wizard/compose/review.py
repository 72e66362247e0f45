"""The review of a compose file: what must change for production under the panel, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from wizard.compose import (
    code_rules,
    data_rules,
    exposure_rules,
    file_rules,
    project_rules,
    refusal_rules,
    runtime_rules,
)
from wizard.compose.document import Document
from wizard.compose.finding import Edit, Finding, Severity, inverse
from wizard.compose.parts import Part, defined, parts
from wizard.compose.setting import Setting
from wizard.compose.stack import Stack, read

RULES: tuple[Callable[[Stack, Setting], Iterator[Finding]], ...] = (
    code_rules.code_only_by_mount,
    code_rules.code_mounts,
    data_rules.binds_of_the_clone,
    data_rules.host_paths,
    data_rules.data_volumes,
    exposure_rules.published_ports,
    exposure_rules.secrets_in_file,
    exposure_rules.host_power,
    exposure_rules.host_services,
    exposure_rules.fixed_subnets,
    file_rules.env_files,
    file_rules.secret_files,
    file_rules.other_files,
    file_rules.undefined_names,
    file_rules.imageless,
    file_rules.duplicate_keys,
    file_rules.several_documents,
    refusal_rules.refused,
    project_rules.project_name,
    project_rules.container_names,
    project_rules.networks,
    project_rules.build_contexts,
    project_rules.repeated_builds,
    project_rules.profiles,
    project_rules.domain_services,
    project_rules.variables_to_set,
    runtime_rules.health_checks,
    runtime_rules.restart_policies,
    runtime_rules.memory_limits,
    runtime_rules.floating_images,
)
_ONLY_OF_THE_FILE_ITSELF = (project_rules.project_name, project_rules.domain_services, file_rules.other_files)
_ORDER = list(Severity)


@dataclass(frozen=True, slots=True)
class Review:
    """Findings by severity, then by line. `variables` are those that must come from the environment."""

    stack: Stack = field(repr=False)
    services: tuple[str, ...]
    findings: tuple[Finding, ...]
    variables: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return self.stack.document.text

    def of(self, service: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if service in finding.services)

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """What would break the deployment or lose data if nothing is done."""
        return tuple(f for f in self.findings if f.severity in (Severity.DATA_LOSS, Severity.MUST_FIX))


def review(text: str, setting: Setting | None = None) -> Review:
    """Raises ComposeError for what is no compose file."""
    setting = setting or Setting()
    stack = read(text, setting)
    whole = parts(stack, setting)
    found: dict[str, Finding] = {}
    for part in (Part("", stack, setting), *whole.found):
        others = (stack, *(other.stack for other in whole.found))
        elsewhere = frozenset[tuple[str, str]]().union(*map(defined, others))
        told = replace(part.setting, elsewhere=elsewhere, incomplete=bool(whole.unread or whole.broken))
        for finding in _findings(part, told):
            while finding.id in found:
                finding = replace(finding, number=finding.number + 1)
            found[finding.id] = finding
    ordered = sorted(found.values(), key=lambda f: (_ORDER.index(f.severity), f.file, f.line, f.rule))
    stacks = (stack, *(part.stack for part in whole.found))
    names = dict.fromkeys(service.name for one in stacks for service in one.services)
    needed = dict.fromkeys(name for one in stacks for name in project_rules.needed_variables(one))
    return Review(stack, tuple(names), tuple(ordered), tuple(sorted(needed)))


def _findings(part: Part, setting: Setting) -> Iterator[Finding]:
    for rule in RULES:
        if part.path and rule in _ONLY_OF_THE_FILE_ITSELF:
            continue
        for finding in rule(part.stack, setting):
            yield _of_part(part.path, finding) if part.path else _safe(part.stack.document, finding)


def _of_part(path: str, finding: Finding) -> Finding:
    """Without its edits, which speak of another text."""
    how = f" `dokploy-wizard compose {path} --write OUT` makes the edit." if finding.edits else ""
    return replace(finding, file=path, edits=(), values=(), advice=finding.advice + how)


def _safe(document: Document, finding: Finding) -> Finding:
    """Without its edits if they would take away an anchor that is used elsewhere."""
    if not takes_anchor(document, finding.edits):
        return finding
    advice = f"{finding.advice} By hand: its `&` anchor is used elsewhere in the file."
    return replace(finding, edits=(), values=(), advice=advice)


def takes_anchor(document: Document, edits: tuple[Edit, ...]) -> bool:
    removed = [(edit.start, edit.end) for edit in edits if "&" in edit.before]
    if not removed:
        return False
    gone = [(edit.start, edit.end) for edit in edits]
    return any(
        not any(first <= place < last for first, last in gone)
        for made, used in document.anchors.items()
        if any(first <= made < last for first, last in removed)
        for place in used
    )


def finding_json(finding: Finding) -> dict[str, Any]:
    """What `compose --json` prints for a finding. Secrets that an edit takes out are not shown."""
    undo = inverse(finding.edits)
    return {
        "id": finding.id,
        "file": finding.file or None,
        "service": finding.service,
        "also": list(finding.also),
        "line": finding.line,
        "severity": finding.severity.value,
        "rule": finding.rule.value,
        "what": finding.what,
        "why": finding.why,
        "advice": finding.advice,
        "edit": [_edit_json(edit, hide="before") for edit in finding.edits] or None,
        "undo": [_edit_json(edit, hide="after") for edit in undo] or None,
        "sets": [name for name, _ in finding.values],
    }


def _edit_json(edit: Edit, *, hide: str) -> dict[str, Any]:
    """`hide` names the side that is null where it holds a secret; the file itself has it."""
    shown = {"start": edit.start, "end": edit.end, "before": edit.before, "after": edit.header + edit.after}
    return {**shown, hide: None} if edit.secret else shown
