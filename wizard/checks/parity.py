"""Old and new compared answer by answer: pure, and each difference has a kind, a place and a proof."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from wizard.checks.fingerprint import changed_parts, steady, tokens
from wizard.checks.http import REDIRECTS, HttpAnswer


class Difference(StrEnum):
    """What differs, by what it does to visitors."""

    UNREACHABLE = "no answer"
    LOST_REDIRECT = "lost redirect"
    REDIRECT = "other redirect"
    LOCALE_REDIRECT = "locale redirect"
    TRAILING_SLASH = "trailing slash"
    SHELL = "shell instead of a page"
    MISSING_ASSET = "404 for an asset"
    STATUS = "other status"
    CONTENT_TYPE = "content type"
    LOST_HEADER = "lost header"
    HEADER = "other header"
    CACHE = "cache header"
    CORS = "CORS"
    COOKIE = "cookie"
    MIXED_CONTENT = "mixed content"
    COMPRESSION = "compressed differently"
    BODY = "other content"


class Weight(StrEnum):
    """BREAKS: visitors or machines meet an error. LOSES: something they had is gone. MINOR: to be known."""

    BREAKS = "breaks"
    LOSES = "loses"
    MINOR = "minor"


_WEIGHTS = {
    Difference.HEADER: Weight.LOSES,
    Difference.LOST_HEADER: Weight.LOSES,
    Difference.CACHE: Weight.LOSES,
    Difference.COMPRESSION: Weight.MINOR,
    Difference.TRAILING_SLASH: Weight.LOSES,
    Difference.LOCALE_REDIRECT: Weight.LOSES,
    Difference.REDIRECT: Weight.LOSES,
}


@dataclass(frozen=True, slots=True)
class Probe:
    """One question put to both. `variant` says which: "", "language de", "origin https://…", "slash"."""

    path: str
    variant: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"

    def __str__(self) -> str:
        return f"{self.path} ({self.variant})" if self.variant else self.path


@dataclass(frozen=True, slots=True)
class Sample:
    """Two answers to one probe, not followed through redirects; or `problem` when there was none."""

    first: HttpAnswer | None = None
    second: HttpAnswer | None = None
    problem: str = ""

    @property
    def again(self) -> HttpAnswer | None:
        return self.second or self.first


@dataclass(frozen=True, slots=True)
class Found:
    """One difference. `old` and `new` are literal and short. `key` is stable over runs."""

    kind: Difference
    probe: Probe
    what: str
    old: str
    new: str

    @property
    def weight(self) -> Weight:
        return _WEIGHTS.get(self.kind, Weight.BREAKS)

    @property
    def key(self) -> str:
        return f"{self.kind.value}|{self.probe}|{self.what}"


@dataclass(frozen=True, slots=True)
class Site:
    """What is the same for a whole comparison: the names that both sides call themselves."""

    old_hosts: tuple[str, ...] = ()
    new_hosts: tuple[str, ...] = ()
    shells: frozenset[tuple[str, ...]] = field(default_factory=frozenset)
    """Contents that the new side gives for anything: its front page, its answer to a page that isn't."""
    old_shells: frozenset[tuple[str, ...]] = field(default_factory=frozenset)


