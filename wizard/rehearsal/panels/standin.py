"""Panels of the new hosts: installed with the host, reached on its port 3000 or by their own domain."""

from __future__ import annotations

import inspect
import random
from typing import TYPE_CHECKING, Any

from wizard.rehearsal.panels.procedures import load
from wizard.rehearsal.panels.state import START_SECONDS, PanelsState, PanelState, Row, missing, when
from wizard.rehearsal.sites import SiteAnswer, SiteRequest

if TYPE_CHECKING:
    import socket

    from aiohttp import web

    from wizard.config import App
    from wizard.rehearsal.fronts.front import Front
    from wizard.rehearsal.hosts.standin import Host
    from wizard.rehearsal.hosts.state import Docker
    from wizard.rehearsal.stage import Stage

PORT = 3000
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
_SUFFIX_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH, _SUFFIX_LENGTH = 21, 6
OPERATORS = {
    "SMTP_SERVER": "smtp.rehearsal.invalid",
    "SMTP_PORT": "587",
    "SMTP_USERNAME": "alerts@rehearsal.invalid",
    "SMTP_PASSWORD": "rehearsal-mail-0b7d",
    "BACKUP_ACCESS_KEY": "REHEARSALACCESSKEY00",
    "BACKUP_SECRET_KEY": "rehearsal-store-5f21a9",
    "DISCORD_WEBHOOK": "https://discord.com/api/webhooks/100000000000000001/rehearsal",
    "SLACK_WEBHOOK": "https://hooks.slack.com/services/T0REHEARSE/B0REHEARSE/rehearsal",
}


class Panel:
    """One host's panel: its tables, and what its procedures need of the host."""

    def __init__(self, stage: Stage, state: PanelState) -> None:
        self.stage = stage
        self.state = state
        self.name = state.host
        self.working = False
        self._runner: web.AppRunner | None = None

    # What the procedures use

    @property
    def host(self) -> Host:
        host = self.stage.hosts.get(self.name)
        assert host is not None, f"{self.name} is gone"
        return host

    @property
    def docker(self) -> Docker:
        return self.host.docker

    @property
    def front(self) -> Front:
        return self.stage.fronts.of(self.name)

    def now(self) -> float:
        return self.stage.clock.now()

    def stamp(self) -> str:
        return when(self.now())

    def new_id(self, of: str = "") -> str:
        return "".join(self._dice(of).choices(_ID_LETTERS, k=_ID_LENGTH))

    def suffix(self, of: str = "") -> str:
        return "".join(self._dice(of).choices(_SUFFIX_LETTERS, k=_SUFFIX_LENGTH))

    def _dice(self, of: str) -> random.Random:
        """Without `of` the world's; with it the same at the same seed, whoever draws first."""
        if not of:
            return self.stage.random
        earlier = self.stage.ledger.count("panel", "named", f"{self.name} {of}")
        self.stage.ledger.record("panel", "named", f"{self.name} {of}")
        return random.Random(f"{self.stage.faults.seed}/{self.name}/{of}/{earlier}")

    def record(self, act: str, thing: str, detail: str = "") -> None:
        self.stage.ledger.record("panel", act, thing, detail)
        if act == "create":
            self.state.standing.add(thing)
        elif act == "delete":
            self.state.standing.discard(thing)

    def table(self, name: str) -> dict[str, Row]:
        return self.state.tables[name]

    def add(self, table: str, row: Row, *, thing: str = "") -> Row:
        """Keep a row under a fresh id; `thing` is what the ledger calls it."""
        key = f"{table}Id"
        # The ledger tells things of an app by the app's id: it must not depend on who drew first.
        row = {key: self.new_id(thing if table in ("application", "compose") else ""), **row}
        row.setdefault("createdAt", self.stamp())
        self.table(table)[row[key]] = row
        if thing:
            self.record("create", f"{self.name} {thing}")
        return row

    def find(self, table: str, key: str, what: str = "") -> Row:
        row = self.table(table).get(key)
        if row is None:
            raise missing(what or table[0].upper() + table[1:])
        return row

    def rows(self, table: str, **equal: Any) -> list[Row]:
        return [
            row
            for row in self.table(table).values()
            if all(row.get(name) == value for name, value in equal.items())
        ]

    def app_of(self, row: Row) -> App | None:
        """Which of the configuration's apps a row of the panel is: by what it builds, else by its name."""
        compose = "composeId" in row
        url = str(row.get("customGitUrl") or row.get("repository") or "").removesuffix(".git")
        path = str(row.get("composePath") if compose else row.get("dockerfile") or "").removeprefix("./")
        candidates = [
            app for app in self.stage.config.apps_on(self.name) if (app.kind.value == "compose") is compose
        ]
        named = [app for app in candidates if app.name == row["name"]]
        built = [app for app in candidates if url.endswith(app.repository) and url]
        exact = [app for app in built if path == (app.compose_file if compose else app.dockerfile)]
        return next(iter([*named, *exact, *built]), None)

    # How it is reached

    @property
    def up(self) -> bool:
        return self.host.state.running and self.now() >= self.state.ready

    def open(self) -> None:
        """Take the host's port, unless somebody closed it there."""

        async def take(sock: socket.socket, source: str) -> None:
            if not self.up:
                sock.close()
                return
            await self.stage.serve_socket(sock, await self._web())

        self.host.listen(PORT, take, "dokploy", published=True)

    async def _web(self) -> web.AppRunner:
        from wizard.rehearsal.panels.http import application

        if self._runner is None:
            self._runner = await self.stage.runner(application(self))
        return self._runner

    def restart(self, seconds: float = START_SECONDS) -> None:
        """Nothing answers for a while, and what was being deployed counts as cancelled."""
        self.state.ready = self.now() + seconds
        self.record("restart", f"{self.name} panel")


