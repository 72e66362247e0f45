"""Why a rung is too early. Pure: every reason is read off how the project stands."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from wizard.clock import moment_text
from wizard.engine.plan import Failed, Refusal
from wizard.phases.decommission.records import FRESH
from wizard.phases.decommission.standing import Standing


class Rung(IntEnum):
    """In the order in which they are taken; each asks what those before it ask, and more."""

    GIT = 1
    PAUSE = 2
    DOMAINS = 3
    DELETE = 4


@dataclass(frozen=True, slots=True)
class Objection:
    why: str
    way: str


def objections(rung: Rung, seen: Standing, now: float) -> tuple[Objection, ...]:
    """Every reason at once; none when the rung may be taken."""
    found = [*_soak(seen), *_export(rung, seen, now), *_served(seen)]
    if rung >= Rung.PAUSE:
        found += [*_below(rung, seen), *_pointing(seen)]
    if rung is Rung.DELETE:
        found += [*_attached(seen), *_identity(seen)]
    return tuple(found)


def refused(rung: Rung, seen: Standing, now: float) -> Failed | None:
    """The refusal that an operator reads, with each way on; None when nothing speaks against it."""
    found = objections(rung, seen, now)
    if not found:
        return None
    why = f"It is too early for {seen.wanted.name}: " + "; ".join(one.why for one in found)
    return Failed(why, tuple(dict.fromkeys(one.way for one in found)), Refusal.NOT_READY)


def _soak(seen: Standing) -> Iterator[Objection]:
    if seen.soak is None or not seen.soak.ended:
        yield Objection("the soak is not over", "Wait for decommission.soak.")


def _export(rung: Rung, seen: Standing, now: float) -> Iterator[Objection]:
    again = "Run decommission.export again."
    export = seen.export
    if export is None:
        yield Objection("nothing was exported", again)
        return
    if seen.kept is None:
        yield Objection("the export is gone from backups/", again)
    elif hashlib.sha256(seen.kept.encode()).hexdigest() != export.digest:
        yield Objection("the export in backups/ is damaged or was changed", again)
    if rung is not Rung.DELETE:
        return
    if now - export.at > FRESH:
        yield Objection(f"the export is of {moment_text(export.at)}, older than a day", again)
    if export.stand != seen.stand:
        yield Objection("variables or the production deployment changed since the export", again)
    if seen.undecided:
        names = ", ".join(seen.undecided)
        way = "Decide about them in prepare.vercel."
        yield Objection(f"values that nobody can read back are undecided: {names}", way)


def _served(seen: Standing) -> Iterator[Objection]:
    for said in seen.new:
        yield Objection(f"the new host does not serve {said}", "Look at the new host first.")


def _below(rung: Rung, seen: Standing) -> Iterator[Objection]:
    project = seen.project
    if project is None:
        return
    if project.git is not None:
        yield Objection("git is still connected", "Run decommission.git.")
    if rung >= Rung.DOMAINS and not project.paused:
        yield Objection("the project is not paused", "Run decommission.pause.")
    if rung is Rung.DELETE and seen.domains:
        yield Objection(f"domains are still attached: {', '.join(seen.domains)}", "Run decommission.domains.")


def _pointing(seen: Standing) -> Iterator[Objection]:
    wait = "Wait until its TTL has run out, then run again."
    if seen.silent:
        yield Objection(
            "no resolver answers, so nobody knows where names lead", "Check the network: port 53."
        )
    for said in seen.resolvers[:5]:
        yield Objection(f"a resolver is behind: {said}", wait)
    for said in seen.records[:5]:
        yield Objection(f"a record still leads there: {said}", "Correct the record at the DNS provider.")
    if seen.project is not None and not seen.project.paused and seen.visits:
        yield Objection(
            f"{seen.visits} pages were loaded at Vercel within a day", "See who still comes there."
        )


def _attached(seen: Standing) -> Iterator[Objection]:
    for said in seen.values:
        yield Objection(f"{said} names an address of vercel.app", "Give it another value by env_extra.")
    for said in seen.attached:
        way = f"Detach or end it in the project's settings at Vercel: {said}."
        yield Objection(f"{said} is still attached", way)


def _identity(seen: Standing) -> Iterator[Objection]:
    found, export, project = seen.found, seen.export, seen.project
    if project is None:
        return
    if found is None:
        yield Objection("the project was never looked at before the move", "Run prepare.vercel.")
    elif project.id != found.id or (export is not None and project.id != export.id):
        yield Objection("it is another project than the one that was looked at", "Run prepare.vercel again.")
    elif project.name != found.project:
        why = f"the project is called {project.name} now, not {found.project}"
        yield Objection(why, "Correct the name under [[vercel]] and run prepare.vercel again.")
