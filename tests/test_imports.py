"""Imports point one way, heavy libraries wait until they are needed, and no file needs a scroll bar."""

from __future__ import annotations

import ast
import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("asyncssh", "hcloud", "httpx", "dns", "acme", "cryptography", "aiohttp", "requests", "jinja2")
LONGEST = 400

# A room, and what nothing in it may import. TYPE_CHECKING blocks do not count: they are gone when it runs.
FORBIDDEN = {
    "wizard": ("textual", "screens"),
    "wizard.engine": (
        "wizard.clients",
        "wizard.dns",
        "wizard.compose",
        "wizard.checks",
        "wizard.rehearsal",
        "wizard.commands",
        "wizard.phases",
        "wizard.report",
    ),
    "wizard.clients": ("wizard.engine.step", "wizard.engine.run", "wizard.phases", "wizard.commands"),
    "wizard.dns": ("wizard.engine.step", "wizard.engine.run", "wizard.phases", "wizard.commands"),
    "wizard.compose": ("wizard.engine.step", "wizard.engine.run", "wizard.phases", "wizard.commands"),
    "wizard.checks": ("wizard.engine.step", "wizard.engine.run", "wizard.phases", "wizard.commands"),
    "wizard.configfile": ("wizard.phases", "wizard.clients", "wizard.commands"),
    "wizard.phases": ("wizard.commands", "hcloud", "asyncssh"),
    "screens": ("wizard.clients", "wizard.rehearsal", "wizard.commands"),
}
DOOR = "wizard.commands.place"
"""The only module outside of the rehearsal that may open it."""


@cache
def modules() -> dict[str, Path]:
    found = {}
    for room in ("wizard", "screens"):
        for path in sorted((ROOT / room).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


@cache
def imported(path: Path) -> frozenset[str]:
    # Python counts the parser's depth once for all: a finaliser that parses while a file is being parsed
    # makes it a SystemError (gh-106905), so nothing is collected meanwhile.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return frozenset(_imports(ast.parse(path.read_text()).body))
    finally:
        if collecting:
            gc.enable()


def _imports(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.orelse)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.stmt):
                    yield from _imports([child])
                elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
                    yield from _imports(child.body)


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def test_the_rule_sees_imports_wherever_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "some.py"
    file.write_text(
        "import a\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import hidden\n"
        "def f():\n    try:\n        import b.c\n    except E:\n        from d import e\n"
        "async def g():\n    async with x:\n        import h\n"
    )
    assert imported(file) >= {"a", "b.c", "d", "d.e", "h"}
    assert "hidden" not in imported(file)


@pytest.mark.parametrize("room", FORBIDDEN)
def test_imports_point_one_way(room: str) -> None:
    wrong = [
        f"{name} imports {target}"
        for name, path in modules().items()
        if within(name, room)
        for target in imported(path)
        if any(within(target, forbidden) for forbidden in FORBIDDEN[room])
    ]
    assert wrong == []


def test_only_its_door_opens_the_rehearsal() -> None:
    wrong = [
        f"{name} imports {target}"
        for name, path in modules().items()
        if not within(name, "wizard.rehearsal") and name != DOOR
        for target in imported(path)
        if within(target, "wizard.rehearsal")
    ]
    assert wrong == []


def loaded_after(statement: str) -> set[str]:
    """Heavy libraries that are loaded once `statement` has run in a fresh interpreter."""
    program = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=150, check=False
    )
    assert result.returncode == 0, result.stderr
    return set(HEAVY) & set(json.loads(result.stdout.splitlines()[-1]))


def test_the_command_line_loads_nothing_heavy() -> None:
    commands = [name for name in modules() if within(name, "wizard.commands")]
    assert loaded_after("import wizard.cli") == set()
    assert loaded_after(f"import wizard.cli, {', '.join(commands)}") == set()


def test_the_screens_load_nothing_heavy() -> None:
    assert loaded_after("import screens.app") == set()


def test_the_phases_load_nothing_heavy() -> None:
    phases = [name for name in modules() if within(name, "wizard.phases")]
    assert loaded_after(f"import {', '.join(phases)}") == set()


def test_no_file_needs_a_scroll_bar() -> None:
    long = {name: lines for name, path in modules().items() if (lines := _lines(path)) > LONGEST}
    assert long == {}


def _lines(path: Path) -> int:
    return path.read_text().count("\n")
