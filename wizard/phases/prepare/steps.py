"""The phase prepare: look at everything, ask what only the operator knows, change nothing outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.phases.prepare.compose import ComposeStep
from wizard.phases.prepare.credentials import CredentialsStep
from wizard.phases.prepare.dns_zone import DnsZone
from wizard.phases.prepare.git import GitStep
from wizard.phases.prepare.old_host import OldHostInventoryStep
from wizard.phases.prepare.vercel import VercelStep

if TYPE_CHECKING:
    from wizard.config import Config
    from wizard.engine.step import Step


def steps(config: Config) -> tuple[Step[Any], ...]:
    """Credentials first: everything else needs them."""
    found: list[Step[Any]] = [CredentialsStep(config), OldHostInventoryStep(config)]
    found += [GitStep(config), ComposeStep(config), DnsZone(config)]
    if config.vercel:
        found.append(VercelStep(config))
    return tuple(found)
