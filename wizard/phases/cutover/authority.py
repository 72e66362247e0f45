"""What every authoritative server of the zone answers; caches are never asked here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.dns.records import RRset
from wizard.engine.step import Context
from wizard.errors import UnreachableError, WizardError

if TYPE_CHECKING:
    from wizard.dns.authority import AuthoritativeServer

_ASK_AGAIN = 3.0
_WITHIN = 900.0
_REFUSED = {2: "SERVFAIL", 5: "REFUSED"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One server's answer. `values` are of the very type asked; `problem` is "" when it answered.

    `ttl` in seconds, None without records. `alias`: the name leads on to another one.
    """

    server: str
    values: tuple[str, ...] = ()
    ttl: int | None = None
    alias: str = ""
    problem: str = ""

    def __str__(self) -> str:
        if self.problem:
            return f"{self.server}: {self.problem}"
        lead = f"alias of {self.alias} " if self.alias else ""
        ttl = f" (TTL {self.ttl})" if self.ttl is not None else ""
        return f"{self.server}: {lead}{', '.join(self.values) or 'nothing'}{ttl}"


async def servers(ctx: Context) -> tuple[AuthoritativeServer, ...]:
    """Every address of the servers that the zone is delegated to. Raises UnreachableError without any."""
    from wizard.dns.authority import servers_of

    found = await servers_of(ctx.world.dns, ctx.world.endpoints, ctx.config.dns.zone)
    if not found:
        raise UnreachableError(
            f"The name servers of {ctx.config.dns.zone} are not known",
            "no answer names them",
            "Look at the delegation of the zone at its registrar.",
        )
    return found


async def ask_all(
    ctx: Context, name: str, kind: str, among: Sequence[AuthoritativeServer] = ()
) -> tuple[Seen, ...]:
    """The answer of each authoritative server; one that is silent has a problem, nothing is raised for it."""
    chosen = among or await servers(ctx)
    return tuple(await asyncio.gather(*(_ask(ctx, one, name, kind) for one in chosen)))


async def _ask(ctx: Context, server: AuthoritativeServer, name: str, kind: str) -> Seen:
    try:
        reply = await ctx.world.dns.ask(server.at, name, kind, recursive=False)
    except UnreachableError:
        return Seen(server.name, problem="no answer")
    if reply.rcode in _REFUSED or not reply.authoritative:
        return Seen(server.name, problem=_REFUSED.get(reply.rcode, "it is not authoritative for the zone"))
    own = [record for record in reply.answers if record.name == name and record.type == kind]
    alias = next((r.value for r in reply.answers if r.name == name and r.type == "CNAME"), "")
    ttl = min((record.ttl for record in own), default=None)
    return Seen(server.name, tuple(sorted(r.value for r in own)), ttl, "" if kind == "CNAME" else alias)


def shows(seen: Seen, name_set: RRset | None) -> bool:
    """Whether a server serves these values (None: serves nothing)."""
    return not seen.problem and seen.values == (name_set.values if name_set else ())


async def until_all(
    ctx: Context, wanted: Sequence[tuple[str, str]], passes: Callable[[str, str, Seen], bool], what: str
) -> tuple[str, ...]:
    """Wait until each server's answer for each (name, type) passes; the servers' names.

    Raises WizardError that names those which do not after a quarter of an hour.
    """
    chosen, deadline = await servers(ctx), ctx.now() + _WITHIN
    left = list(wanted)
    while True:
        answers = await asyncio.gather(*(ask_all(ctx, name, kind, chosen) for name, kind in left))
        bad = [
            (name, kind, seen)
            for (name, kind), group in zip(left, answers, strict=True)
            for seen in group
            if not passes(name, kind, seen)
        ]
        if not bad:
            return tuple(dict.fromkeys(one.name for one in chosen))
        left = list(dict.fromkeys((name, kind) for name, kind, _ in bad))
        if ctx.now() > deadline:
            name, kind, seen = bad[0]
            raise WizardError(
                f"Not every name server shows {what}",
                f"{name} {kind} at {seen}" + (f", and {len(bad) - 1} more" if len(bad) > 1 else ""),
                "Look at that server: it may have lost its primary. Run again: it goes on from here.",
            )
        await ctx.world.clock.sleep(_ASK_AGAIN)
