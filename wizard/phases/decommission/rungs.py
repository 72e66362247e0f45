"""decommission.git, .pause, .domains: each takes one thing away, and can give it back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import Config, VercelProject
from wizard.engine.check import Check, check
from wizard.engine.plan import Ask, Change, Choice, Failed, Kind, Plan, Question
from wizard.engine.step import Context, Phase, Step
from wizard.phases.decommission.guards import Rung, refused
from wizard.phases.decommission.records import DomainsRecord, GitRecord
from wizard.phases.decommission.standing import (
    PASS,
    Standing,
    astray_question,
    hooks_question,
    project_of,
    standing,
)

if TYPE_CHECKING:
    from wizard.clients.vercel.models import Project

Facts = tuple[tuple[Standing, float], ...]
"""How each project stands, and when it was asked."""
MOVED, STOP = "moved", "stop"


@dataclass(frozen=True, slots=True)
class Holds:
    """What the project is asked for once a rung was taken, and what was seen."""

    word: str
    question: str
    ok: bool
    seen: str


class RungStep(Step[Facts]):
    """A rung of every configured project. Refused, with every reason, while it is too early."""

    phase = Phase.DECOMMISSION
    enduring = False
    rung: Rung
    not_back = ""
    """What its way back does not bring."""

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def wanted(self) -> tuple[VercelProject, ...]:
        return self.config.vercel if self.config.decommission.delete_project else ()

    async def observe(self, ctx: Context) -> Facts:
        return tuple([(await standing(ctx, wanted), ctx.now()) for wanted in self.wanted])

    def plan(self, facts: Facts) -> Plan:
        due = [(seen, now) for seen, now in facts if seen.project is not None and self.due(seen)]
        for seen, now in due:
            if failed := refused(self.rung, seen, now):
                return Plan(hold=failed)
            if self.rung >= Rung.PAUSE and seen.astray and seen.word != PASS:
                return Plan(notes=seen.astray, hold=_astray(seen))
        return Plan(tuple(change for seen, _ in due for change in self.changes(seen)))

    @abstractmethod
    def due(self, seen: Standing) -> bool:
        """Whether there is anything to be taken away."""

    @abstractmethod
    def changes(self, seen: Standing) -> tuple[Change, ...]:
        """What taking it away means."""

    @abstractmethod
    async def holds(self, ctx: Context, project: Project) -> Holds:
        """Asked of Vercel again: the state is the proof, not the call's answer."""

    @abstractmethod
    async def back(self, ctx: Context, wanted: VercelProject, project: Project) -> tuple[Change, ...]:
        """What gives back what was taken from the project, in order."""

    async def verify(self, ctx: Context) -> Sequence[Check]:
        if not self.wanted:
            seen = "no [[vercel]] in the configuration, or delete_project is off"
            return [
                check(
                    "kept", "nothing is taken away at Vercel", True, seen=seen, vantage="config", at=ctx.now()
                )
            ]
        return [await self._one(ctx, wanted) for wanted in self.wanted]

    async def _one(self, ctx: Context, wanted: VercelProject) -> Check:
        project = await project_of(ctx, wanted)
        seen = Holds("gone", f"{wanted.name} is not there to be left", True, "the project is gone")
        if project is not None:
            seen = await self.holds(ctx, project)
        return check(
            f"{wanted.name}.{seen.word}",
            seen.question,
            seen.ok,
            seen=seen.seen,
            vantage="Vercel's API",
            at=ctx.now(),
            advice=f"Run {self.id} again.",
        )

    async def undo(self, ctx: Context) -> Plan:
        changes: list[Change] = []
        for wanted in self.wanted:
            project = await project_of(ctx, wanted)
            if project is not None:
                changes += await self.back(ctx, wanted, project)
        return Plan(tuple(changes), (self.not_back,) if changes and self.not_back else ())

    def one(self, key: str) -> VercelProject:
        """The project that a change's key names."""
        return next(wanted for wanted in self.config.vercel if key.split("/")[1] == wanted.name)