class Panels:
    """Panels by host name."""

    def __init__(self, stage: Stage, state: PanelsState) -> None:
        self.stage = stage
        self.state = state
        self._panels: dict[str, Panel] = {}
        load()

    @property
    def secrets(self) -> dict[str, str]:
        """What the operator has for the panels: a mail server, a store for backups."""
        return dict(OPERATORS)

    @staticmethod
    def begin(stage: Stage) -> PanelsState:
        return PanelsState()

    async def start(self) -> None:
        from wizard.rehearsal.panels import deploy as panels_deploy

        for name, state in list(self.state.panels.items()):
            host = self.stage.hosts.get(name)
            if host is None:
                continue
            panel = self._panels[name] = Panel(self.stage, state)
            if PORT in host.state.ports:
                panel.open()
            panels_deploy.resume(panel)

    async def stop(self) -> None:
        """Listeners end with the hosts, runners with the stage."""

    def install(self, host: Host) -> None:
        """The installer has ended: the panel answers a little later."""
        self._bury(host.name)
        self.stage.fronts.forget(host.name)
        state = PanelState(host.name, ready=self.stage.clock.now() + START_SECONDS)
        service = host.docker.services.get("dokploy")
        version = service.image.rpartition(":")[2] if service else ""
        if version.startswith("v"):
            state.version = version
        self.state.panels[host.name] = state
        self._panels[host.name] = Panel(self.stage, state)
        self._panels[host.name].open()

    def _bury(self, name: str) -> None:
        """A panel on an earlier machine of the same name went with it, and all that it held."""
        before = self.state.panels.get(name)
        for thing in sorted(before.standing) if before else ():
            self.stage.ledger.record("panel", "delete", thing, "with its machine")

    def of(self, host: str) -> Panel:
        """The panel of a host; one of an earlier machine of the same name is gone with it."""
        return self._panels[host]

    async def answer(self, host: str, asked: SiteRequest, body: bytes) -> SiteAnswer:
        """A request that came to the panel's own domain, through the host's proxy."""
        from wizard.rehearsal.panels.http import respond

        panel = self._panels.get(host)
        if panel is None or not panel.up:
            return SiteAnswer(502, (("Content-Type", "text/plain; charset=utf-8"),), b"Bad Gateway")
        reply = await respond(panel, asked.method, asked.path, asked.query, asked.headers, body)
        return SiteAnswer(reply.status, tuple(reply.headers.items()), reply.body)


async def settled(value: Any) -> Any:
    """The value, awaited if it must be."""
    return await value if inspect.isawaitable(value) else value