_SECURITY = (
    "content-security-policy",
    "content-security-policy-report-only",
    "strict-transport-security",
    "x-frame-options",
    "x-content-type-options",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-opener-policy",
    "cross-origin-embedder-policy",
    "cross-origin-resource-policy",
    "x-robots-tag",
    "service-worker-allowed",
    "clear-site-data",
    "content-language",
    "content-disposition",
    "link",
    "www-authenticate",
)
_CORS = (
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-max-age",
)
_ASSET_PATH = re.compile(
    r"\.(?:js|mjs|css|png|jpe?g|gif|svg|webp|avif|ico|woff2?|ttf|map|wasm|mp4|webm|pdf)$", re.I
)
_INSECURE = re.compile(
    r"""<(?:script|img|iframe|audio|video|source|embed|track|object)\b[^>]*?\b(?:src|srcset|data|poster)
        \s*=\s*["']?(http://[^"'\s>]+)
      | <link\b(?=[^>]*\brel\s*=\s*["']?(?:stylesheet|preload|modulepreload|icon|manifest))[^>]*?\bhref
        \s*=\s*["']?(http://[^"'\s>]+)
      | url\(\s*["']?(http://[^"')\s]+)
      | <form\b[^>]*?\baction\s*=\s*["']?(http://[^"'\s>]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_OWN_ADDRESS = re.compile(r"<(?:link|meta)\b(?=[^>]*(?:canonical|og:url|twitter:url))", re.IGNORECASE)
_LOCAL = re.compile(r"^/?[a-z]{2}(?:-[A-Za-z]{2,4})?(?:/|$)")


def compare(probe: Probe, old: Sample, new: Sample, site: Site | None = None) -> tuple[Found, ...]:
    """Every difference that matters between two samples of one probe."""
    site = site or Site()
    if old.first is None:
        return ()
    if new.first is None:
        return (Found(Difference.UNREACHABLE, probe, "answer", f"{old.first.status}", new.problem),)
    if _is_redirect(old.first) or _is_redirect(new.first):
        turned = _redirects(probe, old.first, new.first, site)
        if turned or not (_is_redirect(old.first) and _is_redirect(new.first)):
            return turned
        return (*_headers(probe, old, new), *_cookies(probe, old.first, new.first))
    status = _status(probe, old, new, site)
    if status:
        return status
    return (
        *_content(probe, old, new, site),
        *_headers(probe, old, new),
        *_cookies(probe, old.first, new.first),
    )


def _is_redirect(answer: HttpAnswer) -> bool:
    return answer.status in REDIRECTS and bool(answer.header("location"))


def _target(answer: HttpAnswer, hosts: tuple[str, ...]) -> str:
    """Where a redirect leads: path and query for the own host, the whole address for another."""
    location = answer.header("location")
    parts = urlsplit(location)
    own = not parts.netloc or parts.netloc.partition(":")[0] in hosts
    own = own or parts.netloc == urlsplit(answer.url).netloc
    tail = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    scheme = "" if parts.scheme in ("", urlsplit(answer.url).scheme) else f"{parts.scheme}:"
    if own:
        return f"{scheme}{tail}"
    # A redirect to a sibling name (www) is the site's own decision: the name counts.
    return f"{parts.scheme or 'https'}://{parts.netloc}{tail}"


def _describe(answer: HttpAnswer, hosts: tuple[str, ...]) -> str:
    return f"{answer.status} → {_target(answer, hosts)}" if _is_redirect(answer) else str(answer.status)


def _redirects(probe: Probe, old: HttpAnswer, new: HttpAnswer, site: Site) -> tuple[Found, ...]:
    was, now = _describe(old, site.old_hosts), _describe(new, site.new_hosts)
    if was == now or (_is_redirect(old) and _is_redirect(new) and _same_turn(old, new, site)):
        return ()
    targets = [
        _target(answer, hosts)
        for answer, hosts in ((old, site.old_hosts), (new, site.new_hosts))
        if _is_redirect(answer)
    ]
    if probe.variant.startswith("language") or all(_by_language(probe.path, target) for target in targets):
        kind = Difference.LOCALE_REDIRECT
    elif any(_only_slash(probe.path, target) for target in targets):
        kind = Difference.TRAILING_SLASH
    elif _is_redirect(old) and not _is_redirect(new):
        kind = Difference.LOST_REDIRECT
    else:
        kind = Difference.REDIRECT
    return (Found(kind, probe, "redirect", was, now),)


def _same_turn(old: HttpAnswer, new: HttpAnswer, site: Site) -> bool:
    """Same target and same lasting meaning: 301 and 308 are permanent, 302, 303 and 307 are not."""
    permanent = (301, 308)
    same_kind = (old.status in permanent) == (new.status in permanent)
    return same_kind and _target(old, site.old_hosts) == _target(new, site.new_hosts)


def _by_language(path: str, target: str) -> bool:
    tail = urlsplit(target).path
    return bool(_LOCAL.match(tail)) and not _LOCAL.match(path) and tail.rstrip("/").endswith(path.rstrip("/"))


def _only_slash(path: str, target: str) -> bool:
    bare = target.partition("?")[0]
    own = path.partition("?")[0]
    return bare != own and bare.rstrip("/") == own.rstrip("/")


def _status(probe: Probe, old: Sample, new: Sample, site: Site) -> tuple[Found, ...]:
    assert old.first is not None and new.first is not None
    was, now = old.first.status, new.first.status
    if was == now:
        return ()
    if was < 400 <= now and is_asset(probe.path, old.first):
        return (Found(Difference.MISSING_ASSET, probe, "status", str(was), str(now)),)
    if was >= 400 > now and _shell(_content_of(new, site.new_hosts)) in site.shells:
        return (Found(Difference.SHELL, probe, "status", str(was), f"{now} with the shell"),)
    if probe.path.rstrip("/") and probe.variant == "slash":
        return (Found(Difference.TRAILING_SLASH, probe, "status", str(was), str(now)),)
    return (Found(Difference.STATUS, probe, "status", str(was), str(now)),)


def is_asset(path: str, answer: HttpAnswer) -> bool:
    """Loaded by pages rather than by people."""
    kind = answer.header("content-type").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        return False
    return bool(_ASSET_PATH.search(path.partition("?")[0])) or kind.startswith(
        ("image/", "font/", "text/css")
    )


def _kind(answer: HttpAnswer) -> str:
    kind = answer.header("content-type").partition(";")[0].strip().lower()
    return {"application/javascript": "text/javascript", "text/xml": "application/xml"}.get(kind, kind)


def _content_of(sample: Sample, hosts: tuple[str, ...], kind: str = "") -> tuple[str, ...]:
    """The steady tokens of both answers, read as `kind` (their own content type when empty)."""
    assert sample.first is not None
    first, again = sample.first, sample.again or sample.first
    kind = kind or first.header("content-type")
    return steady(tokens(first.body, kind, hosts), tokens(again.body, kind, hosts))


def _shell(content: tuple[str, ...]) -> tuple[str, ...]:
    """Without the tags in which a page names its own address: those differ even between two shells."""
    return tuple(token for token in content if not _OWN_ADDRESS.match(token))


def shells_of(samples: Iterable[Sample], hosts: tuple[str, ...] = ()) -> frozenset[tuple[str, ...]]:
    """The contents of these answers, if they are pages: what a single-page shell gives for anything."""
    return frozenset(
        _shell(_content_of(sample, hosts))
        for sample in samples
        if sample.first is not None and sample.first.status == 200 and _kind(sample.first) == "text/html"
    )


def _content(probe: Probe, old: Sample, new: Sample, site: Site) -> tuple[Found, ...]:
    assert old.first is not None and new.first is not None
    read_as = old.first.header("content-type")
    was, now = _content_of(old, site.old_hosts, read_as), _content_of(new, site.new_hosts, read_as)
    same = was == now
    shelled = probe.path != "/" and _shell(now) in site.shells and _shell(was) not in site.old_shells
    if not same and shelled and _kind(new.first) == "text/html":
        return (Found(Difference.SHELL, probe, "content", _title(old.first), f"shell: {_title(new.first)}"),)
    found: list[Found] = []
    if _kind(old.first) != _kind(new.first):
        kinds = (old.first.header("content-type") or "none", new.first.header("content-type") or "none")
        found.append(Found(Difference.CONTENT_TYPE, probe, "content-type", *kinds))
    insecure = _insecure(new.first) - _insecure(old.first)
    if insecure:
        found.append(Found(Difference.MIXED_CONTENT, probe, "content", "none", ", ".join(sorted(insecure))))
    elif not same and probe.method == "GET":
        parts = changed_parts(was, now)
        found.append(Found(Difference.BODY, probe, "content", f"{len(parts)} places", "; ".join(parts[:3])))
    packed = [answer.header("content-encoding").lower() or "plain" for answer in (old.first, new.first)]
    if packed[0] != packed[1]:
        found.append(Found(Difference.COMPRESSION, probe, "content-encoding", *packed))
    return tuple(found)


def _insecure(answer: HttpAnswer) -> set[str]:
    if _kind(answer) not in ("text/html", "text/css"):
        return set()
    return {next(part for part in match if part) for match in _INSECURE.findall(answer.text)}


def _title(answer: HttpAnswer) -> str:
    found = re.search(r"<title[^>]*>(.*?)</title>", answer.text, re.IGNORECASE | re.DOTALL)
    return found.group(1).strip()[:60] if found else f"{len(answer.body)} bytes"


def _headers(probe: Probe, old: Sample, new: Sample) -> tuple[Found, ...]:
    found: list[Found] = []
    for name in _SECURITY:
        was, now = _value(old, name), _value(new, name)
        if was is not None and now is not None and was != now:
            kind = Difference.LOST_HEADER if was and not now else Difference.HEADER
            found.append(Found(kind, probe, name, was or "none", now or "none"))
    for name in _CORS:
        was, now = _value(old, name), _value(new, name)
        if was is not None and now is not None and was != now:
            found.append(Found(Difference.CORS, probe, name, was or "none", now or "none"))
    was, now = _value(old, "vary"), _value(new, "vary")
    if was and "origin" in was.split(", ") and "origin" not in (now or "").split(", "):
        found.append(Found(Difference.CORS, probe, "vary", was, now or "none"))
    was, now = _value(old, "cache-control"), _value(new, "cache-control")
    if was is not None and now is not None and was != now:
        found.append(Found(Difference.CACHE, probe, "cache-control", was or "none", now or "none"))
    return tuple(found)


_LISTS = frozenset({"vary", "cache-control", *_CORS[2:5], "x-robots-tag", "link", "clear-site-data"})


def _value(sample: Sample, name: str) -> str | None:
    """A header's meaning: order, case and spaces of lists don't count. None when it changes by itself."""
    assert sample.first is not None
    first, again = sample.first.header(name), (sample.again or sample.first).header(name)
    values = [_normal(name, text) for text in (first, again)]
    return values[0] if values[0] == values[1] else None


def _normal(name: str, text: str) -> str:
    text = re.sub(r"'nonce-[^']+'", "'nonce-*'", text)
    if name in _LISTS:
        # age and similar counters do not occur in these; max-age does and counts.
        return ", ".join(sorted({part.strip().lower() for part in text.split(",") if part.strip()}))
    if name.startswith("content-security-policy"):
        rules = sorted(" ".join(rule.split()) for rule in text.split(";") if rule.strip())
        return "; ".join(rules)
    if name in ("strict-transport-security", "permissions-policy"):
        parts = re.split(r"[;,]", text)
        return ", ".join(sorted(" ".join(part.split()).lower() for part in parts if part.strip()))
    return " ".join(text.split())


def _cookies(probe: Probe, old: HttpAnswer, new: HttpAnswer) -> tuple[Found, ...]:
    was, now = _cookie_rules(old), _cookie_rules(new)
    return tuple(
        Found(Difference.COOKIE, probe, name, was.get(name, "none"), now.get(name, "none"))
        for name in sorted(was.keys() | now.keys())
        if was.get(name) != now.get(name)
    )


def _cookie_rules(answer: HttpAnswer) -> dict[str, str]:
    """Cookie names with what governs where they are sent; their values are the visitor's own."""
    rules: dict[str, str] = {}
    for text in answer.values("set-cookie"):
        try:
            cookies = SimpleCookie(text)
        except CookieError:
            continue
        for name, cookie in cookies.items():
            # Edge cookies of the platform go with the platform.
            if name.startswith(("_vercel", "__vercel")):
                continue
            flags = [f"domain={cookie['domain'].lstrip('.').lower()}" if cookie["domain"] else "host only"]
            flags.append(f"path={cookie['path'] or '/'}")
            flags += [flag for flag in ("secure", "httponly") if cookie[flag]]
            if cookie["samesite"]:
                flags.append(f"samesite={str(cookie['samesite']).lower()}")
            if not cookie["max-age"] and not cookie["expires"]:
                flags.append("session")
            rules[name] = " ".join(flags)
    return rules
