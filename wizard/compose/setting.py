"""What a review knows besides the file: its neighbours, the new host, the variables that will be set."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """`folder` is the compose file's folder in its repository ("backend/core"; None: not known).

    `siblings` are names of compose files beside it. `memory_mb` is the new host's memory, 0 if unknown.
    `variables` are the names that the panel's environment will hold; None if that is not known yet.
    `project` is the compose project's name on the old host, which prefixes its volumes.
    """

    folder: str | None = None
    siblings: tuple[str, ...] = ()
    memory_mb: int = 0
    variables: frozenset[str] | None = None
    project: str = ""

    def leaves_repository(self, ups: int) -> bool:
        """Whether climbing `ups` folders from the compose file ends outside of the repository."""
        return self.folder is not None and ups > len([part for part in self.folder.split("/") if part])
