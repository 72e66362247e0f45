"""What a panel should hold of an app's source and its way of running, and where it differs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.phases.apps.git import clone_url

if TYPE_CHECKING:
    from wizard.config import App
    from wizard.phases.apps.production import Production

_SECOND = 1_000_000_000
UPDATE_ORDER = {
    "Parallelism": 1,
    "Delay": 5 * _SECOND,
    "FailureAction": "rollback",
    "Monitor": 20 * _SECOND,
    "MaxFailureRatio": 0,
    "Order": "start-first",
}
"""Swarm's words: the new copy must be healthy before the old one ends, else the old one stays."""
_GRACE = 15 * _SECOND
_FIELDS_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Differing:
    """One field: what the panel holds and what is wished."""

    field: str
    held: str
    wished: str


def health_check(app: App) -> dict[str, Any]:
    """By whichever of wget, curl and node the image has; 127.0.0.1 because localhost may mean ::1."""
    url = f"http://127.0.0.1:{app.port}{app.health}"
    quoted = shlex.quote(url)
    node = f"fetch({json.dumps(url)}).then(r=>process.exit(r.ok?0:1)).catch(()=>process.exit(1))"
    test = (
        f"wget -q -O /dev/null {quoted} || curl -fsS -o /dev/null {quoted} || node -e {shlex.quote(node)}"
        " || exit 1"
    )
    return {
        "Test": ["CMD-SHELL", test],
        "Interval": 5 * _SECOND,
        "Timeout": 3 * _SECOND,
        "StartPeriod": 60 * _SECOND,
        "Retries": 3,
    }


def git_wish(app: App, key_id: str) -> dict[str, Any]:
    """Fields that application.saveGitProvider sets."""
    return {
        "customGitUrl": clone_url(app),
        "customGitBranch": app.branch,
        "customGitBuildPath": "/",
        "customGitSSHKeyId": key_id or None,
    }


def build_wish(app: App) -> dict[str, Any]:
    """Fields that application.saveBuildType sets."""
    return {"buildType": "dockerfile", "dockerfile": app.dockerfile, "dockerContextPath": app.context}


def run_wish(app: App) -> dict[str, Any]:
    """Columns that application.update sets."""
    return {
        "sourceType": "git",
        "autoDeploy": True,
        "rollbackActive": True,
        "healthCheckSwarm": health_check(app),
        "updateConfigSwarm": UPDATE_ORDER,
        "stopGracePeriodSwarm": _GRACE,
    }


def stack_wish(app: App, key_id: str, production: Production) -> dict[str, Any]:
    """Columns that compose.update sets.

    A file that was rewritten and needs nothing of the repository is given as text; everything else is
    cloned, with the rewritten file laid over the clone (`patched`).
    """
    if raw(production):
        return {"sourceType": "raw", "composeFile": production.text, "autoDeploy": True}
    return {
        "sourceType": "git",
        "customGitUrl": clone_url(app),
        "customGitBranch": app.branch,
        "customGitSSHKeyId": key_id or None,
        "composePath": app.compose_file,
        "autoDeploy": True,
    }


def raw(production: Production) -> bool:
    return production.changed and not production.needs_clone


def patched(production: Production) -> bool:
    """Whether the file is laid over the clone at each deployment."""
    return production.changed and production.needs_clone


def differences(held: Mapping[str, Any], wished: Mapping[str, Any]) -> tuple[Differing, ...]:
    """Fields that the panel holds otherwise. Numbers may come back as text."""
    return tuple(
        Differing(field, _shown(held.get(field)), _shown(value))
        for field, value in wished.items()
        if not _equal(held.get(field), value)
    )


def _equal(held: Any, wished: Any) -> bool:
    if isinstance(wished, dict):
        return isinstance(held, Mapping) and all(_equal(held.get(k), v) for k, v in wished.items())
    if isinstance(wished, str):
        return str(held or "") == wished
    if wished is None:
        return not held
    return bool(held == wished or str(held) == str(wished))


def _shown(value: Any) -> str:
    if value in (None, ""):
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value)
    first = text.splitlines()[0]
    if "\n" in text:
        return f"{len(text.splitlines())} lines"
    return first if len(first) <= _FIELDS_SHOWN else first[: _FIELDS_SHOWN - 1] + "…"
