"""decommission.delete: the project goes for ever. Domains of the account, their zones and stores stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from wizard.clock import moment_text
from wizard.config import VercelProject
from wizard.engine.check import Check, check
from wizard.engine.plan import Change, Kind, Plan
from wizard.engine.step import Context
from wizard.phases.decommission.guards import Rung
from wizard.phases.decommission.records import EXPORT_STEP, ExportRecord, GoneRecord
from wizard.phases.decommission.rungs import Holds, RungStep
from wizard.phases.decommission.standing import Standing, project_of

if TYPE_CHECKING:
    from wizard.clients.vercel.models import Project


class DeleteProject(RungStep):
    id = "decommission.delete"
    title = "Delete the project at Vercel"
    needs = ("decommission.domains",)
    way_back = "None. The export in backups/ is what is left; the name at vercel.app is free for anybody."
    point_of_no_return: ClassVar[bool] = True
    rung = Rung.DELETE

    def due(self, seen: Standing) -> bool:
        return seen.project is not None

    def changes(self, seen: Standing) -> tuple[Change, ...]:
        export = seen.export
        made = moment_text(export.at) if export else "never"
        return (
            Change(
                Kind.DELETE,
                f"delete/{seen.wanted.name}",
                f"project {seen.wanted.name} at Vercel",
                before=f"paused, without domains, exported {made}",
                after="gone for ever, with its deployments and variables",
                way_back="none",
                confirm=seen.wanted.name,
                payload=seen.project,
            ),
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        wanted, project = self.one(change.key), change.payload
        ctx.saved.save(f"gone_{wanted.name}", GoneRecord(project.id, ctx.now()))
        async with ctx.world.vercel.ladder(project) as ladder:
            await ladder.delete_project()

    async def holds(self, ctx: Context, project: Project) -> Holds:
        return Holds("gone", f"{project.name} is gone from Vercel", False, f"{project.id} is still there")

    async def back(self, ctx: Context, wanted: VercelProject, project: Project) -> tuple[Change, ...]:
        """A project that is still there has nothing to get back, and one that is gone gets nothing back."""
        return ()

    async def verify(self, ctx: Context) -> Sequence[Check]:
        found = list(await super().verify(ctx))
        for wanted in self.wanted:
            if await project_of(ctx, wanted) is None:
                found.append(await self._kept(ctx, wanted))
        return found

    async def _kept(self, ctx: Context, wanted: VercelProject) -> Check:
        """Nothing but the project went: the account's domains are those of the export."""
        export = ctx.saved.load(f"export_{wanted.name}", ExportRecord, step=EXPORT_STEP)
        there = {one.name for one in await ctx.world.vercel.account_domains()}
        gone = sorted(set(export.zones if export else ()) - there)
        return check(
            f"{wanted.name}.zones",
            "domains of the account and their zones are as before",
            not gone,
            seen=", ".join(sorted(there)) or "none" if not gone else f"gone: {', '.join(gone)}",
            vantage="Vercel's API",
            at=ctx.now(),
            advice="Nothing of the wizard's removes them: ask the team who did.",
        )

    async def undo(self, ctx: Context) -> Plan:
        return Plan(notes=("A deleted project cannot be brought back; its export is in backups/.",))
