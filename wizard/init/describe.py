"""From what was found to the tables of config.toml. Pure; every key is one that `wizard.config` knows."""

from __future__ import annotations

from dataclasses import dataclass

from wizard.config import DnsProviderName, GitHost
from wizard.init.found import FoundHost, FoundImage, FoundProject, FoundSite, FoundStack
from wizard.init.write import Row, Table

FRONTEND, BACKEND = "frontend", "backend"


@dataclass(frozen=True, slots=True)
class Web:
    """A front end: a project at Vercel with the Dockerfile that replaces its build."""

    name: str
    project: FoundProject
    image: FoundImage
    private: bool


@dataclass(frozen=True, slots=True)
class Stack:
    """A back end: the stack of the old host with the compose file that it comes from."""

    name: str
    host: GitHost
    repository: str
    branch: str
    private: bool
    file: FoundStack
    site: FoundSite
    domains: tuple[str, ...]
    old: FoundHost


@dataclass(frozen=True, slots=True)
class Described:
    """Everything that the file will say."""

    name: str
    email: str
    webs: tuple[Web, ...]
    stack: Stack | None
    old: FoundHost | None
    zone: str
    provider: DnsProviderName
    small_types: tuple[str, ...]
    large_types: tuple[str, ...]
    locations: tuple[str, ...]
    invoice: str = ""
    old_monthly: str = ""


def tables(found: Described) -> tuple[Table, ...]:
    made = [_project(found), *_servers(found), _network()]
    made += [_web(web, first=number == 0) for number, web in enumerate(found.webs)]
    if found.stack is not None:
        made += [_stack(found, found.stack), *_data(found.stack)]
    if found.old is not None:
        made.append(_old_host(found.old))
    made += [_vercel(web, first=number == 0) for number, web in enumerate(found.webs)]
    return (*made, *_move(found))


def _project(found: Described) -> Table:
    return Table(
        "[project]",
        (
            Row("name", found.name, "becomes a label of everything that is made"),
            Row("email", found.email, "the panels' first account, and the certificates' contact"),
        ),
    )


def _servers(found: Described) -> list[Table]:
    above = (
        "`types` and `locations` are wishes: the first that can be ordered is taken, and its price is shown",
        "before anything is bought. These are the cheapest that Hetzner had when this file was written.",
    )
    roles = [(FRONTEND, found.small_types, False)] if found.webs else []
    roles += [(BACKEND, found.large_types, True)] if found.stack else []
    made = []
    for number, (role, types, holds) in enumerate(roles):
        rows = [
            Row("name", role),
            Row("role", role, "holds data and secrets" if holds else "holds no secret"),
            Row("types", types),
            Row("locations", found.locations),
        ]
        if holds:
            rows.append(Row("backups", True, "Hetzner's daily image of the whole disk, for a fifth more"))
        made.append(
            Table("[[servers]]", tuple(rows), above if not number else (), "" if number else "New hosts")
        )
    return made


def _network() -> Table:
    return Table(
        "[network]",
        (
            Row("enabled", True, "a private network between the new hosts"),
            Row("range", "172.31.0.0/16", "must not meet a network that Docker uses"),
        ),
    )


def _source(host: GitHost, repository: str, branch: str, private: bool) -> list[Row]:
    rows = [Row("git_host", host.value)] if host is not GitHost.GITHUB else []
    rows += [Row("repository", repository), Row("branch", branch)]
    if private:
        rows.append(Row("private_repository", True, "the panel gets a key that may only read"))
    return rows


def _web(web: Web, *, first: bool) -> Table:
    image, project = web.image, web.project
    assert project.host is not None
    there = "" if image.there else "there is none yet: write it, then run `check`"
    rows = [
        Row("name", web.name),
        Row("server", FRONTEND),
        Row("kind", "dockerfile"),
        *_source(project.host, project.repository, project.branch, web.private),
        Row("dockerfile", image.dockerfile, there),
        Row("context", image.context, "the folder that the build may read"),
        Row("domains", project.domains),
        Row("port", image.port, "where the container listens"),
        Row("health", image.health, "answers 200 when the application is really up"),
        Row("routes", ("/",), "pages to compare, old against new, besides those that links lead to"),
        Row("secrets_on_host", False, "nothing to steal on this host"),
        Row("env_source", "vercel", "public values only; anything secret is refused here"),
    ]
    taken = tuple(name for name in image.arguments if name in project.variables)
    if taken:
        rows.append(Row("build_args", taken, "needed while building, not while running"))
    return Table("[[apps]]", tuple(rows), title="Applications" if first else "")


