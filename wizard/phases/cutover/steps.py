"""Cutover: certificates first, then the names, with the world watching and nobody noticing."""

from __future__ import annotations

from typing import Any

from wizard.config import Config
from wizard.engine.step import Step
from wizard.phases.cutover.certificates import CertificatesStep
from wizard.phases.cutover.flip import FlipStep
from wizard.phases.cutover.old_proxy import OldProxy
from wizard.phases.cutover.preflight import Preflight
from wizard.phases.cutover.proof import ProofStep
from wizard.phases.cutover.ttl import LowerTtl
from wizard.phases.cutover.watch import WatchStep


def steps(config: Config) -> tuple[Step[Any], ...]:
    """Nothing without a name that moves."""
    if not config.names:
        return ()
    old_proxy = (OldProxy(config),) if config.old_host is not None and config.old_host.proxy else ()
    return (
        Preflight(config),
        LowerTtl(config),
        CertificatesStep(config),
        *old_proxy,
        FlipStep(config),
        WatchStep(config),
        ProofStep(config),
    )
