"""Vercel's redirects, headers and rewrites as rules of the panel's proxy (Traefik 3). Pure.

The proxy compares paths, names, headers and queries by RE2 (no look-ahead) and knows no files. What Vercel
does only where no file is ("/(.*)" leads to "/index.html") becomes a page that is served in place of a 404.
Sources: Traefik's own rules (Path, PathRegexp, Header, Query) and middlewares (redirectRegex, headers,
replacePathRegex, errors with statusRewrites), read in its code at version 3.6.7, which Dokploy installs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlsplit

from wizard.clients.vercel.models import ProjectDomain
from wizard.vercel.json import Condition, HeaderRule, PathRule, VercelJson
from wizard.vercel.paths import PathPattern, UntranslatableError, destination, pattern

_PERMANENT = (0, 301, 308)
_PARAMETER = re.compile(r":[A-Za-z_]\w*[*+?]?")
_NOT_RE2 = re.compile(r"\(\?[!=<]|\\[1-9]")
_PLAIN = re.compile(r"[^()\[\]{}|?*+\\^$.]*")
_EVERY = "^/(.*)$"
"""Every path. /:path* is not: it leaves out the front page and what ends in a slash."""


class Effect(StrEnum):
    REDIRECT = "redirect"
    HEADERS = "headers"
    PROXY = "served by another server"
    REWRITE = "served from another path"
    FALLBACK = "served in place of a 404"


@dataclass(frozen=True, slots=True)
class ProxyRule:
    """One rule. `match` is an expression of the proxy's, "" for every request.

    `regex` and `replacement` are about the whole address for a redirect, about the path otherwise; groups
    are ``${1}``. `target`: the other server's origin (PROXY), or the page (FALLBACK). `path` ("" for every
    path) and `never` (how its paths never begin) tell which rules can meet at one request.
    """

    source: str
    effect: Effect
    match: str
    path: str = ""
    never: str = ""
    regex: str = ""
    replacement: str = ""
    permanent: bool = False
    target: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        match self.effect:
            case Effect.REDIRECT:
                return f"{self.source}: redirect{' for good' if self.permanent else ''}"
            case Effect.HEADERS:
                return f"{self.source}: {', '.join(name for name, _ in self.headers)}"
        return f"{self.source}: {self.effect}" + (f" {self.target}" if self.target else "")


@dataclass(frozen=True, slots=True)
class Led:
    """In the order in which they count. `lost` are (source, why it has no form there)."""

    rules: tuple[ProxyRule, ...] = ()
    lost: tuple[tuple[str, str], ...] = ()


def proxy_rules(
    file: VercelJson | None,
    dashboard: Sequence[PathRule],
    domains: Sequence[ProjectDomain],
    served: Sequence[str],
) -> Led:
    """`dashboard` are its redirects; `served` the names that lead to the app: others never get there."""
    made: list[ProxyRule] = []
    lost: list[tuple[str, str]] = []

    def attempt(source: str, make: Callable[[], ProxyRule]) -> None:
        try:
            made.append(_sound(make()))
        except UntranslatableError as error:
            lost.append((source, str(error)))

    for one in domains:
        if one.redirect and one.name in served and not one.branch and not one.environment:
            attempt(one.name, lambda one=one: _domain(one))  # type: ignore[misc]
    for rule in (*(file.redirects if file else ()), *dashboard):
        attempt(rule.source, lambda rule=rule: _redirect(rule))  # type: ignore[misc]
    if file is not None:
        made += _slashes(file)
        for header in file.headers:
            attempt(header.source, lambda header=header: _header(header))  # type: ignore[misc]
        for rule in file.rewrites:
            attempt(rule.source, lambda rule=rule: _rewrite(rule))  # type: ignore[misc]
    return Led(tuple(made), tuple(lost))


def _sound(rule: ProxyRule) -> ProxyRule:
    """The proxy reads its files as templates first, and rules quote by back-quotes."""
    texts = (
        rule.match,
        rule.regex,
        rule.replacement,
        rule.target,
        *(text for pair in rule.headers for text in pair),
    )
    if any("{{" in text for text in texts):
        raise UntranslatableError("the proxy takes {{ for a template")
    if any("\n" in text for text in texts):
        raise UntranslatableError("it holds a line break")
    return rule


def _quoted(text: str) -> str:
    if "`" in text:
        raise UntranslatableError("the proxy's rules cannot hold a back-quote")
    return f"`{text}`"


def _matching(found: PathPattern, conditions: Iterable[Condition]) -> str:
    if _NOT_RE2.search(found.regex + found.unless):
        raise UntranslatableError("a look-ahead or a back-reference")
    parts = [] if found.regex == _EVERY else [_path_is(found.regex)]
    if found.unless:
        parts.append(f"!PathRegexp({_quoted(found.unless)})")
    parts += [f"{'!' if one.missing else ''}{_condition(one)}" for one in conditions]
    return " && ".join(parts)


def _path_is(regex: str) -> str:
    plain = re.sub(r"\\(.)", r"\1", regex[1:-1])
    literal = _PLAIN.fullmatch(re.sub(r"\\.", "", regex[1:-1]))
    return f"Path({_quoted(plain)})" if literal else f"PathRegexp({_quoted(regex)})"


def _condition(one: Condition) -> str:
    """As at Vercel, a value is an expression for the whole; without one the thing only has to be there."""
    if _NOT_RE2.search(one.value):
        raise UntranslatableError(f"it depends on {one.type} {one.key} {one.value}".rstrip())
    whole = f"^(?:{one.value})$" if one.value else ".*"
    match one.type:
        case "host":
            return f"HostRegexp({_quoted(whole)})"
        case "header":
            return f"HeaderRegexp({_quoted(one.key)}, {_quoted(whole)})"
        case "query":
            return f"QueryRegexp({_quoted(one.key)}, {_quoted(whole)})"
        case "cookie":
            value = one.value or "[^;]*"
            return f"HeaderRegexp(`Cookie`, {_quoted(f'(?:^|; ?){re.escape(one.key)}=(?:{value})(?:;|$)')})"
    raise UntranslatableError(f"it depends on {one.type} {one.key} {one.value}".rstrip())


def _domain(one: ProjectDomain) -> ProxyRule:
    return ProxyRule(
        one.name,
        Effect.REDIRECT,
        f"Host({_quoted(one.name)})",
        regex="^https?://[^/]+/(.*)$",
        replacement=f"https://{one.redirect}/${{1}}",
        permanent=one.redirect_status in _PERMANENT,
    )


def _redirect(rule: PathRule) -> ProxyRule:
    """Vercel passes a query on, unless the destination has one of its own."""
    found = _counted(rule.source)
    match = _matching(found, rule.conditions)
    groups = len(found.names)
    target = _target(rule.destination, found, 1)
    if not re.match(r"https?://", target):
        target = "${1}" + target
    query = "" if "?" in rule.destination or "#" in rule.destination else f"${{{groups + 2}}}"
    return ProxyRule(
        rule.source,
        Effect.REDIRECT,
        match,
        found.regex,
        found.unless,
        f"^(https?://[^/]+){_within_path(found.regex[1:-1])}(\\?.*)?$",
        target + query,
        rule.status in _PERMANENT,
    )


def _slashes(file: VercelJson) -> Iterator[ProxyRule]:
    pairs: list[tuple[str, str, str]] = []
    slash = "/" if file.trailing_slash else ""
    if file.clean_urls:
        pairs += [
            ("cleanUrls", r"^(/)index\.html$", ""),
            ("cleanUrls", r"^(.+)/index\.html$", slash),
            ("cleanUrls", r"^(.+)\.html$", slash),
        ]
    if file.trailing_slash is False:
        pairs.append(("trailingSlash", "^(.+)/$", ""))
    if file.trailing_slash is True:
        pairs.append(("trailingSlash", "^(.*/[^./]+)$", "/"))
    for source, regex, tail in pairs:
        whole = f"^(https?://[^/]+){_within_path(regex[1:-1])}(\\?.*)?$"
        match = f"PathRegexp(`{regex}`)"
        yield ProxyRule(source, Effect.REDIRECT, match, regex, "", whole, f"${{1}}${{2}}{tail}${{3}}", True)


def _header(rule: HeaderRule) -> ProxyRule:
    found = pattern(rule.source)
    empty = [name for name, value in rule.headers if not value]
    if empty:
        raise UntranslatableError(f"{', '.join(empty)} has no value, which takes the header off there")
    match = _matching(found, rule.conditions)
    path = "" if not match else found.regex
    return ProxyRule(rule.source, Effect.HEADERS, match, path, found.unless, headers=rule.headers)


def _rewrite(rule: PathRule) -> ProxyRule:
    found = _counted(rule.source)
    match = _matching(found, rule.conditions)
    parts = urlsplit(rule.destination)
    target = f"{parts.scheme}://{parts.netloc}" if parts.scheme else ""
    if "?" in rule.destination or "#" in rule.destination:
        raise UntranslatableError(f"{rule.source}: a rewrite that sets a query")
    path = _target((parts.path or "/") if target else rule.destination, found, 0)
    made = ProxyRule(rule.source, Effect.REWRITE, match, found.regex, found.unless, found.regex, path)
    if target:
        if re.search(r":[A-Za-z_]", parts.netloc):
            raise UntranslatableError(f"{rule.source}: a server that depends on the path")
        return replace(made, effect=Effect.PROXY, target=target)
    if found.names and "${" not in path:
        return replace(made, effect=Effect.FALLBACK, target=path, regex="", replacement="")
    return made


def _counted(source: str) -> PathPattern:
    """Raises UntranslatableError if groups cannot be told by their number."""
    found = pattern(source)
    if re.compile(found.regex).groups != len(found.names):
        raise UntranslatableError(f"{source}: a group within a group")
    return found


def _target(text: str, found: PathPattern, offset: int) -> str:
    """`text` with the source's groups; every other dollar is doubled, which the proxy takes for one."""
    made = destination(text, found, lambda number: f"\x00{number + offset}\x00")
    return re.sub("\x00(\\d+)\x00", r"${\1}", made.replace("$", "$$"))


