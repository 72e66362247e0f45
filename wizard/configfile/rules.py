"""What must fit together. Each rule reads the whole configuration and says what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from wizard.config import AppKind, CachePolicy, Config, DnsProviderName, EnvSource
from wizard.configfile import hosts
from wizard.configfile.mistakes import Path, nearest
from wizard.configfile.shape import Notes

Combination = Callable[[Config, Notes], None]

MINIMUM_TTL = {
    DnsProviderName.HETZNER: 60,
    DnsProviderName.CLOUDFLARE: 60,
    DnsProviderName.VERCEL: 60,
    DnsProviderName.RFC2136: 1,
    DnsProviderName.MANUAL: 60,
    DnsProviderName.OTHER: 60,
}
"""Seconds; below it the provider refuses (or silently serves more)."""

_TAKEN = {"ssh-key", "network", "firewall", "isolation", "cors"}
"""Names that steps have of their own."""


def at_least_one(config: Config, notes: Notes) -> None:
    for section in ("servers", "apps"):
        if not getattr(config, section) and notes.given((section,)):
            notes.say((section,), "is empty", f"Describe at least one: [[{section}]].")
    for index, app in enumerate(config.apps):
        if not app.domains and notes.given(("apps", index, "domains")):
            notes.say(
                ("apps", index, "domains"),
                "is empty",
                'Name what visitors call it: domains = ["example.org"].',
            )
    for index, server in enumerate(config.servers):
        for key in ("types", "locations"):
            if not getattr(server, key) and not server.adopt and not server.outside:
                given = notes.given(("servers", index, key))
                if given or not notes.unreadable(key):
                    what = "is empty" if given else "is missing"
                    notes.say(("servers", index, key), what, "Name at least one, the best first.")


def names_are_unique(config: Config, notes: Notes) -> None:
    for section in ("servers", "apps", "databases", "volumes", "vercel"):
        _once(notes, (((section, i, "name"), thing.name) for i, thing in enumerate(getattr(config, section))))
    volumes = {volume.name for volume in config.volumes}
    for index, database in enumerate(config.databases):
        if database.name in volumes:
            notes.say(
                ("databases", index, "name"),
                f'is "{database.name}", and a volume is called that too',
                "Give the database another name; it is only what this file calls it.",
            )
    for section in ("servers", "apps"):
        for index, thing in enumerate(getattr(config, section)):
            if thing.name in _TAKEN:
                notes.say(
                    (section, index, "name"), f'is "{thing.name}", which steps are called', "Choose another."
                )


def domains_are_unique(config: Config, notes: Notes) -> None:
    def named() -> Iterator[tuple[Path, str]]:
        for i, app in enumerate(config.apps):
            yield from ((("apps", i, "domains", n), domain) for n, domain in enumerate(app.domains))
        yield from (
            (("servers", i, "panel_domain"), server.panel_domain) for i, server in enumerate(config.servers)
        )

    _once(notes, named())


def domains_lie_in_the_zone(config: Config, notes: Notes) -> None:
    zone = config.dns.zone
    if not zone or notes.unreadable(zone):
        return
    names = [name for name in config.names if name]
    if names and not any(_within(name, zone) for name in names):
        near = nearest(zone, {".".join(name.split(".")[-2:]) for name in names})
        notes.say(
            ("dns", "zone"),
            f'is "{zone}", and none of the domains lies in it',
            f'Did you mean "{near}"?' if near else "Name the zone of the domains above.",
        )
        return
    for i, app in enumerate(config.apps):
        for n, domain in enumerate(app.domains):
            _inside(notes, ("apps", i, "domains", n), domain, zone)
    for i, server in enumerate(config.servers):
        if server.panel_domain:
            _inside(notes, ("servers", i, "panel_domain"), server.panel_domain, zone)


def references_lead_somewhere(config: Config, notes: Notes) -> None:
    servers = [server.name for server in config.servers]
    apps = [app.name for app in config.apps]
    for index, app in enumerate(config.apps):
        _refers(notes, ("apps", index, "server"), app.server, servers, "server", "servers")
    for section in ("databases", "volumes", "vercel"):
        for index, thing in enumerate(getattr(config, section)):
            _refers(notes, (section, index, "app"), thing.app, apps, "app", "apps")


def an_app_is_of_one_kind(config: Config, notes: Notes) -> None:
    for index, app in enumerate(config.apps):
        path: Path = ("apps", index)
        if not notes.given((*path, "kind")):
            continue
        dockerfile, compose = bool(app.dockerfile), bool(app.compose_file)
        if dockerfile and compose:
            other = "dockerfile" if app.kind is AppKind.COMPOSE else "compose_file"
            notes.say(
                (*path, other),
                "cannot stand beside "
                + ("compose_file" if other == "dockerfile" else "dockerfile")
                + ": an app is built from one of them",
                f'Take {other} out, since kind = "{app.kind}".',
            )
        elif app.kind is AppKind.DOCKERFILE and not dockerfile:
            advice = 'Write kind = "compose".' if compose else 'Add dockerfile = "Dockerfile".'
            notes.say((*path, "dockerfile"), "is missing for an app of this kind", advice)
        elif app.kind is AppKind.COMPOSE and not compose:
            advice = (
                'Write kind = "dockerfile".' if dockerfile else 'Add compose_file = "docker-compose.yml".'
            )
            notes.say((*path, "compose_file"), "is missing for an app of this kind", advice)
        if app.kind is AppKind.COMPOSE and app.domains and not app.service:
            notes.say((*path, "service"), "is missing", "Name the service that the domains lead to.")


def environment_has_a_source(config: Config, notes: Notes) -> None:
    for index, app in enumerate(config.apps):
        path: Path = ("apps", index)
        if app.env_source is EnvSource.FILE and not app.env_file:
            notes.say((*path, "env_file"), "is missing", 'env_source = "file" needs env_file = "…".')
        if app.env_file and app.env_source is not EnvSource.FILE:
            notes.say((*path, "env_file"), "would not be read", 'Write env_source = "file", or take it out.')
        if app.env_source is EnvSource.OLD_HOST and _no_old_host(config, notes):
            notes.say(
                (*path, "env_source"), 'is "old-host", but there is none', "Describe it under [old_host]."
            )
        unlinked = not any(project.app == app.name for project in config.vercel)
        if app.env_source is EnvSource.VERCEL and unlinked and not notes.unreadable("vercel"):
            notes.say(
                (*path, "env_source"),
                'is "vercel", but no project there belongs to this app',
                f'Add [[vercel]] with app = "{app.name}".',
            )


def the_front_end_holds_no_secret(config: Config, notes: Notes) -> None:
    front = {server.name for server in config.servers if server.role == "frontend"}
    for index, app in enumerate(config.apps):
        if app.server not in front:
            continue
        if app.secrets_on_host:
            notes.say(
                ("apps", index, "secrets_on_host"),
                "is true, but the app runs on a front-end host, which must hold no secret",
                "Write secrets_on_host = false, or move the app to a host with the role backend.",
            )
        for section in ("databases", "volumes"):
            for n, thing in enumerate(getattr(config, section)):
                if thing.app == app.name:
                    notes.say(
                        (section, n, "app"),
                        f'is "{app.name}", which runs on a front-end host',
                        "Data belongs on a host with the role backend.",
                    )


def data_comes_from_somewhere(config: Config, notes: Notes) -> None:
    if not _no_old_host(config, notes):
        return
    for section in ("databases", "volumes"):
        if getattr(config, section):
            notes.say(
                (section, 0), "has nowhere to come from", "Describe the host of today under [old_host]."
            )


def cache_policy_has_a_cache(config: Config, notes: Notes) -> None:
    for index, app in enumerate(config.apps):
        acts = app.cache_policy in (CachePolicy.SELECTIVE, CachePolicy.FLUSHALL)
        if acts and notes.given(("apps", index, "cache_policy")) and not app.cache_service:
            notes.say(
                ("apps", index, "cache_policy"),
                f'is "{app.cache_policy}", but no cache is named',
                'Add cache_service = "…", or write cache_policy = "none".',
            )


def ttl_suits_the_provider(config: Config, notes: Notes) -> None:
    minimum = MINIMUM_TTL[config.dns.provider]
    if 0 < config.dns.cutover_ttl < minimum:
        notes.say(
            ("dns", "cutover_ttl"),
            f"is {config.dns.cutover_ttl}, below what {config.dns.provider} can hold",
            f"Write cutover_ttl = {minimum}.",
        )
    if config.dns.cutover_ttl > config.dns.ttl:
        notes.say(
            ("dns", "cutover_ttl"),
            f"is {config.dns.cutover_ttl}, longer than ttl = {config.dns.ttl}",
            f"The move needs a short one: write cutover_ttl = {max(60, minimum)}.",
        )


def other_has_a_name(config: Config, notes: Notes) -> None:
    dns, key = config.dns, ("dns", "lexicon")
    other = dns.provider is DnsProviderName.OTHER
    if other and not dns.lexicon:
        notes.say(key, "is missing", 'other needs its name in dns-lexicon: lexicon = "…".')
    if dns.lexicon and not other:
        notes.say(key, f"means nothing to {dns.provider}", 'Write provider = "other", or take it out.')


def rfc2136_has_a_server(config: Config, notes: Notes) -> None:
    dns = config.dns
    if dns.provider is DnsProviderName.RFC2136:
        if not dns.server:
            notes.say(("dns", "server"), "is missing", 'rfc2136 needs the primary\'s address: server = "…".')
        if not dns.key_name:
            notes.say(
                ("dns", "key_name"), "is missing", 'rfc2136 needs the name of the TSIG key: key_name = "…".'
            )
        return
    for key in ("server", "key_name"):
        if getattr(dns, key) and notes.given(("dns", "provider")):
            notes.say(
                ("dns", key),
                f"means nothing to {dns.provider}",
                'Write provider = "rfc2136", or take it out.',
            )


def the_flip_is_allowed(config: Config, notes: Notes) -> None:
    names = len(config.names)
    needed = 2 * names
    if 0 < config.cutover.max_changes < needed:
        notes.say(
            ("cutover", "max_changes"),
            f"is {config.cutover.max_changes}, but {names} names need up to {needed} (A and AAAA)",
            f"Write max_changes = {max(20, needed)}.",
        )


def backups_are_described_whole(config: Config, notes: Notes) -> None:
    settle = config.settle
    if settle.backup_bucket and not settle.backup_endpoint:
        notes.say(("settle", "backup_endpoint"), "is missing", "A bucket needs the address of its store.")
    for key in ("backup_endpoint", "backup_region"):
        if getattr(settle, key) and not settle.backup_bucket:
            notes.say(("settle", key), "has no bucket", 'Add backup_bucket = "…".')


def the_soak_outlasts_the_caches(config: Config, notes: Notes) -> None:
    days = config.decommission.soak_days
    if 0 < days * 86400 < 2 * config.dns.ttl:
        notes.say(
            ("decommission", "soak_days"),
            f"is {days:g}, too short to be safe: caches keep names for {config.dns.ttl} s",
            "Choose at least two days; seven is usual.",
        )


COMBINATIONS: tuple[Combination, ...] = (
    at_least_one,
    names_are_unique,
    domains_are_unique,
    domains_lie_in_the_zone,
    references_lead_somewhere,
    an_app_is_of_one_kind,
    environment_has_a_source,
    the_front_end_holds_no_secret,
    data_comes_from_somewhere,
    cache_policy_has_a_cache,
    ttl_suits_the_provider,
    other_has_a_name,
    rfc2136_has_a_server,
    *hosts.COMBINATIONS,
    the_flip_is_allowed,
    backups_are_described_whole,
    the_soak_outlasts_the_caches,
)


def _no_old_host(config: Config, notes: Notes) -> bool:
    return config.old_host is None and not notes.unreadable("old_host")


def _once(notes: Notes, named: Iterable[tuple[Path, str]]) -> None:
    seen: dict[str, Path] = {}
    for path, name in named:
        if name and name in seen:
            notes.say(path, f'is "{name}" a second time', f"The first is on line {notes.line(seen[name])}.")
        seen.setdefault(name, path)


def _within(domain: str, zone: str) -> bool:
    return domain == zone or domain.endswith(f".{zone}")


def _inside(notes: Notes, path: Path, domain: str, zone: str) -> None:
    if domain and not _within(domain, zone):
        near = nearest(domain, [zone])
        advice = f'Did you mean "{near}"?' if near else f"Only names under {zone} can be moved in one go."
        notes.say(path, f'is "{domain}", outside the zone {zone}', advice)


def _refers(notes: Notes, path: Path, name: str, known: list[str], what: str, section: str) -> None:
    if not name or name in known or notes.unreadable(name):
        return
    meant = nearest(name, known)
    advice = f'Did you mean "{meant}"?' if meant else f"Known: {', '.join(filter(None, known)) or 'none'}."
    notes.say(
        path, f'is "{name}", and there is no such {what}', f"{advice} They are described under [[{section}]]."
    )
