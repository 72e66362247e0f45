"""Which steps prove which box of the migration document's checklist, and which of its numbered steps.

The table speaks of roles; `expand` puts in the names of a configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import product

from wizard.config import Config
from wizard.engine.check import Check


class Kind(StrEnum):
    BOX = "box"
    """A box of the document's checklist."""
    NUMBERED = "numbered"
    """A numbered step of its text."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Checks of a step; both may hold ``<role>`` words and, once these are put in, `*` for anything."""

    step: str
    checks: str = "*"


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the document, word for word. `section` is the heading that it stands under."""

    kind: Kind
    section: str
    text: str
    proofs: tuple[Proof, ...]
    note: str = ""


class Answer(StrEnum):
    """What the checks say of an item."""

    PROVEN = "proven"
    OPEN = "open"
    """Its checks have not been asked yet, or not all of them."""
    BROKEN = "broken"
    ABSENT = "does not apply"
    """The configuration has nothing of the kind (no front end, no Vercel project …)."""


@dataclass(frozen=True, slots=True)
class Found:
    """A check that was asked, and by which step."""

    step: str
    check: Check


@dataclass(frozen=True, slots=True)
class Verdict:
    item: Item
    proofs: tuple[Proof, ...]
    found: tuple[Found, ...]

    @property
    def answer(self) -> Answer:
        if not self.proofs:
            return Answer.ABSENT
        if any(not found.check.ok for found in self.found):
            return Answer.BROKEN
        missing = [proof for proof in self.proofs if not any(_proves(proof, f) for f in self.found)]
        return Answer.OPEN if missing else Answer.PROVEN


def items() -> tuple[Item, ...]:
    """Every box and every numbered step, in the order of the document."""
    from wizard.report.checklist_table import ITEMS

    return ITEMS


def expand(item: Item, config: Config) -> tuple[Proof, ...]:
    """The item's proofs with the names of `config`; empty if it has nothing of the kind."""
    words, without = names(config), _without(config)
    proofs: dict[Proof, None] = {}
    for proof in item.proofs:
        for step, checks in _filled((proof.step, proof.checks), words):
            if step not in without:
                proofs[Proof(step, checks)] = None
    return tuple(proofs)


def _without(config: Config) -> set[str]:
    """Steps that only a server has that is bought, or that stands in Hetzner Cloud."""
    owned = [server.name for server in config.servers if server.outside]
    taken = [server.name for server in config.servers if server.adopt or server.outside]
    gone = {f"provision.{name}.address" for name in taken} | {f"firewall.{name}.cloud" for name in owned}
    return gone if config.buys else gone | {"provision.network", "provision.firewall"}


def judge(config: Config, checks: Mapping[str, Sequence[Check]]) -> tuple[Verdict, ...]:
    """Every item with what was found. `checks` are the latest answers by step id."""
    verdicts = []
    for item in items():
        proofs = expand(item, config)
        found = tuple(
            Found(step, check)
            for step, answers in checks.items()
            for check in answers
            if any(_proves(proof, Found(step, check)) for proof in proofs)
        )
        verdicts.append(Verdict(item, proofs, found))
    return tuple(verdicts)


def names(config: Config) -> dict[str, tuple[str, ...]]:
    """What each ``<word>`` of the table stands for."""
    roles = {server.name: server.role for server in config.servers}
    front = tuple(app for app in config.apps if roles[app.server] == "frontend")
    back = tuple(app for app in config.apps if roles[app.server] == "backend")
    return {
        "server": tuple(roles),
        "frontend": tuple(name for name, role in roles.items() if role == "frontend"),
        "backend": tuple(name for name, role in roles.items() if role == "backend"),
        "app": tuple(app.name for app in config.apps),
        "web": tuple(app.name for app in front),
        "api": tuple(app.name for app in back),
        "cached": tuple(app.name for app in config.apps if app.cache_service),
        "web-domain": tuple(domain for app in front for domain in app.domains),
        "api-domain": tuple(domain for app in back for domain in app.domains),
        "database": tuple(database.name for database in config.databases),
        "volume": tuple(volume.name for volume in config.volumes),
        "vercel": tuple(project.name for project in config.vercel),
    }


def _filled(texts: tuple[str, str], words: Mapping[str, tuple[str, ...]]) -> Iterable[tuple[str, str]]:
    """Every combination of names for the ``<words>`` in both texts; the same word is the same name."""
    used = list(dict.fromkeys(re.findall(r"<([a-z-]+)>", " ".join(texts))))
    for chosen in product(*(words[word] for word in used)):
        step, checks = texts
        for word, name in zip(used, chosen, strict=True):
            step, checks = step.replace(f"<{word}>", name), checks.replace(f"<{word}>", name)
        yield step, checks


def _proves(proof: Proof, found: Found) -> bool:
    return fnmatchcase(found.step, proof.step) and fnmatchcase(found.check.name, proof.checks)
