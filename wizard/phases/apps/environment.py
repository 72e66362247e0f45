"""apps.<app>.environment: the variables of today, put on the panel; only their names are ever shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import AppKind, Config, EnvSource
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Ask, Change, Choice, Failed, Kind, Plan, Question
from wizard.engine.step import Context, Phase, Step
from wizard.phases.apps.panel import app_record, held
from wizard.phases.apps.variables import (
    PUBLIC_NAME,
    Variables,
    digest,
    gather,
    listed,
    panel_text,
    panel_values,
    secret_name,
)
from wizard.phases.cutover.certificate_panel import calls

if TYPE_CHECKING:
    from wizard.config import App

_WORDS = {
    EnvSource.NONE: "the configuration",
    EnvSource.OLD_HOST: "the .env of the old host",
    EnvSource.FILE: "a file of yours",
    EnvSource.VERCEL: "Vercel",
}

_KEPT = "It is kept with your secrets; if it is none, env_extra can hold it."
_KEPT_PUBLIC = "Every visitor's page holds it, so it is kept as an answer, not as a secret."


@dataclass(frozen=True, slots=True)
class EnvironmentRecord:
    """Record "environment": names only. `digest` is keyed, so it tells nothing but a change."""

    names: tuple[str, ...]
    build_names: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Compared:
    """Names by how the panel's values differ from those wished."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        return not (self.added or self.changed or self.removed)


@dataclass(frozen=True, slots=True)
class EnvironmentFacts:
    """`other`: digest of what the panel holds, if it is neither what we put there nor what is wished."""

    variables: Variables
    run: Compared
    build: Compared
    other: str = ""
    answers: Mapping[str, str] | None = None


