"""Vercel's path patterns as regular expressions that a front end without look-ahead can use. Pure.

Caddy and Traefik use RE2, which knows no look-ahead. The one that is common, ``/((?!a|b).*)``, becomes a
pattern and a second one that must not match.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_NAMED = re.compile(r":([A-Za-z_]\w*)(\((?:[^()\\]|\\.)*\))?([*+?])?")
_LEADING = re.compile(r"\(\(\?!((?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*)\)(.*)\)", re.DOTALL)


class UntranslatableError(ValueError):
    """A pattern that RE2 cannot express; the text says why."""


@dataclass(frozen=True, slots=True)
class PathPattern:
    """`regex` matches the whole path; `unless` ("" for none) must not match it. `names` are its groups."""

    regex: str
    unless: str = ""
    names: tuple[str, ...] = ()


def pattern(source: str) -> PathPattern:
    """Raises UntranslatableError."""
    unless, rest = "", source
    names: list[str] = []
    out: list[str] = []
    while rest:
        if (found := _LEADING.match(rest)) and not unless:
            if found.end() != len(rest):
                raise UntranslatableError(f"{source}: something follows the look-ahead")
            unless = "^" + "".join(out) + f"(?:{found[1]})"
            names.append(str(len(names)))
            out.append(f"({found[2]})")
            break
        if rest[0] == "\\" and len(rest) > 1:
            out.append(rest[:2])
            rest = rest[2:]
            continue
        if named := _NAMED.match(rest):
            out[:] = _with_named(out, named)
            names.append(named[1])
            rest = rest[named.end() :]
            continue
        if rest[0] == "(":
            end = _closing(rest, source)
            names.append(str(len(names)))
            out.append(rest[:end])
            rest = rest[end:]
            continue
        out.append(rest[0] if rest[0] in "/*+?" else re.escape(rest[0]))
        rest = rest[1:]
    regex = "^" + "".join(out) + "$"
    for text in (regex, unless):
        if "(?!" in text or "(?<" in text or "(?=" in text:
            raise UntranslatableError(f"{source}: a look-ahead in the middle")
        try:
            re.compile(text)
        except re.error as error:
            raise UntranslatableError(f"{source}: {error}") from error
    return PathPattern(regex, unless, tuple(names))


def _with_named(out: list[str], named: re.Match[str]) -> list[str]:
    """A named segment: one, or with * and + any number of them, with the slash before it."""
    inner = named[2][1:-1] if named[2] else "[^/]+"
    match named[3]:
        case "*" | "?" if out and out[-1] == "/":
            body = f"{inner}(?:/{inner})*" if named[3] == "*" else inner
            return [*out[:-1], f"(?:/({body}))?"]
        case "*" | "+":
            return [*out, f"({inner}(?:/{inner})*)"]
        case "?":
            return [*out, f"({inner})?"]
    return [*out, f"({inner})"]


def _closing(text: str, source: str) -> int:
    depth = position = 0
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == "(":
            depth += 1
        elif text[position] == ")":
            depth -= 1
            if depth == 0:
                return position + 1
        position += 1
    raise UntranslatableError(f"{source}: a parenthesis is not closed")


def destination(text: str, found: PathPattern, group: Callable[[int], str]) -> str:
    """`text` with ``:name`` and ``$1`` put as `group` says for the number of the source's group.

    Raises UntranslatableError for a name that the source does not have.
    """

    def named(match: re.Match[str]) -> str:
        name = match[1]
        if name not in found.names:
            raise UntranslatableError(f"{text}: the source has no :{name}")
        return group(found.names.index(name) + 1)

    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    rest = re.sub(r":([A-Za-z_]\w*)[*+]?", named, rest)
    rest = re.sub(r"\$(\d+)", lambda match: group(int(match[1])), rest)
    return f"{scheme}{separator}{rest}"
