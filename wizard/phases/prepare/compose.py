"""prepare.compose: the review of every stack's file as it stands in git, before anything is bought."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import AppKind, Config
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Ask, Change, Choice, Failed, Kind, Plan, Question, Refusal
from wizard.engine.step import Context, Phase, Step
from wizard.errors import WizardError
from wizard.phases.apps.compose import external_volumes, images_of_today, original_of, pinned
from wizard.phases.compose_setting import memory_wished, setting_of, siblings_of

if TYPE_CHECKING:
    from wizard.compose.finding import Finding
    from wizard.compose.review import Review
    from wizard.config import App

GO_ON, STOP = "go on", "stop"


@dataclass(frozen=True, slots=True)
class ReviewRecord:
    """Record "review.<app>": `mended` and `by_hand` are ids of findings, `others` counts the rest."""

    app: str
    digest: str
    services: tuple[str, ...]
    mended: tuple[str, ...]
    by_hand: tuple[str, ...]
    others: int


@dataclass(frozen=True, slots=True)
class StackFacts:
    """One stack's review. `volumes` are real names in the file once its edits are made."""

    app: App
    record: ReviewRecord | None
    saved: ReviewRecord | None
    text: str = ""
    by_hand: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    answer: str = ""
    trouble: str = ""
    way_on: str = ""


class ComposeStep(Step[tuple[StackFacts, ...]]):
    id = "prepare.compose"
    title = "Review the compose files"
    phase = Phase.PREPARE
    needs = ("prepare.git",)
    way_back = "The files are only read; the review is a file in backups/."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config
        self.apps = tuple(app for app in config.apps if app.kind is AppKind.COMPOSE)

    async def observe(self, ctx: Context) -> tuple[StackFacts, ...]:
        return tuple(await asyncio.gather(*(self._look(ctx, app) for app in self.apps)))

    async def _look(self, ctx: Context, app: App) -> StackFacts:
        from wizard.compose.document import ComposeError
        from wizard.compose.rewrite import rewrite

        saved = ctx.saved.load(_name(app), ReviewRecord)
        try:
            found = await self._review(ctx, app)
        except ComposeError as error:
            return StackFacts(app, None, saved, trouble=_said(error), way_on=error.next)
        by_hand = tuple(finding for finding in found.blocking if not finding.edits)
        record = ReviewRecord(
            app.name,
            hashlib.sha256(found.text.encode()).hexdigest()[:12],
            found.services,
            tuple(finding.id for finding in found.findings if finding.edits),
            tuple(finding.id for finding in by_hand),
            sum(not finding.edits for finding in found.findings) - len(by_hand),
        )
        return StackFacts(
            app,
            record,
            saved,
            story(app, found),
            tuple(f"{finding.id}: {finding.why}" for finding in by_hand),
            external_volumes(rewrite(found).text),
            ctx.answers.get(_question_id(record), ""),
        )

    async def _review(self, ctx: Context, app: App) -> Review:
        """With the file's neighbours in git, and what the old host runs in place of floating images."""
        from wizard.compose.review import review

        text = await original_of(ctx, app)
        siblings, memory = await siblings_of(ctx, app), await memory_wished(ctx, app.server)
        setting = await setting_of(ctx, app, text, siblings=siblings, memory_mb=memory)
        return pinned(review(text, setting), dict((await images_of_today(ctx, app)).images))

    def plan(self, facts: tuple[StackFacts, ...]) -> Plan:
        for stack in facts:
            if (hold := self._hold(stack)) is not None:
                return Plan(notes=stack.by_hand, hold=hold)
        changes = tuple(
            Change(
                Kind.CREATE,
                f"review.{stack.app.name}",
                f"backups/{_file(stack.app)}",
                after=_counted(stack.record),
                why="what the phase apps will change in the file, and why; each change is shown again there",
                payload=stack,
            )
            for stack in facts
            if stack.record is not None and stack.record != stack.saved
        )
        notes = tuple(note for stack in facts for note in stack.by_hand)
        return Plan(changes, notes)

    def _hold(self, stack: StackFacts) -> Ask | Failed | None:
        name = stack.app.compose_file
        if stack.trouble or stack.record is None:
            ways = (stack.way_on,) if stack.way_on else (f"Correct {name} in the repository.",)
            return Failed(f"{name}: {stack.trouble}", ways, Refusal.NOT_READY)
        if wrong := unfit(self.config, stack):
            ways = (
                "Correct `service`, [[databases]] or [[volumes]] in the configuration, or name another file.",
            )
            return Failed(f"{name}: {wrong}", ways, Refusal.NOT_READY)
        if stack.answer == STOP:
            ways = (f"Change {name} in the repository, or name another file, then run again.",)
            why = f"{name} needs a person first: {'; '.join(stack.by_hand)}"
            return Failed(why, ways, answer=_question_id(stack.record))
        if stack.by_hand and not stack.answer:
            return Ask(_question(stack))
        return None

    async def apply(self, change: Change, ctx: Context) -> None:
        stack: StackFacts = change.payload
        ctx.backup(_file(stack.app), stack.text)
        ctx.saved.save(_name(stack.app), stack.record)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        now = ctx.now()
        if not self.apps:
            seen = f"{len(self.config.apps)} apps, all with a Dockerfile"
            question = "there is no compose file to review"
            return [check("none", question, True, seen=seen, vantage="configuration", at=now)]
        return [one for stack in await self.observe(ctx) for one in self._checks(stack, now)]

    def _checks(self, stack: StackFacts, now: float) -> list[Check]:
        app, record = stack.app, stack.record
        vantage = f"{app.git_host.value} API"
        if record is None:
            evidence = Evidence(stack.trouble, vantage, now)
            question = f"{app.compose_file} can be read as a compose file"
            return [Check(f"{app.name}.read", question, CheckState.FAILED, evidence, stack.way_on)]
        wrong = unfit(self.config, stack)
        fits = check(
            f"{app.name}.fits",
            f"{app.compose_file} has the services, databases and volumes of the configuration",
            not wrong,
            seen=wrong or f"{', '.join(record.services)}; volumes {', '.join(stack.volumes) or 'none'}",
            vantage=vantage,
            at=now,
            advice="Correct the configuration, or name another compose file.",
        )
        reviewed = check(
            f"{app.name}.reviewed",
            f"{app.compose_file} was reviewed for production as it stands in git",
            stack.saved == record,
            seen=_counted(record),
            vantage=vantage,
            at=now,
            advice="Run this step again: the file has changed since.",
        )
        accepted = bool(stack.answer) and stack.answer != STOP
        state = (
            CheckState.PASSED if not stack.by_hand else CheckState.WAIVED if accepted else CheckState.FAILED
        )
        seen = "; ".join(stack.by_hand) or f"{len(record.mended)} findings, each with its edit"
        mended = Check(
            f"{app.name}.mended",
            "what would break under the panel or lose data is mended by an edit of the phase apps",
            state,
            Evidence(f"left to a person: {seen}" if stack.by_hand else seen, vantage, now),
            "Run this step again and answer its question." if state is CheckState.FAILED else "",
        )
        return [fits, reviewed, mended]


