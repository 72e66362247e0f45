"""Walking through a site, bounded, and putting every question to its old and its new place."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from html import unescape
from urllib.parse import urljoin, urlsplit

from wizard.checks.fingerprint import without_hash
from wizard.checks.http import HttpAnswer, HttpClient, HttpProblem
from wizard.checks.parity import Found, Probe, Sample, Site, compare, is_asset, shells_of

Ask = Callable[[Probe], Awaitable[Sample]]

PAGES = 120
_SIDE_BY_SIDE = 6
_VARIED_PAGES = 25
_LINK = re.compile(
    r"""<(?:a|area|link|script|img|source|iframe)\b[^>]*?\b(?:href|src)\s*=\s*["']?([^"'\s>]+)""",
    re.IGNORECASE,
)
_SITEMAP = re.compile(r"<loc>\s*([^<\s]+)\s*</loc>", re.IGNORECASE)
_IMPORT = re.compile(r"""\bimport\(\s*["']([^"']+)["']\s*\)""")
_HANDS_OFF = re.compile(r"log-?out|sign-?out|delete|remove|unsubscribe", re.IGNORECASE)
NO_SUCH_PAGE = "/dokploy-wizard/no-such-page"
NO_SUCH_ASSET = "/_app/immutable/dokploy-wizard-none.js"
LANGUAGES = ("de", "en")


@dataclass(frozen=True, slots=True)
class Place:
    """One side: `base` is scheme and name (https://shop.example), `address` where it is asked."""

    base: str
    address: str

    @property
    def host(self) -> str:
        return urlsplit(self.base).hostname or ""


@dataclass(frozen=True, slots=True)
class Report:
    """`asked` counts the probes that both sides were asked; `cut` tells that the site is larger."""

    asked: int
    found: tuple[Found, ...]
    cut: bool = False


def asker(http: HttpClient, place: Place, *, timeout: float = 15.0) -> Ask:
    """Puts a probe to a place twice, so that what changes by itself is seen as such."""

    async def once(probe: Probe) -> HttpAnswer:
        return await http.request(
            probe.method, place.base + probe.path, place.address, headers=dict(probe.headers), timeout=timeout
        )

    async def ask(probe: Probe) -> Sample:
        try:
            first = await once(probe)
            return Sample(first, await once(probe))
        except HttpProblem as problem:
            return Sample(problem=f"{problem.kind.value}: {problem.why}")

    return ask


