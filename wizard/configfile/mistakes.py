"""A mistake in config.toml: where it is, what is wrong, what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from wizard.errors import UsageError

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """`line` counts from 1; 0 means the file as a whole. `where` is the key as a person would say it."""

    line: int
    where: str
    what: str
    suggestion: str = ""

    def __str__(self) -> str:
        place = f"line {self.line}" if self.line else "the file"
        return " · ".join(
            part
            for part in (f"{place}, {self.where}" if self.where else place, self.what, self.suggestion)
            if part
        )


class ConfigError(UsageError):
    """Every mistake of a configuration at once, in the order of its lines."""

    def __init__(self, source: str, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: (mistake.line, mistake.where)))
        count = len(self.mistakes)
        super().__init__(
            f"{source} has {count} mistake{'s' if count > 1 else ''}",
            "\n".join(str(mistake) for mistake in self.mistakes),
            "Put them right, then run `dokploy-wizard check`; nothing was changed.",
        )

    def __str__(self) -> str:
        return "\n".join((f"{self.what}:", *(f"  {mistake}" for mistake in self.mistakes), self.next))


def spoken(path: Path) -> str:
    """`("servers", 1, "types")` as ``servers[1].types``, counting from 1 as people do."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += f".{part}" if text else part
    return text


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant; "" if none is near."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return close[0] if close else ""
