"""One wizard at a time on a progress file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from wizard.errors import DiskError, LockedError


@contextlib.contextmanager
def locked(progress: Path) -> Iterator[None]:
    """Hold the lock beside `progress`. The system frees it when the process dies, however it dies.

    Raises LockedError, naming the process that holds it, and DiskError.
    """
    from filelock import FileLock, Timeout

    progress.parent.mkdir(parents=True, exist_ok=True)
    path = progress.with_name(f"{progress.name}.lock")
    owner = progress.with_name(f"{progress.name}.owner")
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        holder = owner.read_text().strip() if owner.exists() else "unknown"
        raise LockedError(
            f"Another wizard works on {progress.name}",
            f"process {holder} holds its lock",
            "Let it end, or look at it with `dokploy-wizard status --watch`.",
        ) from error
    except OSError as error:
        raise DiskError(path.name, (error.strerror or str(error)).lower()) from error
    try:
        try:
            owner.write_text(f"{os.getpid()}\n")
        except OSError as error:
            raise DiskError(owner.name, (error.strerror or str(error)).lower()) from error
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()
