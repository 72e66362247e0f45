"""decommission.soak: old and new are both watched for days, until nobody comes to the old one any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from wizard.clock import moment_text
from wizard.config import Config, VercelProject
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Ask, Choice, Plan, Question, Wait
from wizard.engine.step import Context, Phase, Step
from wizard.phases.cutover.records import FLIP_STEP, FlipRecord
from wizard.phases.decommission.records import SoakRecord
from wizard.phases.decommission.standing import DAY, project_of, visits
from wizard.phases.hosts import server_record
from wizard.phases.prepare.vercel_records import vercel_record

_EVERY = 12 * 3600.0
_QUIET = DAY
"""Seconds for which the new side has to have answered at every look."""
_MOST = 3.0
"""After so many times the soak, visitors who still come are no matter of waiting."""
NONE, SOME = "none", "some"


@dataclass(frozen=True, slots=True)
class Facts:
    """`uncounted` are projects whose visitors nobody counts: the operator is asked."""

    record: SoakRecord
    until: float
    now: float
    uncounted: tuple[VercelProject, ...]
    answers: Mapping[str, str]


class Soak(Step[Facts]):
    """Reads only; what it sees at each look is kept, so that a restart goes on counting."""

    id = "decommission.soak"
    title = "Watch old and new side by side"
    phase = Phase.DECOMMISSION
    way_back = "Nothing is changed. Until the pause, cutover.flip leads back to Vercel at once."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config
        self.seconds = config.decommission.soak_days * DAY

    async def observe(self, ctx: Context) -> Facts:
        record = await self._look(ctx)
        uncounted = []
        for wanted in self.config.vercel:
            project = await project_of(ctx, wanted) if not record.ended else None
            if project is not None and await visits(ctx, project) is None:
                uncounted.append(wanted)
        return Facts(record, self._until(record), ctx.now(), tuple(uncounted), dict(ctx.answers))

    def _until(self, record: SoakRecord) -> float:
        return max(record.began + self.seconds, record.failed + _QUIET if record.failed else 0.0)

    async def _look(self, ctx: Context) -> SoakRecord:
        """One look at the new side, unless the last one is fresh or the soak is over."""
        flip = ctx.saved.load("flip", FlipRecord, step=FLIP_STEP)
        record = ctx.saved.load("soak", SoakRecord) or SoakRecord(flip.at if flip else ctx.now())
        if flip is not None and record.began < flip.at:
            # Looks from before the flip, or from before the last one, say nothing about this soak.
            record = SoakRecord(flip.at)
        if record.ended or (record.looks and ctx.now() - record.looked < 60.0):
            return record
        seen, failed = [], False
        for app in self.config.apps:
            address = server_record(ctx, app.server).ipv4
            for name in app.domains:
                said = await _asked(ctx, f"https://{name}{app.health}", address)
                failed |= not said.endswith("200")
                seen.append(f"{name}: {said} at {address}")
        now = ctx.now()
        record = replace(
            record,
            looked=now,
            looks=record.looks + 1,
            failed=now if failed else record.failed,
            seen=tuple(seen),
        )
        ctx.saved.save("soak", record)
        return record

    def plan(self, facts: Facts) -> Plan:
        if facts.record.ended:
            return Plan()
        if facts.now < facts.until:
            why = f"the soak lasts until {moment_text(facts.until)}; old and new are looked at meanwhile"
            notes = (f"{facts.record.looks} looks so far", *facts.record.seen)
            return Plan(notes=notes, hold=Wait(min(facts.until, facts.now + _EVERY), why))
        for wanted in facts.uncounted:
            if question_id(wanted) not in facts.answers:
                return Plan(hold=Ask(_question(wanted)))
        return Plan()

    async def verify(self, ctx: Context) -> Sequence[Check]:
        record = ctx.saved.load("soak", SoakRecord) or await self._look(ctx)
        if record.ended:
            return [self._over(ctx, record)]
        found = [self._over(ctx, record), self._steady(ctx, record)]
        for wanted in self.config.vercel:
            found += await self._old(ctx, wanted)
            found.append(await self._traffic(ctx, wanted, record))
            found += self._shelf_life(ctx, wanted)
        if all(one.ok for one in found):
            ctx.saved.save("soak", replace(record, ended=ctx.now()))
        return found

    def _over(self, ctx: Context, record: SoakRecord) -> Check:
        until = self._until(record)
        days = self.config.decommission.soak_days
        question = f"{days:g} days have gone by since the flip"
        seen = f"from {moment_text(record.began)}, {record.looks} looks"
        if not record.ended and ctx.now() < until:
            evidence = Evidence(f"{seen}, until {moment_text(until)}", "clock", ctx.now())
            return Check("over", question, CheckState.PENDING, evidence, again=until)
        ended = f"; ended {moment_text(record.ended)}" if record.ended else ""
        return check("over", question, True, seen=seen + ended, vantage="clock", at=ctx.now())

    def _steady(self, ctx: Context, record: SoakRecord) -> Check:
        failed = f", last failed {moment_text(record.failed)}" if record.failed else ", none failed"
        return check(
            "steady",
            "the new side answered at every look of the last day",
            not record.failed or record.looked - record.failed >= _QUIET,
            seen=f"{record.looks} looks{failed}; {'; '.join(record.seen)}",
            vantage="operator, over trusted TLS",
            at=record.looked,
            advice="Look at the application's log on the panel; then run again.",
        )

    async def _old(self, ctx: Context, wanted: VercelProject) -> list[Check]:
        """Whether the way back still works: Vercel serves the names at its own address."""
        found = vercel_record(ctx, wanted)
        checks = []
        for config in found.configs if found else ():
            if not config.ipv4 or config.name not in self.config.app(wanted.app).domains:
                continue
            said = await _asked(ctx, f"https://{config.name}/", config.ipv4[0])
            checks.append(
                check(
                    f"{config.name}.old",
                    f"Vercel still serves {config.name}, so that the way back is open",
                    said.endswith(("200", "301", "302", "307", "308")),
                    seen=f"{said} at {config.ipv4[0]}",
                    vantage="operator, by address",
                    at=ctx.now(),
                    advice="The way back by DNS does not work: look at the project, or set soak_days = 0.",
                )
            )
        return checks

    async def _traffic(self, ctx: Context, wanted: VercelProject, record: SoakRecord) -> Check:
        name, question = f"{wanted.name}.traffic", f"nobody comes to {wanted.name} at Vercel any more"
        now, vantage = ctx.now(), "Vercel's Web Analytics, last 24 hours"
        project = await project_of(ctx, wanted)
        if project is None:
            return check(name, question, True, seen="the project is gone", vantage="Vercel's API", at=now)
        count = await visits(ctx, project)
        if count is None:
            answer = ctx.answers.get(question_id(wanted), "")
            seen = f"not counted by an API; by your own look: {answer or 'not answered'}"
            state = CheckState.WAIVED if answer == NONE else CheckState.FAILED
            advice = "" if answer == NONE else "See who still comes, then answer again."
            return Check(name, question, state, Evidence(seen, "operator", now), advice)
        seen = f"{count} pages"
        if count and now < record.began + _MOST * max(self.seconds, DAY):
            return Check(
                name, question, CheckState.PENDING, Evidence(seen, vantage, now), again=now + _EVERY / 4
            )
        advice = "Somebody still uses the old address or a name of vercel.app: see who, in its analytics."
        return check(name, question, count == 0, seen=seen, vantage=vantage, at=now, advice=advice)

    def _shelf_life(self, ctx: Context, wanted: VercelProject) -> list[Check]:
        """Vercel cannot renew a certificate whose name leads away."""
        found = vercel_record(ctx, wanted)
        ends = min((end for _, end in found.certificates), default=0.0) if found else 0.0
        if not ends:
            return []
        good = ctx.now() < ends
        seen = f"the first of Vercel's certificates ends {moment_text(ends)}"
        state = CheckState.PASSED if good else CheckState.WAIVED
        question = "the way back still has its certificates"
        return [
            Check(f"{wanted.name}.shelf_life", question, state, Evidence(seen, "Vercel's API", ctx.now()))
        ]


def question_id(wanted: VercelProject) -> str:
    return f"decommission.soak.{wanted.name}.traffic"


def _question(wanted: VercelProject) -> Question:
    return Question(
        question_id(wanted),
        f"Does anybody still come to {wanted.name} at Vercel? (its Observability page, last 24 hours)",
        choices=(Choice(NONE, "Nobody does"), Choice(SOME, "Somebody does")),
        default=NONE,
        why="Web Analytics is off, so no API tells it",
    )


async def _asked(ctx: Context, url: str, address: str) -> str:
    """``status 200``, or why there was no answer."""
    from wizard.checks.http import HttpProblem

    try:
        return f"status {(await ctx.world.http.get(url, address, follow=True)).status}"
    except HttpProblem as problem:
        return f"{problem.kind.value}: {problem.why}"
