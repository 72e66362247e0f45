"""What the applications answer: the same content at the old and the new place, with a build id."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wizard.config import App
    from wizard.rehearsal.stage import Stage

Headers = tuple[tuple[str, str], ...]

_SECURITY: Headers = (
    ("Strict-Transport-Security", "max-age=63072000"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Permissions-Policy", "camera=(), microphone=(self), geolocation=()"),
)
_METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
_ALLOWED_HEADERS = frozenset({"authorization", "content-type", "traceparent", "accept", "accept-language"})


@dataclass(frozen=True, slots=True)
class SiteRequest:
    """`headers` have lower-case names."""

    method: str
    host: str
    path: str
    headers: dict[str, str]
    query: str = ""
    scheme: str = "https"


@dataclass(frozen=True, slots=True)
class SiteAnswer:
    status: int
    headers: Headers
    body: bytes


@dataclass
class SitesState:
    """`lost_headers`: planted differences, by "app version": header names that this version forgets."""

    lost_headers: dict[str, list[str]] = field(default_factory=dict)


class Sites:
    """Front ends are the apps that leave Vercel (or have no allowed origins); the others are APIs."""

    def __init__(self, stage: Stage, state: SitesState) -> None:
        self.stage = stage
        self.state = state

    @staticmethod
    def begin(stage: Stage) -> SitesState:
        return SitesState()

    async def start(self) -> None:
        """Nothing listens: the fronts ask."""

    async def stop(self) -> None:
        """Nothing is held open."""

    def is_api(self, app: App) -> bool:
        moved_from_vercel = {project.app for project in self.stage.config.vercel}
        return app.name not in moved_from_vercel and bool(app.allowed_origins or app.compose_file)

    def respond(self, app_name: str, version: str, request: SiteRequest) -> SiteAnswer:
        app = self.stage.config.app(app_name)
        answer = _api(app, version, request) if self.is_api(app) else _page(app, version, request)
        lost = {name.lower() for name in self.state.lost_headers.get(f"{app_name} {version}", [])}
        if not lost:
            return answer
        kept = tuple(pair for pair in answer.headers if pair[0].lower() not in lost)
        return SiteAnswer(answer.status, kept, answer.body)


def _answer(status: int, kind: str, body: str, *more: tuple[str, str]) -> SiteAnswer:
    return SiteAnswer(status, (("Content-Type", kind), *_SECURITY, *more), body.encode())


def _asset(app: App) -> str:
    digest = hashlib.sha256(app.name.encode()).hexdigest()[:8]
    return f"/_app/immutable/entry/start.{digest}.js"


def _page(app: App, version: str, request: SiteRequest) -> SiteAnswer:
    path = request.path
    fixed = _fixed_file(app, version, request)
    if fixed is not None:
        return fixed
    known = {"/", *app.routes, app.health}
    if path == _asset(app):
        body = 'export const start = () => document.body.dataset.ready = "1";'
        cache = ("Cache-Control", "public, max-age=31536000, immutable")
        return _answer(200, "text/javascript; charset=utf-8", body, cache)
    if path not in known:
        return _answer(404, "text/html; charset=utf-8", _html(app, version, path, "Not found"))
    return _answer(
        200,
        "text/html; charset=utf-8",
        _html(app, version, path, path.strip("/") or "Home"),
        ("Cache-Control", "no-store"),
    )


def _fixed_file(app: App, version: str, request: SiteRequest) -> SiteAnswer | None:
    path, host = request.path, app.domains[0]
    if path == "/_app/version.json":
        text = json.dumps({"version": version})
        return _answer(200, "application/json", text, ("Cache-Control", "no-store"))
    if path == "/robots.txt":
        return _answer(
            200, "text/plain; charset=utf-8", f"User-agent: *\nSitemap: https://{host}/sitemap.xml\n"
        )
    if path == "/sitemap.xml":
        entries = "".join(f"<url><loc>https://{host}{route}</loc></url>" for route in ("/", *app.routes))
        spaces = "http://www.sitemaps.org/schemas/sitemap/0.9"
        return _answer(200, "application/xml", f'<urlset xmlns="{spaces}">{entries}</urlset>')
    if path == "/sw.js":
        more = (("Cache-Control", "no-store"), ("Service-Worker-Allowed", "/"))
        return _answer(
            200, "text/javascript; charset=utf-8", "self.addEventListener('fetch', () => {});", *more
        )
    if path == "/.well-known/apple-app-site-association":
        body = json.dumps({"applinks": {"details": []}})
        return _answer(200, "application/json", body, ("Cache-Control", "max-age=3600"))
    return None


def _html(app: App, version: str, path: str, title: str) -> str:
    links = "".join(f'<a href="{route}">{route}</a>' for route in app.routes)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} · {app.name}</title>'
        f'<meta name="build" content="{version}"><link rel="canonical" href="https://{app.domains[0]}{path}">'
        f'<script type="module" src="{_asset(app)}"></script></head>'
        f"<body><h1>{title}</h1><nav>{links}</nav></body></html>"
    )


def _api(app: App, version: str, request: SiteRequest) -> SiteAnswer:
    origin = request.headers.get("origin", "")
    allowed = origin in app.allowed_origins
    if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
        return _preflight(request, origin, allowed)
    cors: tuple[tuple[str, str], ...] = (("Vary", "Origin"),)
    if allowed:
        cors += (
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", "true"),
        )
    known = {"/", app.health, *app.routes}
    if request.path not in known:
        return _answer(404, "application/json", '{"detail":"Not Found"}', *cors)
    body = {"status": "ok", "service": app.service or app.name, "path": request.path, "build": version}
    return _answer(200, "application/json", json.dumps(body), ("Cache-Control", "no-store"), *cors)


def _preflight(request: SiteRequest, origin: str, allowed: bool) -> SiteAnswer:
    wanted = {
        name.strip().lower()
        for name in request.headers.get("access-control-request-headers", "").split(",")
        if name.strip()
    }
    if not allowed or not wanted <= _ALLOWED_HEADERS:
        what = "headers" if allowed else "origin"
        return _answer(400, "text/plain; charset=utf-8", f"Disallowed CORS {what}", ("Vary", "Origin"))
    return _answer(
        200,
        "text/plain; charset=utf-8",
        "OK",
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Allow-Methods", _METHODS),
        ("Access-Control-Allow-Headers", ", ".join(sorted(wanted))),
        ("Access-Control-Max-Age", "600"),
        ("Vary", "Origin"),
    )
