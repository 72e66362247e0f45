"""Reads the files of an application's branch that may count on Vercel: bounded in number, nothing written."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.errors import UnreachableError, VendorError
from wizard.vercel.code import MOST_FILES, Place, candidates, is_settings, places

if TYPE_CHECKING:
    from wizard.clients.git import GitClient
    from wizard.config import App

_AT_ONCE = 6


@dataclass(frozen=True, slots=True)
class Searched:
    """`settings` are texts of files of settings by path; `troubles` (path, why it could not be read)."""

    places: tuple[Place, ...]
    settings: dict[str, str]
    read: int
    of: int
    troubles: tuple[tuple[str, str], ...] = ()


async def search(client: GitClient, app: App, root: str, inside: Sequence[str]) -> Searched:
    """`inside` are paths below `root`. Raises UnreachableError; a host that refuses more ends the search."""
    names = candidates(inside)
    texts: dict[str, str] = {}
    troubles: list[tuple[str, str]] = []
    left = iter(names[:MOST_FILES])

    async def reader() -> None:
        for path in left:
            if len(troubles) >= _AT_ONCE:
                return
            try:
                place = posixpath.join(root, path)
                texts[path] = await client.read_file(app.repository, place, app.branch) or ""
            except UnreachableError:
                raise
            except VendorError as error:
                troubles.append((path, error.what))

    await asyncio.gather(*(reader() for _ in range(_AT_ONCE)))
    ordered = [path for path in names if path in texts]
    found = tuple(one for path in ordered for one in places(path, texts[path]))
    settings = {path: text for path, text in texts.items() if is_settings(path)}
    return Searched(found, settings, len(texts), len(names), tuple(troubles))
