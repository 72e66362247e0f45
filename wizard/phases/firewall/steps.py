"""Firewall: each new host closed to the world in layers, and proven so from every side."""

from __future__ import annotations

from typing import Any

from wizard.config import Config
from wizard.engine.step import Step
from wizard.phases.firewall.cloud import CloudFirewall
from wizard.phases.firewall.host import HostFirewall
from wizard.phases.firewall.isolation import Isolation
from wizard.phases.firewall.ports import PortsClosed
from wizard.phases.firewall.published import PublishedPort
from wizard.phases.hosts import standing_on


def steps(config: Config) -> tuple[Step[Any], ...]:
    found: list[Step[Any]] = []
    for server in config.servers:
        cloud = () if server.outside else (CloudFirewall(server, config),)
        published = (PublishedPort(server),) if server.unpublish_panel_port else ()
        found += standing_on(
            server.name, *cloud, HostFirewall(server, config), *published, PortsClosed(server, config)
        )
    return (*found, Isolation(config))
