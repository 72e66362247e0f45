"""What must fit together about the hosts and the networks between them."""

from __future__ import annotations

import ipaddress

from wizard.config import Config
from wizard.configfile.shape import Notes
from wizard.configfile.values import LOCATION_ZONES

_SWARM_DEFAULT = ipaddress.ip_network("10.0.0.0/8")
_DOCKER_BRIDGE = ipaddress.ip_network("172.17.0.0/16")

_TAKEN = frozenset((80, 443, 2375, 2376, 2377, 3000, 5432, 6379, 7946, 8080))
"""What the proxy, the panel, Docker and databases listen on, or what stays closed on every host."""


def networks_do_not_clash(config: Config, notes: Notes) -> None:
    pool = _network(config.network.swarm_pool)
    private = _network(config.network.range)
    free = (
        "172.31.0.0/16"
        if pool is None or not pool.overlaps(ipaddress.ip_network("172.31.0.0/16"))
        else "172.29.0.0/16"
    )
    if private is not None and config.network.enabled:
        clashes = {
            "the address pool of Docker Swarm (10.0.0.0/8)": _SWARM_DEFAULT,
            "Docker's own bridge (172.17.0.0/16)": _DOCKER_BRIDGE,
            f"swarm_pool = {config.network.swarm_pool}": pool,
        }
        for name, other in clashes.items():
            if other is not None and private.overlaps(other):
                notes.say(
                    ("network", "range"),
                    f"is {config.network.range}, which meets {name}",
                    f'Write range = "{free}".',
                )
    if pool is not None and pool.overlaps(_DOCKER_BRIDGE):
        notes.say(
            ("network", "swarm_pool"),
            f"is {config.network.swarm_pool}, which meets Docker's own bridge (172.17.0.0/16)",
            'Write swarm_pool = "172.30.0.0/16".',
        )


def hosts_are_in_one_zone(config: Config, notes: Notes) -> None:
    if not config.network.enabled:
        return
    for i, server in enumerate(config.servers):
        for n, place in enumerate(server.locations):
            zone = LOCATION_ZONES.get(place, config.network.zone)
            if zone != config.network.zone:
                notes.say(
                    ("servers", i, "locations", n),
                    f'is "{place}" in {zone}, but the private network is in {config.network.zone}',
                    "Choose locations of one zone, or write enabled = false under [network].",
                )


def the_panels_port_stays_reachable(config: Config, notes: Notes) -> None:
    for index, server in enumerate(config.servers):
        for key in ("close_panel_port", "unpublish_panel_port"):
            if getattr(server, key) and not server.panel_domain:
                notes.say(
                    ("servers", index, key),
                    "would leave the panel without a door",
                    'Give it a domain first: panel_domain = "panel.example.org".',
                )


def every_host_has_a_purpose(config: Config, notes: Notes) -> None:
    used = {app.server for app in config.apps}
    if used - {server.name for server in config.servers}:
        return
    for index, server in enumerate(config.servers):
        if server.name and server.name not in used and not server.optional and server.role != "dev":
            notes.say(
                ("servers", index, "name"),
                f'is "{server.name}", and no app runs there: it would cost money for nothing',
                "Let an app name it, write optional = true, or take it out.",
            )


def a_machine_of_ones_own_is_told_as_one(config: Config, notes: Notes) -> None:
    for index, server in enumerate(config.servers):
        path = ("servers", index)
        bought = ("adopt", "types", "locations", "backups", "close_panel_port")
        reached = ("address6", "port", "host_key", "identity", "ssh_config", "jump")
        for key in bought if server.outside else reached:
            if getattr(server, key) and notes.given((*path, key)):
                why = "has an address of its own" if server.outside else "is made in Hetzner Cloud"
                notes.say((*path, key), f"means nothing for {server.name}, which {why}", "Take it out.")


def ssh_is_on_a_port_of_its_own(config: Config, notes: Notes) -> None:
    for index, server in enumerate(config.servers):
        if server.port in _TAKEN:
            notes.say(
                ("servers", index, "port"),
                f"is {server.port}, which {server.name} needs for something else",
                "Let its sshd listen on another port, e.g. 22 or 2222.",
            )


def what_apps_need_is_not_optional(config: Config, notes: Notes) -> None:
    for index, server in enumerate(config.servers):
        apps = [app.name for app in config.apps_on(server.name)] if server.name else []
        if server.optional and apps:
            notes.say(
                ("servers", index, "optional"),
                f"is true, but {', '.join(apps)} would have nowhere to run without {server.name}",
                "Take it out.",
            )


COMBINATIONS = (
    networks_do_not_clash,
    hosts_are_in_one_zone,
    the_panels_port_stays_reachable,
    every_host_has_a_purpose,
    a_machine_of_ones_own_is_told_as_one,
    ssh_is_on_a_port_of_its_own,
    what_apps_need_is_not_optional,
)


def _network(text: str) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(text)
    except ValueError:
        return None