class DisconnectGit(RungStep):
    id = "decommission.git"
    title = "Take the repository off Vercel"
    needs = ("decommission.export",)
    way_back = "Undo connects the same repository again; its deploy hooks have to be made anew."
    not_back = "Deploy hooks do not come back with the link."
    rung = Rung.GIT

    def plan(self, facts: Facts) -> Plan:
        plan = super().plan(facts)
        if plan.hold is not None:
            return plan
        for seen, _ in facts:
            hooks = seen.project.git.hooks if seen.project and seen.project.git else ()
            if hooks and seen.hooks == STOP:
                return Plan(
                    hold=Failed("deploy hooks still call Vercel", ("Point them to the panel first.",))
                )
            if hooks and seen.hooks != MOVED:
                names = ", ".join(hook.name for hook in hooks)
                return Plan(hold=Ask(_hooks(seen.wanted, names)))
        return plan

    def due(self, seen: Standing) -> bool:
        return seen.project is not None and seen.project.git is not None

    def changes(self, seen: Standing) -> tuple[Change, ...]:
        assert seen.project is not None and seen.project.git is not None
        git = seen.project.git
        return (
            Change(
                Kind.DELETE,
                f"git/{seen.wanted.name}",
                f"git link of {seen.wanted.name}",
                before=f"{git.type} {git.repository}, branch {git.branch}",
                after="none: a push reaches Vercel no more",
                way_back="undo connects it again",
                confirm=seen.wanted.name,
                payload=seen.project,
            ),
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        wanted, project = self.one(change.key), change.payload
        async with ctx.world.vercel.ladder(project) as ladder:
            if change.key.startswith("connect/"):
                known = ctx.saved.load(f"git_{wanted.name}", GitRecord)
                if known is not None:
                    await ladder.connect_git(known.type, known.repository)
                return
            git = project.git
            names = tuple(hook.name for hook in git.hooks)
            ctx.saved.save(f"git_{wanted.name}", GitRecord(git.type, git.repository, git.branch, names))
            await ladder.disconnect_git()

    async def holds(self, ctx: Context, project: Project) -> Holds:
        link = project.git
        seen = f"{link.type} {link.repository}" if link else "none"
        return Holds("git", f"no repository is connected to {project.name}", link is None, seen)

    async def back(self, ctx: Context, wanted: VercelProject, project: Project) -> tuple[Change, ...]:
        known = ctx.saved.load(f"git_{wanted.name}", GitRecord)
        if known is None or project.git is not None:
            return ()
        key, after = f"connect/{wanted.name}", f"{known.type} {known.repository}"
        return (Change(Kind.CREATE, key, f"git link of {wanted.name}", "none", after, payload=project),)


class Pause(RungStep):
    id = "decommission.pause"
    title = "Pause the project"
    needs = ("decommission.git",)
    way_back = "Undo takes the pause back: it serves again within seconds. Costs nothing."
    rung = Rung.PAUSE

    def due(self, seen: Standing) -> bool:
        return seen.project is not None and not seen.project.paused

    def changes(self, seen: Standing) -> tuple[Change, ...]:
        return (
            Change(
                Kind.UPDATE,
                f"pause/{seen.wanted.name}",
                f"project {seen.wanted.name}",
                before="live",
                after="paused: whoever still comes gets 503",
                way_back="undo takes the pause back",
                confirm=seen.wanted.name,
                payload=seen.project,
            ),
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        async with ctx.world.vercel.ladder(change.payload) as ladder:
            await (ladder.unpause() if change.key.startswith("unpause/") else ladder.pause())

    async def holds(self, ctx: Context, project: Project) -> Holds:
        seen = "paused" if project.paused else "live"
        return Holds("paused", f"{project.name} is paused", project.paused, seen)

    async def back(self, ctx: Context, wanted: VercelProject, project: Project) -> tuple[Change, ...]:
        key, target = f"unpause/{wanted.name}", f"project {wanted.name}"
        change = Change(Kind.UPDATE, key, target, "paused", "live", payload=project)
        return (change,) if project.paused else ()


class RemoveDomains(RungStep):
    id = "decommission.domains"
    title = "Take the domains off the project"
    needs = ("decommission.pause",)
    way_back = "Undo adds them again; Vercel may want them verified by a TXT record."
    rung = Rung.DOMAINS

    def due(self, seen: Standing) -> bool:
        return bool(seen.domains)

    def changes(self, seen: Standing) -> tuple[Change, ...]:
        return tuple(
            Change(
                Kind.DELETE,
                f"domain/{seen.wanted.name}/{name}",
                f"domain {name} of project {seen.wanted.name}",
                before="attached",
                after="free; the account's domain, its registration and its zone stay",
                way_back="undo adds it again",
                confirm=seen.wanted.name,
                payload=seen.project,
            )
            for name in seen.domains
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        wanted, project = self.one(change.key), change.payload
        word, _, name = change.key.split("/", 2)
        client = ctx.world.vercel
        record = ctx.saved.load(f"domains_{wanted.name}", DomainsRecord) or DomainsRecord(())
        async with client.ladder(project) as ladder:
            if word == "add":
                await ladder.add_domain(next(one for one in record.domains if one.name == name))
                return
            known = {one.name for one in record.domains}
            more = tuple(one for one in await client.domains(project) if one.name not in known)
            ctx.saved.save(f"domains_{wanted.name}", DomainsRecord((*record.domains, *more)))
            await ladder.remove_domain(name)

    async def holds(self, ctx: Context, project: Project) -> Holds:
        left = await ctx.world.vercel.domains(project)
        seen = ", ".join(one.name for one in left) or "none"
        return Holds("domains", f"no domain is attached to {project.name}", not left, seen)

    async def back(self, ctx: Context, wanted: VercelProject, project: Project) -> tuple[Change, ...]:
        record = ctx.saved.load(f"domains_{wanted.name}", DomainsRecord) or DomainsRecord(())
        there = {one.name for one in await ctx.world.vercel.domains(project)}
        # Targets of redirects first: Vercel takes a redirect only to a domain that it has.
        ordered = sorted(record.domains, key=lambda domain: bool(domain.redirect))
        return tuple(
            Change(
                Kind.CREATE,
                f"add/{wanted.name}/{one.name}",
                f"domain {one.name}",
                "free",
                "attached",
                payload=project,
            )
            for one in ordered
            if one.name not in there
        )


def _astray(seen: Standing) -> Ask | Failed:
    """Resolvers that lead to a foreign address: leaving Vercel takes nothing from whoever uses them."""
    question = Question(
        astray_question(seen.wanted, seen.astray),
        f"{len(seen.astray)} answers of resolvers lead neither to the new host nor to Vercel. Go on?",
        choices=(
            Choice(PASS, "Go on: whoever uses them does not reach Vercel today either"),
            Choice(STOP, "Stop here, I look into it"),
        ),
        default=PASS,
        why="; ".join((*seen.astray[:5], "Vercel does not answer at these addresses")),
    )
    if seen.word == STOP:
        ways = ("Tell the resolvers' operators, then answer otherwise.",)
        return Failed("resolvers lead astray, and you said to stop", ways, answer=question.id)
    return Ask(question)


def _hooks(wanted: VercelProject, names: str) -> Question:
    return Question(
        hooks_question(wanted),
        f"Deploy hooks of {wanted.name} end with its git link: {names}. Do callers use the panel's now?",
        choices=(Choice(MOVED, "Yes, nobody calls them any more"), Choice(STOP, "Not yet, stop here")),
    )
