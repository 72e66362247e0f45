"""Writing files so that they are whole after any crash."""

from __future__ import annotations

import os
from pathlib import Path

from wizard.errors import DiskError


def write_atomically(path: Path, content: str, *, keep: Path | None = None) -> None:
    """Temporary file, fsync, rename, fsync of the folder; mode 0600. The previous one is kept as `keep`.

    Raises DiskError; the file is then as it was.
    """
    try:
        _write(path, content, keep)
    except OSError as error:
        raise DiskError(path.name, (error.strerror or str(error)).lower()) from error


def _write(path: Path, content: str, keep: Path | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if keep is not None and path.exists():
        keep.unlink(missing_ok=True)
        os.link(path, keep)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