def links(answer: HttpAnswer, hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Paths on the own hosts that an answer leads to, in order, without doubles."""
    kind = answer.header("content-type").partition(";")[0].strip().lower()
    if kind in ("application/xml", "text/xml"):
        found = _SITEMAP.findall(answer.text)
    elif kind == "text/html":
        found = [*_LINK.findall(answer.text), *_IMPORT.findall(answer.text)]
    else:
        found = []
    if answer.header("location"):
        found.append(answer.header("location"))
    paths: dict[str, None] = {}
    for text in found:
        parts = urlsplit(urljoin(answer.url, unescape(text)))
        if (
            parts.scheme in ("http", "https")
            and parts.hostname in hosts
            and not _HANDS_OFF.search(parts.path)
        ):
            paths[f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"] = None
    return tuple(paths)


async def crawl(
    ask: Ask, starts: Iterable[str], hosts: tuple[str, ...], *, most: int = PAGES
) -> dict[Probe, Sample]:
    """What the site has, breadth first: the given paths, its sitemap, and what they lead to."""
    waiting = dict.fromkeys([*starts, "/", "/robots.txt", "/sitemap.xml", "/favicon.ico"])
    seen: dict[Probe, Sample] = {}
    known = set(waiting)
    while waiting and len(seen) < most:
        wave = [Probe(path) for path in list(waiting)[: min(_SIDE_BY_SIDE * 2, most - len(seen))]]
        for probe in wave:
            del waiting[probe.path]
        for probe, sample in zip(wave, await _all(ask, wave), strict=True):
            seen[probe] = sample
            if sample.first is None:
                continue
            for path in links(sample.first, hosts):
                if path not in known:
                    known.add(path)
                    waiting[path] = None
    return seen


async def _all(ask: Ask, probes: list[Probe]) -> list[Sample]:
    gate = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def one(probe: Probe) -> Sample:
        async with gate:
            return await ask(probe)

    return list(await asyncio.gather(*(one(probe) for probe in probes)))


def variants(seen: dict[Probe, Sample]) -> list[Probe]:
    """The pages again: with a slash more or less, and in other languages; and what does not exist."""
    more: list[Probe] = [Probe(NO_SUCH_PAGE, "no such page"), Probe(NO_SUCH_ASSET, "no such asset")]
    pages = [
        probe.path
        for probe, sample in seen.items()
        if sample.first is not None
        and sample.first.status == 200
        and sample.first.header("content-type").startswith("text/html")
    ]
    for path in pages[:_VARIED_PAGES]:
        if path != "/" and "?" not in path and "." not in path.rsplit("/", 1)[-1]:
            other = path.rstrip("/") if path.endswith("/") else f"{path}/"
            more.append(Probe(other, "slash"))
        more += [
            Probe(path, f"language {code}", (("Accept-Language", f"{code},{code}-XX;q=0.9"),))
            for code in LANGUAGES
        ]
    return more


def cors_probes(paths: Iterable[str], origins: Iterable[str]) -> list[Probe]:
    """Requests as browsers send them from these origins: a preflight and the request itself."""
    probes: list[Probe] = []
    for path in paths:
        for origin in origins:
            preflight = (
                ("Origin", origin),
                ("Access-Control-Request-Method", "POST"),
                ("Access-Control-Request-Headers", "authorization,content-type"),
            )
            probes.append(Probe(path, f"preflight {origin}", preflight, "OPTIONS"))
            probes.append(Probe(path, f"origin {origin}", (("Origin", origin),)))
    return probes


async def survey(
    old: Ask,
    new: Ask,
    starts: Iterable[str],
    *,
    old_host: str,
    new_host: str,
    hosts: tuple[str, ...] = (),
    origins: tuple[str, ...] = (),
    most: int = PAGES,
) -> Report:
    """Crawl the old side, ask the new one the same, compare. `hosts` are the site's other names."""
    starts = tuple(starts)
    names = (old_host, *hosts)
    # Under a trial's name the application still speaks of itself by its production name.
    own = tuple(dict.fromkeys((new_host, old_host)))
    was = await crawl(old, starts, names, most=most)
    extra = [*variants(was), *cors_probes(starts, origins)]
    was.update(zip(extra, await _all(old, extra), strict=True))
    probes = list(was)
    now = dict(zip(probes, await _all(new, probes), strict=True))
    await _find_renamed_assets(new, was, now, (new_host, *hosts))
    shells = [probe for probe in probes if probe.variant == "no such page" or str(probe) == "/"]
    site = Site(
        (old_host,),
        own,
        shells_of((now[probe] for probe in shells), own),
        shells_of((was[probe] for probe in shells), (old_host,)),
    )
    found = [difference for probe in probes for difference in compare(probe, was[probe], now[probe], site)]
    return Report(len(probes), _without_echoes(found), cut=len(was) - len(extra) >= most)


async def _find_renamed_assets(
    new: Ask, was: dict[Probe, Sample], now: dict[Probe, Sample], hosts: tuple[str, ...]
) -> None:
    """Two builds name the same asset by different hashes: compare it with the one that new pages load."""
    loaded = {
        without_hash(path): path
        for sample in now.values()
        if sample.first is not None and sample.first.status == 200
        for path in links(sample.first, hosts)
    }
    for probe, sample in list(was.items()):
        answer, other = sample.first, now[probe].first
        if answer is None or other is None or other.status < 400 or not is_asset(probe.path, answer):
            continue
        renamed = loaded.get(without_hash(probe.path), probe.path)
        if renamed != probe.path:
            now[probe] = await new(replace(probe, path=renamed))


def _without_echoes(found: list[Found]) -> tuple[Found, ...]:
    """A variant that differs as its own page does says nothing new."""
    plain = {(item.kind, item.what, item.probe.path) for item in found if not item.probe.variant}
    return tuple(
        item
        for item in found
        if not item.probe.variant
        or (
            (item.kind, item.what, item.probe.path.rstrip("/") or "/") not in plain
            and (item.kind, item.what, item.probe.path) not in plain
        )
    )
