"""Rules of Vercel in the new front end's form. Pure.

Two places take them. Paths (redirects, rewrites, headers) go into the Caddyfile of the container: they
belong to the application, travel with its image, and only it knows which files exist, which Vercel looks
for before it rewrites. Whole domains that lead to another go into a file of the panel's proxy (Traefik),
which holds their certificates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from wizard.clients.vercel.models import ProjectDomain
from wizard.vercel.json import Condition, HeaderRule, PathRule, VercelJson
from wizard.vercel.paths import PathPattern, UntranslatableError, destination, pattern

_HAS_QUERY = "expression `{query} != ''`"
_NO_FILE = "not file {path} {path}.html {path}/index.html"


@dataclass(frozen=True, slots=True)
class Untranslated:
    """A rule that has no form there, and why."""

    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class Translation:
    """`caddyfile` is a snippet for a site block; "" when there is nothing to say."""

    caddyfile: str
    rules: int
    lost: tuple[Untranslated, ...] = ()


def caddyfile(found: VercelJson, more: Sequence[PathRule] = ()) -> Translation:
    """`more` are redirects of the dashboard."""
    parts: list[str] = []
    lost: list[Untranslated] = []
    for number, header in enumerate(found.headers, 1):
        _attempt(parts, lost, header.source, partial(_header, number, header))
    for number, rule in enumerate((*found.redirects, *more), 1):
        _attempt(parts, lost, rule.source, partial(_redirect, number, rule))
    parts += _slashes(found)
    taken: tuple[str, ...] = ()
    for number, rule in enumerate(found.rewrites, 1):
        kept = len(parts)
        _attempt(parts, lost, rule.source, partial(_checked, number, rule, taken))
        if len(parts) > kept:
            taken += _taken(rule)
    if found.clean_urls:
        parts.append("try_files {path} {path}.html {path}/index.html")
    return Translation("\n".join(parts) + "\n" if parts else "", len(parts), tuple(lost))


def _checked(number: int, rule: PathRule, taken: tuple[str, ...]) -> str:
    _taken(rule)
    return _rewrite(number, rule, taken)


def _attempt(parts: list[str], lost: list[Untranslated], source: str, make: Callable[[], str]) -> None:
    try:
        parts.append(make())
    except UntranslatableError as error:
        lost.append(Untranslated(source, str(error)))


def _matcher(name: str, source: str, conditions: Iterable[Condition], *more: str) -> tuple[str, PathPattern]:
    found = pattern(source)
    lines = [f"\tpath_regexp {name} {_quoted(found.regex)}"]
    if found.unless:
        lines.append(f"\tnot path_regexp {_quoted(found.unless)}")
    for one in conditions:
        lines.append(f"\t{'not ' if one.missing else ''}{_condition(one)}")
    lines += [f"\t{line}" for line in more]
    return f"@{name} {{\n" + "\n".join(lines) + "\n}", found


def _condition(one: Condition) -> str:
    literal = not re.search(r"[()\[\]|?*+\\^$]", one.value)
    if one.type == "host" and literal:
        return f"host {one.value}"
    if one.type == "header" and literal:
        return f"header {one.key} {_quoted(one.value or '*')}"
    if one.type == "query" and literal:
        return f"query {one.key}={one.value or '*'}"
    raise UntranslatableError(f"it depends on {one.type} {one.key} {one.value}".rstrip())


def _group(name: str) -> Callable[[int], str]:
    return lambda number: f"{{re.{name}.{number}}}"


def _header(number: int, rule: HeaderRule) -> str:
    text, _ = _matcher(f"header{number}", rule.source, rule.conditions)
    lines = [f"\t{name} {_quoted(value)}" for name, value in rule.headers]
    return f"{text}\nheader @header{number} {{\n" + "\n".join(lines) + "\n}"


def _redirect(number: int, rule: PathRule) -> str:
    """Vercel passes a query on, unless the destination has one of its own."""
    name = f"redirect{number}"
    found = pattern(rule.source)
    target = destination(rule.destination, found, _group(name))
    if "?" in rule.destination:
        text, _ = _matcher(name, rule.source, rule.conditions)
        return f"{text}\nredir @{name} {_quoted(target)} {rule.status}"

    def matcher(one: str, more: tuple[str, ...]) -> str:
        return _matcher(one, rule.source, rule.conditions, *more)[0]

    return _leading(name, matcher, target, rule)


def _leading(name: str, matcher: Callable[[str, tuple[str, ...]], str], target: str, rule: PathRule) -> str:
    """Two redirects: one for requests with a query, which goes along, and one for those without."""
    queried, asked = f"{name}q", target.replace(f"{{re.{name}.", f"{{re.{name}q.")
    return (
        f"{matcher(queried, (_HAS_QUERY,))}\nredir @{queried} {_quoted(asked + '?{query}')} {rule.status}\n"
        f"{matcher(name, ())}\nredir @{name} {_quoted(target)} {rule.status}"
    )


def _rewrite(number: int, rule: PathRule, before: tuple[str, ...]) -> str:
    """`before`: conditions under which an earlier rule to another server takes the request."""
    name = f"rewrite{number}"
    text, found = _matcher(name, rule.source, rule.conditions, _NO_FILE, *before)
    group = _group(name)
    parts = urlsplit(rule.destination)
    if not parts.scheme:
        return f"{text}\nrewrite @{name} {_quoted(destination(rule.destination, found, group))}"
    path = destination(parts.path or "/", found, group)
    return (
        f"{text}\nhandle @{name} {{\n\trewrite * {_quoted(path)}\n"
        f"\treverse_proxy {parts.scheme}://{parts.netloc} {{\n"
        "\t\theader_up Host {upstream_hostport}\n\t}\n}"
    )


def _taken(rule: PathRule) -> tuple[str, ...]:
    """What later rewrites must not match: `rewrite` comes before `handle`, whatever their order here."""
    found = pattern(rule.source)
    if not urlsplit(rule.destination).scheme:
        return ()
    if rule.conditions or found.unless:
        raise UntranslatableError(f"{rule.source}: a rewrite to another server under conditions")
    return (f"not path_regexp {_quoted(found.regex)}",)


def _slashes(found: VercelJson) -> list[str]:
    pairs: list[tuple[str, str, str]] = []
    if found.clean_urls:
        pairs += [("index", r"^(.*/)index\.html$", ""), ("html", r"^(.+)\.html$", "")]
    if found.trailing_slash is False:
        pairs.append(("slash", "^(.+)/$", ""))
    if found.trailing_slash is True:
        pairs.append(("noslash", "^(.*/[^./]+)$", "/"))
    return [_slash(name, regex, tail) for name, regex, tail in pairs]


def _slash(name: str, regex: str, tail: str) -> str:
    def matcher(one: str, more: tuple[str, ...]) -> str:
        lines = (f"path_regexp {one} {_quoted(regex)}", *more)
        return f"@{one} {{\n" + "\n".join(f"\t{line}" for line in lines) + "\n}"

    return _leading(name, matcher, f"{{re.{name}.1}}{tail}", PathRule(regex, "", 308))


def _quoted(text: str) -> str:
    """A token of a Caddyfile. Back-quotes take everything but themselves."""
    if "`" not in text:
        return f"`{text}`"
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'


def traefik(domains: Sequence[ProjectDomain]) -> str:
    """A dynamic file for the proxy that leads domains to others, paths and queries kept; "" if none does."""
    rows = [one for one in domains if one.redirect and not one.branch and not one.environment]
    if not rows:
        return ""
    routers, middlewares = [], []
    for one in rows:
        name = "vercel-" + re.sub(r"[^a-z0-9]+", "-", one.name.lower())
        permanent = "true" if one.redirect_status in (0, 301, 308) else "false"
        routers.append(
            f"    {name}:\n      rule: Host(`{one.name}`)\n      entryPoints: [websecure]\n"
            f"      middlewares: [{name}]\n      service: noop@internal\n"
            "      tls:\n        certResolver: letsencrypt\n"
        )
        middlewares.append(
            f"    {name}:\n      redirectRegex:\n        regex: '^https?://[^/]+/(.*)'\n"
            f"        replacement: 'https://{one.redirect}/${{1}}'\n        permanent: {permanent}\n"
        )
    return "http:\n  routers:\n" + "".join(routers) + "  middlewares:\n" + "".join(middlewares)
