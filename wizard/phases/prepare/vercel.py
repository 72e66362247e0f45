"""prepare.vercel: everything that stands at Vercel, found, graded, and said before anything starts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from wizard.config import App, Config, VercelProject
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Ask, Change, Choice, Failed, Kind, Plan, Question
from wizard.engine.step import Context, Phase, Step
from wizard.errors import UnreachableError, WizardError
from wizard.phases.prepare.vercel_look import look
from wizard.phases.prepare.vercel_records import VercelRecord, record_name
from wizard.vercel.findings import ORDER, Fate, Finding, Severity, judge
from wizard.vercel.inventory import Inventory

STOP, GIVE, ROTATE, LEAVE, ACCEPT = "stop", "give", "rotate", "leave", "accept"


@dataclass(frozen=True, slots=True)
class Look:
    """One project. `files` are the translations, by name in backups/."""

    wanted: VercelProject
    app: App
    record: VercelRecord | None = None
    saved: VercelRecord | None = None
    files: tuple[tuple[str, str], ...] = ()
    trouble: str = ""
    way_on: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    looks: tuple[Look, ...]
    answers: Mapping[str, str]


class VercelStep(Step[Facts]):
    """prepare.vercel"""

    id = "prepare.vercel"
    title = "Look at Vercel"
    phase = Phase.PREPARE
    way_back = "Vercel is only read; what was found is a record and files in backups/."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config

    async def observe(self, ctx: Context) -> Facts:
        looks = [await self._look(ctx, wanted) for wanted in self.config.vercel]
        return Facts(tuple(looks), dict(ctx.answers))

    async def _look(self, ctx: Context, wanted: VercelProject) -> Look:
        app = self.config.app(wanted.app)
        saved = ctx.saved.load(record_name(wanted), VercelRecord)
        try:
            found = await look(ctx, wanted, app)
        except UnreachableError:
            raise
        except WizardError as error:
            why = " · ".join(part for part in (error.what, error.why) if part)
            return Look(wanted, app, None, saved, (), why, error.next)
        files = translations(found, app)
        return Look(wanted, app, record_of(found, app, files, ctx.now()), saved, files)

    def plan(self, facts: Facts) -> Plan:
        for one in facts.looks:
            if one.trouble:
                return Plan(hold=Failed(one.trouble, (one.way_on,) if one.way_on else ()))
        notes = tuple(
            f"{one.wanted.name}: {finding}"
            for one in facts.looks
            if one.record
            for finding in one.record.findings
            if finding.severity is not Severity.OK
        )
        for one in facts.looks:
            if hold := _hold(one, facts.answers):
                return Plan(notes=notes, hold=hold)
        changes = tuple(
            _change(one) for one in facts.looks if one.record is not None and not one.record.same(one.saved)
        )
        return Plan(changes, notes)

    async def apply(self, change: Change, ctx: Context) -> None:
        found: Look = change.payload
        assert found.record is not None
        for name, text in found.files:
            ctx.backup(name, text)
        ctx.backup(f"vercel-{found.wanted.name}.json", json.dumps(asdict(found.record), indent=1))
        ctx.saved.save(record_name(found.wanted), found.record)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        if not self.config.vercel:
            seen = "the configuration names no project ([[vercel]])"
            return [
                check("none", "nothing is at Vercel", True, seen=seen, vantage="configuration", at=ctx.now())
            ]
        return [one for wanted in self.config.vercel for one in self._checks(ctx, wanted)]

    def _checks(self, ctx: Context, wanted: VercelProject) -> list[Check]:
        record = ctx.saved.load(record_name(wanted), VercelRecord)
        name, now = wanted.name, ctx.now()
        found = check(
            f"{name}.found",
            f"project {name} was looked at, read only",
            record is not None and bool(record.findings),
            seen=_counts(record) if record else "no record",
            vantage="Vercel's API",
            at=record.at if record else now,
            advice="Run prepare.vercel.",
        )
        if record is None:
            return [found]
        kept = ctx.kept(f"vercel-{name}.json") or ""
        return [found, self._decided(ctx, wanted, record), *_written(ctx, record, kept)]

    def _decided(self, ctx: Context, wanted: VercelProject, record: VercelRecord) -> Check:
        """Every blocker has the operator's word."""
        blockers = record.of(Severity.BLOCKER)
        open_ = [one for one in blockers if ctx.answers.get(question_id(wanted, one)) in (None, STOP)]
        seen = "; ".join(
            f"{one.what}: {ctx.answers.get(question_id(wanted, one), 'open')}" for one in blockers
        )
        state = CheckState.FAILED if open_ else CheckState.WAIVED if blockers else CheckState.PASSED
        return Check(
            f"{wanted.name}.decided",
            "nothing of it keeps the move from going on, or you decided about it",
            state,
            Evidence(seen or "no blocker", "operator", ctx.now()),
            "Run prepare.vercel: it asks." if open_ else "",
        )


def question_id(wanted: VercelProject, finding: Finding) -> str:
    return f"prepare.vercel.{wanted.name}.{finding.key}"


