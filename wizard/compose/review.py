"""The review of a compose file: what must change for production under the panel, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wizard.compose import exposure_rules, mount_rules, project_rules, runtime_rules
from wizard.compose.document import ComposeError
from wizard.compose.finding import Edit, Finding, Severity
from wizard.compose.setting import Setting
from wizard.compose.stack import Stack, read

Rule = Callable[[Stack, Setting], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    mount_rules.code_only_by_mount,
    mount_rules.code_mounts,
    mount_rules.data_in_clone,
    mount_rules.host_paths,
    mount_rules.data_volumes,
    exposure_rules.published_ports,
    exposure_rules.secrets_in_file,
    exposure_rules.host_power,
    project_rules.project_name,
    project_rules.container_names,
    project_rules.env_files,
    project_rules.networks,
    project_rules.build_contexts,
    project_rules.repeated_builds,
    project_rules.profiles,
    project_rules.other_files,
    project_rules.variables_to_set,
    runtime_rules.health_checks,
    runtime_rules.restart_policies,
    runtime_rules.memory_limits,
    runtime_rules.floating_images,
)
_ORDER = list(Severity)
_LARGEST = 2_000_000
_COMPOSE = ("docker-compose", "compose")


@dataclass(frozen=True, slots=True)
class Review:
    """Findings by severity, then by line."""

    text: str
    services: tuple[str, ...]
    findings: tuple[Finding, ...]

    def of(self, service: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if service in (finding.service, *finding.also))

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """What would break the deployment or lose data if nothing is done."""
        return tuple(f for f in self.findings if f.severity in (Severity.DATA_LOSS, Severity.MUST_FIX))


def review(text: str, setting: Setting | None = None) -> Review:
    """Raises ComposeError for what is no compose file."""
    stack = read(text)
    found = {
        finding.id: finding for rule in RULES for finding in rule(stack, setting or Setting(siblings=()))
    }
    ordered = sorted(found.values(), key=lambda f: (_ORDER.index(f.severity), f.line, f.rule))
    return Review(text, tuple(service.name for service in stack.services), tuple(ordered))


def read_file(path: Path) -> str:
    """The file's text. Raises ComposeError for what cannot be read."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ComposeError(
                f"{path.name} is larger than a compose file can be", next="Give the compose file itself."
            )
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ComposeError(f"{path.name} is not a text file in UTF-8", str(error.reason)) from error
    except OSError as error:
        raise ComposeError(f"{path} cannot be read", error.strerror or "", "Check the path.") from error


def setting_of(path: Path, *, memory_mb: int = 0, variables: frozenset[str] | None = None) -> Setting:
    """What the file's surroundings tell: compose files beside it, its place in a repository."""
    siblings = tuple(
        sorted(
            other.name
            for other in path.absolute().parent.glob("*.y*ml")
            if other.name != path.name and other.name.startswith(_COMPOSE)
        )
    )
    root = next((up for up in path.absolute().parents if (up / ".git").exists()), None)
    folder = str(path.absolute().parent.relative_to(root)) if root else None
    return Setting("" if folder == "." else folder, siblings, memory_mb, variables)


def finding_json(finding: Finding) -> dict[str, Any]:
    """What `compose --json` prints for a finding."""
    return {
        "id": finding.id,
        "service": finding.service,
        "also": list(finding.also),
        "line": finding.line,
        "severity": finding.severity.value,
        "rule": finding.rule,
        "why": finding.why,
        "advice": finding.advice,
        "edit": [_edit_json(edit) for edit in finding.edits] or None,
    }


def _edit_json(edit: Edit) -> dict[str, Any]:
    return {
        "start": edit.start,
        "before": edit.before,
        "after": edit.after,
        "undo": {"start": edit.undo.start, "before": edit.undo.before, "after": edit.undo.after},
    }
