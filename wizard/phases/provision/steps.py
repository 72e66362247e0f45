"""The phase `provision`: keys, network, firewalls, addresses, machines, logins, panels, accounts."""

from __future__ import annotations

from typing import Any

from wizard.config import Config
from wizard.engine.step import Step
from wizard.phases.hosts import standing_on
from wizard.phases.provision.account import Account
from wizard.phases.provision.address import AddressStep
from wizard.phases.provision.login import Login
from wizard.phases.provision.login_key import LoginKey
from wizard.phases.provision.owned import OwnedMachine
from wizard.phases.provision.panel import Panel
from wizard.phases.provision.server import ServerStep
from wizard.phases.provision.shared import FirewallStep, NetworkStep, SshKeyStep


def steps(config: Config) -> tuple[Step[Any], ...]:
    """What the servers share, then each server from its addresses to its panel's account.

    All machines exist before anything is installed on one: a limit or a lack of capacity shows first.
    """
    machines = tuple(f"provision.{server.name}.server" for server in config.servers)
    bought = (SshKeyStep(config), NetworkStep(config), FirewallStep(config))
    found: list[Step[Any]] = [*bought] if config.buys else [LoginKey()]
    for server in config.servers:
        addresses = () if server.adopt or server.outside else (AddressStep(config, server),)
        machine = OwnedMachine(server) if server.outside else ServerStep(config, server)
        panel = Panel(server, config.network)
        panel.needs = (*panel.needs, *machines)
        account = Account(config.project, server, config.dns.provider)
        own = (*addresses, machine, Login(server), panel, account)
        found += standing_on(server.name, *own)
    return tuple(found)
