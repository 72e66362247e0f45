"""cutover.preflight: the go / no-go list. Every line is asked of the outside, now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wizard.config import Config
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Change, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.errors import UnreachableError, WizardError
from wizard.net import Reach, probe
from wizard.phases.cutover import authority, ipv6, ready
from wizard.phases.cutover.certificate_proof import Way, proof_of
from wizard.phases.cutover.changes import Hands, Six, intended
from wizard.phases.cutover.records import FLIP_STEP, ZONE_STEP, FlipRecord, ProbeRecord, ZoneRecord
from wizard.phases.data.finish import StartOnMoved
from wizard.phases.hosts import server_record
from wizard.phases.prepare.dns_zone import caa_check, delegation, delegation_checks

if TYPE_CHECKING:
    from wizard.config import App

_LABEL = "_dokploy-wizard-probe"
_WORD = "dokploy-wizard"
_DATA_AGAIN = "Look at it with `dokploy-wizard verify data.start`, then run again."


@dataclass(frozen=True, slots=True)
class Facts:
    probe: ProbeRecord | None
    by_hand: bool


class Preflight(Step[Facts]):
    """cutover.preflight"""

    id = "cutover.preflight"
    title = "Go or no-go"
    phase = Phase.CUTOVER
    way_back = (
        "Nothing that visitors see is changed; the record that is written for proof is taken away at once."
    )
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config
        self.apps = tuple(app for app in config.apps if app.domains)
        self.name = f"{_LABEL}.{config.dns.zone}"

    async def observe(self, ctx: Context) -> Facts:
        return Facts(ctx.saved.load("probe", ProbeRecord), ctx.world.dns_provider.by_hand)

    def plan(self, facts: Facts) -> Plan:
        if facts.probe is not None or facts.by_hand:
            return Plan()
        change = Change(
            Kind.RUN,
            "probe",
            f"{self.name} TXT",
            after="written, seen on every name server, and taken away again",
            why="proves that we can write, and that the world asks these servers",
            way_back="gone by itself",
        )
        return Plan((change,))

    async def apply(self, change: Change, ctx: Context) -> None:
        provider, began = ctx.world.dns_provider, ctx.now()
        await provider.set_txt(self.name, (_WORD,))
        try:
            servers = await authority.until_all(
                ctx, [(self.name, "TXT")], lambda *one: _WORD in one[2].values, "a record that we wrote"
            )
            seconds = ctx.now() - began
        finally:
            await provider.remove_txt(self.name)
        ctx.saved.save("probe", ProbeRecord(self.name, servers, round(seconds, 1), ctx.now()))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        snapshot = await ctx.world.dns_provider.snapshot()
        groups = await asyncio.gather(
            *(self._app(ctx, app) for app in self.apps),
            ready.same_zone(ctx, snapshot),
            ready.clock_checks(ctx),
            self._data(ctx),
        )
        found = await delegation(ctx, snapshot)
        return [
            *(one for group in groups for one in group),
            *delegation_checks(ctx, found),
            await self._certificates(ctx),
            await caa_check(ctx),
            self._writes(ctx),
            *await self._zone(ctx),
        ]

    async def _app(self, ctx: Context, app: App) -> list[Check]:
        address = server_record(ctx, app.server).ipv4
        return [await _reached(ctx, app, address), await _tried(ctx, app, address)]

    async def _zone(self, ctx: Context) -> list[Check]:
        """Leftovers and third values, against what is planned now or was made already."""
        if ctx.saved.load("flip", FlipRecord, step=FLIP_STEP) is not None:
            return []
        provider = ctx.world.dns_provider
        record = ctx.saved.load("zone", ZoneRecord, step=ZONE_STEP)
        hands = Hands(provider.swaps, self.config.dns.cutover_ttl)
        places, snapshot = ready.targets(ctx), await provider.snapshot()
        six = Six(own=ipv6.addresses(ctx))
        intent = intended(self.config, snapshot, places, record, ctx.answers, hands, six)
        return [ready.third_check(ctx, intent.third), ready.clear_check(ctx, intent.troubles)]

    async def _certificates(self, ctx: Context) -> Check:
        found = [(app, await proof_of(ctx, app.domains)) for app in self.apps]
        closed = [f"{app.name}: {proof.why}" for app, proof in found if proof.way is Way.NONE]
        name, question = "certificates", "certificates can exist before traffic arrives"
        if closed and ctx.config.cutover.allow_certificate_gap:
            seen = f"{'; '.join(closed)}; accepted by cutover.allow_certificate_gap"
            return Check(name, question, CheckState.WAIVED, Evidence(seen, "configuration", ctx.now()))
        return check(
            name,
            question,
            not closed,
            seen="; ".join(closed or [f"{app.name}: {proof.way}" for app, proof in found]),
            vantage="configuration",
            at=ctx.now(),
            advice="Use a DNS provider with an API, or set cutover.allow_certificate_gap = true.",
        )

    def _writes(self, ctx: Context) -> Check:
        record, question = ctx.saved.load("probe", ProbeRecord), "the provider lets us write the zone"
        if ctx.world.dns_provider.by_hand:
            evidence = Evidence("the zone is edited by hand", "configuration", ctx.now())
            return Check("writes", question, CheckState.WAIVED, evidence)
        seen = "nothing was written yet"
        if record is not None:
            seen = f"{record.name} seen on {', '.join(record.servers)} after {record.seconds:g} s"
        return check(
            "writes",
            question,
            record is not None,
            seen=seen,
            vantage="authoritative name servers",
            at=record.at if record else ctx.now(),
            advice="Give the token the right to write DNS, then run again.",
        )

    async def _data(self, ctx: Context) -> list[Check]:
        if self.config.old_host is None:
            return []
        try:
            found = await StartOnMoved(self.config).verify(ctx)
        except UnreachableError:
            # Asked again by the engine: a lost connection says nothing about the data.
            raise
        except WizardError as error:
            evidence = Evidence(str(error), "new hosts", ctx.now())
            question = "the moved data is served"
            return [Check("data", question, CheckState.UNKNOWN, evidence, error.next or _DATA_AGAIN)]
        return [replace(one, name=f"data.{one.name}") for one in found]

    async def undo(self, ctx: Context) -> Plan:
        return Plan()


async def _reached(ctx: Context, app: App, address: str) -> Check:
    reach = await probe(ctx.world.net, address, 443)
    return check(
        f"{app.name}.reached",
        f"{app.server} takes visitors' connections at {address}",
        reach is Reach.OPEN,
        seen=f"port 443 {reach.value}",
        vantage="operator",
        at=ctx.now(),
        advice=f"Look at firewall.{app.server}.ports and at the proxy of the panel.",
    )


async def _tried(ctx: Context, app: App, address: str) -> Check:
    """By its temporary name; by a production name once that is served there."""
    from wizard.checks.http import HttpProblem
    from wizard.records import TrialRecord

    record = ctx.saved.load("trial", TrialRecord, step=f"apps.{app.name}.trial")
    urls = [f"https://{app.domains[0]}{app.health}"]
    if record is not None:
        urls.insert(0, f"http://{record.host}{app.health}")
    seen, passed = "", False
    for url in urls:
        try:
            answer = await ctx.world.http.get(url, address, fresh=True)
            seen, passed = f"{url}: {answer.status}", answer.status == 200
        except HttpProblem as problem:
            seen = f"{url}: {problem.kind.value}: {problem.why}"
        if passed:
            break
    return check(
        f"{app.name}.works",
        f"{app.name} answers at its new place",
        passed,
        seen=seen,
        vantage=f"operator, at {address}",
        at=ctx.now(),
        advice=f"Look at apps.{app.name}.deploy and apps.{app.name}.trial.",
    )
