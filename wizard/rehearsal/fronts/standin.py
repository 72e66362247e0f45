"""What listens on ports 80 and 443: Traefik on new hosts, Caddy on the old one, Vercel's edge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wizard.rehearsal.acme.authority import self_signed
from wizard.rehearsal.fronts.front import Front
from wizard.rehearsal.fronts.tls import StoredCertificate
from wizard.rehearsal.fronts.vercel import VERCEL_ADDRESS, VercelEdge

if TYPE_CHECKING:
    from wizard.rehearsal.stage import Stage

OLD_VERSION = "old-build"
OLD_HOST = "old-backend"


@dataclass
class Route:
    """`certificate` is the panel's word: none, letsencrypt or custom."""

    domain: str
    app: str
    service: str
    https: bool
    certificate: str


@dataclass
class AppRun:
    """What runs behind a front. Between `down_from` and `down_until` nothing answers (a recreate)."""

    version: str = ""
    down_from: float = 0.0
    down_until: float = 0.0
    slow_until: float = 0.0
    slow_seconds: float = 0.0


@dataclass
class FrontState:
    """`kind` is traefik, caddy or vercel. `hits` counts answered requests by domain.

    `pages`: what Caddy answers by itself over plain HTTP, by host and path.
    """

    host: str
    kind: str
    routes: dict[str, Route] = field(default_factory=dict)
    uploaded: list[StoredCertificate] = field(default_factory=list)
    from_acme: list[StoredCertificate] = field(default_factory=list)
    acme_file: str = ""
    forwards: dict[str, str] = field(default_factory=dict)
    marks: dict[str, tuple[str, str]] = field(default_factory=dict)
    apps: dict[str, AppRun] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    hits: dict[str, int] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    redirects: dict[str, list[tuple[str, str, bool]]] = field(default_factory=dict)
    """By app: (expression over the whole address, replacement, for good)."""
    default_chain: str = ""
    default_key: str = ""
    down_until: float = 0.0


@dataclass
class FrontsState:
    fronts: dict[str, FrontState] = field(default_factory=dict)


class Fronts:
    """Fronts by host name; a host's machine asks its front for the listeners of ports 80 and 443."""

    def __init__(self, stage: Stage, state: FrontsState) -> None:
        self.stage = stage
        self.state = state
        self._fronts: dict[str, Front] = {}

    @staticmethod
    def begin(stage: Stage) -> FrontsState:
        return FrontsState()

    def of(self, host: str, kind: str = "traefik") -> Front:
        """The front of a host; made when first asked for."""
        kind = "caddy" if host == OLD_HOST else kind
        if host not in self.state.fronts:
            chain, key = self_signed("TRAEFIK DEFAULT CERT" if kind == "traefik" else host)
            self.state.fronts[host] = FrontState(host, kind, default_chain=chain, default_key=key)
        if host not in self._fronts:
            state = self.state.fronts[host]
            made = VercelEdge if state.kind == "vercel" else Front
            self._fronts[host] = made(self.stage, state)
        return self._fronts[host]

    def forget(self, host: str) -> None:
        """The host is gone, and its front with it."""
        self._fronts.pop(host, None)
        self.state.fronts.pop(host, None)

    async def start(self) -> None:
        self.stage.internet.attach(VERCEL_ADDRESS, self.of("vercel-edge", "vercel"))

    async def settle(self) -> None:
        """The world as it was: Vercel serves its projects' domains, the old host's Caddy the others."""
        config = self.stage.config
        at_vercel = {project.app for project in config.vercel}
        for app in config.apps:
            if app.name in at_vercel:
                front = self.of("vercel-edge", "vercel")
            elif config.old_host is not None:
                front = self.of(OLD_HOST)
            else:
                continue
            front.app_version(app.name, OLD_VERSION)
            for domain in app.domains:
                front.give(domain, app.name, *self.stage.acme.issue(domain))

    async def stop(self) -> None:
        for front in self._fronts.values():
            await front.stop()
