"""Judges what the repository and the live build say: vercel.json, crons, functions, middleware. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.config import App
from wizard.vercel.caddy import caddyfile
from wizard.vercel.findings import Fate, Finding, Judge, blocker, high, low, medium, ok
from wizard.vercel.inventory import Inventory
from wizard.vercel.json import PathRule, VercelJson
from wizard.vercel.rules import Led, proxy_rules
from wizard.vercel.traefik import fitting

SERVED = (
    "nextjs",
    "sveltekit",
    "sveltekit-1",
    "nuxtjs",
    "remix",
    "react-router",
    "astro",
    "nitro",
    "solidstart",
)
"""Frameworks that bring a server of their own, in which their functions run anywhere."""


def dashboard(found: Inventory) -> tuple[PathRule, ...]:
    """Redirects of the dashboard, as those of vercel.json."""
    return tuple(PathRule(one.source, one.destination, one.status or 308) for one in found.redirects)


def led(found: Inventory, app: App) -> Led:
    """What the new host's proxy does in Vercel's place."""
    return fitting(proxy_rules(found.repository.file, dashboard(found), found.domains, app.domains))


def crons_of(found: Inventory) -> tuple[tuple[str, str], ...]:
    """(path, schedule in UTC), of the live deployment and of vercel.json; each once."""
    live = [(one.path, one.schedule) for one in found.project.crons]
    file = found.repository.file
    return tuple(dict.fromkeys((*live, *(file.crons if file else ()))))


def files(found: Inventory, app: App) -> Iterator[Finding]:
    file = found.repository.file
    if not found.repository.known:
        how = "look for vercel.json, middleware and functions yourself"
        yield low("repository", f"{app.repository} could not be read", Fate.NEEDS_YOU, how)
    yield from _next(found)
    if file is None:
        return
    yield from _rules(found, app, file)
    for word in file.legacy:
        how = "write these rules into the front end's own configuration"
        yield high(f"file.{word}", f"{word} of vercel.json, in the old form", Fate.NEEDS_YOU, how)
    for one in file.settings:
        make, fate = (low, Fate.LOST) if one.lost else (ok, Fate.REPLACED)
        yield make(f"file.{one.key}", f"{one.key} of vercel.json", fate, one.becomes)


def _rules(found: Inventory, app: App, file: VercelJson) -> Iterator[Finding]:
    """Redirects, headers and rewrites: what the proxy does, and what has no form there."""
    how = f"rules of the new host's proxy, by apps.{app.name}.redirects; old and new are then compared"
    groups = (("redirects", file.redirects), ("headers", file.headers), ("rewrites", file.rewrites))
    for word, rows in groups:
        if rows:
            shown = ", ".join(row.source for row in rows[:6]) + (" …" if len(rows) > 6 else "")
            yield ok(f"file.{word}", f"{len(rows)} {word} of vercel.json: {shown}", Fate.CARRIED, how)
    for source, why in dict(led(found, app).lost).items():
        snippet = "a snippet for a Caddyfile of its own is in backups/" if _own(file, source) else ""
        way = f"it has no form in the proxy: {why}" + (f"; {snippet}" if snippet else "")
        yield high(f"file.rule.{source}", f"rule {source} of vercel.json", Fate.NEEDS_YOU, way)
    if file.trailing_slash is not None:
        yield ok("file.slashes", "trailingSlash", Fate.CARRIED, how)
    if file.clean_urls:
        way = "its redirects come along; that /about serves about.html the application's own server must do"
        yield low("file.clean_urls", "cleanUrls", Fate.NEEDS_YOU, way)


def _own(file: VercelJson, source: str) -> bool:
    """Whether the rule has a form in a Caddyfile, which travels in the application's image."""
    return source not in {one.rule for one in caddyfile(file).lost}


def _next(found: Inventory) -> Iterator[Finding]:
    """next.config goes with the application; what it leaves to Vercel does not."""
    said = found.repository.next_config
    if found.project.framework != "nextjs" or not said:
        return
    rules = [word for word in ("redirects", "rewrites", "headers", "images", "basePath") if word in said]
    if rules:
        how = "the application's own server does it anywhere"
        yield ok("next.rules", f"{', '.join(rules)} of next.config", Fate.CARRIED, how)
    if "standalone" not in said:
        how = "without output: 'standalone' the Dockerfile must bring all of node_modules and run next start"
        yield low("next.output", "next.config has no standalone output", Fate.NEEDS_YOU, how)
    if "cacheHandler" not in said:
        how = "rebuilt pages and images lie in .next/cache: give it a volume, or they are cold at each start"
        yield low("next.cache", "next.config has no cache of its own", Fate.NEEDS_YOU, how)


def crons(found: Inventory, app: App) -> Iterator[Finding]:
    for path, schedule in crons_of(found):
        on = "" if found.project.crons_on else ", off at Vercel"
        how = (
            f"as a schedule of the panel that asks the path, made by apps.{app.name}.crons and off until "
            "you have switched it off at Vercel: settle.crons asks, so that it never runs at both ends"
        )
        yield high(f"cron.{path}", f"cron {schedule} on {path}{on}", Fate.CARRIED, how)


def functions(found: Inventory, app: App) -> Iterator[Finding]:
    project, repository = found.project, found.repository
    built = found.built.functions if found.built else ()
    names = tuple(dict.fromkeys((*built, *repository.functions)))
    if names:
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        if project.framework in SERVED:
            how = "they run in the container's own server: no limits of time, one memory for all"
            yield medium("functions", f"functions: {shown}", Fate.CARRIED, how)
        else:
            yield blocker(
                "functions", f"functions: {shown}", "nothing runs them there: move them to a back end"
            )
    if repository.middleware or (found.built and found.built.middleware):
        how = "it runs in the container's server; geography and addresses of Vercel's headers are absent"
        yield medium("middleware", "middleware", Fate.CARRIED, how)
    if found.built and found.built.prerendered:
        how = "pages are rebuilt on the container's disk: cold after each deployment, so give it a volume"
        yield medium("isr", "pages that are rebuilt while running (ISR)", Fate.CARRIED, how)
    if found.built and found.built.images:
        how = "the application optimises images itself: it needs sharp, memory and a volume for its cache"
        yield medium("images", "image optimisation", Fate.CARRIED, how)
    if tuple(project.regions) not in ((), ("iad1",)) and names:
        yield low("regions", f"regions {', '.join(project.regions)}", Fate.LOST, "there is one place")


JUDGES: tuple[Judge, ...] = (files, crons, functions)