def _within_path(regex: str) -> str:
    """The expression, kept from running into the query of a whole address."""
    out: list[str] = []
    inside = False
    pieces = re.findall(r"\\.|\[\^?|.", regex, re.DOTALL)
    for piece in pieces:
        if inside:
            inside = piece != "]"
            out.append(piece)
        elif piece[0] == "[":
            inside = True
            out.append("[^?" if piece == "[^" else "[")
        else:
            out.append("[^?]" if piece == "." else piece)
    return "".join(out)


def meet(one: ProxyRule, other: ProxyRule) -> bool:
    """Whether one request may come under both; True if it cannot be told."""
    if not one.path or not other.path:
        return True
    begin, whole = _beginning(one.path)
    first, exact = _beginning(other.path)
    if _kept_out(one.never, first) or _kept_out(other.never, begin):
        return False
    if whole and exact:
        return begin == first
    if whole:
        return bool(re.search(other.path, begin))
    if exact:
        return bool(re.search(one.path, first))
    return begin.startswith(first) or first.startswith(begin)


def _kept_out(never: str, begin: str) -> bool:
    """Whether no path that begins like this can come under a rule with that exception."""
    return bool(never) and "$" not in never and bool(re.search(never, begin))


def _beginning(regex: str) -> tuple[str, bool]:
    """The letters that every path of it begins with, and whether they are the whole path."""
    out: list[str] = []
    pieces = re.findall(r"\\.|.", regex.removeprefix("^").removesuffix("$"), re.DOTALL)
    for piece in pieces:
        if len(piece) == 2 and not piece[1].isalnum():
            out.append(piece[1])
        elif len(piece) == 1 and piece not in "()[]{}|?*+^$.":
            out.append(piece)
        else:
            if piece in "?*{" and out:
                out.pop()
            return "".join(out), False
    return "".join(out), True


def probes(file: VercelJson | None, dashboard: Sequence[PathRule]) -> tuple[str, ...]:
    """Paths that the rules are about, one for each that a path can be made for: to be asked old and new."""
    found = dict.fromkeys(filter(None, map(_sample, _sources(file, dashboard))))
    return tuple(found)


def _sources(file: VercelJson | None, dashboard: Sequence[PathRule]) -> Iterator[str]:
    if file is not None:
        rules: tuple[Sequence[PathRule], ...] = (file.redirects, file.rewrites)
        for rows in rules:
            yield from (one.source for one in rows)
        yield from (one.source for one in file.headers)
    yield from (one.source for one in dashboard)


def _sample(source: str) -> str:
    named = _PARAMETER.sub("example", source).replace("(.*)", "example")
    return named if re.fullmatch(r"/[\w./~-]*", named) else ""
