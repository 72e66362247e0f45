"""What a page says once its volatile parts are masked: the same for two answers that mean the same."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from typing import Any

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_NONCE = re.compile(r"""(\bnonce\s*[=:]\s*["'])[^"']+""", re.IGNORECASE)
_TOKEN_FIELD = re.compile(
    r"""(name\s*=\s*["'][^"']*(?:csrf|token|nonce|build|version|generator|revision)[^"']*["'][^>]*?
        (?:value|content)\s*=\s*["'])[^"']*""",
    re.IGNORECASE | re.VERBOSE,
)
_HASHED_NAME = re.compile(
    r"([\w/-]+)[.-](?=[\w-]*(?:\d|[a-z][A-Z]))[A-Za-z0-9_-]{6,}"
    r"(\.(?:js|mjs|css|woff2?|png|jpe?g|svg|webp|avif|json)\b)"
)
_QUERY_VERSION = re.compile(r"""\?(?:v|ver|version|t|ts|_|h|hash)=[^"'\s&<>]+""")
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)
_DATE = re.compile(
    r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
    r"|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{1,2} \w{3} \d{4}(?: \d{2}:\d{2}:\d{2})?(?: GMT| UTC)?"
    r"|\b\d{1,2}:\d{2}:\d{2}\b"
)
_EPOCH = re.compile(r"\b1[5-9]\d{8}(?:\d{3})?\b")
_HEX = re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b")
_LONG = re.compile(r"\b(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[\w+/-]{20,}={0,2}")
_TOKENS = re.compile(r"<[^>]+>|[^<\s]+")
_VOLATILE_KEYS = re.compile(
    r"(?:^|_)(?:build|version|commit|sha|revision|time|timestamp|date|at|uptime|nonce|request_?id|trace_?id"
    r"|span_?id|took|duration|elapsed|latency)(?:$|_|ms$|s$)",
    re.IGNORECASE,
)
_MOST_TOKENS = 6000


def mask(text: str, hosts: tuple[str, ...] = ()) -> str:
    """`text` without what changes by build, moment or request; its own `hosts` become one name."""
    for host in hosts:
        text = re.sub(rf"(?:https?:)?//{re.escape(host)}(?::\d+)?(?=[/\"'\s<>?#)]|$)", "//here", text)
    text = _COMMENT.sub("", text)
    text = _NONCE.sub(r"\1*", text)
    text = _TOKEN_FIELD.sub(r"\1*", text)
    text = _HASHED_NAME.sub(r"\1.*\2", text)
    text = _QUERY_VERSION.sub("", text)
    for pattern in (_UUID, _DATE, _EPOCH, _LONG, _HEX):
        text = pattern.sub("*", text)
    return text


def tokens(body: bytes, content_type: str, hosts: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The masked content as a sequence: tags and words of text, members of JSON, or one digest of bytes."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind.endswith("json"):
        try:
            return _json_tokens(json.loads(body), hosts)
        except ValueError:
            pass
    if kind.startswith("text/") or kind.endswith(("xml", "javascript", "json")):
        text = mask(body.decode("utf-8", "replace"), hosts)
        return tuple(" ".join(piece.split()) for piece in _TOKENS.findall(text))[:_MOST_TOKENS]
    return (hashlib.sha256(body).hexdigest(),)


def _json_tokens(value: Any, hosts: tuple[str, ...], path: str = "$") -> tuple[str, ...]:
    if isinstance(value, dict):
        found: list[str] = []
        for key in sorted(value):
            snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key)
            if _VOLATILE_KEYS.search(snake) and not isinstance(value[key], (dict, list)):
                found.append(f"{path}.{key}=*")
            else:
                found += _json_tokens(value[key], hosts, f"{path}.{key}")
        return tuple(found) or (f"{path}={{}}",)
    if isinstance(value, list):
        return tuple(token for item in value for token in _json_tokens(item, hosts, f"{path}[]")) or (
            f"{path}=[]",
        )
    return (f"{path}={mask(str(value), hosts)}",)


def steady(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """What two answers of one server to one question have in common: the rest is chance."""
    if first == second:
        return first
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    return tuple(
        token for block in matcher.get_matching_blocks() for token in first[block.a : block.a + block.size]
    )


def changed_parts(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """The places where `new` differs, as "was → is"; empty when equal."""
    if old == new:
        return ()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return tuple(
        f"{_short(old[a:b])} → {_short(new[c:d])}"
        for tag, a, b, c, d in matcher.get_opcodes()
        if tag != "equal"
    )


def without_hash(path: str) -> str:
    """An asset's path with the hash of its content replaced: the same for two builds of one source."""
    return _HASHED_NAME.sub(r"\1.*\2", path)


def _short(part: tuple[str, ...]) -> str:
    text = " ".join(part)
    return (text[:57] + "…") if len(text) > 58 else text or "nothing"
