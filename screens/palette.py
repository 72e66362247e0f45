"""Everything that can be done, by name: the command palette."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.command import Provider


def providers() -> type[Provider]:
    """Loaded when the palette is opened for the first time."""
    from screens.commands import Commands

    return Commands
