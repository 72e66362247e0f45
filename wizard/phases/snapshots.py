"""The typed snapshots that are kept in the journal, so that a restarted screen shows the last ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def restored(topic: str, data: Mapping[str, Any]) -> Any:
    """The payload of a `Detail` again; None for a topic that is not kept, or data of another version."""
    from wizard.engine.progress import decode

    kind = _kind(topic)
    if kind is None:
        return None
    try:
        return decode(data, kind)
    except Exception:
        # Whatever does not fit was written by another version: the step is asked again in its time.
        return None


def _kind(topic: str) -> type[Any] | None:
    match topic:
        case "parity":
            from wizard.phases.apps.parity import ParityTable

            return ParityTable
        case "availability":
            from wizard.phases.settle.zero_downtime import AvailabilityRecord

            return AvailabilityRecord
        case "ports":
            from wizard.checks.ports import PortMatrix

            return PortMatrix
    return None
