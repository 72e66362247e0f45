"""Takes secrets out of anything that is shown or stored."""

from __future__ import annotations

import re
from typing import TypeVar

Secret = TypeVar("Secret", str, None, "str | None")
MASK = "•••"
_SHORTEST = 6
_WORDS = frozenset(
    {"production", "development", "staging", "preview", "testing", "default", "localhost"}
    | {"enabled", "disabled", "warning", "verbose"}
)
"""Values of settings that nobody keeps secret: masking them would hide ordinary words everywhere."""
_known: set[str] = set()

_SHAPES = re.compile(
    r"""
    -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?-----END[ ][A-Z ]*PRIVATE[ ]KEY-----
    | \b(?:ghp|gho|ghs|ghu)_[A-Za-z0-9]{20,} | \bgithub_pat_[A-Za-z0-9_]{20,} | \bglpat-[A-Za-z0-9_-]{16,}
    | \bvc[a-z]_[A-Za-z0-9]{16,}
    | (?<=Bearer[ ])[A-Za-z0-9._~+/-]{12,}
    | (?<=/api/deploy/)[A-Za-z0-9_-]{8,} | (?<=/api/deploy/compose/)[A-Za-z0-9_-]{8,}
    | (?<=://)[^/\s:@]+:[^/\s@]+(?=@)
    | (?<=discord\.com/api/webhooks/)[^\s"']+ | (?<=hooks\.slack\.com/services/)[^\s"']+
    """,
    re.VERBOSE | re.DOTALL,
)

_MARKS = (
    "-----BEGIN", "ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "Bearer ", "/api/deploy/", "://",
    "discord.com/api/webhooks/", "hooks.slack.com/services/",
)  # fmt: skip
"""One of these stands in every text that `_SHAPES` finds something in, or else `_VERCEL`."""
_VERCEL = re.compile(r"vc[a-z]_")


def remember(value: Secret) -> Secret:
    """Note a secret value, so that it never shows again; returns it unchanged."""
    if value and len(value) >= _SHORTEST and value.lower() not in _WORDS:
        _known.add(value)
    return value


def redact(text: str) -> str:
    """`text` with every known secret and everything shaped like one replaced by a mask."""
    for secret in sorted(_known, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, MASK)
    # Looking for a few words is fast, trying every shape at every letter is not.
    if any(mark in text for mark in _MARKS) or _VERCEL.search(text):
        return _SHAPES.sub(MASK, text)
    return text
