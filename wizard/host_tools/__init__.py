"""Small POSIX-sh programs that the wizard puts on a host, as package data."""

from __future__ import annotations

from importlib import resources

FOLDER = "/var/lib/dokploy-wizard"
BIN = f"{FOLDER}/bin"
INSTALLED = ("dw-job", "dw-deadman", "dw-volume")


def text(name: str) -> str:
    """The source of a tool, e.g. ``dw-job``."""
    return resources.files(__name__).joinpath(f"{name}.sh").read_text(encoding="utf-8")


def path(name: str) -> str:
    """Where a tool lies on a host."""
    return f"{BIN}/{name}"
