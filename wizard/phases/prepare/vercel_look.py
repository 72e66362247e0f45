"""Reads everything of a project at Vercel, and what its repository says. Nothing is changed."""

from __future__ import annotations

import asyncio
import json
import posixpath
import re
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from wizard.clock import moment_text
from wizard.engine.step import Context
from wizard.errors import UnreachableError, VendorError, WizardError
from wizard.phases.apps.variables import given
from wizard.phases.prepare.vercel_code import search
from wizard.vercel.inventory import Inventory, Repository, Unseen

if TYPE_CHECKING:
    from wizard.clients.vercel import VercelClient
    from wizard.clients.vercel.models import DomainConfig, Project, User
    from wizard.config import App, VercelProject

T = TypeVar("T")
_MONTH = 30 * 86_400.0
_MIDDLEWARE = ("middleware.ts", "middleware.js", "proxy.ts", "proxy.js")
_NEXT_WORDS = ("standalone", "redirects", "rewrites", "headers", "images", "basePath", "cacheHandler")
_CODE = (".ts", ".js", ".mjs", ".py", ".go", ".rb")


@dataclass
class _Notes:
    """What could not be looked at: a plan or a role may lack it, and an undocumented call may be gone."""

    unseen: list[Unseen] = field(default_factory=list)

    async def optional(self, what: str, work: Awaitable[T], otherwise: T) -> T:
        try:
            return await work
        except UnreachableError:
            raise
        except VendorError as error:
            self.unseen.append(Unseen(what, error.why or error.what))
            return otherwise


async def look(ctx: Context, wanted: VercelProject, app: App) -> Inventory:
    """Raises WizardError for a project that is not there, a token that may not look, or no answer."""
    client = ctx.world.vercel
    project = await client.project(wanted.name, wanted.team)
    if project is None:
        raise WizardError(
            f"Vercel has no project {wanted.name}" + (f" in team {wanted.team}" if wanted.team else ""),
            "it was asked by name and by id",
            "Correct name and team under [[vercel]], or take the section out if it is gone for good.",
        )
    notes = _Notes()
    found = await _project(ctx, client, project, wanted, notes)
    found = await _owner(ctx, client, project, notes, found)
    repository = await _repository(ctx, app, project, notes)
    supplied = [one.name for one in found.variables if one.value is None and await given(ctx, app, one.name)]
    return replace(found, repository=repository, supplied=tuple(supplied), unseen=tuple(notes.unseen))


async def _project(
    ctx: Context, client: VercelClient, project: Project, wanted: VercelProject, notes: _Notes
) -> Inventory:
    optional = notes.optional
    domains = await client.domains(project)
    names = [one.name for one in domains if not one.redirect and not one.branch]
    configs = asyncio.gather(
        *(optional(f"DNS of {name}", _some(client, name, project), None) for name in names)
    )
    user, aliases, variables, environments = await asyncio.gather(
        optional("account", _user(client), None),
        optional("aliases", client.aliases(project), ()),
        client.variables(project),
        optional("environments", client.environments(project), ()),
    )
    built, redirects, routes, rules = await asyncio.gather(
        optional("deployment", client.built(project), None),
        optional("dashboard redirects", client.redirects(project), ()),
        optional("dashboard routes", client.routes(project), ()),
        optional("firewall", client.firewall_rules(project), 0),
    )
    return Inventory(
        project=project,
        team=wanted.team,
        blocked=user.blocked if user else "",
        domains=domains,
        configs=tuple(config for config in await configs if config is not None),
        aliases=aliases,
        variables=variables,
        environments=environments,
        built=built,
        redirects=redirects,
        routes=routes,
        firewall_rules=rules,
    )


async def _user(client: VercelClient) -> User | None:
    return await client.user()


async def _some(client: VercelClient, name: str, project: Project) -> DomainConfig | None:
    return await client.domain_config(name, project)


async def _owner(
    ctx: Context, client: VercelClient, project: Project, notes: _Notes, found: Inventory
) -> Inventory:
    optional = notes.optional
    apexes = {one.apex for one in found.domains}
    every = await optional("account domains", client.account_domains(project), ())
    own = tuple(one for one in every if one.name in apexes)
    records = [
        row
        for one in own
        if one.hosted
        for row in await optional(f"zone {one.name}", client.zone_records(one.name, project), ())
    ]
    names = {one.name for one in found.domains}
    since, until = (moment_text(ctx.now() - age) for age in (_MONTH, 0.0))
    certificates, bill, edge_configs, stores = await asyncio.gather(
        optional("certificates", client.certificates(project), ()),
        optional("bill", client.bill(project, since, until), {}),
        optional("Edge Configs", client.edge_configs(project), ()),
        optional("stores", client.stores(project), ()),
    )
    webhooks, drains, integrations = await asyncio.gather(
        optional("webhooks", client.webhooks(project), ()),
        optional("log drains", client.drains(project), ()),
        optional("integrations", client.integrations(project), ()),
    )
    return replace(
        found,
        account_domains=own,
        records=tuple(records),
        certificates=tuple(
            sorted({(name, end) for group, end in certificates for name in group if name in names})
        ),
        edge_configs=edge_configs,
        stores=stores,
        webhooks=webhooks,
        drains=drains,
        integrations=integrations,
        bill=", ".join(f"{amount:.2f} {currency}" for currency, amount in sorted(bill.items())),
    )


async def _repository(ctx: Context, app: App, project: Project, notes: _Notes) -> Repository:
    """The files of the branch that Vercel would read, below the project's root directory."""
    from wizard.vercel import json as vercel_json

    client = ctx.world.git.of(app.git_host)
    root = project.root.strip("/")
    try:
        tree = await client.tree(app.repository, app.branch)
        place = posixpath.join(root, "vercel.json")
        text = await client.read_file(app.repository, place, app.branch) if tree.holds(place) else None
        manifest = posixpath.join(root, "package.json")
        package = (
            await client.read_file(app.repository, manifest, app.branch) if tree.holds(manifest) else None
        )
    except VendorError as error:
        notes.unseen.append(Unseen("repository", error.what))
        return Repository()
    inside = [path.removeprefix(f"{root}/") for path in tree.files if not root or path.startswith(f"{root}/")]
    searched = await search(client, app, root, inside)
    notes.unseen += [Unseen(path, why) for path, why in searched.troubles]
    middleware = [path for path in inside if path.removeprefix("src/") in _MIDDLEWARE]
    return Repository(
        known=True,
        file=await asyncio.to_thread(vercel_json.read, text) if text else None,
        functions=tuple(path for path in inside if path.startswith("api/") and path.endswith(_CODE)),
        middleware=middleware[0] if middleware else "",
        packages=_packages(package or "{}"),
        code=searched.places,
        read=searched.read,
        of=searched.of,
        next_config=_next_config(searched.settings),
    )


def _next_config(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Words of it that matter away from Vercel, without the code being run."""
    text = "\n".join(text for path, text in settings.items() if path.startswith("next.config"))
    return tuple(word for word in _NEXT_WORDS if re.search(rf"\b{word}\b", text))


def _packages(text: str) -> tuple[str, ...]:
    """Packages of Vercel's among the dependencies; none of a manifest that is no JSON."""
    try:
        document = json.loads(text)
        names = {**document.get("dependencies", {}), **document.get("optionalDependencies", {})}
    except (ValueError, AttributeError, TypeError):
        return ()
    return tuple(sorted(name for name in names if str(name).startswith("@vercel/")))
