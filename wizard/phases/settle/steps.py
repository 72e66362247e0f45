"""Settle: what was moved keeps working by itself: renewed, redeployed, rolled back, saved, written down."""

from __future__ import annotations

from typing import Any

from wizard.config import Config
from wizard.engine.step import Step
from wizard.phases.hosts import standing_on
from wizard.phases.settle.alerts import AlertsStep
from wizard.phases.settle.backups import BackupsStep
from wizard.phases.settle.crons import EnableCrons
from wizard.phases.settle.document import DocumentStep, InformTeam
from wizard.phases.settle.protection import Protection
from wizard.phases.settle.renewal import RenewalStep
from wizard.phases.settle.rollback import RollbackStep
from wizard.phases.settle.ttl import RaiseTtl
from wizard.phases.settle.zero_downtime import ZeroDowntimeStep


def steps(config: Config) -> tuple[Step[Any], ...]:
    """The short TTL stays until the certificates are known to renew: until then a way back is quick."""
    found: list[Step[Any]] = [RenewalStep(config), RaiseTtl(config)]
    for app in config.apps:
        found += [ZeroDowntimeStep(config, app), RollbackStep(config, app)]
    if config.vercel:
        found.append(EnableCrons(config))
    for server in config.servers:
        found += standing_on(server.name, AlertsStep(config, server))
    return (*found, BackupsStep(config), Protection(config), DocumentStep(config), InformTeam(config))
