"""Settle: what was moved keeps working by itself: renewed, redeployed, rolled back, saved, written down."""

from __future__ import annotations

from typing import Any

from wizard.config import Config
from wizard.engine.step import Step
from wizard.phases.settle_document import DocumentStep, InformTeam
from wizard.phases.settle_protection import Protection
from wizard.phases.settle_renewal import RenewalStep
from wizard.phases.settle_ttl import RaiseTtl
from wizard.phases.settle_zero_downtime import ZeroDowntimeStep


def steps(config: Config) -> tuple[Step[Any], ...]:
    return (
        RenewalStep(config),
        *(ZeroDowntimeStep(config, app) for app in config.apps),
        RaiseTtl(config),
        Protection(config),
        DocumentStep(config),
        InformTeam(config),
    )
