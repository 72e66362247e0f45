"""Side by side, files with long tests are begun first, so that the workers end together."""

from __future__ import annotations

import os
import sys
from collections import Counter

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # xdist would begin with the files that hold the most tests; the longest tests are few in theirs.
    config.option.loadscopereorder = False
    # Rehearsals start dozens of wizards: each would compile all of it anew where this is set.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files with tests marked slow first, then those with many."""
    if not hasattr(config, "workerinput"):
        return
    size = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, -size[item.path], item.path))
