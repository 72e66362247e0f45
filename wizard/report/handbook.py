"""The handbook: how exactly these apps are deployed from now on, and how to go back; for the team.

Written from what was really made. It names variables, never their values.
"""

from __future__ import annotations

from dataclasses import dataclass

from wizard.config import App, AppKind, CachePolicy, Config
from wizard.phases.apps.environment import EnvironmentRecord
from wizard.phases.apps.redirects import RulesRecord
from wizard.records import AppRecord, PanelRecord, ServerRecord
from wizard.report.runbook import Procedure, Recorded, runbook, way_in
from wizard.report.templating import fill


@dataclass(frozen=True, slots=True)
class Place:
    """A new host and its panel."""

    name: str
    role: str
    type: str
    location: str
    ipv4: str
    ipv6: str
    private_ip: str
    panel_version: str
    panel: str
    """How its panel is opened."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """An app: what a push does from now on, and what is particular to this environment."""

    app: App
    panel_name: str
    build: str
    cache: str
    variables: tuple[str, ...] = ()
    rules: int = 0

    @property
    def sentence(self) -> str:
        return f"A push to `{self.app.branch}` of {self.app.repository} deploys {self.app.name}"


@dataclass(frozen=True, slots=True)
class Handbook:
    project: str
    places: tuple[Place, ...]
    deployments: tuple[Deployment, ...]
    ttl: int
    zone: str
    provider: str
    open_ports: str
    backups: str
    told: str
    procedures: tuple[Procedure, ...]


_CACHE = {
    CachePolicy.SELECTIVE: "keys that belong to a deployment are dropped after it, all others stay",
    CachePolicy.VERSIONED_KEYS: "keys carry DEPLOY_VERSION, so old ones run out by themselves",
    CachePolicy.FLUSHALL: "everything is dropped after a deployment, queued work and sessions too",
    CachePolicy.NONE: "is left alone",
}


def handbook(config: Config, recorded: Recorded) -> Handbook:
    """What there is by the records so far: hosts and apps that were not made are left out."""
    settle = config.settle
    ways = [name for name, wanted in (("Discord", settle.discord), ("Slack", settle.slack)) if wanted]
    backups = f"{settle.backup_bucket}, at {settle.backup_schedule}, the last {settle.backup_keep} kept"
    return Handbook(
        project=config.project.name,
        places=tuple(filter(None, (_place(config, server.name, recorded) for server in config.servers))),
        deployments=tuple(filter(None, (_deployment(app, recorded) for app in config.apps))),
        ttl=config.dns.ttl,
        zone=config.dns.zone,
        provider=config.dns.provider.value,
        open_ports=_listed(*sorted({server.port for server in config.servers}), 80, 443),
        backups=backups if settle.backup_bucket else "",
        told=", ".join([*ways, *([settle.mail] if settle.mail else [])]),
        procedures=runbook(config, recorded),
    )


def _listed(*ports: int) -> str:
    *first, last = map(str, ports)
    return f"{', '.join(first)} and {last}"


def _place(config: Config, name: str, recorded: Recorded) -> Place | None:
    server = config.server(name)
    made = recorded(f"provision.{name}.server", "server", ServerRecord)
    if made is None:
        return None
    panel = recorded(f"provision.{name}.account", "panel", PanelRecord)
    tunnel = f"ssh -N -L 3000:127.0.0.1:3000 {way_in(name, recorded)}, then http://127.0.0.1:3000"
    return Place(
        name=name,
        role=server.role,
        type=made.type,
        location=made.location,
        ipv4=made.ipv4,
        ipv6=made.ipv6,
        private_ip=made.private_ip,
        panel_version=panel.version if panel else "",
        panel=f"https://{server.panel_domain}" if server.panel_domain else tunnel,
    )


def _deployment(app: App, recorded: Recorded) -> Deployment | None:
    made = recorded(f"apps.{app.name}.create", "app", AppRecord)
    if made is None:
        return None
    compose = app.kind is AppKind.COMPOSE
    build = (
        f"the stack {app.compose_file}, recreated: expect a short gap"
        if compose
        else f"{app.dockerfile} with the context {app.context}, old and new side by side: no gap"
    )
    cache = f"{app.cache_service}: {_CACHE[app.cache_policy]}" if app.cache_service else ""
    set_there = recorded(f"apps.{app.name}.environment", "environment", EnvironmentRecord)
    names = (*set_there.names, *set_there.build_names) if set_there else ()
    led = recorded(f"apps.{app.name}.redirects", "rules", RulesRecord)
    return Deployment(app, made.app_name, build, cache, names, led.rules if led else 0)


def render(book: Handbook) -> str:
    """Markdown, ending with a newline."""
    return fill("handbook.md.jinja", {"book": book})


def render_note(book: Handbook) -> str:
    """The note to the team: what changes for people who deploy."""
    return fill("team-note.md.jinja", {"book": book})
