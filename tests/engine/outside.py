"""A small outside for the engine's tests: a set of things, steps that make them, a clock that leaps."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wizard.config import App, AppKind, Config, Dns, DnsProviderName, Project, Server
from wizard.engine import journal, progress
from wizard.engine.bus import Bus
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.events import Event
from wizard.engine.operator import Operator, Unattended
from wizard.engine.plan import Ask, Change, Failed, Kind, Plan, Question, Wait
from wizard.engine.run import Engine
from wizard.engine.step import Context, Phase, Step
from wizard.secrets import FileSecrets
from wizard.world import World

CONFIG = Config(
    project=Project("example", "ops@example.org"),
    servers=(Server("front", "frontend", ("cpx22",), ("nbg1",)),),
    apps=(
        App("web", "front", AppKind.DOCKERFILE, "https://example.org/r.git", "main", ("example.org",), 80),
    ),
    dns=Dns(DnsProviderName.MANUAL, "example.org"),
)


class LeapingClock:
    """Time that only passes when somebody waits."""

    def __init__(self) -> None:
        self.moment = 1_800_000_000.0
        self.leaps: list[float] = []

    def now(self) -> float:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.moment += max(0.0, seconds)
        await asyncio.sleep(0)

    async def wait_until(self, moment: float) -> None:
        self.leaps.append(moment)
        self.moment = max(self.moment, moment)
        await asyncio.sleep(0)

    def real(self, seconds: float) -> float:
        return seconds


@dataclass(frozen=True, slots=True)
class Before:
    """What a `Make` step saves for its undo."""

    things: tuple[str, ...]


@dataclass
class Outside:
    things: set[str] = field(default_factory=set)
    made: Counter[str] = field(default_factory=Counter)
    verified: Counter[str] = field(default_factory=Counter)
    at_once: int = 0
    most_at_once: int = 0


class Make(Step[frozenset[str]]):
    """Makes its things in the outside; everything about it can be disturbed."""

    def __init__(
        self,
        outside: Outside,
        step_id: str,
        things: Sequence[str],
        needs: tuple[str, ...] = (),
        *,
        hold_until: float | None = None,
        question: Question | None = None,
        breaks: BaseException | None = None,
        ready_at: float | None = None,
        claims: bool = True,
    ) -> None:
        self.outside = outside
        self.id = step_id
        self.title = f"Make {', '.join(things)}"
        self.phase = Phase(step_id.split(".")[0])
        self.needs = needs
        self.things = tuple(things)
        self.hold_until, self.question, self.breaks = hold_until, question, breaks
        self.ready_at, self.claims = ready_at, claims
        self.answer: str | None = None
        self.time = 0.0

    async def observe(self, ctx: Context) -> frozenset[str]:
        self.answer = ctx.answers.get(self.question.id) if self.question else None
        self.time = ctx.now()
        return frozenset(self.outside.things & set(self.things))

    def plan(self, facts: frozenset[str]) -> Plan:
        if self.question and self.answer is None:
            return Plan(hold=Ask(self.question))
        if self.question and self.answer == "no":
            return Plan(hold=Failed("the operator said no", ("Say yes.",), answer=self.question.id))
        if self.hold_until is not None and self.time < self.hold_until:
            return Plan(hold=Wait(self.hold_until, "the old copies run out"))
        missing = [thing for thing in self.things if thing not in facts]
        return Plan(tuple(Change(Kind.CREATE, f"make:{thing}", thing) for thing in missing))

    async def apply(self, change: Change, ctx: Context) -> None:
        self.outside.at_once += 1
        self.outside.most_at_once = max(self.outside.most_at_once, self.outside.at_once)
        await asyncio.sleep(0)
        try:
            if change.kind is Kind.DELETE:
                self.outside.things.discard(change.target)
                return
            if self.breaks is not None:
                broken, self.breaks = self.breaks, None
                raise broken
            if ctx.saved.load("before", Before) is None:
                ctx.saved.save("before", Before(tuple(sorted(self.outside.things & set(self.things)))))
            self.outside.made[change.target] += 1
            self.outside.things.add(change.target)
        finally:
            self.outside.at_once -= 1

    async def verify(self, ctx: Context) -> Sequence[Check]:
        self.outside.verified[self.id] += 1
        now = ctx.now()
        if self.ready_at is not None and now < self.ready_at:
            seen = Evidence("starting", "test", now)
            return (Check("ready", f"{self.id} is ready", CheckState.PENDING, seen, again=self.ready_at),)
        if not self.claims:
            return ()
        there = sorted(self.outside.things & set(self.things))
        return (
            check(
                "exists",
                f"{', '.join(self.things)} exist",
                set(there) == set(self.things),
                seen=", ".join(there) or "nothing",
                vantage="test",
                at=now,
                advice="Make them.",
            ),
        )

    async def undo(self, ctx: Context) -> Plan:
        before = ctx.saved.load("before", Before)
        kept = before.things if before else self.things
        return Plan(
            tuple(
                Change(Kind.DELETE, f"undo:{thing}", thing)
                for thing in self.things
                if thing in self.outside.things and thing not in kept
            )
        )


@dataclass
class Bench:
    """An engine over a folder, and what it said."""

    folder: Path
    outside: Outside = field(default_factory=Outside)
    clock: LeapingClock = field(default_factory=LeapingClock)
    events: list[Event] = field(default_factory=list)

    def engine(self, steps: Sequence[Step[Any]], operator: Operator | None = None) -> Engine:
        path = self.folder / "progress.toml"
        world = World(CONFIG, FileSecrets(self.folder / "secrets.json"), clock=self.clock)
        state = progress.load(path)
        records = journal.Journal(state.journal_path)
        bus = Bus()
        bus.subscribe(self.events.append)
        return Engine(steps, world, state, records, operator or Unattended(yes=True), bus)

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]
