"""settle.<app>.rollback: the way back, rehearsed on the host: the version before runs again, then this one.

The panel itself rolls back only what it pushed to a registry, and stacks not at all, so the way back goes by
Docker: images that run now are kept under a name of their own. An application is put on the kept image
start-first. Of a stack only services are put back that visitors do not reach and that hold no data: others
would be away for the seconds of their recreation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard import host_tools
from wizard.config import AppKind, Config
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Change, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.errors import WizardError
from wizard.phases.apps import redeploy as app_redeploy
from wizard.phases.apps.panel import app_record
from wizard.phases.apps.running import containers, last_lines, running
from wizard.phases.cutover.certificate_panel import calls
from wizard.phases.data import places
from wizard.phases.hosts import new_host

if TYPE_CHECKING:
    from wizard.clients.ssh import HostClient
    from wizard.config import App

PREFIX = "dokploy-wizard-keep"
_CONVERGES_WITHIN = 600.0
_AGAIN = 2.0
_CODE = "/etc/dokploy/compose/{name}/code"


@dataclass(frozen=True, slots=True)
class Kept:
    """Record "kept": (service, the name under which its image is kept, what it runs now)."""

    images: tuple[tuple[str, str, str], ...]
    data: tuple[tuple[str, int], ...]
    """What the app's databases and volumes held: (name, rows or files)."""


@dataclass(frozen=True, slots=True)
class Redeployed:
    deployment: str


@dataclass(frozen=True, slots=True)
class Back:
    """Record "back": how many seconds until the version before ran again, and healthily."""

    seconds: float
    told: str


@dataclass(frozen=True, slots=True)
class Forward:
    """Record "forward": the end of the rehearsal. `data` as in `Kept`."""

    seconds: float
    at: float
    data: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class RollbackFacts:
    kept: Kept | None
    redeployed: Redeployed | None
    back: Back | None
    forward: Forward | None


