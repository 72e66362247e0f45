"""Data: practised, frozen, moved, compared, started. Visitors' reads go on at the old host meanwhile.

The order with the apps phase is told in `wizard.phases.data.places`.
"""

from __future__ import annotations

from typing import Any

from wizard.config import Config
from wizard.engine.step import Step
from wizard.phases.data.finish import Compare, Rehearse, StartOnMoved
from wizard.phases.data.freeze import Freeze
from wizard.phases.data.move import DatabaseMove, VolumeMove


def steps(config: Config) -> tuple[Step[Any], ...]:
    """Nothing without an old host: then there is no data to be moved."""
    if config.old_host is None:
        return ()
    return (
        Rehearse(config),
        Freeze(config),
        *(DatabaseMove(database, config) for database in config.databases),
        *(VolumeMove(volume, config) for volume in config.volumes),
        Compare(config),
        StartOnMoved(config),
    )
