"""How a project stands before a rung is taken: who still points to it, and who still comes. Read only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from wizard.config import Config, EnvSource, VercelProject
from wizard.engine.step import Context
from wizard.errors import UnreachableError, VendorError, WizardError
from wizard.phases.decommission.records import (
    EXPORT_STEP,
    SOAK_STEP,
    ExportRecord,
    SoakRecord,
    export_file,
)
from wizard.phases.hosts import server_record
from wizard.phases.prepare.vercel_records import VercelRecord, vercel_record

if TYPE_CHECKING:
    from wizard.clients.vercel.models import Project, Variable
    from wizard.endpoints import SocketAddress

T = TypeVar("T")
DAY = 86_400.0
PASS = "go-on"
PLATFORM = (".vercel-dns.com", ".vercel.app", ".vercel-dns-017.com", ".now.sh")


@dataclass(frozen=True, slots=True)
class Standing:
    """`project` is None when it is gone. `visits` of the last day; None where nobody counts them.

    `resolvers` are sentences about caches that still lead there, `astray` about those that lead neither
    there nor to the new host, `records` about the zone itself; `silent` tells that no cache answered at all.
    `attached` are sentences about what hangs on the project.
    """

    wanted: VercelProject
    project: Project | None
    found: VercelRecord | None = None
    soak: SoakRecord | None = None
    export: ExportRecord | None = None
    kept: str | None = None
    stand: str = ""
    domains: tuple[str, ...] = ()
    visits: int | None = None
    resolvers: tuple[str, ...] = ()
    astray: tuple[str, ...] = ()
    word: str = ""
    """The operator's word about those that lead astray: go-on, stop, or none yet."""
    silent: bool = False
    records: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    attached: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    hooks: str = ""
    """The operator's word about deploy hooks: moved, stop, or none yet."""
    new: tuple[str, ...] = ()
    """Sentences about names that the new host does not serve."""


def hooks_question(wanted: VercelProject) -> str:
    return f"decommission.git.{wanted.name}.hooks"


def astray_question(wanted: VercelProject, astray: Sequence[str]) -> str:
    """Asked anew when others lead astray, or elsewhere."""
    import hashlib

    digest = hashlib.sha256("\n".join(sorted(astray)).encode()).hexdigest()[:8]
    return f"decommission.{wanted.name}.astray.{digest}"


async def project_of(ctx: Context, wanted: VercelProject) -> Project | None:
    """By the id that was seen before the move: a new project of the same name is another one."""
    found = vercel_record(ctx, wanted)
    return await ctx.world.vercel.project(found.id if found and found.id else wanted.name, wanted.team)


async def standing(ctx: Context, wanted: VercelProject) -> Standing:
    """Everything that a rung asks about. Raises WizardError when Vercel does not answer."""
    project = await project_of(ctx, wanted)
    found = vercel_record(ctx, wanted)
    base = Standing(
        wanted,
        project,
        found,
        ctx.saved.load("soak", SoakRecord, step=SOAK_STEP),
        ctx.saved.load(f"export_{wanted.name}", ExportRecord, step=EXPORT_STEP),
        ctx.kept(export_file(wanted.name)),
    )
    if project is None:
        return base
    client = ctx.world.vercel
    variables = await client.variables(project)
    resolvers, astray, silent = await caches(ctx, wanted, found)
    return replace(
        base,
        stand=stand_of(project, variables),
        domains=tuple(one.name for one in await client.domains(project)),
        visits=await visits(ctx, project),
        resolvers=resolvers,
        astray=astray,
        word=ctx.answers.get(astray_question(wanted, astray), ""),
        silent=silent,
        records=await zone(ctx, wanted, found, project),
        values=_values(ctx.config, wanted, project, variables),
        attached=await _attached(ctx, project),
        undecided=_undecided(ctx, wanted, variables),
        hooks=ctx.answers.get(hooks_question(wanted), ""),
        new=await new_side(ctx, wanted),
    )


