"""apps.<app>.redirects: what Vercel redirected, the new front end redirects, before anything is led there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.config import AppKind, Config
from wizard.engine.check import Check, check
from wizard.engine.plan import Change, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.phases.apps.panel import app_record, held
from wizard.phases.cutover.certificate_panel import calls
from wizard.phases.prepare.vercel_records import vercel_record
from wizard.vercel.redirects import PanelRedirect

if TYPE_CHECKING:
    from wizard.config import App


@dataclass(frozen=True, slots=True)
class RedirectsRecord:
    """Record "redirects": expressions that were put on the panel, so that undo takes off only those."""

    regexes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A redirect on the panel."""

    id: str
    regex: str
    replacement: str
    permanent: bool

    def does(self, wished: PanelRedirect) -> bool:
        mine = (self.regex, self.replacement, self.permanent)
        return mine == (wished.regex, wished.replacement, wished.permanent)


@dataclass(frozen=True, slots=True)
class Facts:
    wished: tuple[PanelRedirect, ...]
    held: tuple[Held, ...]

    @property
    def missing(self) -> tuple[PanelRedirect, ...]:
        return tuple(one for one in self.wished if not any(other.does(one) for other in self.held))


def redirected(config: Config, app: App) -> bool:
    """Whether the step exists: the panel redirects for an application, not for a stack."""
    return app.kind is AppKind.DOCKERFILE and any(project.app == app.name for project in config.vercel)


class RedirectsStep(Step[Facts]):
    phase = Phase.APPS
    way_back = "They are taken off the panel; those at Vercel were never touched."
    # They are changed on the panel once all is over.
    enduring = False

    def __init__(self, config: Config, app: App) -> None:
        self.config, self.app = config, app
        self.id = f"apps.{app.name}.redirects"
        self.title = f"Redirects of {app.name}"
        self.needs = (f"apps.{app.name}.trial",)

    async def observe(self, ctx: Context) -> Facts:
        wished = [
            one
            for project in self.config.vercel
            if project.app == self.app.name and (found := vercel_record(ctx, project))
            for one in found.redirects
        ]
        return Facts(tuple(dict.fromkeys(wished)), _held(await held(ctx, self.app)))

    def plan(self, facts: Facts) -> Plan:
        return Plan(
            tuple(
                Change(
                    Kind.CREATE,
                    f"redirect:{one.regex}",
                    f"redirect {one.source} of {self.app.name} on {self.app.server}",
                    after=f"{one.replacement}, {'for good' if one.permanent else 'for now'}",
                    why="Vercel redirected this, and nothing of vercel.json counts on the new host",
                    way_back="taken off again",
                    payload=one,
                )
                for one in facts.missing
            )
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        client = await calls(ctx, self.app.server)
        if change.kind is Kind.DELETE:
            await client.post("redirects.delete", {"redirectId": change.payload.id})
            return
        wished: PanelRedirect = change.payload
        known = ctx.saved.load("redirects", RedirectsRecord) or RedirectsRecord(())
        if wished.regex not in known.regexes:
            ctx.saved.save("redirects", RedirectsRecord((*known.regexes, wished.regex)))
        if any(one.does(wished) for one in _held(await held(ctx, self.app))):
            return
        body = {
            "applicationId": app_record(ctx, self.app).id,
            "regex": wished.regex,
            "replacement": wished.replacement,
            "permanent": wished.permanent,
        }
        await client.post("redirects.create", body)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts = await self.observe(ctx)
        missing = ", ".join(one.source for one in facts.missing)
        there = ", ".join(one.source for one in facts.wished) or "there was none at Vercel"
        return [
            check(
                f"{self.app.name}.redirects",
                f"the panel redirects for {self.app.name} what Vercel redirected",
                not facts.missing,
                seen=f"missing: {missing}" if missing else there,
                vantage=f"panel of {self.app.server}",
                at=ctx.now(),
                advice=f"Run {self.id} again.",
            )
        ]

    async def undo(self, ctx: Context) -> Plan:
        known = ctx.saved.load("redirects", RedirectsRecord)
        if known is None:
            return Plan()
        return Plan(
            tuple(
                Change(
                    Kind.DELETE, f"redirect:{one.id}", f"redirect {one.regex}", "there", "gone", payload=one
                )
                for one in _held(await held(ctx, self.app))
                if one.regex in known.regexes
            )
        )


def _held(view: Mapping[str, Any]) -> tuple[Held, ...]:
    return tuple(
        Held(str(row["redirectId"]), str(row["regex"]), str(row["replacement"]), bool(row["permanent"]))
        for row in view.get("redirects") or ()
    )
