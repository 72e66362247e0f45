"""Certificates before traffic: proved by DNS or at the old host, placed on the new hosts, trusted by name.

Each app's names get one certificate. It is uploaded to the panel, which serves it at once, and also put
into the proxy's own store, so that the proxy renews it by itself after the move (see settle.renewal).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wizard.clock import moment_text
from wizard.config import AppKind
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import NOTHING, Ask, Change, Failed, Kind, Plan, Question, Refusal, Wait
from wizard.engine.step import Context, Phase, Step
from wizard.phases import dns01
from wizard.phases.apps.redeploy import redeploy
from wizard.phases.apps.trial import TrialOver, put_on, take_off
from wizard.phases.cutover import certificate_panel as panels
from wizard.phases.cutover import certificate_wait
from wizard.phases.cutover.certificate_issue import issue, rehearse_at_staging
from wizard.phases.cutover.certificate_proof import Proof, Way, proof_of
from wizard.phases.cutover.certificate_records import (
    LIMIT,
    CertificateRecord,
    FailureLedger,
    PlacedRecord,
    StagingRecord,
    key_secret,
)
from wizard.phases.cutover.hsts import strict
from wizard.phases.cutover.proof import ProofStep
from wizard.phases.hosts import server_record
from wizard.records import TrialRecord

if TYPE_CHECKING:
    from wizard.checks.tls import TlsView
    from wizard.config import App, Config

__all__ = ["CertificatesStep", "ProofStep"]

_DAY = 86400.0
_FRESH_FOR = 14 * _DAY
_SETTLES_WITHIN = 180.0
_ASK_AGAIN = 5.0
_GAP = "cutover.certificates/gap"


@dataclass(frozen=True, slots=True)
class AppState:
    """One app's certificate, as far as it has come."""

    app: App
    address: str
    certificate: CertificateRecord | None
    rehearsed: bool
    uploaded: str
    stored: bool
    domains: tuple[panels.DomainView, ...]
    live: bool
    """Whether the new address serves the app under every one of its names."""
    proof: Proof
    """How a certificate that is missing can be proved."""
    trial: str = ""
    """The temporary name that a stack's production names take the place of, as long as the panel has it."""

    @property
    def missing_domains(self) -> tuple[str, ...]:
        served = {view.host for view in self.domains if view.https}
        return tuple(name for name in self.app.domains if name not in served)

    @property
    def names_wrong(self) -> bool:
        """Whether the panel lacks a production name, or still has the name that makes way for them."""
        return bool(self.missing_domains or self.trial)


@dataclass(frozen=True, slots=True)
class Facts:
    apps: tuple[AppState, ...]
    failures: FailureLedger
    forbidden: tuple[str, ...]
    """Sentences: which CAA record forbids which name."""
    gap_allowed: bool
    now: float
    strict: tuple[str, ...] = ()
    """Sentences: names whose visitors could not get past a warning."""
    gap_typed: bool = False
    gap: str = ""
    """What visitors of names that cannot be proved before the move will meet."""

    @property
    def needed(self) -> tuple[AppState, ...]:
        return tuple(one for one in self.apps if one.certificate is None and one.proof.way is not Way.NONE)

    @property
    def unprovable(self) -> tuple[AppState, ...]:
        return tuple(one for one in self.apps if one.certificate is None and one.proof.way is Way.NONE)


@dataclass(frozen=True, slots=True)
class _For:
    app: str


