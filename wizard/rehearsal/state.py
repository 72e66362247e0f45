"""What the world remembers when its process ends: one file, written whole."""

from __future__ import annotations

import os
import pickle
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wizard.rehearsal.faults import Faults
from wizard.rehearsal.ledger import Ledger

VERSION = 1


@dataclass
class WorldState:
    """`parts` holds each stand-in's own plain state under its name on the stage."""

    seed: int
    now: float
    dice: random.Random
    faults: Faults
    ledger: Ledger = field(default_factory=Ledger)
    ports: dict[str, int] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    version: int = VERSION


def save(state: WorldState, path: Path) -> None:
    """Only this program reads it again: from the operator's own folder, mode 0600."""
    temporary = path.with_suffix(".new")
    content = pickle.dumps(state, protocol=pickle.HIGHEST_PROTOCOL)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)


def load(path: Path) -> WorldState | None:
    """None when there is none, or when it is of another version or damaged: the world begins anew."""
    try:
        state = pickle.loads(path.read_bytes())
    except (OSError, pickle.UnpicklingError, AttributeError, EOFError, ImportError, IndexError):
        return None
    return state if isinstance(state, WorldState) and state.version == VERSION else None
