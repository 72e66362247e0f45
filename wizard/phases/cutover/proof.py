"""cutover.proof: the production names work at the new hosts, all the way, as visitors use them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import NOTHING, Plan, Wait
from wizard.engine.step import Context, Phase, Step
from wizard.phases.apps.parity import EVIL, cors_check
from wizard.phases.cutover import certificate_gap, certificate_wait, ipv6
from wizard.phases.cutover.certificate_panel import log_of
from wizard.phases.cutover.records import FLIP_STEP, FlipRecord
from wizard.phases.hosts import server_record

if TYPE_CHECKING:
    from wizard.checks.http import HttpAnswer
    from wizard.config import App, Config

_ORDERED_WITHIN = 600.0
_ASK_AGAIN = 5.0
TROUBLE = re.compile(
    r"Traceback \(most recent call last\)|\bpanic:|\bUnhandled(?:Promise)?Rejection|\bHTTP/1\.[01]\" 5\d\d\b"
    r"|\b(?:FATAL|CRITICAL|ECONNREFUSED|OOMKilled|out of memory)\b",
    re.IGNORECASE,
)


def troubled_lines(log: str) -> tuple[str, ...]:
    """Lines of a log that tell of a crash, a refused dependency or an answer of the 500s."""
    return tuple(line.strip()[:160] for line in log.splitlines() if TROUBLE.search(line))


@dataclass(frozen=True, slots=True)
class Facts:
    """`untrusted`: names in an accepted gap that have no certificate yet; `until`: when patience ends."""

    untrusted: tuple[str, ...]
    until: float
    now: float


class ProofStep(Step[Facts]):
    """Read only: pages, redirects, TLS, calls from the front end, and the logs of each app."""

    id = "cutover.proof"
    title = "The production names work at their new place"
    phase = Phase.CUTOVER
    needs = ("cutover.watch",)
    way_back = "Nothing is changed, so nothing is undone; cutover.flip has the way back."

    def __init__(self, config: Config) -> None:
        self.apps = tuple(app for app in config.apps if app.domains)
        self._waited: set[str] = set()

    async def observe(self, ctx: Context) -> Facts:
        flip = ctx.saved.load("flip", FlipRecord, step=FLIP_STEP)
        until = (flip.at if flip else 0.0) + _ORDERED_WITHIN
        untrusted = await certificate_gap.untrusted(ctx)
        for name in sorted(self._waited.difference(untrusted)):
            ctx.output(certificate_wait.length(ctx, name))
        self._waited = set(untrusted)
        return Facts(untrusted, until, ctx.now())

    def plan(self, facts: Facts) -> Plan:
        if facts.untrusted and facts.now < facts.until:
            names = ", ".join(facts.untrusted)
            return Plan(hold=Wait(facts.now + _ASK_AGAIN, f"certificates for {names} are being ordered"))
        return NOTHING

    async def verify(self, ctx: Context) -> Sequence[Check]:
        groups = await asyncio.gather(*(self._app(ctx, app) for app in self.apps))
        found = [one for group in groups for one in group]
        flip = ctx.saved.load("flip", FlipRecord, step=FLIP_STEP)
        moved = [one for one in flip.changes.changes if one.type == "AAAA" and one.new] if flip else []
        return [*found, *await ipv6.still_serves(ctx, [one.name for one in moved])]

    async def _app(self, ctx: Context, app: App) -> list[Check]:
        from wizard.checks.crawl import Place

        address = server_record(ctx, app.server).ipv4
        found: list[Check] = []
        for name in app.domains:
            found += [await self._page(ctx, app, name, address), await self._upgraded(ctx, name, address)]
        place = Place(f"https://{app.domains[0]}", address)
        path = next((route for route in app.routes if route != app.health), app.health)
        for origin in (*app.allowed_origins, EVIL) if app.allowed_origins else ():
            found.append(await cors_check(ctx, app, place, path, origin))
        found.append(log_check(ctx, app, await log_of(ctx, app)))
        return found

    async def _page(self, ctx: Context, app: App, name: str, address: str) -> Check:
        url = f"https://{name}{app.health}"
        answer, seen = await _ask(ctx, url, address, follow=True)
        passed = answer is not None and answer.status == 200
        return check(
            f"{name}.answers",
            f"{url} answers 200 over trusted TLS",
            passed,
            seen=seen,
            vantage=f"operator, at {address}",
            at=ctx.now(),
            advice="Look at the application's log; the old place still serves, and cutover.flip leads back.",
        )

    async def _upgraded(self, ctx: Context, name: str, address: str) -> Check:
        answer, seen = await _ask(ctx, f"http://{name}/", address, follow=False)
        target = answer.header("location") if answer else ""
        passed = (
            answer is not None and answer.status in (301, 302, 307, 308) and target.startswith("https://")
        )
        return check(
            f"{name}.https",
            f"http://{name}/ leads to HTTPS",
            passed,
            seen=f"{seen} → {target}" if target else seen,
            vantage=f"operator, at {address}",
            at=ctx.now(),
            advice="Set the domain to HTTPS on the panel.",
        )


async def _ask(ctx: Context, url: str, address: str, *, follow: bool) -> tuple[HttpAnswer | None, str]:
    from wizard.checks.http import HttpProblem

    try:
        answer = await ctx.world.http.get(url, address, follow=follow)
    except HttpProblem as problem:
        return None, f"{problem.kind.value}: {problem.why}"
    tls = f", {answer.tls}, {answer.http}" if answer.tls else ""
    return answer, f"{answer.status}{tls}, {len(answer.body)} bytes in {answer.seconds * 1000:.0f} ms"


def log_check(ctx: Context, app: App, log: str) -> Check:
    """A log without signs of trouble. An empty one proves nothing."""
    name, question = f"{app.name}.log", f"The log of {app.name} shows no errors"
    vantage = f"panel of {app.server}"
    if not log.strip():
        evidence = Evidence("the log is empty", vantage, ctx.now())
        return Check(name, question, CheckState.UNKNOWN, evidence, "Look at the log on the panel.")
    bad = troubled_lines(log)
    seen = f"{len(log.splitlines())} lines, {len(bad)} of trouble" + (f", e.g. {bad[0]}" if bad else "")
    return check(name, question, not bad, seen=seen, vantage=vantage, at=ctx.now(), advice="Read the log.")