class CertificatesStep(Step[Facts]):
    """cutover.certificates"""

    id = "cutover.certificates"
    title = "Certificates exist before traffic arrives"
    phase = Phase.CUTOVER
    needs = ("cutover.preflight",)
    keeps = ("certificate_", "staging_", "order_", "failures")
    way_back = "The certificates are taken off the new hosts; visitors are not there yet. Costs nothing."

    def __init__(self, config: Config) -> None:
        self.apps = tuple(app for app in config.apps if app.domains)
        self.zone = config.dns.zone

    async def observe(self, ctx: Context) -> Facts:
        views = {
            server: await panels.look_at(ctx, server) for server in dict.fromkeys(a.server for a in self.apps)
        }
        names = tuple(name for app in self.apps for name in app.domains)
        apps = tuple([await self._state(ctx, app, views[app.server]) for app in self.apps])
        gap = ctx.config.cutover.allow_certificate_gap
        bare = [one.app for one in apps if one.certificate is None and one.proof.way is Way.NONE]
        exposed = [name for app in bare for name in app.domains]
        return Facts(
            apps=apps,
            failures=ctx.saved.load("failures", FailureLedger) or FailureLedger(),
            forbidden=await dns01.forbidden(ctx, names),
            gap_allowed=gap,
            now=ctx.now(),
            strict=await strict(ctx, exposed) if gap and bare else (),
            gap_typed=_GAP in ctx.answers,
            gap=certificate_wait.forecast(ctx, bare),
        )

    async def _state(self, ctx: Context, app: App, view: panels.PanelView) -> AppState:
        record = ctx.saved.load(f"certificate_{app.name}", CertificateRecord)
        if record is not None and not await self._usable(ctx, app, record):
            record = None
        staging = ctx.saved.load(f"staging_{app.name}", StagingRecord)
        placed = ctx.saved.load(f"placed_{app.name}", PlacedRecord)
        uploaded = view.uploaded.get(record.sha256, "") if record else ""
        made = ctx.saved.load("trial", TrialRecord, step=f"apps.{app.name}.trial")
        trial = made.host if made and any(domain.host == made.host for domain in view.domains) else ""
        return AppState(
            app=app,
            address=server_record(ctx, app.server).ipv4,
            certificate=record,
            rehearsed=staging is not None and staging.names == app.domains,
            # An upload whose end was not noted is noted by uploading once more, which finds it there.
            uploaded=uploaded if placed is not None and placed.certificate_id == uploaded else "",
            stored=record is not None and record.sha256 in view.stored,
            domains=tuple(domain for domain in view.domains if domain.host in app.domains),
            live=record is not None and await self._live(ctx, app),
            proof=await proof_of(ctx, app.domains) if record is None else Proof(Way.DNS),
            trial=trial if app.kind is AppKind.COMPOSE else "",
        )

    async def _usable(self, ctx: Context, app: App, record: CertificateRecord) -> bool:
        """Ours to use again: the same names, the key at hand, and time left."""
        key = await ctx.world.secrets.get(key_secret(app.name))
        return record.names == app.domains and bool(key) and record.not_after > ctx.now() + _FRESH_FOR

    async def _live(self, ctx: Context, app: App) -> bool:
        from wizard.checks.http import HttpProblem

        address = server_record(ctx, app.server).ipv4
        for name in app.domains:
            try:
                answer = await ctx.world.http.get(f"https://{name}{app.health}", address, fresh=True)
            except HttpProblem:
                return False
            if answer.status == 404:
                return False
        return True

    def plan(self, facts: Facts) -> Plan:
        hold = self._hold(facts)
        if hold is not None:
            return Plan(hold=hold)
        changes: list[Change] = []
        for state in facts.needed:
            if not state.rehearsed:
                after = f"the proof works at the staging authority: {state.proof.way}"
                changes.append(_change(Kind.RUN, "staging", state, "", after))
            after = f"one certificate for {', '.join(state.app.domains)}, 90 days, {state.proof.way}"
            changes.append(_change(Kind.CREATE, "issue", state, "none", after))
        for state in facts.apps:
            if state in facts.unprovable:
                changes += _with_a_gap(state)
                continue
            server = state.app.server
            if not state.uploaded:
                changes.append(_change(Kind.CREATE, "upload", state, "none", f"on the panel of {server}"))
            if not state.stored:
                after = f"in the proxy's store on {server}, which restarts (nobody visits it yet)"
                changes.append(_change(Kind.UPDATE, "store", state, "none", after))
            if state.names_wrong:
                after = f"{', '.join(state.app.domains)} over HTTPS"
                changes.append(_change(Kind.CREATE, "domains", state, state.trial or "none", after))
            if state.app.kind is AppKind.COMPOSE and (state.names_wrong or not state.live):
                # A stack's domains are labels of its containers: they count from its next deployment on.
                after = f"deployed once more on {server}, so that its containers carry the domains"
                changes.append(_change(Kind.RUN, "deploy", state, "", after))
        return Plan(tuple(changes), (facts.gap,) if facts.unprovable else ())

    def _hold(self, facts: Facts) -> Failed | Wait | Ask | None:
        if not facts.needed and not facts.unprovable:
            return None
        if facts.forbidden:
            return Failed(
                "; ".join(facts.forbidden),
                ("Add a CAA record that allows letsencrypt.org, then run again.",),
                Refusal.NOT_READY,
            )
        if facts.unprovable and not facts.gap_allowed:
            ways = (
                "Use a DNS provider with an API, or copy your own certificate to the panel.",
                "Set cutover.allow_certificate_gap = true to accept that visitors meet a warning "
                "between the flip and the first certificate.",
            )
            told = "; ".join(f"{one.app.name}: {one.proof.why}" for one in facts.unprovable)
            return Failed(f"No certificate can exist before the move: {told}", ways, Refusal.NOT_READY)
        if facts.unprovable and (asked := self._past_strictness(facts)) is not None:
            return asked
        moments = [facts.failures.blocked_until(state.app.domains, facts.now) for state in facts.needed]
        latest = max((moment for moment in moments if moment is not None), default=None)
        if latest is None:
            return None
        return Wait(
            latest,
            f"the certificate authority refused {LIMIT} times within an hour "
            f"(last: {facts.failures.tries[-1].why}); another try before would run into its limits",
        )

    def _past_strictness(self, facts: Facts) -> Ask | None:
        """A gap under HSTS is an outage: only the zone's name, typed, opens the way."""
        if not facts.strict or facts.gap_typed:
            return None
        text = (
            "Between the flip and the first certificate browsers will refuse these names, and nobody can "
            f"click past it: {'; '.join(facts.strict)}. Type the zone's name to go on all the same."
        )
        return Ask(Question(_GAP, text, typed=self.zone, why="a certificate cannot exist before the move"))

    async def apply(self, change: Change, ctx: Context) -> None:
        word, _, name = change.key.partition(".")
        app = ctx.config.app(name)
        match word:
            case "staging":
                await rehearse_at_staging(ctx, app)
            case "issue":
                await issue(ctx, app)
            case "upload":
                await self._upload(ctx, app)
            case "store":
                record, key = await _material(ctx, app)
                await panels.store(ctx, app.server, record.names, record.chain_pem, key)
            case "domains":
                await self._serve(ctx, app)
            case "deploy":
                await redeploy(ctx, app)
            case "withdraw":
                await self._withdraw(ctx, app)

    async def _upload(self, ctx: Context, app: App) -> None:
        record, key = await _material(ctx, app)
        before = ctx.saved.load(f"placed_{app.name}", PlacedRecord)
        begun = PlacedRecord(app.server, "", record.sha256, ctx.now(), before.domains_made if before else ())
        ctx.saved.save(f"placed_{app.name}", begun)
        placed = await panels.upload(ctx, app.server, f"{app.name} {record.sha256[:12]}", record, key)
        ctx.saved.save(f"placed_{app.name}", replace(begun, certificate_id=placed, at=ctx.now()))

    async def _serve(self, ctx: Context, app: App) -> None:
        name = f"placed_{app.name}"
        placed = ctx.saved.load(name, PlacedRecord) or PlacedRecord(app.server, "", "", ctx.now())
        there = {view.host for view in await panels.domains_of(ctx, app)}
        made = (*placed.domains_made, *(host for host in app.domains if host not in there))
        placed = replace(placed, domains_made=tuple(dict.fromkeys(made)))
        ctx.saved.save(name, placed)
        # What the store covers is not ordered again; without that, an order before DNS leads here would fail.
        certificate = "letsencrypt" if placed.sha256 else "none"
        for host in app.domains:
            await panels.serve(ctx, app, host, certificate)
        if app.kind is AppKind.COMPOSE:
            # With the deployment that follows: later the labels' going would recreate what visitors use.
            await take_off(ctx, app, f"trial_over_{app.name}")
        ctx.saved.save(name, replace(placed, at=ctx.now()))

    async def _withdraw(self, ctx: Context, app: App) -> None:
        placed = ctx.saved.load(f"placed_{app.name}", PlacedRecord)
        if placed is None:
            return
        for name in placed.domains_made:
            await panels.unserve(ctx, app, name)
        uploaded = (await panels.look_at(ctx, placed.server)).uploaded
        # Its id is not known when the upload was interrupted; its digest is.
        await panels.remove(ctx, placed.server, placed.certificate_id or uploaded.get(placed.sha256, ""))
        over = ctx.saved.load(f"trial_over_{app.name}", TrialOver)
        if over is not None:
            await put_on(ctx, app, over.host)
        if app.kind is AppKind.COMPOSE:
            await redeploy(ctx, app)
        ctx.saved.drop(f"trial_over_{app.name}")
        ctx.saved.drop(f"placed_{app.name}")

    async def verify(self, ctx: Context) -> Sequence[Check]:
        found = await asyncio.gather(*(self._trusted(ctx, app) for app in self.apps))
        return [one for group in found for one in group]

    async def _trusted(self, ctx: Context, app: App) -> list[Check]:
        from wizard.checks.tls import look

        address = server_record(ctx, app.server).ipv4
        placed = ctx.saved.load(f"placed_{app.name}", PlacedRecord)
        since = ctx.now() - placed.at if placed else _SETTLES_WITHIN
        views = await asyncio.gather(
            *(look(ctx.world.net, name, address, trust=ctx.world.endpoints.trust) for name in app.domains)
        )
        gap = placed is not None and not placed.sha256 and ctx.config.cutover.allow_certificate_gap
        return [_accepted_gap(ctx, view) if gap else _tls_check(ctx, view, since) for view in views]

    async def undo(self, ctx: Context) -> Plan:
        changes: list[Change] = []
        for app in self.apps:
            if ctx.saved.load(f"placed_{app.name}", PlacedRecord) is None:
                continue
            target = f"certificate of {app.name} on {app.server}"
            after = "none"
            if app.kind is AppKind.COMPOSE:
                after = "none; deployed once more, so that its containers carry the temporary name again"
            changes.append(Change(Kind.DELETE, f"withdraw.{app.name}", target, before="served", after=after))
        return Plan(tuple(changes)) if changes else NOTHING