def stand_of(project: Project, variables: Sequence[Variable]) -> str:
    """Changes when a variable is added, taken away or set anew, or when production is deployed again."""
    import hashlib

    rows = sorted(f"{one.id}|{one.label}|{one.kind}|{one.updated:.0f}" for one in variables)
    rows.append(project.production.id if project.production else "")
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]


async def visits(ctx: Context, project: Project) -> int | None:
    """Of the last day; None where Web Analytics is off or not shown to this token."""
    now = ctx.now()
    try:
        return await ctx.world.vercel.visits(project, now - DAY, now)
    except UnreachableError:
        raise
    except VendorError:
        return None


def names_of(config: Config, wanted: VercelProject) -> tuple[str, ...]:
    return config.app(wanted.app).domains


def _addresses(ctx: Context, wanted: VercelProject) -> frozenset[str]:
    """Of the new host, in the spelling of records."""
    from wizard.dns.wire import canonical

    server = server_record(ctx, ctx.config.app(wanted.app).server)
    own = {canonical("A", server.ipv4)} if server.ipv4 else set()
    return frozenset(own | ({canonical("AAAA", server.ipv6)} if server.ipv6 else set()))


async def caches(
    ctx: Context, wanted: VercelProject, found: VercelRecord | None
) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Caches that hand out an address of Vercel's, and those that hand out a foreign one, as sentences; and
    whether none answered at all.

    Those that filter are left out: what they answer says nothing about age.
    """
    resolvers = ctx.world.endpoints.resolvers
    if resolvers is None:
        from wizard.dns.resolvers import packaged

        targets = tuple(
            (one.name, one.address) for one in packaged() if not one.over_https and not one.filtered
        )
    else:
        targets = tuple((one.name, one.address) for one in resolvers if not one.filtered)
    ours = _addresses(ctx, wanted)

    async def ask(name: str, resolver: str, address: SocketAddress) -> tuple[bool, str, tuple[str, ...]]:
        try:
            reply = await ctx.world.dns.ask(address, name, "A", timeout=ctx.world.clock.real(3.0))
        except UnreachableError:
            return False, "", ()
        seen = [one.value for one in reply.answers if one.type == "A"]
        wrong = tuple(one for one in seen if one not in ours)
        said = f"{resolver} still answers {', '.join(wrong)} for {name}" if wrong else ""
        aliased = any(
            one.type == "CNAME" and one.value.rstrip(".").endswith(PLATFORM) for one in reply.answers
        )
        return True, said, () if aliased else wrong

    asked = [ask(name, title, at) for name in names_of(ctx.config, wanted) for title, at in targets]
    answers = await asyncio.gather(*asked)
    silent = bool(targets) and not any(answered for answered, _, _ in answers)
    known = {address for config in (found.configs if found else ()) for address in config.ipv4}
    strange = {one for _, _, wrong in answers for one in wrong} - known
    name = names_of(ctx.config, wanted)[0] if strange else ""
    foreign = {one for one in strange if not await _is_platform(ctx, name, one)}
    there: list[str] = []
    astray: list[str] = []
    for _, said, wrong in answers:
        if said:
            (astray if wrong and foreign.issuperset(wrong) else there).append(said)
    return tuple(there), tuple(astray), silent


async def _is_platform(ctx: Context, name: str, address: str) -> bool:
    """Whether Vercel answers there, by what it signs its answers with. One that does not answer is none."""
    from wizard.checks.http import HttpProblem

    for scheme in ("https", "http"):
        try:
            answer = await ctx.world.http.get(f"{scheme}://{name}/", address)
        except HttpProblem:
            continue
        return bool(answer.header("x-vercel-id")) or answer.header("server").lower() == "vercel"
    return False


async def zone(
    ctx: Context, wanted: VercelProject, found: VercelRecord | None, project: Project
) -> tuple[str, ...]:
    """Records that lead to the platform: of our names at the name servers, others at the provider."""
    from wizard.phases.cutover import authority

    old = {address for config in (found.configs if found else ()) for address in config.ipv4}
    ours = _addresses(ctx, wanted)
    said: list[str] = []
    servers = await authority.servers(ctx)
    for name in names_of(ctx.config, wanted):
        for kind in ("A", "AAAA"):
            for seen in await authority.ask_all(ctx, name, kind, servers):
                wrong = [value for value in seen.values if value not in ours]
                if seen.problem or seen.alias.rstrip(".").endswith(PLATFORM) or wrong:
                    said.append(f"{name} {kind} at {seen}")
    return tuple(dict.fromkeys((*said, *await _others(ctx, old, project))))


async def _others(ctx: Context, old: set[str], project: Project) -> list[str]:
    """The rest of the zone, where its provider shows it."""
    try:
        snapshot = await ctx.world.dns_provider.snapshot()
    except WizardError:
        return []
    platform = (*PLATFORM, f"{project.name}.vercel.app")
    return [
        f"{one.name} {one.type} {value}"
        for one in snapshot.rrsets
        for value in one.values
        if value in old or (one.type in ("CNAME", "ALIAS") and value.rstrip(".").endswith(platform))
    ]


def _values(
    config: Config, wanted: VercelProject, project: Project, variables: Sequence[Variable]
) -> tuple[str, ...]:
    """Variables of the new side that name an address of vercel.app of this project: names only."""
    name = f"{project.name}.vercel.app"
    replaced = {key for app in config.apps for key, _ in app.env_extra}
    said = [f"env_extra {key} of {app.name}" for app in config.apps for key, v in app.env_extra if name in v]
    if config.app(wanted.app).env_source is EnvSource.VERCEL:
        said += [
            f"variable {one.label}"
            for one in variables
            if one.value and name in one.value and "production" in one.targets and one.name not in replaced
        ]
    return tuple(dict.fromkeys(said))


async def _attached(ctx: Context, project: Project) -> tuple[str, ...]:
    """What hangs on the project and would end with it, or goes on calling."""
    client = ctx.world.vercel

    said = [f"cron {one.schedule} on {one.path}" for one in project.crons if project.crons_on]
    said += [f"deploy hook {one.name}" for one in (project.git.hooks if project.git else ())]
    for what, work in (
        ("store", client.stores(project)),
        ("Edge Config", client.edge_configs(project)),
        ("integration", client.integrations(project)),
    ):
        said += [f"{what} {one.name or one.id}" for one in await _shown(work)]
    for what, hooks in (("webhook", client.webhooks(project)), ("log drain", client.drains(project))):
        said += [f"{what} to {one.host}" for one in await _shown(hooks)]
    return tuple(said)


async def _shown(work: Awaitable[tuple[T, ...]]) -> tuple[T, ...]:
    """Nothing where Vercel does not show it to this token: the findings of the first look say so."""
    try:
        return await work
    except UnreachableError:
        raise
    except VendorError:
        return ()


def _undecided(ctx: Context, wanted: VercelProject, variables: Sequence[Variable]) -> tuple[str, ...]:
    """Values that nobody can read back and about which the operator never decided."""
    prefix = f"prepare.vercel.{wanted.name}.variable."
    return tuple(
        one.label
        for one in variables
        if one.value is None
        and one.kind != "system"
        and "production" in one.targets
        and ctx.answers.get(prefix + one.label, "stop") == "stop"
    )


async def new_side(ctx: Context, wanted: VercelProject) -> tuple[str, ...]:
    """Names that do not answer over trusted TLS at the new host."""
    from wizard.checks.http import HttpProblem

    app = ctx.config.app(wanted.app)
    address = server_record(ctx, app.server).ipv4
    said: list[str] = []
    for name in app.domains:
        try:
            answer = await ctx.world.http.get(f"https://{name}{app.health}", address, follow=True)
        except HttpProblem as problem:
            said.append(f"{name} at {address}: {problem}")
            continue
        if answer.status != 200:
            said.append(f"{name} at {address}: status {answer.status}")
    return tuple(said)
