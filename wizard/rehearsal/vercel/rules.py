"""What Vercel's edge does with a request by vercel.json and by the dashboard's redirects."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from wizard.rehearsal.sites import Headers, SiteAnswer, SiteRequest

_NAMED = re.compile(r"(/)?:([A-Za-z_]\w*)(\((?:[^()\\]|\\.)*\))?([*+?])?")


@dataclass(frozen=True)
class EdgeRules:
    """A vercel.json, with the dashboard's redirects among its own."""

    document: dict[str, Any] = field(default_factory=dict)

    def headers(self, asked: SiteRequest) -> Headers:
        """Every rule that fits counts; of two for one header the later."""
        found: dict[str, tuple[str, str]] = {}
        for row in self.document.get("headers") or ():
            if _fits(row, asked) is not None:
                found |= {one["key"].lower(): (one["key"], one["value"]) for one in row["headers"]}
        return tuple(found.values())

    def redirect(self, asked: SiteRequest) -> tuple[str, int] | None:
        """Where the request is led, its query kept, and the status."""
        tidy = self._tidy(asked.path)
        if tidy != asked.path:
            return _with_query(tidy, asked.query), 308
        for row in self.document.get("redirects") or ():
            groups = _fits(row, asked)
            if groups is not None:
                usual = 307 if row.get("permanent") is False else 308
                target = _put(row["destination"], groups)
                return _with_query(target, asked.query), int(row.get("statusCode") or usual)
        return None

    def _tidy(self, path: str) -> str:
        if self.document.get("cleanUrls"):
            path = re.sub(r"^(.*/)index\.html$|^(.+)\.html$", lambda one: one[1] or one[2], path)
        slash = self.document.get("trailingSlash")
        if slash is False and len(path) > 1:
            path = path.rstrip("/")
        if slash is True and re.fullmatch(r".*/[^./]+", path):
            path += "/"
        return path or "/"

    def rewrite(self, asked: SiteRequest) -> str:
        """From where a request is served that no file answers; "" if it stays."""
        for row in self.document.get("rewrites") or ():
            groups = _fits(row, asked)
            if groups is not None:
                return _put(row["destination"], groups)
        return ""


def _with_query(target: str, query: str) -> str:
    return f"{target}?{query}" if query and "?" not in target else target


@lru_cache(maxsize=256)
def _expression(source: str) -> re.Pattern[str]:
    """Vercel's own syntax as an expression for the whole path."""
    out, place = [], 0
    while place < len(source):
        if source[place] == "(":
            end = _closing(source, place)
            out.append(source[place:end])
            place = end
        elif source[place] == "\\":
            out.append(source[place : place + 2])
            place += 2
        elif named := _NAMED.match(source, place):
            out.append(_parameter(named))
            place = named.end()
        else:
            out.append(source[place] if source[place] in "/*+?" else re.escape(source[place]))
            place += 1
    return re.compile("".join(out))


def _parameter(found: re.Match[str]) -> str:
    slash, name, inner, many = found[1] or "", found[2], found[3], found[4]
    one = inner[1:-1] if inner else "[^/]+"
    match many:
        case "*":
            return f"(?:{slash}(?P<{name}>{one}(?:/{one})*))?"
        case "+":
            return f"{slash}(?P<{name}>{one}(?:/{one})*)"
        case "?":
            return f"(?:{slash}(?P<{name}>{one}))?"
    return f"{slash}(?P<{name}>{one})"


def _closing(text: str, place: int) -> int:
    depth = 0
    while place < len(text):
        if text[place] == "\\":
            place += 1
        elif text[place] in "()":
            depth += 1 if text[place] == "(" else -1
            if depth == 0:
                return place + 1
        place += 1
    raise ValueError("a parenthesis is not closed")


def _fits(row: dict[str, Any], asked: SiteRequest) -> re.Match[str] | None:
    found = _expression(row["source"]).fullmatch(asked.path)
    has = all(_there(one, asked) for one in row.get("has") or ())
    lacks = not any(_there(one, asked) for one in row.get("missing") or ())
    return found if has and lacks else None


def _there(one: dict[str, Any], asked: SiteRequest) -> bool:
    match one["type"]:
        case "host":
            values = [asked.host]
        case "header":
            known = asked.headers.get(one["key"].lower())
            values = [] if known is None else [known]
        case "query":
            values = parse_qs(asked.query, keep_blank_values=True).get(one["key"], [])
        case _:
            pairs = [part.strip().partition("=") for part in asked.headers.get("cookie", "").split(";")]
            values = [value for name, _, value in pairs if name == one["key"]]
    return any(re.fullmatch(one.get("value") or ".*", value) for value in values)


def _put(text: str, groups: re.Match[str]) -> str:
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    names = groups.re.groupindex
    rest = re.sub(r":([A-Za-z_]\w*)[*+]?", lambda m: (groups[m[1]] or "") if m[1] in names else m[0], rest)
    rest = re.sub(r"\$(\d+)", lambda m: groups[int(m[1])] or "", rest)
    return f"{scheme}{separator}{rest}"


def origin_of(target: str) -> tuple[str, str]:
    """(host, path) of another server's address; ("", path) within the project."""
    parts = urlsplit(target)
    return (parts.hostname or "", parts.path or "/")


def with_headers(answer: SiteAnswer, wished: Headers) -> SiteAnswer:
    names = {name.lower() for name, _ in wished}
    kept = tuple(pair for pair in answer.headers if pair[0].lower() not in names)
    return SiteAnswer(answer.status, (*kept, *wished), answer.body)
