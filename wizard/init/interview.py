"""Looking and asking, in the order in which one answer leads to the next question."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from wizard.config import Config, GitHost
from wizard.errors import WizardError
from wizard.init import git, host, vercel, zone
from wizard.init.ask import Asker, one_of, some_of, text
from wizard.init.describe import Described, Stack, Web
from wizard.init.found import FoundHost, FoundProject, FoundSite, FoundStack, Notes, Wishes

if TYPE_CHECKING:
    from wizard.world import World

_SMALL_GB = 4.0
_WEB, _API = "web", "api"


async def interview(world: World, wishes: Wishes, asker: Asker, notes: Notes) -> Described:
    """Raises WizardError when nothing was found that could be moved."""
    shown = await vercel.projects(world, wishes.team, notes)
    webs = await _webs(world, await _chosen(shown, wishes, asker), notes)
    config = replace(world.config, old_host=wishes.old_host)
    old = await host.look(world, config, notes)
    zone_name = wishes.zone or _zone(webs, old)
    zone_name = zone_name or await text(asker, "zone", "Which domain do the names lie in? ", "")
    if not zone_name or not (webs or old):
        raise WizardError(
            "Nothing was found that could be moved",
            "; ".join(notes.lines) or "no project at Vercel has a domain, and no old host was named",
            "Set VERCEL_TOKEN and GITHUB_TOKEN, give --old-host USER@ADDRESS, or copy config.toml.example.",
        )
    at = webs[0].project if webs else None
    provider, leads = await zone.provider(world, zone_name, at, notes)
    stack = await _stack(world, wishes, old, webs, leads, asker, notes) if old else None
    webs = _within(webs, zone_name, notes)
    if not webs and stack is None:
        raise WizardError("Nothing was found that could be moved", "; ".join(notes.lines))
    fallback = world.config.servers[0].types if world.config.servers else ()
    return Described(
        await _name(wishes, old, webs, asker),
        wishes.email or await text(asker, "email", "Your e-mail address: ", f"admin@{zone_name}"),
        webs,
        stack,
        old if stack else None,
        zone_name,
        provider,
        await zone.types(world, _SMALL_GB, fallback),
        await zone.types(world, max(_SMALL_GB, old.memory_gb if old else 0), fallback),
        zone.LOCATIONS,
        await _amount(asker, "last_invoice", "What did Vercel bill last month? ", notes) if webs else "",
        await _amount(asker, "old_host_monthly", "What does the old host cost a month? ", notes)
        if stack
        else "",
    )


async def _amount(asker: Asker, key: str, words: str, notes: Notes) -> str:
    """As ``20.00 USD``; "" when it is not known. No API tells it for sure, and it is only compared."""
    why = "Like 20.00 USD; Enter if you do not know. It is compared with the costs after, nothing else."
    answer = await text(asker, key, words, "", why)
    if not answer or re.fullmatch(r"\d+([.,]\d{1,2})? [A-Z]{3}", answer):
        return answer
    notes.say(f"{answer} is no amount like 20.00 USD: write {key} under [decommission] yourself.")
    return ""


async def _name(wishes: Wishes, old: FoundHost | None, webs: tuple[Web, ...], asker: Asker) -> str:
    if wishes.name:
        return wishes.name
    guess = old.project if old else webs[0].project.name
    return _label(await text(asker, "name", "A short name for the project: ", _label(guess))) or _label(guess)


def _label(words: str) -> str:
    """What a name of ours may be: small letters, digits, hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


async def _chosen(shown: tuple[FoundProject, ...], wishes: Wishes, asker: Asker) -> tuple[FoundProject, ...]:
    usable = [one for one in shown if one.host is not None and one.repository]
    if wishes.projects:
        return tuple(one for one in usable if one.name in wishes.projects)
    names = await some_of(asker, "projects", "Which projects move? ", tuple(one.name for one in usable))
    return tuple(one for one in usable if one.name in names)


