"""The screens start light: nothing of the outside is loaded before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("asyncssh", "hcloud", "httpx", "dns", "acme", "aiohttp", "cryptography", "jinja2", "markdown_it")
ROOT = Path(__file__).parents[2]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "screens").rglob("*.py")
    if path.name != "__init__.py"
)


@pytest.mark.parametrize("modules", [["screens.app"], MODULES], ids=["app", "all"])
def test_importing_screens_loads_no_client(modules: list[str]) -> None:
    code = (
        "import importlib, json, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=150
    )
    loaded = set(json.loads(found.stdout))
    assert "textual" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_app_loads_only_the_page_that_it_opens_with() -> None:
    code = (
        "import sys, screens.app; print('\\n'.join(name for name in sys.modules if name[:8] == 'screens.'))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=150
    )
    loaded = set(found.stdout.split())
    assert "screens.overview" in loaded
    assert loaded.isdisjoint({"screens.cutover", "screens.plan", "screens.report", "screens.commands"})
