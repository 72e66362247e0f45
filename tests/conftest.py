"""Side by side, files with long tests are begun first, so that the workers end together."""

from __future__ import annotations

import os
import sys
from collections import Counter

import pytest
from hypothesis import settings

# No example is judged by the machine's speed. A build that fails fails again for whoever looks into it; new
# cases are searched for on a developer's machine.
settings.register_profile("house", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("house")


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
