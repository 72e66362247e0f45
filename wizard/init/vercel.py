"""Projects at Vercel that serve names of their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wizard.config import GitHost
from wizard.errors import WizardError
from wizard.init.found import FoundProject, Notes

if TYPE_CHECKING:
    from wizard.clients.vercel.models import Project
    from wizard.world import World

_HOSTS = {"github": GitHost.GITHUB, "gitlab": GitHost.GITLAB}


async def projects(world: World, team: str, notes: Notes) -> tuple[FoundProject, ...]:
    """Those with a domain, of `team` or of everything that the token sees; none when it can't be asked."""
    try:
        teams = (team,) if team else ("", *(one.slug for one in await world.vercel.teams()))
        listed = [(slug, one) for slug in teams for one in await world.vercel.projects(slug)]
        found = await asyncio.gather(*(_project(world, slug, one, notes) for slug, one in listed))
    except WizardError as error:
        notes.say(f"Vercel could not be asked: {error}")
        return ()
    unique = {(one.team, one.name): one for one in found if one is not None}
    return tuple(unique.values())


async def _project(world: World, team: str, project: Project, notes: Notes) -> FoundProject | None:
    domains = [
        one
        for one in await world.vercel.domains(project)
        if not one.branch and not one.environment and not one.name.endswith(".vercel.app")
    ]
    if not domains:
        return None
    for one in domains:
        if one.redirect:
            notes.say(
                f"{one.name} leads to {one.redirect} at Vercel: prepare.vercel says what becomes of it."
            )
    variables = await world.vercel.variables(project, clear=False)
    names = sorted({one.name for one in variables if not one.name.startswith("VERCEL_")})
    host = _HOSTS.get(project.git.type.partition("-")[0]) if project.git else None
    if host is None:
        notes.say(f"The project {project.name} has no repository at GitHub or GitLab: name one by hand.")
    return FoundProject(
        project.name,
        team,
        tuple(one.name for one in sorted(domains, key=lambda one: (bool(one.redirect), one.name))),
        domains[0].apex,
        host,
        project.git.repository if project.git else "",
        project.git.branch if project.git else "",
        project.root.strip("/"),
        tuple(names),
    )
