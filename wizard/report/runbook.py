"""How to go back, for exactly these hosts and apps: the runbook in the report."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from wizard.config import App, AppKind, Config, Database
from wizard.phases.cutover.records import FlipRecord
from wizard.records import AppRecord, HostKeyRecord, ServerRecord

T = TypeVar("T")


class Recorded(Protocol):
    """The record that a step saved under a name; None if there is none."""

    def __call__(self, step_id: str, name: str, kind: type[T]) -> T | None: ...


@dataclass(frozen=True, slots=True)
class Action:
    """What to do, and the command for it ("" where a screen is used)."""

    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Procedure:
    title: str
    when: str
    actions: tuple[Action, ...]


def runbook(config: Config, recorded: Recorded) -> tuple[Procedure, ...]:
    """Procedures for what exists so far; nothing is named that was not made."""
    return tuple(_procedures(config, recorded))


def _procedures(config: Config, recorded: Recorded) -> Iterator[Procedure]:
    for app in config.apps:
        record = recorded(f"apps.{app.name}.create", "app", AppRecord)
        login = way_in(app.server, recorded)
        if record is not None and login:
            server = config.server(app.server)
            yield _panel_rollback(app, login, server.panel_domain if server.unpublish_panel_port else "")
            yield _emergency(app, record, login)
    for database in config.databases:
        login = way_in(config.app(database.app).server, recorded)
        if login:
            yield _database(database, config, login)
    if recorded("cutover.flip", "flip", FlipRecord) is not None:
        yield _names_back(config)
    if any(way_in(server.name, recorded) for server in config.servers):
        yield _let_in(config)


def way_in(server: str, recorded: Recorded) -> str:
    """`user@address` of a new host, with its port if it is unusual; "" if there is no such host yet."""
    record = recorded(f"provision.{server}.server", "server", ServerRecord)
    if record is None:
        return ""
    steps = (f"provision.{server}.login", f"provision.{server}.server")
    keys = (recorded(step, "host_key", HostKeyRecord) for step in steps)
    key = next((one for one in keys if one is not None), None)
    port = f"-p {key.port} " if key is not None and key.port != 22 else ""
    return f"{port}{key.user if key else 'root'}@{record.ipv4 or record.ipv6}"


def _panel_rollback(app: App, login: str, domain: str = "") -> Procedure:
    """`domain`: the panel's only door, where its port is not published."""
    panel = f"https://{domain}" if domain else "http://127.0.0.1:3000"
    tunnel = Action("Open the panel through a tunnel.", f"ssh -N -L 3000:127.0.0.1:3000 {login}")
    return Procedure(
        f"{app.name}: back to the version before",
        f"A deployment of {app.name} turned out wrong, and its panel answers.",
        (
            *(() if domain else (tunnel,)),
            Action(f"Open {panel}, the application {app.name}, tab Deployments."),
            Action(
                "Turn automatic deployment off, so that the next push does not bring the fault back.",
            ),
            *_version_back(app),
            Action(
                "Ask the wizard whether it is healthy again.",
                f"dokploy-wizard verify apps.{app.name}.healthy",
            ),
        ),
    )


def _version_back(app: App) -> tuple[Action, ...]:
    if app.kind is AppKind.COMPOSE:
        return (
            Action(
                "Set the image tags in Environment to the version before (or revert the commit), then Deploy."
            ),
            Action("A compose stack is recreated: expect the gap that was measured under zero downtime."),
        )
    return (
        Action(
            f"Revert the faulty commit on {app.branch} and push: Redeploy alone builds its head again.",
            f"git revert <commit> && git push origin {shlex.quote(app.branch)}",
        ),
        Action("The running version serves until the new one is healthy."),
    )


def _emergency(app: App, record: AppRecord, login: str) -> Procedure:
    name = shlex.quote(record.app_name)
    if app.kind is AppKind.COMPOSE:
        actions = (
            Action("See what runs.", f"ssh {login} docker compose -p {name} ps --all"),
            Action("See which images are still there.", f"ssh {login} docker image ls"),
            Action("Start again what stopped.", f"ssh {login} docker compose -p {name} up -d --no-build"),
        )
    else:
        actions = (
            Action("See what runs.", f"ssh {login} docker service ps {name}"),
            Action(
                "Go back to the service's previous definition.", f"ssh {login} docker service rollback {name}"
            ),
            Action(
                "If its image has been replaced, name an older one.",
                f"ssh {login} docker service update --image <image> {name}",
            ),
        )
    return Procedure(f"{app.name}: without the panel", "The panel does not answer.", actions)


def _database(database: Database, config: Config, login: str) -> Procedure:
    bucket = config.settle.backup_bucket
    source = f"the bucket {bucket}" if bucket else "your backups (none are configured in config.toml)"
    return Procedure(
        f"Database {database.name}: restore",
        "Data was damaged. Everything written since the backup is lost: take a dump of what is there first.",
        (
            Action(f"Stop what writes: the app {database.app}, in its panel."),
            Action(
                "Keep what is there.",
                f"ssh {login} 'docker exec $(docker ps -qf name={database.service}) "
                f"pg_dump -Fc -U {database.user} {database.database}' > before-restore.dump",
            ),
            Action(f"In the panel, Backups, choose the newest sound one from {source} and restore it."),
            Action("Start the app again, then ask.", f"dokploy-wizard verify apps.{database.app}.healthy"),
        ),
    )


def _names_back(config: Config) -> Procedure:
    old = config.old_host.address if config.old_host else "the old place"
    return Procedure(
        "The whole move: names back to where they were",
        "Only while the old side still serves (before decommission). Writes made since the move stay on the "
        "new hosts: they have to be carried back by hand.",
        (
            *_awake(config),
            Action(
                f"Put the old records of {', '.join(config.names)} back.",
                "dokploy-wizard undo cutover.flip",
            ),
            Action(
                f"Watch until nobody is led to the new hosts any more: at most {config.dns.cutover_ttl} s "
                f"while the short TTL holds, up to {config.dns.ttl} s after it was raised."
            ),
            Action(
                f"The complete old record sets are in backups/ beside the progress file; {old} serves again."
            ),
        ),
    )


def _awake(config: Config) -> tuple[Action, ...]:
    """A paused project answers 503: it has to serve before anybody is led there."""
    if not config.vercel:
        return ()
    names = ", ".join(project.name for project in config.vercel)
    return (
        Action(
            f"If {names} is paused at Vercel, or its domains are off it, take that back first; a deleted "
            "project is no place to go back to.",
            "dokploy-wizard undo decommission.domains && dokploy-wizard undo decommission.pause",
        ),
    )


def _let_in(config: Config) -> Procedure:
    if not config.buys:
        way = "Let this address in, over SSH, which is open to every address."
    elif any(server.outside for server in config.servers):
        way = "Let this address in: at Hetzner through the API alone, on your own machines over SSH."
    else:
        way = "Let this address in, through the API alone."
    return Procedure(
        "Locked out",
        "Your address changed, and the firewall keeps you out.",
        (
            Action(way, "dokploy-wizard allow-me"),
            Action(
                "If that is impossible too: the server's console in the Hetzner web interface always works."
                if config.buys
                else "If that is impossible too: the machine's console at its provider."
            ),
        ),
    )
