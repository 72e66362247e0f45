"""Judges what the source code reads, imports and names of Vercel's, with file and line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wizard.config import App
from wizard.vercel.code import Place, Use
from wizard.vercel.findings import Fate, Finding, Judge, low, medium, ok
from wizard.vercel.inventory import Inventory

_SHOWN = 6
_PACKAGES = {
    "@vercel/analytics": "its script answers 404 there: take it out",
    "@vercel/speed-insights": "its script answers 404 there: take it out",
    "@vercel/blob": "it needs a Blob store of Vercel's: use S3 instead",
    "@vercel/edge-config": "it needs an Edge Config of Vercel's: use a file or a database",
    "@vercel/kv": "it needs a store that is billed through Vercel: use its vendor's client",
    "@vercel/postgres": "it needs a store that is billed through Vercel: use its vendor's client",
    "@vercel/functions": "waitUntil, geolocation and ipAddress do nothing there",
    "@vercel/og": "it needs Node and its fonts in the image",
}
_LOST = {
    Use.PATH: ("pages load", "it answers 404 there: take it out"),
    Use.HEADER: (
        "the code reads",
        "the new proxy does not set it: geography and addresses of visitors are absent",
    ),
}


def shown(places: Sequence[Place]) -> str:
    """As an editor opens them, the rest counted."""
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return ", ".join(str(one) for one in places[:_SHOWN]) + more


def _grouped(found: Inventory, kind: Use) -> dict[str, list[Place]]:
    groups: dict[str, list[Place]] = {}
    for one in found.repository.code:
        if one.kind is kind:
            groups.setdefault(one.name, []).append(one)
    return dict(sorted(groups.items()))


def packages(found: Inventory, app: App) -> Iterator[Finding]:
    imported = _grouped(found, Use.PACKAGE)
    for name in sorted({*found.repository.packages, *imported}):
        how = _PACKAGES.get(name, "see what it does away from Vercel")
        at = imported.get(name)
        where = f" ({shown(at)})" if at else ", by its package.json alone"
        yield medium(f"package.{name}", f"the application imports {name}{where}", Fate.NEEDS_YOU, how)


def addresses(found: Inventory, app: App) -> Iterator[Finding]:
    at = [one for one in found.repository.code if one.kind is Use.ADDRESS]
    if at:
        what = f"the code names an address of vercel.app: {shown(at)}"
        how = "that address dies with the project: change it, also where it is called from outside"
        yield medium("code.vercel_app", what, Fate.NEEDS_YOU, how)


def variables(found: Inventory, app: App) -> Iterator[Finding]:
    """Those that Vercel sets by itself. One that the configuration gives is there on the new host, too."""
    given = {name for name, _ in app.env_extra} | {
        one.name for one in found.variables if one.kind != "system"
    }
    for name, at in _grouped(found, Use.VARIABLE).items():
        key, what = f"code.variable.{name}", f"the code reads {name} ({shown(at)})"
        if name in given:
            yield ok(key, what, Fate.CARRIED, "it is set there: by env_extra or as it was at Vercel")
        else:
            how = f"only Vercel sets it: give it by env_extra of {app.name}, or let the code do without"
            yield medium(key, what, Fate.NEEDS_YOU, how)


def runtime(found: Inventory, app: App) -> Iterator[Finding]:
    for kind, (word, how) in _LOST.items():
        for name, at in _grouped(found, kind).items():
            make = low if kind is Use.PATH else medium
            yield make(f"code.{kind}.{name}", f"{word} {name} ({shown(at)})", Fate.LOST, how)
    images = [one for one in found.repository.code if one.kind is Use.IMAGE]
    if images:
        how = "the application optimises images itself: it needs sharp, memory and a volume for its cache"
        yield medium("code.next_image", f"next/image ({shown(images)})", Fate.CARRIED, how)
    edge = [one for one in found.repository.code if one.kind is Use.EDGE]
    if edge:
        how = "it runs in the container's own Node"
        yield low("code.edge_runtime", f"functions for the edge ({shown(edge)})", Fate.CARRIED, how)


def unread(found: Inventory, app: App) -> Iterator[Finding]:
    """What was not searched is said: silence would be taken for absence."""
    read, of = found.repository.read, found.repository.of
    if read < of:
        how = "search the others for vercel.app, VERCEL_ and @vercel/ yourself"
        yield low("code.unread", f"{read} of {of} files of code were searched", Fate.NEEDS_YOU, how)


JUDGES: tuple[Judge, ...] = (packages, addresses, variables, runtime, unread)