def _with_a_gap(state: AppState) -> list[Change]:
    """The operator accepted it: the names are served, and settle.renewal orders a certificate."""
    if not state.names_wrong:
        return []
    after = f"{', '.join(state.app.domains)}, without a certificate that anybody trusts"
    changes = [_change(Kind.CREATE, "domains", state, state.trial or "none", after)]
    if state.app.kind is AppKind.COMPOSE:
        after = f"deployed again on {state.app.server}, so that its containers carry the domains"
        changes.append(_change(Kind.RUN, "deploy", state, "", after))
    return changes


def _change(kind: Kind, word: str, state: AppState, before: str, after: str) -> Change:
    return Change(
        kind,
        f"{word}.{state.app.name}",
        f"certificate of {state.app.name}",
        before=before,
        after=after,
        payload=_For(state.app.name),
    )


async def _material(ctx: Context, app: App) -> tuple[CertificateRecord, str]:
    from wizard.errors import WizardError

    record = ctx.saved.load(f"certificate_{app.name}", CertificateRecord)
    key = await ctx.world.secrets.get(key_secret(app.name))
    if record is None or not key:
        what = f"There is no certificate for {app.name} yet"
        raise WizardError(what, next="Run cutover.certificates again.")
    return record, key


def _tls_check(ctx: Context, view: TlsView, since: float) -> Check:
    name = f"{view.name}.trusted"
    question = f"{view.address} shows a trusted certificate for {view.name}"
    vantage = "operator, by SNI"
    if view.trusted_at(ctx.now(), seconds=_FRESH_FOR):
        return check(name, question, True, seen=view.seen, vantage=vantage, at=ctx.now())
    if since < _SETTLES_WITHIN:
        evidence = Evidence(view.seen, vantage, ctx.now())
        return Check(name, question, CheckState.PENDING, evidence, again=ctx.now() + _ASK_AGAIN)
    expiry = moment_text(view.certificate.not_after) if view.certificate else "never"
    advice = f"Look at the certificates on the panel and at the proxy's log (this one ends {expiry})."
    return check(name, question, False, seen=view.seen, vantage=vantage, at=ctx.now(), advice=advice)


def _accepted_gap(ctx: Context, view: TlsView) -> Check:
    evidence = Evidence(
        f"{view.seen}; accepted by cutover.allow_certificate_gap", "operator, by SNI", ctx.now()
    )
    question = f"{view.address} shows a trusted certificate for {view.name}"
    return Check(f"{view.name}.trusted", question, CheckState.WAIVED, evidence)
