"""What source code says that counts at Vercel only, found line by line without being run. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

MOST_FILES = 120
"""Each is one request at the git host, which allows 60 an hour without a token."""
MOST_LETTERS = 400_000
_LINE = 1000
_SETTINGS = re.compile(
    r"(next|svelte|nuxt|astro|vite|remix|gatsby|quasar)[.-]config\.[cm]?[jt]s"
    r"|\.env(\.[\w.-]+)?|netlify\.toml|(src/|app/|lib/)?(config|constants|site|env)\.[cm]?[jt]s(on)?"
)
_CODE = re.compile(r"\.([cm]?[jt]sx?|svelte|vue|astro|mdx|html|py|go|rb|php|toml|ya?ml|sh)$")
_NOT_OURS = re.compile(
    r"(^|/)(node_modules|dist|build|out|coverage|vendor|third_party|__snapshots__|\.\w+)/"
    r"|\.min\.js$|\.d\.ts$|(^|/)(pnpm-lock|package-lock)\."
)
_TESTS = re.compile(r"(^|/)(tests?|e2e|__tests__|stories|fixtures|docs?|scripts)/|\.(test|spec|stories)\.")
_LIKELY = re.compile(
    r"(config|env|auth|api|url|site|const|layout|root|hook|middleware|proxy|main|index|_app)", re.I
)


class Use(StrEnum):
    """Kinds of what is found; the values are parts of findings' keys."""

    ADDRESS = "vercel_app"
    VARIABLE = "variable"
    PACKAGE = "package"
    IMAGE = "next_image"
    PATH = "vercel_path"
    HEADER = "vercel_header"
    EDGE = "edge_runtime"


_PATTERNS: tuple[tuple[Use, re.Pattern[str]], ...] = (
    (Use.ADDRESS, re.compile(r"[\w.-]*\.vercel\.app\b")),
    (Use.VARIABLE, re.compile(r"\b(?:(?:NEXT_PUBLIC|NUXT_PUBLIC|VITE|PUBLIC)_)?VERCEL(?:_[A-Z][A-Z_]*)?\b")),
    (Use.PACKAGE, re.compile(r"""(?:from|import|require\(|import\()\s*["'](@vercel/[\w-]+)""")),
    (Use.IMAGE, re.compile(r"""["'](next/(?:legacy/)?image)["']""")),
    (Use.PATH, re.compile(r"(/_vercel/[\w-]+)")),
    (Use.HEADER, re.compile(r"(?i)\b(x-vercel-[\w-]+)")),
    (Use.EDGE, re.compile(r"""\bruntime\s*[:=]\s*["'](edge|experimental-edge)["']""")),
)


@dataclass(frozen=True, slots=True)
class Place:
    """`name` is the very variable, package or header; never a value."""

    kind: Use
    name: str
    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def candidates(paths: Iterable[str]) -> tuple[str, ...]:
    """The files worth reading, the likeliest first: settings, then code, tests and documents last."""
    wanted = [path for path in paths if _wanted(path)]
    return tuple(sorted(wanted, key=lambda path: (_rank(path), path.count("/"), path)))


def is_settings(path: str) -> bool:
    return bool(_SETTINGS.fullmatch(path))


def _wanted(path: str) -> bool:
    return is_settings(path) or bool(_CODE.search(path) and not _NOT_OURS.search(path))


def _rank(path: str) -> int:
    if is_settings(path):
        return 0
    if _TESTS.search(path):
        return 3
    return 1 if _LIKELY.search(posixpath.basename(path)) else 2


def places(path: str, text: str) -> Iterator[Place]:
    """Each once a line. Lines that a tool wrote (very long ones) are looked at as far as `_LINE` letters."""
    for number, line in enumerate(text[:MOST_LETTERS].splitlines(), 1):
        if "ercel" not in line.lower() and "next/" not in line and "edge" not in line:
            continue
        found = {
            (kind, match[1] if match.re.groups else match[0])
            for kind, expression in _PATTERNS
            for match in expression.finditer(line[:_LINE])
        }
        yield from (Place(kind, name, path, number) for kind, name in sorted(found))
