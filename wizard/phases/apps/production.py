"""What becomes of a stack's compose file, as steps hand it on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wizard.compose.finding import Finding


@dataclass(frozen=True, slots=True)
class Production:
    """`original` is the repository's file, `text` what will run.

    `needs_clone`: it names files of the repository (builds, mounts), so it cannot run without them.
    `diff` is for reading. `values` stood in the file as secrets and belong into the panel's environment.
    `proposed` are findings with an edit, each with a diff of its own in `diffs`; `left` are ids of those
    that the operator left out, `by_hand` those that would break something and that no edit mends.
    """

    original: str
    text: str
    diff: str
    values: tuple[tuple[str, str], ...] = field(repr=False)
    proposed: tuple[Finding, ...]
    by_hand: tuple[Finding, ...]
    needs_clone: bool
    volumes: tuple[str, ...]
    services: tuple[str, ...]
    left: frozenset[str] = frozenset()
    diffs: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return self.text != self.original

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.original.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class PinnedImages:
    """Record "pins" of apps.<app>.source: (service, image by digest) as the old host runs it."""

    images: tuple[tuple[str, str], ...] = ()
