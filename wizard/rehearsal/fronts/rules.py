"""Routers and middlewares in files of the proxy's folder, carried out as Traefik does.

Only what such a file may hold is known: other matchers and middlewares make the file count for nothing, as
a file that the proxy cannot read does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import yaml

from wizard.rehearsal.sites import SiteAnswer, SiteRequest

if TYPE_CHECKING:
    from wizard.rehearsal.fronts.front import Front

FOLDER = "/etc/dokploy/traefik/dynamic/"
_TOKEN = re.compile(r"\s*(&&|\|\||!|\(|\)|(\w+)\(((?:`[^`]*`(?:,\s*)?)*)\))")
_KNOWN = frozenset({"redirectRegex", "headers", "replacePathRegex", "errors"})
_PLAIN = (("Content-Type", "text/plain; charset=utf-8"),)

_NO_ROUTE = b"404 page not found\n"

Test = Callable[[SiteRequest], bool]


@dataclass(frozen=True, slots=True)
class Router:
    """`middlewares` are (kind, options), the outermost first. `services` lead from a name to an address."""

    test: Test
    entry: frozenset[str]
    priority: int
    middlewares: tuple[tuple[str, dict[str, Any]], ...]
    service: str
    services: dict[str, str]


async def answer(front: Front, asked: SiteRequest, body: bytes) -> SiteAnswer | None:
    """None when no router of a file takes the request, or only one for the panel."""
    router = chosen(front, asked)
    return None if router is None else await _through(front, router, 0, asked, body)


def chosen(front: Front, asked: SiteRequest) -> Router | None:
    hosts = getattr(front.stage, "hosts", None)
    host = hosts.get(front.name) if hosts is not None else None
    if host is None:
        return None
    entry = "websecure" if asked.scheme == "https" else "web"
    fitting = [
        router
        for path, file in host.state.files.items()
        if path.startswith(FOLDER) and path.endswith((".yml", ".yaml"))
        for router in parsed(file.content)
        if entry in router.entry and router.test(asked)
    ]
    return max(fitting, key=lambda one: one.priority, default=None)


@lru_cache(maxsize=32)
def parsed(content: bytes) -> tuple[Router, ...]:
    """None of a file that does not hold together: the proxy logs it and goes on without."""
    try:
        return tuple(_routers((yaml.safe_load(content) or {}).get("http") or {}))
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, IndexError, ValueError, re.error):
        return ()


def _routers(http: dict[str, Any]) -> list[Router]:
    services = {
        name: str(one["loadBalancer"]["servers"][0]["url"])
        for name, one in (http.get("services") or {}).items()
    }
    if "http://dokploy:3000" in services.values():
        return []
    known = {name: _only(one) for name, one in (http.get("middlewares") or {}).items()}
    return [
        Router(
            matcher(router["rule"]),
            frozenset(router.get("entryPoints") or ("web", "websecure")),
            int(router.get("priority") or len(router["rule"])),
            tuple(known[name] for name in router.get("middlewares") or ()),
            _among(services, router["service"]),
            services,
        )
        for router in (http.get("routers") or {}).values()
    ]


def _among(services: dict[str, str], name: str) -> str:
    services[name]
    return name


def _only(middleware: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    ((kind, options),) = middleware.items()
    if kind not in _KNOWN:
        raise ValueError(f"middleware {kind}")
    re.compile(options.get("regex") or "")
    return kind, options


async def _through(front: Front, router: Router, place: int, asked: SiteRequest, body: bytes) -> SiteAnswer:
    if place == len(router.middlewares):
        return await _served(front, router.services[router.service], asked, body)
    kind, options = router.middlewares[place]
    if kind == "redirectRegex" and (led := _led(options, asked)):
        return led
    if kind == "replacePathRegex":
        path = re.sub(options["regex"], _python(options["replacement"]), asked.path)
        asked = replace(asked, path=path)
    found = await _through(front, router, place + 1, asked, body)
    if kind == "headers":
        return _with_headers(found, options.get("customResponseHeaders") or {})
    if kind == "errors" and str(found.status) in options["status"]:
        status = int((options.get("statusRewrites") or {}).get(str(found.status), found.status))
        page = replace(asked, method="GET", path=options["query"], query="")
        return replace(await _served(front, router.services[options["service"]], page, b""), status=status)
    return found


def _led(options: dict[str, Any], asked: SiteRequest) -> SiteAnswer | None:
    address = f"{asked.scheme}://{asked.host}{asked.path}{'?' + asked.query if asked.query else ''}"
    target = re.sub(options["regex"], _python(options["replacement"]), address)
    if target == address:
        return None
    kept = asked.method == "GET"
    status = (301 if kept else 308) if options.get("permanent") else (302 if kept else 307)
    return SiteAnswer(status, (("Location", target), *_PLAIN), b"")


def _python(replacement: str) -> str:
    escaped = replacement.replace("\\", "\\\\")
    return re.sub(r"\$\{(\d+)\}", r"\\g<\1>", escaped).replace("$$", "$")


def _with_headers(found: SiteAnswer, wished: dict[str, str]) -> SiteAnswer:
    names = {name.lower() for name in wished}
    kept = tuple(pair for pair in found.headers if pair[0].lower() not in names)
    return replace(found, headers=(*kept, *((name, str(value)) for name, value in wished.items() if value)))


async def _served(front: Front, address: str, asked: SiteRequest, body: bytes) -> SiteAnswer:
    """By the app that the network knows by this name, or by another server's front."""
    from wizard.rehearsal.fronts.standin import Route

    name = urlsplit(address).hostname or ""
    app = _app_at(front, name)
    if app:
        found = await front.from_app(Route(asked.host, app, "", True, "none"), asked)
        # A service of a file stays when nothing answers behind it; the panel's own routes are dropped then.
        return SiteAnswer(502, _PLAIN, b"Bad Gateway") if found.body == _NO_ROUTE else found
    for host in list(front.stage.fronts.state.fronts):
        other = front.stage.fronts.of(host)
        if other is not front and name in other.state.routes:
            return await other.answer(replace(asked, host=name, scheme=urlsplit(address).scheme), body)
    return SiteAnswer(502, _PLAIN, b"Bad Gateway")