def unfit(config: Config, stack: StackFacts) -> str:
    """What the configuration names and the file has not; "" when all is there."""
    app, record = stack.app, stack.record
    assert record is not None
    wanted = [app.service, app.cache_service, *(db.service for db in config.databases if db.app == app.name)]
    lost = [f"service {name}" for name in dict.fromkeys(wanted) if name and name not in record.services]
    lost += [
        f"volume {volume.name}"
        for volume in config.volumes
        if volume.app == app.name and not volume.optional and volume.name not in stack.volumes
    ]
    return f"it has no {', no '.join(lost)}" if lost else ""


def _question(stack: StackFacts) -> Question:
    assert stack.record is not None
    count = len(stack.by_hand)
    return Question(
        _question_id(stack.record),
        f"{stack.app.compose_file}: {count} finding{'s' if count > 1 else ''} no edit can mend. Go on?",
        (
            Choice(GO_ON, "go on: I mend them in the repository, and am asked again before it is deployed"),
            Choice(STOP, "stop here"),
        ),
        default=GO_ON,
        why="\n".join(stack.by_hand),
    )


def _question_id(record: ReviewRecord) -> str:
    """Another file is another question."""
    return f"prepare.compose.{record.app}.{record.digest}"


def _name(app: App) -> str:
    return f"review.{app.name}"


def _file(app: App) -> str:
    return f"{app.name}-compose-review.md"


def _counted(record: ReviewRecord | None) -> str:
    if record is None:
        return ""
    return (
        f"{len(record.services)} services, {len(record.mended)} findings that an edit mends, "
        f"{len(record.by_hand)} that need a person, {record.others} for information"
    )


def _said(error: WizardError) -> str:
    return f"{error.what} ({error.why})" if error.why else error.what


def story(app: App, found: Review) -> str:
    """The review as a person reads it."""
    counts = Counter(finding.severity.value for finding in found.findings)
    lines = [
        f"# {app.compose_file} of {app.repository}, branch {app.branch}",
        "",
        f"{len(found.services)} services; "
        + (", ".join(f"{n} {word}" for word, n in counts.items()) or "no findings"),
        "",
    ]
    lines += [line for finding in found.findings for line in _told(finding)]
    return "\n".join(lines)


def _told(finding: Finding) -> list[str]:
    services = ", ".join(name for name in (finding.service, *finding.also) if name) or "the stack"
    what = "the phase apps offers an edit" if finding.edits else "a person decides"
    return [
        f"## {finding.severity.value}: {finding.rule} ({services}, line {finding.line})",
        "",
        f"`{finding.what}`",
        "",
        finding.why,
        "",
        f"{finding.advice} ({what})",
        "",
    ]
