"""Decommission: a ladder away from Vercel, one rung at a time, and the last stop of the old host.

soak → export → git → pause → domains → delete → subscription → tokens. Each rung but the last of the
project can be climbed back; each is refused, with every reason, while it is too early.
"""

from __future__ import annotations

from typing import Any

from wizard.config import Config
from wizard.engine.step import Step
from wizard.phases.decommission.delete import DeleteProject
from wizard.phases.decommission.end import Subscription
from wizard.phases.decommission.export import Export
from wizard.phases.decommission.old_host import StopOldHost
from wizard.phases.decommission.revoke import RevokeTokens
from wizard.phases.decommission.rungs import DisconnectGit, Pause, RemoveDomains
from wizard.phases.decommission.soak import Soak


def steps(config: Config) -> tuple[Step[Any], ...]:
    return (
        Soak(config),
        Export(config),
        DisconnectGit(config),
        Pause(config),
        RemoveDomains(config),
        DeleteProject(config),
        Subscription(config),
        StopOldHost(config),
        RevokeTokens(config),
    )
