"""Changes of a configuration that leave its comments, order and spacing alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as File
from typing import Any

from wizard.configfile.mistakes import Path
from wizard.engine.files import write_atomically


def edited(text: str, changes: Mapping[Path, Any]) -> str:
    """`text` with each path set to its value; ``("servers", 1, "types")`` is the second server's `types`.

    Missing tables are made; a path through a table of several must name one that exists (IndexError).
    """
    import tomlkit

    document = tomlkit.parse(text)
    for path, value in changes.items():
        place: Any = document
        for part in path[:-1]:
            if isinstance(part, str) and part not in place:
                place[part] = tomlkit.table()
            place = place[part]
        place[path[-1]] = value
    return tomlkit.dumps(document)


def change(file: File, changes: Mapping[Path, Any]) -> None:
    """The same, in the file itself; the previous one is kept beside it as ``config.toml.bak``."""
    text = file.read_text(encoding="utf-8")
    write_atomically(file, edited(text, changes), keep=file.with_name(f"{file.name}.bak"))
