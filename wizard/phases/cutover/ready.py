"""Questions that decide about go and no-go: asked before the cutover and again right before the flip."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wizard.dns.leftovers import ALIASES, covering_wildcard
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.step import Context
from wizard.errors import WizardError
from wizard.phases.cutover import authority, certificate_gap
from wizard.phases.hosts import new_host, server_record

if TYPE_CHECKING:
    from wizard.checks.http import HttpClient
    from wizard.config import App
    from wizard.dns.records import ZoneSnapshot

_CLOCK_OFF = 60.0


def targets(ctx: Context) -> dict[str, str]:
    """The new address of every name that moves. Raises WizardError before the servers exist."""
    return {name: server_record(ctx, app.server).ipv4 for app in ctx.config.apps for name in app.domains}


def _url(ctx: Context, name: str) -> str:
    """Over TLS, except where the operator accepted that there is no certificate yet."""
    app = ctx.config.app_of(name)
    return f"{'http' if certificate_gap.accepted(ctx, app) else 'https'}://{name}{app.health}"


async def page_at(ctx: Context, http: HttpClient, name: str, address: str) -> tuple[bool, str]:
    """Whether the production name is served there, over TLS that visitors trust; and what was seen."""
    from wizard.checks.http import HttpProblem

    url = _url(ctx, name)
    try:
        answer = await http.get(url, address, fresh=True)
    except HttpProblem as problem:
        return False, f"{problem.kind.value}: {problem.why}"
    plain = url.startswith("http:")
    passed = answer.status == 200 or (plain and answer.status in (301, 302, 307, 308))
    tls = "without TLS" if plain else answer.tls
    return passed, f"{answer.status} {tls} in {answer.seconds * 1000:.0f} ms"


async def answers_at(ctx: Context, app: App, name: str, address: str) -> Check:
    """The production name is served at the new address, over TLS that visitors trust."""
    url = _url(ctx, name)
    passed, seen = await page_at(ctx, ctx.world.http, name, address)
    return check(
        f"{name}.ready",
        f"{address} is ready for {name}: {url} answers 200"
        + (" over trusted TLS" * url.startswith("https:")),
        passed,
        seen=seen,
        vantage=f"operator, at {address}",
        at=ctx.now(),
        advice=f"Look at {app.name} on the panel of {app.server}; cutover.certificates serves its names.",
    )


async def all_answer(ctx: Context) -> list[Check]:
    """`answers_at` for every name."""
    places = targets(ctx)
    pairs = [(app, name) for app in ctx.config.apps for name in app.domains]
    return list(await asyncio.gather(*(answers_at(ctx, app, name, places[name]) for app, name in pairs)))


async def same_zone(ctx: Context, snapshot: ZoneSnapshot) -> list[Check]:
    """What the provider shows is what every authoritative server serves: its edits will be seen."""
    servers = await authority.servers(ctx)
    found: list[Check] = []
    for name in ctx.config.names:
        own = snapshot.find(name, "A")
        seen = await authority.ask_all(ctx, name, "A", servers)
        if own is not None:
            bad = [one for one in seen if one.values != own.values]
        else:
            bad = [one for one in seen if one.problem or not _explained(ctx, snapshot, name)]
        found.append(
            check(
                f"{name}.delegated",
                f"every name server serves {name} as {ctx.world.dns_provider.name} has it",
                bool(seen) and not bad,
                seen="; ".join(map(str, bad or seen)),
                vantage="authoritative name servers",
                at=ctx.now(),
                advice="The zone may not be delegated to this provider, or a server lags: run again later.",
            )
        )
    return found


def _explained(ctx: Context, snapshot: ZoneSnapshot, name: str) -> bool:
    """Whether the provider has what an answer without an address of its own could come from."""
    alias = any(one.type in ALIASES for one in snapshot.at(name))
    return alias or bool(covering_wildcard(snapshot, name)) or ctx.world.dns_provider.implicit


async def clock_checks(ctx: Context) -> list[Check]:
    """TTLs, certificates and waits are told by the clock: ours against the new hosts'."""
    from wizard.clients import commands

    found: list[Check] = []
    for server in dict.fromkeys(app.server for app in ctx.config.apps if app.domains):
        question = f"our clock and that of {server} agree"
        before = ctx.now()
        try:
            text = (await (await new_host(ctx, server)).run(commands.seconds_since_epoch())).stdout
            there = float(text)
        except (WizardError, ValueError) as error:
            found.append(_unasked(ctx, f"{server}.clock", question, server, str(error)))
            continue
        after = ctx.now()
        off = max(before - there, there - after, 0.0)
        found.append(
            check(
                f"{server}.clock",
                question,
                off <= _CLOCK_OFF,
                seen=f"apart by {off:.0f} s at most",
                vantage=server,
                at=after,
                advice="Set the clock (timedatectl set-ntp true), here or there.",
            )
        )
    return found


def _unasked(ctx: Context, name: str, question: str, vantage: str, why: str) -> Check:
    evidence = Evidence(why, vantage, ctx.now())
    return Check(name, question, CheckState.UNKNOWN, evidence, "Run the step again.")


def third_check(ctx: Context, third: Sequence[str]) -> Check:
    """Nobody else changed the records since they were stored."""
    return check(
        "recorded",
        "every record set is as it was recorded, or as planned already",
        not third,
        seen="; ".join(third) or f"{len(ctx.config.names)} names compared",
        vantage=f"{ctx.world.dns_provider.name} zone",
        at=ctx.now(),
        advice="Find out who changed it; set it back at the provider, then run again.",
    )


def clear_check(ctx: Context, troubles: Sequence[str]) -> Check:
    """Nothing in the zone stands in the way of the flip."""
    return check(
        "clear",
        "nothing in the zone stands in the way of the flip",
        not troubles,
        seen="; ".join(troubles) or "addresses only, or decided upon",
        vantage=f"{ctx.world.dns_provider.name} zone",
        at=ctx.now(),
        advice="Correct it at the provider, then run again.",
    )
