"""What a repository holds for an app: its Dockerfile, or the compose file that fits what runs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from wizard.errors import WizardError
from wizard.init.found import FoundImage, FoundStack, Notes
from wizard.phases.prepare import dockerfile as dockerfiles

if TYPE_CHECKING:
    from wizard.clients.git import GitClient

_COMPOSE = re.compile(r"(?:docker-)?compose[\w.-]*\.ya?ml")
_PRODUCTION = re.compile(r"prod|self-?host|deploy|release")
_DEVELOPMENT = re.compile(r"dev|test|override|local|debug|ci\b")
_EXPOSED = re.compile(r"(?im)^\s*EXPOSE\s+(\d+)")
_ASKED = re.compile(r"https?://[^/\s\"']+(/[^\s\"'|;)]*)")
_CACHES = re.compile(r"redis|valkey|dragonfly|keydb", re.IGNORECASE)
_PORT = 3000
_MOST = 8


async def image(client: GitClient, repository: str, branch: str, root: str, notes: Notes) -> FoundImage:
    """The Dockerfile nearest to `root`, and the context in which everything that it copies is found."""
    files = (await client.tree(repository, branch)).files
    every = [path for path in files if posixpath.basename(path) == "Dockerfile"]
    inside = [path for path in every if not root or path.startswith(f"{root}/")]
    ranked = sorted(inside or [path for path in every if "/" not in path], key=lambda path: path.count("/"))
    if not ranked:
        wanted = posixpath.join(root, "Dockerfile")
        notes.say(f"{repository} has no Dockerfile under /{root}: write {wanted}; `check` looks for it.")
        return FoundImage(wanted, "/", _PORT, "/", (), there=False)
    path = ranked[0]
    text = await client.read_file(repository, path, branch) or ""
    read = dockerfiles.read(text)
    folder = posixpath.dirname(path)
    fits = [place for place in ("/", folder) if not dockerfiles.missing(read, place, files)]
    exposed, asked = _EXPOSED.search(text), _ASKED.search(text)
    return FoundImage(
        path,
        (fits or ["/"])[0] or "/",
        int(exposed[1]) if exposed else _PORT,
        asked[1] if asked else "/",
        tuple(sorted(read.arguments)),
    )


async def stack(
    client: GitClient, repository: str, branch: str, running: Iterable[str], notes: Notes
) -> tuple[FoundStack, ...]:
    """Compose files, the one that fits what runs and is meant for production first."""
    from wizard.compose.document import ComposeError

    try:
        files = (await client.tree(repository, branch)).files
    except WizardError as error:
        notes.say(f"{repository} could not be looked at: {error}")
        return ()
    wanted = set(running)
    found: list[tuple[tuple[int, int, int], FoundStack]] = []
    candidates = sorted((path for path in files if _COMPOSE.fullmatch(posixpath.basename(path))), key=len)
    for path in candidates[:_MOST]:
        text = await client.read_file(repository, path, branch)
        try:
            one = _read(path, text or "")
        except ComposeError as error:
            notes.say(f"{path} is no compose file that can be read: {error.what}")
            continue
        found.append(((-len(wanted & set(one.services)), _wish(path), path.count("/")), one))
    return tuple(one for _, one in sorted(found, key=lambda pair: pair[0]))


def _wish(path: str) -> int:
    name = posixpath.basename(path).lower()
    return 0 if _PRODUCTION.search(name) else 2 if _DEVELOPMENT.search(name) else 1


def _read(path: str, text: str) -> FoundStack:
    """Raises ComposeError."""
    import yaml

    from wizard.compose.stack import read

    services = tuple(service.name for service in read(text).services)
    try:
        plain: Any = yaml.safe_load(text)
        told = plain.get("services") or {}
    except (yaml.YAMLError, AttributeError):
        told = {}
    health, caches = [], []
    for name in services:
        row = told.get(name)
        if not isinstance(row, dict):
            continue
        asked = _ASKED.search(str((row.get("healthcheck") or {}).get("test", "")))
        if asked:
            health.append((name, asked[1]))
        if _CACHES.search(str(row.get("image") or "")):
            caches.append(name)
    return FoundStack(path, services, tuple(health), tuple(caches))
