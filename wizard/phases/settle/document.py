"""settle.document and settle.inform_team: the handbook and the team's note, from what was really made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from wizard.config import Config
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Ask, Change, Choice, Failed, Kind, Plan, Question
from wizard.engine.step import Context, Phase, Step
from wizard.report.handbook import Handbook, handbook, render, render_note

T = TypeVar("T")
BOOK, NOTE = "handbook.md", "team-note.md"
TOLD = "settle.inform_team.told"


def _book(ctx: Context) -> Handbook:
    def recorded(step_id: str, name: str, kind: type[T]) -> T | None:
        return ctx.saved.load(name, kind, step=step_id)

    return handbook(ctx.config, recorded)


@dataclass(frozen=True, slots=True)
class Document:
    """A text as it should be, and as it stands on disk (None: not yet)."""

    name: str
    wished: str
    kept: str | None

    @property
    def current(self) -> bool:
        return self.kept == self.wished


class DocumentStep(Step[tuple[Document, ...]]):
    """What the team needs from now on, beside the progress file: to be put into the repository."""

    id = "settle.document"
    title = "Write down how it is deployed from now on"
    phase = Phase.SETTLE
    way_back = "Two files in backups/ are removed by hand; nothing else knows of them."

    def __init__(self, config: Config) -> None:
        self.needs = ("settle.raise_ttl", *(f"settle.{app.name}.rollback" for app in config.apps))

    async def observe(self, ctx: Context) -> tuple[Document, ...]:
        book = _book(ctx)
        texts = ((BOOK, render(book)), (NOTE, render_note(book)))
        return tuple(Document(name, text, ctx.kept(name)) for name, text in texts)

    def plan(self, facts: tuple[Document, ...]) -> Plan:
        return Plan(
            tuple(
                Change(
                    Kind.CREATE if one.kept is None else Kind.REPLACE,
                    one.name,
                    f"backups/{one.name}",
                    before="" if one.kept is None else "says what is no longer so",
                    after=f"{len(one.wished.splitlines())} lines: hosts, apps, settings, ways back",
                    payload=one,
                )
                for one in facts
                if not one.current
            )
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        ctx.output(f"Written: {ctx.backup(change.payload.name, change.payload.wished)}")

    async def verify(self, ctx: Context) -> Sequence[Check]:
        found = []
        for one in await self.observe(ctx):
            digest = hashlib.sha256((one.kept or "").encode()).hexdigest()[:12]
            seen = (
                f"{len((one.kept or '').splitlines())} lines, SHA-256 {digest}"
                if one.kept
                else "no such file"
            )
            found.append(
                check(
                    one.name,
                    f"{one.name} says what was really made",
                    one.current,
                    seen=seen,
                    vantage=f"backups/{one.name}",
                    at=ctx.now(),
                    advice="Run this step again: it is written anew.",
                )
            )
        return found


@dataclass(frozen=True, slots=True)
class Told:
    """`answer` is the operator's; empty before it was given."""

    answer: str
    written: bool


class InformTeam(Step[Told]):
    id = "settle.inform_team"
    title = "Tell the team"
    phase = Phase.SETTLE
    needs = ("settle.document",)
    way_back = "What was said cannot be unsaid; nothing was changed."

    def __init__(self, config: Config) -> None:
        self.config = config

    async def observe(self, ctx: Context) -> Told:
        return Told(ctx.answers.get(TOLD, ""), ctx.kept(NOTE) is not None)

    def plan(self, facts: Told) -> Plan:
        if not facts.written:
            return Plan(hold=Failed("The team's note is not written", ("Run settle.document first.",)))
        if facts.answer:
            return Plan()
        return Plan(
            hold=Ask(
                Question(
                    TOLD,
                    f"Has everybody who deploys {self.config.project.name} read backups/{NOTE}?",
                    choices=(
                        Choice("told", "They have been told"),
                        Choice("alone", "There is nobody to be told"),
                    ),
                    default="told",
                    why="From now on a push deploys; nobody should log in and run compose by hand again.",
                )
            )
        )

    async def verify(self, ctx: Context) -> Sequence[Check]:
        answer, note = ctx.answers.get(TOLD, ""), ctx.kept(NOTE)
        question = "everybody who deploys knows the new way"
        words = {
            "told": "the operator says that they were told",
            "alone": "the operator says there is nobody",
        }
        seen = f"{words.get(answer, 'no answer yet')}; the note has {len((note or '').splitlines())} lines"
        evidence = Evidence(seen, "operator", ctx.now())
        if answer == "alone" and note:
            return [Check("told", question, CheckState.WAIVED, evidence)]
        return [
            check(
                "told",
                question,
                answer == "told" and note is not None,
                seen=seen,
                vantage="operator",
                at=ctx.now(),
            )
        ]