def record_of(found: Inventory, app: App, files: tuple[tuple[str, str], ...], now: float) -> VercelRecord:
    from wizard.vercel.judge_code import crons_of, dashboard, led
    from wizard.vercel.rules import probes

    project = found.project
    return VercelRecord(
        project=project.name,
        id=project.id,
        team=found.team,
        findings=judge(found, app),
        domains=found.domains,
        configs=found.configs,
        deployment=project.production.id if project.production else "",
        git_type=project.git.type if project.git else "",
        git_repository=project.git.repository if project.git else "",
        crons=crons_of(found),
        crons_on=project.crons_on,
        certificates=found.certificates,
        unreadable=tuple(one.label for one in found.variables if one.value is None and one.kind != "system"),
        files=tuple(name for name, _ in files),
        rules=led(found, app).rules,
        probes=probes(found.repository.file, dashboard(found)),
        bill=found.bill,
        at=now,
    )


def translations(found: Inventory, app: App) -> tuple[tuple[str, str], ...]:
    """Files for the new front end: rules for its Caddyfile, the proxy's redirects, schedules."""
    from wizard.vercel.caddy import caddyfile, traefik
    from wizard.vercel.json import VercelJson
    from wizard.vercel.judge_code import crons_of, dashboard

    rules = caddyfile(found.repository.file or VercelJson(), dashboard(found)).caddyfile
    proxy = traefik(found.domains)
    schedules = [
        {
            "name": f"{app.name} {path}",
            "cronExpression": schedule,
            "timezone": "UTC",
            "command": f'curl -fsS -H "Authorization: Bearer $CRON_SECRET" https://{app.domains[0]}{path}',
            "enabled": False,
        }
        for path, schedule in crons_of(found)
    ]
    made = (
        (f"vercel-{found.project.name}.Caddyfile", rules),
        (f"vercel-{found.project.name}.traefik.yml", proxy),
        (
            f"vercel-{found.project.name}.schedules.json",
            json.dumps(schedules, indent=1) + "\n" if schedules else "",
        ),
    )
    return tuple((name, text) for name, text in made if text)


def _hold(one: Look, answers: Mapping[str, str]) -> Ask | Failed | None:
    """Each blocker is asked about once; "stop" holds the migration there."""
    for finding in one.record.of(Severity.BLOCKER) if one.record else ():
        answer = answers.get(question_id(one.wanted, finding))
        if answer is None:
            return Ask(_question(one, finding))
        if answer == STOP:
            ways = (finding.how, "Run prepare.vercel again: it looks again, and asks if this still stands.")
            why = f"{finding.what}: you said to stop here"
            return Failed(why, ways, answer=question_id(one.wanted, finding))
    return None


def _question(one: Look, finding: Finding) -> Question:
    stop = Choice(STOP, "Stop here")
    if finding.key.startswith("variable."):
        choices: tuple[Choice, ...] = (
            Choice(GIVE, "I give its value when the variables are carried over"),
            Choice(ROTATE, "I make a new value, and give that one"),
            Choice(LEAVE, "Leave it behind"),
            stop,
        )
        from wizard.vercel.judge_values import looks_secret

        name = finding.key.removeprefix("variable.").partition(" ")[0]
        default = LEAVE if not one.app.secrets_on_host and looks_secret(name) else ROTATE
    else:
        choices, default = (Choice(ACCEPT, "I see to it, go on"), stop), ""
    text = f"{one.wanted.name}: {finding.what}. What becomes of it?"
    return Question(question_id(one.wanted, finding), text, choices=choices, default=default, why=finding.how)


def _change(one: Look) -> Change:
    assert one.record is not None
    files = ", ".join(one.record.files) or "no translation was needed"
    return Change(
        Kind.CREATE,
        f"inventory.{one.wanted.name}",
        f"backups/vercel-{one.wanted.name}.json",
        after=f"{_counts(one.record)}; {files}",
        why="what cannot be carried over is listed before anything starts",
        payload=one,
    )


def _counts(record: VercelRecord) -> str:
    counts = {severity: len(record.of(severity)) for severity in ORDER}
    return ", ".join(f"{number} {severity}" for severity, number in counts.items() if number)


def _written(ctx: Context, record: VercelRecord, kept: str) -> list[Check]:
    """What was found is on disk, and what is lost is said."""
    try:
        document = json.loads(kept)
        whole = len(document["findings"]) == len(record.findings)
    except (ValueError, KeyError, TypeError):
        whole = False
    missing = [name for name in record.files if not ctx.kept(name)]
    lost = [one.what for one in record.findings if one.fate is Fate.LOST]
    name = record.project
    return [
        check(
            f"{name}.kept",
            "what was found is in backups/ and can be read back",
            whole and not missing,
            seen=", ".join((f"vercel-{name}.json", *record.files)) if not missing else f"lacks {missing}",
            vantage="backups/",
            at=ctx.now(),
            advice="Run prepare.vercel again.",
        ),
        Check(
            f"{name}.lost",
            "what does not come along is known",
            CheckState.WAIVED if lost else CheckState.PASSED,
            Evidence("; ".join(lost) or "everything comes along", "Vercel's API", record.at),
        ),
    ]