def _stack(found: Described, stack: Stack) -> Table:
    health = dict(stack.file.health).get(stack.site.service, "/")
    origins = tuple(f"https://{name}" for web in found.webs for name in web.project.domains)
    rows = [
        Row("name", stack.name),
        Row("server", BACKEND),
        Row("kind", "compose"),
        *_source(stack.host, stack.repository, stack.branch, stack.private),
        Row("compose_file", stack.file.compose_file, "`check` reviews it for production"),
        Row("service", stack.site.service, "the service that the domains lead to …"),
        Row("port", stack.site.port, "… and its port inside the container"),
        Row("domains", stack.domains),
        Row("health", health, "answers 200 when the application is really up"),
        Row("routes", (health,), "addresses to compare, old against new"),
    ]
    if origins:
        rows.append(Row("allowed_origins", origins, "pages that may call it from a browser"))
    rows.append(Row("env_source", "old-host", "the .env beside the stack on the old host"))
    if stack.file.caches:
        rows.append(Row("cache_service", stack.file.caches[0]))
        rows.append(Row("cache_policy", "selective", "selective · versioned-keys · flushall · none"))
    return Table("[[apps]]", tuple(rows), title="" if found.webs else "Applications")


def _data(stack: Stack) -> list[Table]:
    made = [
        Table(
            "[[databases]]",
            (
                Row("name", one.service),
                Row("app", stack.name),
                Row("service", one.service),
                Row("container", one.container, "its name on the old host"),
                Row("user", one.user),
                Row("database", one.database),
            ),
        )
        for one in stack.old.databases
        if one.service in stack.file.services
    ]
    for name, users in stack.old.volumes:
        known = tuple(user for user in users if user in stack.file.services)
        if known:
            rows = (
                Row("name", name),
                Row("app", stack.name),
                Row("services", known, "those that write to it"),
            )
            made.append(Table("[[volumes]]", rows))
    if made:
        above = ("Databases are dumped and restored; volumes are copied while nothing writes to them.",)
        made[0] = Table(made[0].header, made[0].rows, above, "Data that moves")
    return made


def _old_host(old: FoundHost) -> Table:
    access = old.access
    rows = [Row("address", access.address), Row("user", access.user)]
    if access.port != 22:
        rows.append(Row("port", access.port))
    rows += [
        Row("directory", access.directory, "the checkout that `docker compose` runs from"),
        Row("proxy", access.proxy, "its web server may forward to the new host for a while"),
    ]
    if access.proxy:
        rows.append(Row("proxy_service", access.proxy_service))
    for key in ("host_key", "identity", "jump", "ssh_config"):
        if value := str(getattr(access, key)):
            rows.append(Row(key, value))
    return Table("[old_host]", tuple(rows), title="Where it runs today")


def _vercel(web: Web, *, first: bool) -> Table:
    rows = [Row("name", web.project.name)]
    if web.project.team:
        rows.append(Row("team", web.project.team))
    rows.append(Row("app", web.name, "the app above that takes its place"))
    return Table("[[vercel]]", tuple(rows))


def _move(found: Described) -> tuple[Table, ...]:
    by_hand = found.provider is DnsProviderName.MANUAL
    names = sum(len(web.project.domains) for web in found.webs) + len(
        found.stack.domains if found.stack else ()
    )
    decommission = [
        Row("soak_days", 7, "old and new are both watched this long before anything is taken away"),
        Row("delete_project", bool(found.webs), "at Vercel, after an export that was read back"),
        Row("subscription", bool(found.webs), "ask for its cancellation"),
        Row("stop_old_host", found.old is not None),
        Row("last_invoice", found.invoice or "20.00 USD", "a month at Vercel", off=not found.invoice),
        Row("old_host_monthly", found.old_monthly or "17.99 EUR", off=not found.old_monthly),
    ]
    return (
        Table(
            "[dns]",
            (
                Row("provider", found.provider.value, "hetzner · cloudflare · vercel · rfc2136 · manual"),
                Row("zone", found.zone),
                Row("ttl", 3600, "seconds, in normal times"),
                Row("cutover_ttl", 300 if by_hand else 60, "seconds, while moving: what a way back takes"),
            ),
            title="The move",
        ),
        Table(
            "[cutover]",
            (
                Row("watch_public", True, "ask public resolvers all over the world"),
                Row("allow_certificate_gap", by_hand, "true: go even if a certificate cannot exist in time"),
                Row("max_changes", max(20, 2 * names), "a flip with more changes than this refuses itself"),
            ),
        ),
        Table(
            "[settle]",
            (
                Row("mail", found.email, "told of failed deployments and failed backups"),
                Row("backup_bucket", "backups", "S3 compatible, e.g. Hetzner Object Storage", off=True),
                Row("backup_endpoint", "https://fsn1.your-objectstorage.com", off=True),
                Row("backup_region", "fsn1", off=True),
            ),
        ),
        Table("[decommission]", tuple(decommission)),
    )