class RollbackStep(Step[RollbackFacts]):
    phase = Phase.SETTLE
    way_back = "The present version runs at the end; deploying it on the panel puts it back at any time."
    enduring = False

    def __init__(self, config: Config, app: App) -> None:
        self.config = config
        self.app = app
        self.id = f"settle.{app.name}.rollback"
        self.title = f"Rehearse the way back of {app.name}"
        self.needs = (f"settle.{app.name}.zero_downtime",)

    @property
    def _stack(self) -> bool:
        return self.app.kind is AppKind.COMPOSE

    async def observe(self, ctx: Context) -> RollbackFacts:
        return RollbackFacts(
            ctx.saved.load("kept", Kept),
            ctx.saved.load("redeployed", Redeployed),
            ctx.saved.load("back", Back),
            ctx.saved.load("forward", Forward),
        )

    def plan(self, facts: RollbackFacts) -> Plan:
        if facts.forward is not None or (facts.kept is not None and not facts.kept.images):
            return Plan()
        name, changes = self.app.name, []
        if facts.kept is None:
            changes.append(
                Change(Kind.RUN, "keep", f"images of {name} on {self.app.server}", after="kept by name")
            )
        if not self._stack and facts.redeployed is None:
            after = "built and rolled out once more: what runs now becomes the version before"
            changes.append(Change(Kind.RUN, "deploy", name, after=after))
        if facts.back is None:
            after = (
                "start-first" if not self._stack else "services that visitors do not reach, one recreation"
            )
            changes.append(
                Change(Kind.RUN, "back", name, before="this version", after=f"the version before, {after}")
            )
        changes.append(Change(Kind.RUN, "forward", name, before="the version before", after="this version"))
        return Plan(tuple(changes))

    async def apply(self, change: Change, ctx: Context) -> None:
        match change.key:
            case "keep":
                ctx.saved.save("kept", await self._keep(ctx))
            case "deploy":
                ended = await app_redeploy.redeploy(ctx, self.app, "Rehearsal of the way back")
                await self._settled(ctx)
                ctx.saved.save("redeployed", Redeployed(ended.id))
            case "back":
                began = ctx.now()
                await self._put(ctx, kept=True)
                told = await self._settled(ctx)
                ctx.saved.save("back", Back(ctx.now() - began, told))
                ctx.output(f"{self.app.name}: the version before runs again after {ctx.now() - began:.0f} s")
            case "forward":
                await self._forward(ctx)

    async def _keep(self, ctx: Context) -> Kept:
        from wizard.clients import commands

        host, project = await new_host(ctx, self.app.server), app_record(ctx, self.app).app_name
        images = []
        for service, now, identity in await self._images(host, project):
            tag = f"{PREFIX}/{project}-{service}:before".lower()
            await host.run(commands.docker("tag", identity, tag))
            images.append((service, tag, now))
        return Kept(tuple(images), await self._data(ctx))

    async def _images(self, host: HostClient, project: str) -> list[tuple[str, str, str]]:
        """(service, image by name, image to be kept) of what the rehearsal may touch."""
        if not self._stack:
            return [(self.app.name, f"{project}:latest", f"{project}:latest")]
        found = []
        for item in await containers(host, project):
            service = str(item["Config"]["Labels"]["com.docker.compose.service"])
            if _quiet(item) and service not in self._loud:
                found.append((service, str(item["Config"]["Image"]), str(item["Image"])))
        return found

    @property
    def _loud(self) -> set[str]:
        databases = {database.service for database in self.config.databases}
        volumes = {service for volume in self.config.volumes for service in volume.services}
        return {self.app.service or self.app.name, self.app.cache_service} | databases | volumes

    async def _put(self, ctx: Context, *, kept: bool) -> None:
        """On the kept images, or on those of the panel's own file again."""
        from wizard.clients import commands

        record = ctx.saved.load("kept", Kept)
        if record is None or not record.images:
            return
        host, project = await new_host(ctx, self.app.server), app_record(ctx, self.app).app_name
        if not self._stack:
            image = record.images[0][1] if kept else f"{project}:latest"
            words = ("service", "update", "--no-resolve-image", "--image", image, project)
            await host.run(commands.docker(*words), timeout=_CONVERGES_WITHIN)
            return
        override = f"{host_tools.FOLDER}/{project}-before.json"
        services = {service: {"image": tag} for service, tag, _ in record.images}
        await host.upload(override, json.dumps({"services": services}))
        file = await self._file(ctx, project)
        files = ("-f", file, *(("-f", override) if kept else ()))
        up = ("up", "-d", "--no-build", "--no-deps", "--pull", "never")
        words = ("compose", "-p", project, *files, *up, *services)
        await host.run(commands.docker(*words), timeout=_CONVERGES_WITHIN)

    async def _file(self, ctx: Context, project: str) -> str:
        """The stack's file as the panel runs it, with its labels."""
        client, record = await calls(ctx, self.app.server), app_record(ctx, self.app)
        words = str(await client.get("compose.getDefaultCommand", composeId=record.id)).split()
        path = words[words.index("-f") + 1] if "-f" in words else "docker-compose.yml"
        return f"{_CODE.format(name=project)}/{path.removeprefix('./')}"

    async def _settled(self, ctx: Context) -> str:
        """Until every part runs. Raises WizardError with the last lines when it does not."""
        deadline = ctx.now() + _CONVERGES_WITHIN
        while ctx.now() < deadline:
            found = await running(ctx, self.app)
            if found.good:
                return found.told
            await ctx.world.clock.sleep(_AGAIN)
        lines = await last_lines(ctx, self.app, found)
        raise WizardError(
            f"{self.app.name} does not run after it was put on another version",
            f"{found.told}: {' / '.join(lines[-4:])}",
            "Deploy it on the panel: that puts the present version back.",
        )

    async def _forward(self, ctx: Context) -> None:
        from wizard.clients import commands

        began = ctx.now()
        await self._put(ctx, kept=False)
        await self._settled(ctx)
        host, record = await new_host(ctx, self.app.server), ctx.saved.load("kept", Kept)
        for _, tag, _ in record.images if record else ():
            await host.run(commands.docker("image", "rm", tag), check=False)
        ctx.saved.save("forward", Forward(ctx.now() - began, ctx.now(), await self._data(ctx)))

    async def _data(self, ctx: Context) -> tuple[tuple[str, int], ...]:
        found: list[tuple[str, int]] = []
        host = await new_host(ctx, self.app.server)
        for database in self.config.databases:
            if database.app == self.app.name:
                login = await places.there(ctx, self.config, database)
                seen = await places.fingerprint(host, login)
                found += [(f"{database.name}.{t.name}", t.rows) for t in (seen.tables if seen else ())]
        for volume in self.config.volumes:
            if volume.app == self.app.name:
                words = (await places.manifest(host, volume.name) or "files 0").split()
                found.append((volume.name, int(words[1])))
        return tuple(found)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts = await self.observe(ctx)
        name, question = (
            f"{self.app.name}.rolled_back",
            f"the version before of {self.app.name} can be put back",
        )
        vantage = self.app.server
        if facts.kept is not None and not facts.kept.images:
            seen = "every service is reached by visitors or holds data: trying it would be an outage"
            return [Check(name, question, CheckState.WAIVED, Evidence(seen, vantage, ctx.now()))]
        if facts.kept is None or facts.back is None or facts.forward is None:
            evidence = Evidence("not rehearsed", vantage, ctx.now())
            return [Check(name, question, CheckState.UNKNOWN, evidence, "Run the step.")]
        services = ", ".join(service for service, _, _ in facts.kept.images)
        seen = (
            f"back after {facts.back.seconds:.0f} s, forward after {facts.forward.seconds:.0f} s: {services}"
        )
        lost = lost_data(dict(facts.kept.data), dict(facts.forward.data))
        held = f"{len(facts.kept.data)} tables and volumes" if facts.kept.data else "it holds no data of ours"
        return [
            check(name, question, True, seen=seen, vantage=vantage, at=facts.forward.at),
            check(
                f"{self.app.name}.data_untouched",
                f"the way back leaves the data of {self.app.name} as it is",
                not lost,
                seen="; ".join(lost) or f"{held}, nothing gone",
                vantage=vantage,
                at=facts.forward.at,
                advice="Stop here and compare with the last backup before anything else is deployed.",
            ),
        ]

    async def undo(self, ctx: Context) -> Plan:
        return Plan(notes=("The present version runs; the step can be rehearsed again.",))


def _quiet(item: Mapping[str, Any]) -> bool:
    """A container that runs on, and writes into no volume."""
    mounts = [
        mount for mount in item.get("Mounts") or () if mount.get("RW") and mount.get("Type") == "volume"
    ]
    return str((item.get("State") or {}).get("Status")) == "running" and not mounts


def lost_data(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[str, ...]:
    """What is gone. Visitors write meanwhile, so numbers may grow, and shrink a little."""
    return tuple(
        f"{name}: {count} before, {after.get(name, 0)} after"
        for name, count in before.items()
        if count and after.get(name, 0) < count * 0.9
    )