class EnvironmentStep(Step[EnvironmentFacts]):
    phase = Phase.APPS
    # Once all is over its source is gone, and the panel is where variables are changed.
    enduring = False
    way_back = "The variables are taken off the panel again; where they come from is only read."

    def __init__(self, config: Config, app: App) -> None:
        self.app = app
        self.id = f"apps.{app.name}.environment"
        self.title = f"Variables of {app.name}"
        self.needs = (f"apps.{app.name}.source",)

    async def observe(self, ctx: Context) -> EnvironmentFacts:
        variables = await gather(ctx, self.app)
        run, build = self._held(await held(ctx, self.app))
        facts = EnvironmentFacts(
            variables,
            compare(run, variables.run),
            compare(build, variables.build),
            answers=dict(ctx.answers),
        )
        if (facts.run.same and facts.build.same) or not (run or build):
            return facts
        known = ctx.saved.load("environment", EnvironmentRecord)
        there = await digest(ctx, run, build)
        other = "" if known is not None and known.digest == there else there
        return EnvironmentFacts(variables, facts.run, facts.build, other, facts.answers)

    def _held(self, view: Mapping[str, object]) -> tuple[dict[str, str], dict[str, str]]:
        build = "" if self.app.kind is AppKind.COMPOSE else str(view.get("buildArgs") or "")
        return panel_values(str(view.get("env") or "")), panel_values(build)

    def plan(self, facts: EnvironmentFacts) -> Plan:
        notes = self._notes(facts.variables)
        hold = self._hold(facts)
        if hold is not None:
            return Plan(notes=notes, hold=hold)
        if (facts.run.same and facts.build.same) or self._kept(facts):
            return Plan(notes=notes)
        changes = [
            Change(
                Kind.UPDATE,
                "variables",
                f"variables of {self.app.name} on the panel of {self.app.server}",
                before=_told(facts.run, facts.build),
                after=f"{len(facts.variables.run)} while running: {listed(facts.variables.run)}; "
                f"{len(facts.variables.build)} while building: {listed(facts.variables.build)}",
                why=f"from {_WORDS[self.app.env_source]}; values go through the tunnel and are never shown",
                way_back="taken off again",
            )
        ]
        return Plan(tuple(changes), notes)

    def _hold(self, facts: EnvironmentFacts) -> Ask | Failed | None:
        variables, answers = facts.variables, facts.answers or {}
        for name in (*variables.required, *variables.unreadable):
            why = (
                "Vercel does not show its value to anybody"
                if name in variables.unreadable
                else f"without it {'the build' if name in self.app.build_args else 'the stack'} stops"
            )
            return Ask(
                Question(
                    secret_name(self.app, name),
                    f"What is the value of {name}, for {self.app.name}?",
                    secret=not PUBLIC_NAME.match(name),
                    why=f"{why}. {_KEPT_PUBLIC if PUBLIC_NAME.match(name) else _KEPT}",
                )
            )
        if facts.other and self._other(facts) not in answers:
            return Ask(
                Question(
                    self._other(facts),
                    f"The panel holds other variables of {self.app.name} than this wizard put there",
                    choices=(
                        Choice("keep", "Leave them as they are on the panel"),
                        Choice("replace", "Put those of the configuration in their place"),
                    ),
                    default="keep",
                    why=_told(facts.run, facts.build),
                )
            )
        if variables.refused and answers.get(self._refused(variables)) != "leave-out":
            if answers.get(self._refused(variables)) == "stop":
                ways = ("Take them out of the source, or set secrets_on_host for this app.",)
                why = f"{listed(variables.refused)} would be secrets on {self.app.server}"
                return Failed(why, ways, answer=self._refused(variables))
            return Ask(
                Question(
                    self._refused(variables),
                    f"{self.app.server} must hold no secret, and {listed(variables.refused)} look like some",
                    choices=(
                        Choice("leave-out", "Leave them out"),
                        Choice("stop", "Stop here and sort them out"),
                    ),
                    default="leave-out",
                    why="the front end's host is the easiest to break into: what is there is lost with it",
                )
            )
        return None

    def _other(self, facts: EnvironmentFacts) -> str:
        return f"{self.id}.other.{facts.other}"

    def _refused(self, variables: Variables) -> str:
        return f"{self.id}.refused.{len(variables.refused)}"

    def _kept(self, facts: EnvironmentFacts) -> bool:
        return bool(facts.other) and (facts.answers or {}).get(self._other(facts)) == "keep"

    def _notes(self, variables: Variables) -> tuple[str, ...]:
        late = [n for n in variables.run if PUBLIC_NAME.match(n) and self.app.kind is AppKind.DOCKERFILE]
        notes = [
            ("left out, they look secret", variables.refused),
            ("left behind, as you said", variables.left),
            ("nothing sets them, so they become empty, as they do today", variables.empty),
            ("set, but the stack's file never mentions them", variables.unused),
            ("their value lives in the vault, which must move too", variables.placeholders),
            ("read while building by most front ends: if so, add them to build_args", tuple(late)),
        ]
        return tuple(f"{what}: {listed(names)}" for what, names in notes if names)

    async def apply(self, change: Change, ctx: Context) -> None:
        if change.key == "clear":
            await self._put(ctx, {}, {})
            ctx.saved.drop("environment")
            return
        variables = await gather(ctx, self.app)
        names, build_names = tuple(sorted(variables.run)), tuple(sorted(variables.build))
        mark = await digest(ctx, variables.run, variables.build)
        ctx.saved.save("environment", EnvironmentRecord(names, build_names, mark))
        await self._put(ctx, variables.run, variables.build)

    async def _put(self, ctx: Context, run: Mapping[str, str], build: Mapping[str, str]) -> None:
        client, record = await calls(ctx, self.app.server), app_record(ctx, self.app)
        if self.app.kind is AppKind.COMPOSE:
            await client.post("compose.saveEnvironment", {"composeId": record.id, "env": panel_text(run)})
            return
        body = {
            "applicationId": record.id,
            "env": panel_text(run),
            "buildArgs": panel_text(build),
            "buildSecrets": "",
            # A file of variables in the build's context would end up in the image.
            "createEnvFile": False,
        }
        await client.post("application.saveEnvironment", body)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts = await self.observe(ctx)
        variables, now = facts.variables, ctx.now()
        vantage = f"panel of {self.app.server}"
        lacking = (*variables.required, *variables.unreadable)
        return [
            self._equal(facts, vantage, now),
            check(
                f"{self.app.name}.complete",
                f"no variable is missing without which {self.app.name} stops",
                not lacking,
                seen=f"missing: {listed(lacking)}; empty: {listed(variables.empty)}",
                vantage=_WORDS[self.app.env_source],
                at=now,
                advice="Run this step again: it asks for them.",
            ),
            self._harmless(facts, vantage, now),
        ]

    def _equal(self, facts: EnvironmentFacts, vantage: str, now: float) -> Check:
        same = facts.run.same and facts.build.same
        name, question = (
            f"{self.app.name}.variables",
            f"the panel holds the variables of {self.app.name} as wished",
        )
        seen = _told(facts.run, facts.build)
        if self._kept(facts):
            evidence = Evidence(f"{seen}; the operator keeps the panel's", vantage, now)
            return Check(name, question, CheckState.WAIVED, evidence)
        if same:
            count = f"{len(facts.variables.run)} while running, {len(facts.variables.build)} while building"
            seen = f"{count}, all equal"
        return check(name, question, same, seen=seen, vantage=vantage, at=now, advice="Run this step again.")

    def _harmless(self, facts: EnvironmentFacts, vantage: str, now: float) -> Check:
        refused = facts.variables.refused
        if self.app.secrets_on_host:
            seen = f"{self.app.server} may hold secrets"
        else:
            seen = f"left out: {listed(refused)}"
        on_panel = [name for name in refused if name not in (*facts.run.added, *facts.build.added)]
        there = [name for name in on_panel if name in facts.run.removed or name in facts.build.removed]
        return check(
            f"{self.app.name}.no_secret",
            f"{self.app.server} gets no variable that it should not have",
            not there,
            seen=seen if not there else f"on the panel: {listed(there)}",
            vantage=vantage,
            at=now,
            advice="Run this step again: they are taken off.",
        )

    async def undo(self, ctx: Context) -> Plan:
        if ctx.saved.load("environment", EnvironmentRecord) is None:
            return Plan(notes=("No variable was put on the panel.",))
        target = f"variables of {self.app.name} on the panel of {self.app.server}"
        return Plan((Change(Kind.DELETE, "clear", target, before="set", after="none"),))


def compare(there: Mapping[str, str], wished: Mapping[str, str]) -> Compared:
    return Compared(
        tuple(name for name in wished if name not in there),
        tuple(name for name in wished if name in there and there[name] != wished[name]),
        tuple(name for name in there if name not in wished),
    )


def _told(run: Compared, build: Compared) -> str:
    parts = [
        ("to be added", (*run.added, *build.added)),
        ("other value", (*run.changed, *build.changed)),
        ("to be removed", (*run.removed, *build.removed)),
    ]
    return "; ".join(f"{what}: {listed(names)}" for what, names in parts if names) or "all equal"
