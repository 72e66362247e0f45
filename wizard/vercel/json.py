"""A vercel.json, read: what visitors notice of it, what builds use, and what exists at Vercel only. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wizard.errors import WizardError

_REPLACED = {
    "buildCommand": "the Dockerfile builds",
    "installCommand": "the Dockerfile installs",
    "devCommand": "it was for development only",
    "outputDirectory": "the Dockerfile says what is served",
    "framework": "the Dockerfile says what is built",
}
_LOST = {
    "ignoreCommand": "every push to the branch is built; watch paths of the panel can narrow that",
    "regions": "there is one place: that of the new host",
    "git": "the panel deploys its one branch",
    "github": "comments and statuses of Vercel's GitHub App end",
    "images": "images are optimised by the application itself or not at all",
    "bunVersion": "the Dockerfile says with what it is built",
    "fluid": "it was about functions only",
}
_HARMLESS = frozenset(
    {"$schema", "version", "name", "alias", "scope", "public", "trailingSlash", "cleanUrls"}
    | {"redirects", "rewrites", "headers", "crons", "functions", "routes", "builds"}
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A rule applies only if a request has this (or, with `missing`, has it not)."""

    type: str
    key: str
    value: str
    missing: bool = False


@dataclass(frozen=True, slots=True)
class PathRule:
    """A redirect (`status` ≥ 300) or a rewrite (`status` 0). `source` is in Vercel's own syntax."""

    source: str
    destination: str
    status: int = 0
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class HeaderRule:
    source: str
    headers: tuple[tuple[str, str], ...]
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """A key that visitors do not notice, and what becomes of it. `lost` if nothing takes its place."""

    key: str
    value: str
    becomes: str
    lost: bool


@dataclass(frozen=True, slots=True)
class VercelJson:
    redirects: tuple[PathRule, ...] = ()
    rewrites: tuple[PathRule, ...] = ()
    headers: tuple[HeaderRule, ...] = ()
    crons: tuple[tuple[str, str], ...] = ()
    functions: tuple[str, ...] = ()
    clean_urls: bool = False
    trailing_slash: bool | None = None
    legacy: tuple[str, ...] = ()
    """Keys of the old form (routes, builds): no rule of today's form can stand beside them."""
    settings: tuple[Setting, ...] = ()


def read(text: str) -> VercelJson:
    """Raises WizardError for what is no vercel.json; an unknown key is a setting that is lost."""
    try:
        document = json.loads(text)
        if not isinstance(document, dict):
            raise TypeError("it is no object")
        return _read(document)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WizardError(
            "vercel.json cannot be read", f"{type(error).__name__}: {error}", "Correct it in the repository."
        ) from error


def _read(document: Mapping[str, Any]) -> VercelJson:
    slash = document.get("trailingSlash")
    return VercelJson(
        redirects=tuple(_redirect(row) for row in document.get("redirects") or ()),
        rewrites=tuple(_rewrite(row) for row in document.get("rewrites") or ()),
        headers=tuple(_header(row) for row in document.get("headers") or ()),
        crons=tuple((str(row["path"]), str(row["schedule"])) for row in document.get("crons") or ()),
        functions=tuple(document.get("functions") or ()),
        clean_urls=bool(document.get("cleanUrls")),
        trailing_slash=None if slash is None else bool(slash),
        legacy=tuple(key for key in ("routes", "builds") if document.get(key)),
        settings=tuple(_setting(key, value) for key, value in document.items() if key not in _HARMLESS),
    )


def _redirect(row: Mapping[str, Any]) -> PathRule:
    status = row.get("statusCode") or (307 if row.get("permanent") is False else 308)
    return PathRule(str(row["source"]), str(row["destination"]), int(status), _conditions(row))


def _rewrite(row: Mapping[str, Any]) -> PathRule:
    return PathRule(str(row["source"]), str(row["destination"]), 0, _conditions(row))


def _header(row: Mapping[str, Any]) -> HeaderRule:
    pairs = tuple((str(one["key"]), str(one["value"])) for one in row["headers"])
    return HeaderRule(str(row["source"]), pairs, _conditions(row))


def _conditions(row: Mapping[str, Any]) -> tuple[Condition, ...]:
    return tuple(
        Condition(str(one["type"]), str(one.get("key", "")), str(one.get("value", "")), word == "missing")
        for word in ("has", "missing")
        for one in row.get(word) or ()
    )


def _setting(key: str, value: Any) -> Setting:
    shown = value if isinstance(value, str) else json.dumps(value)
    if key in _REPLACED:
        return Setting(key, shown[:200], _REPLACED[key], False)
    return Setting(key, shown[:200], _LOST.get(key, "nothing on the new host reads it"), True)
