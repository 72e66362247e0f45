"""What the look at Vercel leaves behind for later steps. No value of any variable, no address of any hook.

| record | saved by | name |
|---|---|---|
| VercelRecord | prepare.vercel | vercel_<project> |
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from wizard.clients.vercel.models import DomainConfig, ProjectDomain
from wizard.config import VercelProject
from wizard.engine.step import Context
from wizard.vercel.findings import Finding, Severity
from wizard.vercel.rules import ProxyRule

STEP = "prepare.vercel"


@dataclass(frozen=True, slots=True)
class VercelRecord:
    """`domains`, `configs`, `deployment`, `git_*` are the values of the way back. `bill` a month's cost.

    `crons` are (path, schedule); `certificates` (name, moment of its end); `unreadable` names of variables.
    `rules` go to the proxy; `probes` are paths that rules are about, to be compared old against new.
    """

    project: str
    id: str
    team: str
    findings: tuple[Finding, ...] = ()
    domains: tuple[ProjectDomain, ...] = ()
    configs: tuple[DomainConfig, ...] = ()
    deployment: str = ""
    git_type: str = ""
    git_repository: str = ""
    crons: tuple[tuple[str, str], ...] = ()
    crons_on: bool = True
    certificates: tuple[tuple[str, float], ...] = ()
    unreadable: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    rules: tuple[ProxyRule, ...] = ()
    probes: tuple[str, ...] = ()
    bill: str = ""
    at: float = 0.0

    def same(self, other: VercelRecord | None) -> bool:
        """Whether nothing but the moment differs."""
        return other is not None and replace(self, at=0.0) == replace(other, at=0.0)

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.severity is severity)


def record_name(project: VercelProject) -> str:
    return f"vercel_{project.name}"


def vercel_record(ctx: Context, project: VercelProject) -> VercelRecord | None:
    """What was found before the move; None when it was never looked at."""
    return ctx.saved.load(record_name(project), VercelRecord, step=STEP)
