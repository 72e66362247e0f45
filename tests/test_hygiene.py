"""What must not be in the tree: hosts of registries, paths of one machine, secrets, built things."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Written so that this file does not hold what it looks for.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("proxy", "golang", "org"),
        ("static", "crates", "io"),
        ("registry", "yarnpkg", "com"),
        ("deb", "debian", "org"),
    )
]
SECRETS = (
    r"\bgh[pousr]_[A-Za-z0-9]{36}\b",
    r"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b",
    r"\bglpat-[A-Za-z0-9_-]{20}\b",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}",
)
LOOSE_ENDS = re.compile(
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error")) + r")\b"
)


@cache
def tracked() -> dict[Path, str]:
    """Every tracked text file that exists; a source tree without git has none to be judged."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    texts = {}
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file():
            texts[path] = path.read_bytes().decode("utf-8", errors="replace")
    assert texts
    return texts


def hits(pattern: re.Pattern[str], *, inside: str = "") -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for path, text in tracked().items()
        if str(path.relative_to(ROOT)).startswith(inside)
        for match in pattern.finditer(text)
    ]


def test_no_registry_is_named() -> None:
    assert hits(re.compile("|".join(map(re.escape, REGISTRIES)))) == []


def test_no_path_of_one_machine_is_named() -> None:
    places = [re.escape(str(ROOT)), r"(?<![\w.:/-])/wo" + "rk/"]
    assert hits(re.compile("|".join(places))) == []


def test_no_secret_is_tracked() -> None:
    assert hits(re.compile("|".join(SECRETS))) == []


def test_nothing_that_is_built_or_left_behind_is_tracked() -> None:
    built = re.compile(r"\.(whl|egg|pyc|so|tar\.gz|lock|log)$|(^|/)(progress\.toml|journal\.jsonl)$")
    assert [str(path) for path in tracked() if built.search(str(path))] == []


def test_no_loose_ends_are_left() -> None:
    assert hits(LOOSE_ENDS, inside="wizard/") + hits(LOOSE_ENDS, inside="screens/") == []


def test_scripts_end_with_a_newline_and_have_no_trailing_blanks() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path, text in tracked().items()
        if path.suffix in (".py", ".sh", ".toml", ".md", ".tcss")
        and (re.search(r"[ \t]$", text, re.MULTILINE) or (text and not text.endswith("\n")))
    ]
    assert wrong == []
