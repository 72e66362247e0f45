"""apps.<app>.create: a place for the app on its panel, and the empty volumes that a stack expects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.config import AppKind, Config
from wizard.engine.check import Check, check
from wizard.engine.plan import Change, Failed, Kind, Plan, Refusal
from wizard.engine.step import Context, Phase, Step
from wizard.errors import WizardError
from wizard.phases.apps.panel import owner_key, word
from wizard.phases.cutover.certificate_panel import calls
from wizard.phases.hosts import new_host
from wizard.records import AppRecord

if TYPE_CHECKING:
    from wizard.config import App

ENVIRONMENT = "production"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the panel has something of this name; empty ids where there is nothing yet."""

    project_id: str = ""
    environment_id: str = ""
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MadeVolumes:
    """Volumes that this step made empty: undo takes away those that are still empty, and no others."""

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateFacts:
    place: Place
    record: AppRecord | None
    missing_volumes: tuple[str, ...] = ()


class CreateStep(Step[CreateFacts]):
    """Nothing on a panel is unique: what has the name already is adopted, never made a second time."""

    phase = Phase.APPS
    keeps = ("volumes",)
    way_back = "The app is deleted on the panel; volumes that hold anything stay."

    def __init__(self, config: Config, app: App) -> None:
        self.config = config
        self.app = app
        self.id = f"apps.{app.name}.create"
        self.title = f"A place for {app.name} on the panel of {app.server}"
        # One after the other on one panel: two at once would each make the project.
        before = [other.name for other in config.apps_on(app.server)]
        self.needs = tuple(f"apps.{name}.create" for name in before[: before.index(app.name)][-1:])

    async def observe(self, ctx: Context) -> CreateFacts:
        place = await self._place(ctx)
        record = ctx.saved.load("app", AppRecord)
        if record is not None and record.id not in place.ids:
            record = None
        return CreateFacts(place, record, await self._missing_volumes(ctx))

    async def _place(self, ctx: Context) -> Place:
        client = await calls(ctx, self.app.server)
        projects = _named(await client.get("project.all") or (), self.config.project.name)
        if not projects:
            return Place()
        holders = [_place_in(project, self.app) for project in projects]
        return next((one for one in holders if one.ids), holders[0])

    async def _missing_volumes(self, ctx: Context) -> tuple[str, ...]:
        from wizard.clients import commands

        names = await self._volumes(ctx)
        if not names:
            return ()
        listed = (await (await new_host(ctx, self.app.server)).run(commands.volumes())).stdout
        there = set(_json_names(listed))
        return tuple(name for name in names if name not in there)

    async def _volumes(self, ctx: Context) -> tuple[str, ...]:
        """Those that the stack's file expects to exist, and those that will be moved into it."""
        if self.app.kind is not AppKind.COMPOSE:
            return ()
        from wizard.phases.apps.compose import production

        named = [volume.name for volume in self.config.volumes if volume.app == self.app.name]
        return tuple(dict.fromkeys((*(await production(ctx, self.app)).volumes, *named)))

    def plan(self, facts: CreateFacts) -> Plan:
        place, app = facts.place, self.app
        if len(place.ids) > 1:
            ways = (
                f"Delete the surplus ones in the panel of {app.server}, or give them other names.",
                "Then run again: the one that is left is taken.",
            )
            why = f"the project {self.config.project.name} has {len(place.ids)} of the name {app.name}"
            return Plan(hold=Failed(why, ways, Refusal.NOT_OURS))
        changes: list[Change] = []
        if not place.project_id:
            changes.append(
                Change(
                    Kind.CREATE,
                    "project",
                    f"project {self.config.project.name} on the panel of {app.server}",
                    after=f"with the environment {ENVIRONMENT}",
                )
            )
        if not place.ids:
            changes.append(
                Change(
                    Kind.CREATE,
                    "app",
                    f"{_kind(app)} {app.name} on the panel of {app.server}",
                    after=f"for {app.repository}, branch {app.branch}",
                    way_back="deleted again",
                )
            )
        elif facts.record is None:
            changes.append(
                Change(
                    Kind.UPDATE,
                    "adopt",
                    f"{_kind(app)} {app.name} on the panel of {app.server}",
                    before="there already",
                    after="taken as ours",
                    why="it has this name in this project: a second one would be made otherwise",
                )
            )
        changes += [
            Change(
                Kind.CREATE,
                f"volume:{name}",
                f"volume {name} on {app.server}",
                after="empty",
                why="the stack names it as external, so removing the stack never removes it",
            )
            for name in facts.missing_volumes
        ]
        return Plan(tuple(changes))

    async def apply(self, change: Change, ctx: Context) -> None:
        client = await calls(ctx, self.app.server)
        verb, _, name = change.key.partition(":")
        if verb == "volume":
            await self._make_volume(ctx, name)
        elif verb == "delete":
            await client.post(f"{word(self.app)}.delete", change.payload)
            ctx.saved.drop("app")
        elif verb == "empty":
            await self._drop_volume(ctx, name)
        elif verb == "project":
            if not (await self._place(ctx)).project_id:
                description = f"Made by dokploy-wizard for {self.config.project.name}"
                body = {"name": self.config.project.name, "description": description}
                await client.post("project.create", body)
        else:
            await self._make_app(ctx, client)

    async def _make_app(self, ctx: Context, client: Any) -> None:
        place = await self._place(ctx)
        made = not place.ids
        if made:
            if not place.environment_id:
                raise WizardError(
                    f"The project {self.config.project.name} has no environment on the panel",
                    next="Make one in the panel, or delete the project there and run again.",
                )
            body = {"name": self.app.name, "environmentId": place.environment_id, "appName": self.app.name}
            if self.app.kind is AppKind.COMPOSE:
                body["composeType"] = "docker-compose"
            await client.post(f"{word(self.app)}.create", body)
            place = await self._place(ctx)
        if len(place.ids) != 1:
            raise WizardError(
                f"The panel of {self.app.server} shows {len(place.ids)} apps of the name {self.app.name}",
                next="Look at the project in the panel, then run again.",
            )
        view = await client.get(f"{word(self.app)}.one", **{owner_key(self.app): place.ids[0]})
        ctx.saved.save(
            "app",
            AppRecord(
                self.app.name,
                self.app.server,
                place.project_id,
                place.environment_id,
                place.ids[0],
                str(view["appName"]),
                made,
            ),
        )

    async def _make_volume(self, ctx: Context, name: str) -> None:
        from wizard.clients import commands

        known = ctx.saved.load("volumes", MadeVolumes) or MadeVolumes()
        ctx.saved.save("volumes", MadeVolumes(tuple(dict.fromkeys((*known.names, name)))))
        label = ("dokploy-wizard.project", self.config.project.name)
        await (await new_host(ctx, self.app.server)).run(commands.create_volume(name, (label,)))

    async def _drop_volume(self, ctx: Context, name: str) -> None:
        from wizard.clients import commands

        # Docker refuses a volume that a container still names, and that is right.
        await (await new_host(ctx, self.app.server)).run(commands.docker("volume", "rm", name))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts = await self.observe(ctx)
        vantage, now = f"panel of {self.app.server}", ctx.now()
        record = facts.record
        found = [
            check(
                f"{self.app.name}.there",
                f"{self.app.name} stands once on the panel of {self.app.server}",
                record is not None and len(facts.place.ids) == 1,
                seen=f"{_kind(self.app)} {record.app_name if record else 'absent'}, "
                f"{len(facts.place.ids)} of this name",
                vantage=vantage,
                at=now,
                advice="Run this step again.",
            )
        ]
        if self.app.kind is AppKind.COMPOSE:
            names = await self._volumes(ctx)
            found.append(
                check(
                    f"{self.app.name}.volumes",
                    f"every volume that {self.app.name} expects exists on {self.app.server}",
                    not facts.missing_volumes,
                    seen=f"missing: {', '.join(facts.missing_volumes)}"
                    if facts.missing_volumes
                    else f"{len(names)} there: {', '.join(names) or 'none is expected'}",
                    vantage=self.app.server,
                    at=now,
                    advice="Run this step again.",
                )
            )
        return found

    async def undo(self, ctx: Context) -> Plan:
        record = ctx.saved.load("app", AppRecord)
        if record is None or not record.made:
            note = "It was there before, so it stays." if record else "Nothing was made."
            return Plan(notes=(note,))
        body = {owner_key(self.app): record.id}
        if self.app.kind is AppKind.COMPOSE:
            body["deleteVolumes"] = False  # type: ignore[assignment]
        change = Change(
            Kind.DELETE,
            "delete",
            f"{_kind(self.app)} {self.app.name} on the panel of {self.app.server}",
            before="with its deployments and its containers",
            after="gone; volumes stay",
            payload=body,
        )
        return Plan((change, *await self._empty_volumes(ctx)))

    async def _empty_volumes(self, ctx: Context) -> list[Change]:
        from wizard.phases.data.places import manifest

        made = ctx.saved.load("volumes", MadeVolumes) or MadeVolumes()
        host = await new_host(ctx, self.app.server)
        empty = [name for name in made.names if (await manifest(host, name) or "").startswith("files 0 ")]
        return [
            Change(Kind.DELETE, f"empty:{name}", f"volume {name} on {self.app.server}", "empty", "gone")
            for name in empty
        ]


def _kind(app: App) -> str:
    return "compose stack" if app.kind is AppKind.COMPOSE else "application"


def _named(items: Iterable[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    return [item for item in items if item.get("name") == name]


def _place_in(project: Mapping[str, Any], app: App) -> Place:
    """The app in its environment, else in any other; the environment where it would be made."""
    environments = list(project.get("environments") or ())
    ours = _named(environments, ENVIRONMENT) or [e for e in environments if e.get("isDefault")]
    key, shelf = (
        ("composeId", "compose") if app.kind is AppKind.COMPOSE else ("applicationId", "applications")
    )
    for environment in (*ours, *environments):
        ids = tuple(str(item[key]) for item in _named(environment.get(shelf) or (), app.name))
        if ids:
            return Place(str(project["projectId"]), str(environment["environmentId"]), ids)
    home = str(ours[0]["environmentId"]) if ours else ""
    return Place(str(project["projectId"]), home)


def _json_names(lines: str) -> list[str]:
    import json

    return [str(json.loads(line)["Name"]) for line in lines.splitlines() if line.strip()]