async def _webs(world: World, chosen: tuple[FoundProject, ...], notes: Notes) -> tuple[Web, ...]:
    made: list[Web] = []
    for project in chosen:
        assert project.host is not None
        client = world.git.of(project.host)
        try:
            repository = await client.repository(project.repository)
            branch = project.branch or (repository.default_branch if repository else "")
            if repository is None or not branch:
                notes.say(f"{project.repository} is not shown to the token: {project.name} is left out.")
                continue
            image = await git.image(client, repository.name, branch, project.root, notes)
        except WizardError as error:
            notes.say(f"{project.repository} could not be looked at, {project.name} is left out: {error}")
            continue
        name = _WEB if not made else _label(project.name)
        found = replace(project, repository=repository.name, branch=branch)
        made.append(Web(name, found, image, repository.private))
    return tuple(made)


def _zone(webs: tuple[Web, ...], old: FoundHost | None) -> str:
    if webs:
        return webs[0].project.apex
    if old and old.sites:
        return ".".join(old.sites[0].domain.split(".")[-2:])
    return ""


def _within(webs: tuple[Web, ...], zone_name: str, notes: Notes) -> tuple[Web, ...]:
    """One migration moves one zone: other names are said and left out."""
    made = []
    for web in webs:
        inside = tuple(name for name in web.project.domains if f".{name}".endswith(f".{zone_name}"))
        for name in web.project.domains:
            if name not in inside:
                notes.say(f"{name} lies outside the zone {zone_name}: move it with a file of its own.")
        if inside:
            made.append(replace(web, project=replace(web.project, domains=inside)))
    return tuple(made)


async def _stack(
    world: World,
    wishes: Wishes,
    old: FoundHost,
    webs: tuple[Web, ...],
    leads: tuple[str, ...],
    asker: Asker,
    notes: Notes,
) -> Stack | None:
    """The old host's stack with its file in git; None, with the reason said, when it can't be described."""
    source = webs[0].project if webs else None
    place = source.host if source and source.host else GitHost.GITHUB
    name = wishes.repository or (source.repository if source else "")
    name = name or await text(asker, "repository", "Which repository holds the stack? owner/name: ", "")
    if not name:
        notes.say("The stack's repository is not known, so it is left out: give --repository OWNER/NAME.")
        return None
    client = world.git.of(place)
    repository = await client.repository(name)
    if repository is None:
        notes.say(f"{name} is not shown to the token, so the stack is left out.")
        return None
    branch = wishes.branch or (source.branch if source else "") or repository.default_branch
    files = await git.stack(client, repository.name, branch, old.services, notes)
    if not files:
        notes.say(f"{name} has no compose file, so the stack is left out.")
        return None
    wanted = await one_of(
        asker,
        "compose_file",
        "Which compose file is for production?",
        tuple(one.compose_file for one in files),
    )
    file = next(one for one in files if one.compose_file == wanted)
    site = await _site(old, file, world.config, leads, asker)
    if site is None:
        notes.say("Which name leads to the stack is not known, so the stack is left out.")
        return None
    domains = tuple(one.domain for one in old.sites if one.service == site.service) or (site.domain,)
    return Stack(_API, place, repository.name, branch, repository.private, file, site, domains, old)


async def _site(
    old: FoundHost, file: FoundStack, config: Config, leads: tuple[str, ...], asker: Asker
) -> FoundSite | None:
    """The service that the names lead to: from the old host's web server, else asked."""
    known = tuple(one for one in old.sites if one.service in file.services)
    if known:
        services = tuple(dict.fromkeys(one.service for one in known))
        chosen = await one_of(asker, "service", "Which service do the names lead to?", services)
        return next(one for one in known if one.service == chosen)
    names = [lead.partition(" ")[2] for lead in leads if lead.partition(" ")[0] == old.access.address]
    default = names[0] if names else ""
    domain = await text(asker, "domain", "Which name leads to the stack? ", default)
    if not domain:
        return None
    candidates = tuple(name for name, _ in file.health) or file.services
    service = await one_of(asker, "service", "Which service does it lead to?", candidates)
    port = await text(asker, "port", "On which port does it listen in its container? ", "8000")
    return FoundSite(domain, service, int(port) if port.isdigit() else 8000)
