"""Where the shared material (vendors' descriptions, the migration document, real files) is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "DOKPLOY_WIZARD_SHARED"


def shared_dir() -> Path:
    """The folder `shared` beside the checkout, or the one that the variable names.

    Without it the test is skipped with a reason; where CI=true it fails, so that nothing goes unproven.
    """
    named = os.environ.get(VARIABLE, "")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    if folder.is_dir():
        return folder
    reason = f"there is no folder shared/ beside the checkout, and {VARIABLE} names none"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