def _app_at(front: Front, name: str) -> str:
    """Services go by their app's name, containers of a stack by their own."""
    panel = front.stage.panels.of(front.name)
    for row in (*panel.table("application").values(), *panel.table("compose").values()):
        boxes = {box.name for box in panel.docker.of_project(row["appName"])}
        if name == row["appName"] or name in boxes:
            app = panel.app_of(row)
            return app.name if app is not None else ""
    return ""


def matcher(rule: str) -> Test:
    """Raises ValueError for what is no rule."""
    tokens = _tokens(rule)
    test, rest = _either(tokens)
    if rest:
        raise ValueError(f"{rest[0]} is left over")
    return test


def _tokens(rule: str) -> list[tuple[str, str, tuple[str, ...]]]:
    found = []
    place = 0
    while place < len(rule):
        match = _TOKEN.match(rule, place)
        if match is None:
            raise ValueError(f"no rule: {rule[place:]}")
        found.append((match[1] if not match[2] else "call", match[2] or "", _arguments(match[3] or "")))
        place = match.end()
    return found


def _arguments(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]*)`", text))


_Tokens = list[tuple[str, str, tuple[str, ...]]]


def _either(tokens: _Tokens) -> tuple[Test, _Tokens]:
    first, rest = _both(tokens)
    if rest and rest[0][0] == "||":
        second, rest = _either(rest[1:])
        return lambda asked: first(asked) or second(asked), rest
    return first, rest


def _both(tokens: _Tokens) -> tuple[Test, _Tokens]:
    first, rest = _one(tokens)
    if rest and rest[0][0] == "&&":
        second, rest = _both(rest[1:])
        return lambda asked: first(asked) and second(asked), rest
    return first, rest


def _one(tokens: _Tokens) -> tuple[Test, _Tokens]:
    if not tokens:
        raise ValueError("the rule breaks off")
    (sign, name, given), rest = tokens[0], tokens[1:]
    if sign == "!":
        test, rest = _one(rest)
        return lambda asked: not test(asked), rest
    if sign == "(":
        test, rest = _either(rest)
        if not rest or rest[0][0] != ")":
            raise ValueError("a parenthesis is open")
        return test, rest[1:]
    if sign != "call":
        raise ValueError(f"{sign} stands alone")
    return _call(name, given), rest


def _call(name: str, given: tuple[str, ...]) -> Test:
    match name, len(given):
        case "Host", 1:
            return lambda asked: asked.host == given[0].lower()
        case "HostRegexp", 1:
            return lambda asked: bool(re.search(given[0], asked.host))
        case "Path", 1:
            return lambda asked: asked.path == given[0]
        case "PathPrefix", 1:
            return lambda asked: asked.path.startswith(given[0])
        case "PathRegexp", 1:
            return lambda asked: bool(re.search(given[0], asked.path))
        case "HeaderRegexp", 2:
            return lambda asked: bool(re.search(given[1], asked.headers.get(given[0].lower(), "\n")))
        case "QueryRegexp", 2:
            return lambda asked: any(
                re.search(given[1], value)
                for value in parse_qs(asked.query, keep_blank_values=True).get(given[0], ())
            )
    raise ValueError(f"no matcher {name} of {len(given)}")
