"""settle.renewal: the proxy renews the certificates by itself from now on, without a moment in between.

A certificate that is uploaded keeps the proxy from ordering one of its own for the same name, and it would
expire. The same certificate lies in the proxy's store since cutover.certificates, so the uploaded one can
be taken away: the proxy goes on with the stored one and renews it 30 days before its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.clock import moment_text
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import NOTHING, Change, Failed, Kind, Plan, Refusal
from wizard.engine.step import Context, Phase, Step
from wizard.phases.cutover import certificate_panel as panels
from wizard.phases.cutover.certificate_records import STEP, CertificateRecord, key_secret
from wizard.phases.hosts import server_record

if TYPE_CHECKING:
    from wizard.config import App, Config

RENEWS_BEFORE = 30 * 86400.0
_SETTLES_WITHIN = 120.0
_CHALLENGE = "/.well-known/acme-challenge/dokploy-wizard"


@dataclass(frozen=True, slots=True)
class AppState:
    app: App
    record: CertificateRecord | None
    uploaded: str
    stored: bool
    by_hand: tuple[str, ...]
    """Domains whose certificate the panel does not order itself."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    at: float


class RenewalStep(Step[tuple[AppState, ...]]):
    """settle.renewal"""

    id = "settle.renewal"
    title = "Certificates renew themselves"
    phase = Phase.SETTLE
    way_back = "The certificate is uploaded again; visitors see no difference. Costs nothing."

    def __init__(self, config: Config) -> None:
        self.apps = tuple(app for app in config.apps if app.domains)

    async def observe(self, ctx: Context) -> tuple[AppState, ...]:
        views = {name: await panels.look_at(ctx, name) for name in dict.fromkeys(a.server for a in self.apps)}
        return tuple(self._state(ctx, app, views[app.server]) for app in self.apps)

    def _state(self, ctx: Context, app: App, view: panels.PanelView) -> AppState:
        record = ctx.saved.load(f"certificate_{app.name}", CertificateRecord, step=STEP)
        own = [domain for domain in view.domains if domain.host in app.domains]
        return AppState(
            app=app,
            record=record,
            uploaded=view.uploaded.get(record.sha256, "") if record else "",
            stored=record is not None and record.sha256 in view.stored,
            by_hand=tuple(domain.host for domain in own if domain.certificate != "letsencrypt"),
        )

    def plan(self, facts: tuple[AppState, ...]) -> Plan:
        unsafe = [state.app.name for state in facts if state.uploaded and not state.stored]
        if unsafe:
            why = (
                f"The proxy's own store lacks the certificate of {', '.join(unsafe)}: without the uploaded "
                "one visitors would meet a warning until a new one is ordered"
            )
            ways = ("Run cutover.certificates again: it puts the certificate into the store.",)
            return Plan(hold=Failed(why, ways, Refusal.NOT_READY))
        changes: list[Change] = []
        for state in facts:
            name = state.app.name
            if state.by_hand:
                hosts = ", ".join(state.by_hand)
                changes.append(
                    Change(
                        Kind.UPDATE,
                        f"order.{name}",
                        hosts,
                        "certificate: uploaded",
                        "certificate: Let's Encrypt",
                    )
                )
            if state.uploaded:
                changes.append(
                    Change(
                        Kind.DELETE,
                        f"upload.{name}",
                        f"uploaded certificate of {name}",
                        "beside the stored one",
                        "the stored one alone",
                        why="an uploaded certificate would never be renewed",
                    )
                )
        return Plan(tuple(changes)) if changes else NOTHING

    async def apply(self, change: Change, ctx: Context) -> None:
        word, _, name = change.key.partition(".")
        app = ctx.config.app(name)
        record = ctx.saved.load(f"certificate_{name}", CertificateRecord, step=STEP)
        view = await panels.look_at(ctx, app.server)
        if word == "order":
            for host in app.domains:
                await panels.serve(ctx, app, host, "letsencrypt")
        elif word == "upload" and record is not None and record.sha256 in view.uploaded:
            await panels.remove(ctx, app.server, view.uploaded[record.sha256])
        elif word == "again" and record is not None and record.sha256 not in view.uploaded:
            key = await ctx.world.secrets.get(key_secret(name))
            await panels.upload(ctx, app.server, f"{name} {record.sha256[:12]}", record, key or "")
        ctx.saved.save("handed_over", HandedOver(ctx.now()))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts = await self.observe(ctx)
        groups = await asyncio.gather(*(self._checks(ctx, state) for state in facts))
        return [one for group in groups for one in group]

    async def _checks(self, ctx: Context, state: AppState) -> list[Check]:
        address = server_record(ctx, state.app.server).ipv4
        own = [self._ordered(ctx, state)]
        for name in state.app.domains:
            own.append(await self._trusted(ctx, name, address))
            own.append(await self._challenge(ctx, name, address))
        return own

    def _ordered(self, ctx: Context, state: AppState) -> Check:
        passed = not state.by_hand and not state.uploaded
        wrong = ", ".join(state.by_hand) or "an uploaded certificate is still there"
        return check(
            f"{state.app.name}.renews",
            f"The proxy orders and renews the certificates of {state.app.name} itself",
            passed,
            seen="every domain is set to Let's Encrypt, nothing is uploaded" if passed else wrong,
            vantage=f"panel of {state.app.server}",
            at=ctx.now(),
            advice="Run settle.renewal again.",
        )

    async def _trusted(self, ctx: Context, name: str, address: str) -> Check:
        from wizard.checks.tls import look

        view = await look(ctx.world.net, name, address, trust=ctx.world.endpoints.trust)
        question = f"{address} still shows a trusted certificate for {name}"
        vantage = "operator, by SNI"
        if view.trusted_at(ctx.now()):
            assert view.certificate is not None
            due = moment_text(view.certificate.not_after - RENEWS_BEFORE)
            seen = f"{view.seen}; renewal due {due}"
            return check(f"{name}.trusted", question, True, seen=seen, vantage=vantage, at=ctx.now())
        handed = ctx.saved.load("handed_over", HandedOver)
        if handed is not None and ctx.now() - handed.at < _SETTLES_WITHIN:
            evidence = Evidence(view.seen, vantage, ctx.now())
            return Check(f"{name}.trusted", question, CheckState.PENDING, evidence, again=ctx.now() + 5.0)
        advice = "Undo this step: the certificate is uploaded again at once."
        return check(
            f"{name}.trusted", question, False, seen=view.seen, vantage=vantage, at=ctx.now(), advice=advice
        )

    async def _challenge(self, ctx: Context, name: str, address: str) -> Check:
        """The authority will come over port 80: what it meets there must be this proxy."""
        from wizard.checks.http import HttpProblem

        question = f"Port 80 of {address} answers the certificate authority for {name}"
        vantage = "operator, over HTTP"
        try:
            answer = await ctx.world.http.get(f"http://{name}{_CHALLENGE}", address)
            passed, seen = answer.status in (200, 301, 302, 307, 308, 404), f"status {answer.status}"
        except HttpProblem as problem:
            passed, seen = False, str(problem)
        advice = "Open port 80 in the firewalls: certificates are renewed over it."
        return check(
            f"{name}.challenge", question, passed, seen=seen, vantage=vantage, at=ctx.now(), advice=advice
        )

    async def undo(self, ctx: Context) -> Plan:
        changes = tuple(
            Change(Kind.CREATE, f"again.{state.app.name}", f"uploaded certificate of {state.app.name}")
            for state in await self.observe(ctx)
            if state.record is not None and not state.uploaded
        )
        return Plan(changes) if changes else NOTHING
