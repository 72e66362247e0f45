"""Names and labels at Hetzner: what is ours is found again, what is not is never touched."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from wizard.config import Config

MANAGED_BY = "dokploy-wizard"


class Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def labels(self) -> Mapping[str, str]: ...


Thing = TypeVar("Thing", bound=Named)


def label_value(text: str) -> str:
    """`text` as a label's value: at most 63 of ``A-Za-z0-9._-``, alphanumeric at both ends."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:63].strip("._-")


def labels(config: Config, role: str) -> dict[str, str]:
    return {
        "managed-by": MANAGED_BY,
        "migration": label_value(config.project.name),
        "role": label_value(role),
    }


def selector(config: Config) -> str:
    """Finds all that this migration made."""
    return f"managed-by={MANAGED_BY},migration={label_value(config.project.name)}"


def ours(thing: Named, config: Config, role: str = "") -> bool:
    """Whether its labels say that this migration made it (for `role`)."""
    wanted = labels(config, role)
    keys = ("managed-by", "migration", "role") if role else ("managed-by", "migration")
    return all(thing.labels.get(key) == wanted[key] for key in keys)


def by_name(things: Sequence[Thing], name: str) -> Thing | None:
    return next((thing for thing in things if thing.name == name), None)


def common_name(config: Config) -> str:
    """Of what the servers share: key, network, placement group."""
    return f"{label_value(config.project.name)}-wizard"


def firewall_name(config: Config, server: str) -> str:
    return f"{label_value(config.project.name)}-{server}"


def address_name(config: Config, server: str, kind: str, location: str) -> str:
    return f"{label_value(config.project.name)}-{server}-{kind}-{location}"
