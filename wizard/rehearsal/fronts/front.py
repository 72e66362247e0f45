"""One front: routing by Host, TLS by SNI, redirects, ACME over HTTP-01, and what happens in a rollout."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

from aiohttp import web
from multidict import CIMultiDict

from wizard.net import Reach
from wizard.rehearsal.fronts import acme as front_acme
from wizard.rehearsal.fronts import files as front_files
from wizard.rehearsal.fronts import rules as front_rules
from wizard.rehearsal.fronts.proxy import fetch
from wizard.rehearsal.fronts.tls import (
    StoredCertificate,
    best,
    choosing_context,
    server_context,
    stored,
)
from wizard.rehearsal.internet import Listener
from wizard.rehearsal.sites import SiteAnswer, SiteRequest

if TYPE_CHECKING:
    from wizard.rehearsal.fronts.standin import AppRun, FrontState, Route
    from wizard.rehearsal.stage import Stage

ACME_PATH = "/.well-known/acme-challenge/"
PANEL = "dokploy"
"""What a route to the host's own panel is called."""
ACME_FILE = "/etc/dokploy/traefik/dynamic/acme.json"
_RELOAD_SECONDS = 2.0
_PLAIN = (("Content-Type", "text/plain; charset=utf-8"),)


class Front:
    """A reverse proxy. Also a machine by itself, for a front that has an address of its own."""

    def __init__(self, stage: Stage, state: FrontState) -> None:
        self.stage = stage
        self.state = state
        self.name = state.host
        self._runners: dict[bool, web.AppRunner] = {}
        self._tls: ssl.SSLContext | None = None
        self._ordering: set[str] = set()

    def admits(self, source: str, address: str, port: int) -> Reach:
        return Reach.OPEN if self.port_listener(port) else Reach.REFUSED

    def listener(self, address: str, port: int) -> Listener | None:
        return self.port_listener(port)

    def port_listener(self, port: int) -> Listener | None:
        """Who takes connections to `port`; None while it restarts and for any other port."""
        if port not in (80, 443) or self.stage.clock.now() < self.state.down_until:
            return None

        async def take(sock: socket.socket, source: str) -> None:
            await self.stage.serve_socket(sock, await self._runner(port == 443), self._context(port))

        return take

    async def _runner(self, secure: bool) -> web.AppRunner:
        if secure not in self._runners:
            app = web.Application()

            async def handle(request: web.Request) -> web.Response:
                return await self._handle(request, "https" if secure else "http")

            app.router.add_route("*", "/{path:.*}", handle)
            self._runners[secure] = await self.stage.runner(app)
        return self._runners[secure]

    def _context(self, port: int) -> ssl.SSLContext | None:
        if port != 443:
            return None
        if self._tls is None:
            self._tls = choosing_context(self._choose, self.state.default_chain, self.state.default_key)
        return self._tls

    def _choose(self, name: str) -> ssl.SSLContext | None:
        found = best([*self.state.uploaded, *self.state.from_acme], name)
        if found is not None:
            return server_context(found.chain_pem, found.key_pem)
        if self.state.kind == "traefik":
            self._order(name, name in front_files.certified_names(self))
            return server_context(self.state.default_chain, self.state.default_key)
        return None

    def give(self, domain: str, app: str, chain_pem: str, key_pem: str) -> None:
        """A domain that is served from the beginning, with its certificate."""
        self.state.from_acme.append(stored(chain_pem, key_pem, "given"))
        self.route(domain, app, "", True, "none")

    def route(self, domain: str, app: str, service: str, https: bool, certificate: str) -> None:
        """Lead a domain to an app; with `letsencrypt` a certificate is ordered unless one covers it."""
        from wizard.rehearsal.fronts.standin import Route

        self.state.routes[domain] = Route(domain, app, service, https, certificate)
        self.renew()

    def unroute(self, domain: str) -> None:
        self.state.routes.pop(domain, None)

    def add_certificate(self, chain_pem: str, key_pem: str) -> None:
        """Text that is no certificate is kept out of the way, as Traefik does: it only logs."""
        try:
            self.state.uploaded.append(stored(chain_pem, key_pem, "upload"))
        except ValueError:
            self.state.log.append("Unable to append certificate to store: failed to find PEM data")

    def remove_certificate(self, chain_pem: str) -> None:
        self.state.uploaded = [item for item in self.state.uploaded if item.chain_pem != chain_pem]
        self.renew()

    def renew(self) -> None:
        """Order what letsencrypt routes lack. A certificate that covers a name, from anywhere, is enough."""
        for route in self.state.routes.values():
            covered = best([*self.state.uploaded, *self.state.from_acme], route.domain)
            wanted = route.certificate == "letsencrypt" and route.https and covered is None
            self._order(route.domain, wanted)

    def _order(self, domain: str, wanted: bool) -> None:
        if wanted and domain not in self._ordering:
            self._ordering.add(domain)
            self.stage.spawn(self._obtain(domain))

    async def _obtain(self, domain: str) -> None:
        try:
            await front_acme.obtain(self.stage, self.state, domain)
        finally:
            self._ordering.discard(domain)

    def forward_all(self, domain: str, address: str, mark: tuple[str, str] | None = None) -> None:
        """Send a domain's requests on to another host, under the same name; `mark` is added to answers."""
        self.state.marks.pop(domain, None)
        if address:
            self.state.forwards[domain] = address
            if mark is not None:
                self.state.marks[domain] = mark
        else:
            self.state.forwards.pop(domain, None)

    def app_version(self, app: str, version: str, *, gap: float = 0.0, start: float = 0.0) -> None:
        """The app now runs `version`, after `gap` simulated seconds without it, beginning in `start`."""
        run = self._run(app)
        if run.version == version:
            # Nothing changed, so nothing is recreated.
            gap = 0.0
        run.version = version
        now = self.stage.clock.now()
        run.down_from, run.down_until = now + start, now + start + gap

    def _run(self, app: str) -> AppRun:
        from wizard.rehearsal.fronts.standin import AppRun

        return self.state.apps.setdefault(app, AppRun())

    def read_file(self, path: str) -> str | None:
        """Traefik's certificate store as the panel shows it; None for other files."""
        if path != ACME_FILE:
            return None
        return front_acme.store_text(self.state)

    def write_file(self, path: str, text: str) -> None:
        if path == ACME_FILE:
            self.state.acme_file = text

    def reload(self) -> None:
        """Restart: for a moment nothing listens, then the store is read from its file."""
        self.state.down_until = self.stage.clock.now() + _RELOAD_SECONDS
        if self.state.acme_file:
            self.state.from_acme = _parse_store(self.state.acme_file)
            self.state.acme_file = ""

    async def _handle(self, request: web.Request, scheme: str) -> web.Response:
        host = request.host.partition(":")[0].lower()
        asked = SiteRequest(
            method=request.method,
            host=host,
            path=request.path,
            headers={key.lower(): value for key, value in request.headers.items()},
            query=request.query_string,
            scheme=scheme,
        )
        answer = await self.answer(asked, await request.read())
        self.state.hits[host] = self.state.hits.get(host, 0) + 1
        body = answer.body if request.method != "HEAD" else b""
        return web.Response(status=answer.status, body=body, headers=CIMultiDict(answer.headers))

    async def answer(self, asked: SiteRequest, body: bytes) -> SiteAnswer:
        page = self.state.pages.get(asked.host + asked.path) if asked.scheme == "http" else None
        if page is not None:
            return SiteAnswer(200, _PLAIN, page.encode())
        forward = self.state.forwards.get(asked.host)
        if forward:
            answer = await fetch(self.stage, self._own_address(), forward, asked, body)
            mark = self.state.marks.get(asked.host)
            return replace(answer, headers=(*answer.headers, mark)) if mark else answer
        if asked.scheme == "http" and asked.path.startswith(ACME_PATH):
            token = asked.path.removeprefix(ACME_PATH)
            if token in self.state.tokens:
                return SiteAnswer(200, _PLAIN, self.state.tokens[token].encode())
        if front_files.to_panel(self, asked.host, asked.path, asked.scheme):
            return await self.stage.panels.answer(self.name, asked, body)
        ruled = await front_rules.answer(self, asked, body)
        if ruled is not None:
            return ruled
        route = self.state.routes.get(asked.host)
        if route is None:
            return SiteAnswer(404, _PLAIN, b"404 page not found\n")
        if asked.scheme == "http" and route.https:
            query = f"?{asked.query}" if asked.query else ""
            target = f"https://{asked.host}{asked.path}{query}"
            return SiteAnswer(308, (("Location", target),), b"")
        if route.app == PANEL:
            return await self.stage.panels.answer(self.name, asked, body)
        if led := self._led(route, asked):
            return led
        return await self.from_app(route, asked)

    def _led(self, route: Route, asked: SiteRequest) -> SiteAnswer | None:
        """As the proxy's middleware: the first expression that changes the address wins."""
        address = f"{asked.scheme}://{asked.host}{asked.path}{'?' + asked.query if asked.query else ''}"
        for regex, replacement, permanent in self.state.redirects.get(route.app, ()):
            target = re.sub(regex, re.sub(r"\$\{(\d+)\}", r"\\g<\1>", replacement), address, count=1)
            if target != address:
                kept = asked.method in ("GET", "HEAD")
                status = (301 if kept else 308) if permanent else (302 if kept else 307)
                return SiteAnswer(status, (("Location", target), *_PLAIN), b"")
        return None

    async def from_app(self, route: Route, asked: SiteRequest) -> SiteAnswer:
        run = self._run(route.app)
        now = self.stage.clock.now()
        if not run.version or run.down_from <= now < run.down_until:
            # Traefik drops unhealthy containers from its routes; other proxies answer for a dead one.
            if self.state.kind == "traefik":
                return SiteAnswer(404, _PLAIN, b"404 page not found\n")
            return SiteAnswer(502, _PLAIN, b"")
        if now < run.slow_until:
            await asyncio.sleep(run.slow_seconds)
        return self.stage.sites.respond(route.app, run.version, asked)

    def _own_address(self) -> str:
        old = self.stage.config.old_host
        return old.address if old is not None else "198.51.100.20"

    async def stop(self) -> None:
        """Runners belong to the stage, which ends them."""


def _parse_store(text: str) -> list[StoredCertificate]:
    """Traefik's acme.json: certificates and keys are base64 of PEM."""
    found: list[StoredCertificate] = []
    for resolver in json.loads(text).values():
        for item in resolver.get("Certificates") or []:
            chain = base64.b64decode(item["certificate"]).decode()
            key = base64.b64decode(item["key"]).decode()
            found.append(stored(chain, key, "acme"))
    return found
