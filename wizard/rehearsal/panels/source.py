"""Where a deployment's files come from: a clone made anew each time, and patches laid over it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.rehearsal.panels.state import Row

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

Write = Callable[[str], None]
CLONE_SECONDS = 6.0
_SSH = re.compile(r"(?:ssh://)?(?:[\w.-]+@)([\w.-]+)(?::\d+/|[:/])(.+)")
_HTTPS = re.compile(r"https?://(?:[^/@]+@)?([\w.:-]+)/(.+)")


class Failure(Exception):
    """A deployment ends with an error; its text is the log's last line."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """Files by path from the repository's root, patches applied."""

    sha: str
    message: str
    files: dict[str, bytes]

    def sign(self, deployment: Row) -> None:
        """The panel writes the commit over what the deployment was called when it was asked for."""
        deployment["title"], deployment["description"] = self.message, f"Commit: {self.sha}"


def key_of(row: Row) -> str:
    return str(row.get("composeId") or row.get("applicationId"))


def home(row: Row) -> str:
    """The folder of a clone on the host."""
    kind = "compose" if "composeId" in row else "applications"
    return f"/etc/dokploy/{kind}/{row['appName']}/code"


async def fetch(panel: Panel, row: Row, write: Write) -> Checkout:
    """The files and the commit. The folder of the last deployment is deleted first, whatever is in it."""
    panel.state.sources.pop(key_of(row), None)
    kind = row["sourceType"]
    if kind != "git":
        names = {"github": "GitHub", "gitlab": "GitLab", "bitbucket": "Bitbucket", "gitea": "Gitea"}
        raise Failure(f"Error: ❌ {names.get(kind, kind)} Provider not found")
    url, branch = str(row.get("customGitUrl") or ""), str(row.get("customGitBranch") or "")
    if not url or not branch:
        raise Failure("Error: ❌ Repository or branch is not set")
    write(f"Cloning Repo Custom {url} to {home(row)}: ⏳")
    await panel.stage.clock.sleep(CLONE_SECONDS)
    sha, message, files = await _clone(panel, row, url, branch)
    message = message.strip() or "no message"
    write(f"Cloned {url}: ✅ {sha[:7]} {message.splitlines()[0]}")
    files = _patched(panel, row, dict(files), write)
    panel.state.sources[key_of(row)] = files
    return Checkout(sha, message.splitlines()[0], files)


async def _clone(panel: Panel, row: Row, url: str, branch: str) -> tuple[str, str, dict[str, bytes]]:
    from wizard.rehearsal.git.state import CloneRefused
    from wizard.rehearsal.panels.standin import settled

    overssh = _SSH.fullmatch(url) if not url.startswith("http") else None
    found = overssh or _HTTPS.fullmatch(url)
    if found is None:
        raise Failure(f"fatal: repository '{url}' does not exist")
    key = ""
    if overssh:
        held = panel.table("sshKey").get(row.get("customGitSSHKeyId") or "")
        if held is None:
            raise Failure(
                "Error: ❌ You are trying to clone a ssh repository without a ssh key, please set a ssh key"
            )
        key = held["privateKey"]
    repository = found[2].strip("/").removesuffix(".git")
    try:
        clone = await settled(panel.stage.git.clone(repository, branch, key=key))
    except CloneRefused as refused:
        raise Failure(str(refused)) from refused
    return clone.sha, clone.message, clone.files


def _patched(panel: Panel, row: Row, files: dict[str, bytes], write: Write) -> dict[str, bytes]:
    owner = "composeId" if "composeId" in row else "applicationId"
    for patch in panel.rows("patch", **{owner: row[owner]}):
        if not patch["enabled"]:
            continue
        path = posixpath.normpath(patch["filePath"].lstrip("/"))
        write(f"Applying patch: {patch['type']} {path}")
        if patch["type"] == "delete":
            files.pop(path, None)
        else:
            files[path] = patch["content"].encode()
    return files
