"""Redirects of Vercel as redirects of the panel: expressions over the whole address, in RE2. Pure.

The panel's proxy matches them against scheme, host, path and query, and puts groups by ``${1}``. Only whole
addresses can be compared there, so a rule that depends on cookies, headers or queries has no such form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wizard.clients.vercel.models import ProjectDomain
from wizard.vercel.json import PathRule, VercelJson
from wizard.vercel.paths import UntranslatableError, destination, pattern

_PERMANENT = (0, 301, 308)
_PARAMETER = re.compile(r":[A-Za-z_]\w*[*+?]?")


@dataclass(frozen=True, slots=True)
class PanelRedirect:
    """`regex` and `replacement` as the panel takes them; `source` is what Vercel calls it."""

    source: str
    regex: str
    replacement: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class Led:
    """`lost` are (source, why it has no form there)."""

    redirects: tuple[PanelRedirect, ...] = ()
    lost: tuple[tuple[str, str], ...] = ()


def panel_redirects(
    file: VercelJson | None,
    dashboard: Sequence[PathRule],
    domains: Sequence[ProjectDomain],
    served: Sequence[str],
) -> Led:
    """`served` are the names that lead to the app: the proxy only sees requests for those."""
    made: list[PanelRedirect] = []
    lost: list[tuple[str, str]] = []
    for one in domains:
        if one.redirect and one.name in served and not one.branch and not one.environment:
            made.append(_domain(one))
    for rule in (*(file.redirects if file else ()), *dashboard):
        try:
            made.append(_path(rule))
        except UntranslatableError as error:
            lost.append((rule.source, str(error)))
    return Led(tuple(made), tuple(lost))


def _domain(one: ProjectDomain) -> PanelRedirect:
    regex = f"^https?://{re.escape(one.name)}/(.*)$"
    return PanelRedirect(one.name, regex, f"https://{one.redirect}/${{1}}", one.redirect_status in _PERMANENT)


def _path(rule: PathRule) -> PanelRedirect:
    """Vercel passes a query on, unless the destination has one of its own."""
    found = pattern(rule.source)
    if found.unless:
        raise UntranslatableError(f"{rule.source}: the proxy knows no look-ahead")
    groups = re.compile(found.regex).groups
    if groups != len(found.names):
        raise UntranslatableError(f"{rule.source}: a group within a group")
    body = found.regex.removeprefix("^").removesuffix("$")
    target = destination(rule.destination, found, _group)
    if not re.match(r"https?://", target):
        target = "${1}" + target
    query = "" if "?" in rule.destination or "#" in rule.destination else f"${{{groups + 2}}}"
    return PanelRedirect(
        rule.source,
        f"^({_origin(rule)}){body}(\\?.*)?$",
        target + query,
        rule.status in _PERMANENT,
    )


def _group(number: int) -> str:
    return f"${{{number + 1}}}"


def _origin(rule: PathRule) -> str:
    """Scheme and host; a rule may be for one host only."""
    host = "[^/]+"
    for one in rule.conditions:
        if one.type != "host" or one.missing or re.search(r"[()\[\]|?*+\\^$]", one.value):
            raise UntranslatableError(f"it depends on {one.type} {one.key} {one.value}".rstrip())
        host = re.escape(one.value)
    return f"https?://{host}"


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
    named = _PARAMETER.sub("example", source)
    return named if re.fullmatch(r"/[\w./~-]*", named) else ""
