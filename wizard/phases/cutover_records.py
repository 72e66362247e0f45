"""What the cutover's steps remember and hand on.

| record | saved by | name |
|---|---|---|
| FlipRecord | cutover.flip | flip |
"""

from __future__ import annotations

from dataclasses import dataclass

from wizard.dns.records import ChangeSet


@dataclass(frozen=True, slots=True)
class FlipRecord:
    """The flip as it was made. `old_ttl` (seconds): a cache may hold the old values until `at` plus it.

    `started` is the moment before the first record set was changed, `at` the one after the last.
    """

    changes: ChangeSet
    at: float
    old_ttl: int
    started: float
