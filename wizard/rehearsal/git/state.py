"""What the rehearsal's git hosts remember: repositories with their commits, hooks, deliveries and keys."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
"""A thing as an API shows it."""

REHEARSAL_TOKEN = "github_pat_" + "11REHEARSAL0" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"
READ_ONLY_TOKEN = "github_pat_" + "11READONLY00" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"
"""May read code of its repositories; hooks and keys are refused."""
STRANGER_TOKEN = "github_pat_" + "11STRANGER00" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"
"""Of a person who has no rights here: private things do not exist for it."""
EXPIRED_TOKEN = "github_pat_" + "11EXPIRED000" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"
TOKENS = (REHEARSAL_TOKEN, READ_ONLY_TOKEN, STRANGER_TOKEN)
GITLAB_TOKEN = "glpat-" + "rehearsalA1b2C3d4E5f6"
GITLAB_READ_TOKEN = "glpat-" + "readonly0A1b2C3d4E5f6"
OWNER = "rehearsal-operator"

HOURLY, HOURLY_WITHOUT_TOKEN = 5000, 60
DELIVERY_LIFE = 30 * 86400.0
_MOST_DELIVERIES = 250


class CloneRefused(Exception):
    """What git says when it may not clone. `reason` is its last line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Refused(Exception):
    """An error answer. `accepted` names the rights that would have been enough."""

    def __init__(
        self, status: int, message: str, errors: list[Document] | None = None, accepted: str = ""
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.errors, self.accepted = status, message, errors, accepted


@dataclass(frozen=True, slots=True)
class Clone:
    """A checkout. `files` are contents by path from the repository's root."""

    sha: str
    message: str
    files: dict[str, bytes]


@dataclass
class CommitState:
    sha: str
    parent: str
    message: str
    at: float
    files: dict[str, bytes]


@dataclass
class DeliveryState:
    """One sending of an event. `status` is the host's own word for the answer."""

    id: int
    guid: str
    event: str
    at: float
    redelivery: bool
    seconds: float
    status_code: int
    status: str
    sent_headers: dict[str, str]
    payload: Document
    answer_headers: dict[str, str]
    answer: str


@dataclass
class HookState:
    id: int
    url: str
    events: list[str]
    secret: str
    insecure: bool
    created: float
    active: bool = True
    branch: str = ""
    """GitLab's filter of branches; GitHub has none."""
    thing: str = ""
    """Its name in the ledger."""
    deliveries: list[DeliveryState] = field(default_factory=list)

    def keep(self, delivery: DeliveryState) -> None:
        self.deliveries.append(delivery)
        kept = [one for one in self.deliveries if one.at > delivery.at - DELIVERY_LIFE]
        self.deliveries = kept[-_MOST_DELIVERIES:]


@dataclass
class KeyState:
    id: int
    title: str
    key: str
    read_only: bool
    created: float
    last_used: float | None = None


@dataclass
class RepositoryState:
    """`branches` hold commits, the oldest first. `host` is "github" or "gitlab"."""

    id: int
    name: str
    host: str
    private: bool
    default_branch: str
    created: float
    branches: dict[str, list[CommitState]] = field(default_factory=dict)
    hooks: dict[int, HookState] = field(default_factory=dict)
    keys: dict[int, KeyState] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        return self.name.rpartition("/")[0]

    def head(self, branch: str = "") -> CommitState | None:
        commits = self.branches.get(branch or self.default_branch)
        return commits[-1] if commits else None

    def commit(self, ref: str) -> CommitState | None:
        """By branch or by sha."""
        if ref in self.branches:
            return self.head(ref)
        return next((one for commits in self.branches.values() for one in commits if one.sha == ref), None)

    def add(self, branch: str, files: dict[str, bytes], message: str, at: float) -> CommitState:
        """A commit on top of `branch`."""
        parent = self.head(branch)
        sha = commit_sha(files, parent.sha if parent else "", message, at)
        made = CommitState(sha, parent.sha if parent else "", message, at, files)
        self.branches.setdefault(branch, []).append(made)
        return made


@dataclass
class GitState:
    """`repositories` by ``host:owner/name`` in small letters; `spent` requests by token since `window`."""

    repositories: dict[str, RepositoryState] = field(default_factory=dict)
    made: int = 0
    spent: dict[str, int] = field(default_factory=dict)
    window: float = 0.0

    def number(self) -> int:
        self.made += 1
        return 700_000_000 + self.made

    def find(self, name: str, host: str = "") -> RepositoryState | None:
        """GitHub and GitLab do not tell great letters from small ones."""
        for one in self.repositories.values():
            if one.name.lower() == name.lower() and host in ("", one.host):
                return one
        return None

    def hook(self, number: int) -> tuple[RepositoryState, HookState] | None:
        for one in self.repositories.values():
            if number in one.hooks:
                return one, one.hooks[number]
        return None

    def key_holder(self, public: str) -> RepositoryState | None:
        """A deploy key may serve one repository only."""
        wanted = bare_key(public)
        for one in self.repositories.values():
            if any(bare_key(key.key) == wanted for key in one.keys.values()):
                return one
        return None


def named(repository: RepositoryState, hook: HookState) -> str:
    """A hook's name in the ledger: its address without the last part, which is secret, and a number."""
    place = hook.url.rpartition("/")[0]
    others = {one.url for one in repository.hooks.values() if one.url.rpartition("/")[0] == place}
    number = len(others - {hook.url}) + 1
    return f"hook of {repository.name} to {place}" + (f" ({number})" if number > 1 else "")


def bare_key(public: str) -> str:
    """A public key without its comment."""
    return " ".join(public.split()[:2])


def blob_sha(content: bytes) -> str:
    return _object(b"blob", content)


def tree_shas(files: Mapping[str, bytes]) -> dict[str, str]:
    """The object name of every folder by its path; "" is the whole tree."""
    folders: dict[str, dict[str, tuple[str, str]]] = {"": {}}
    for path, content in files.items():
        parts = path.split("/")
        for depth in range(len(parts) - 1):
            folders.setdefault("/".join(parts[: depth + 1]), {})
        folders["/".join(parts[:-1])][parts[-1]] = ("100644", blob_sha(content))
    names: dict[str, str] = {}
    for path in sorted(folders, key=lambda path: -path.count("/") if path else 1):
        rows = sorted(folders[path].items(), key=lambda row: row[0] + ("/" if row[1][0] == "40000" else ""))
        body = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(sha) for name, (mode, sha) in rows)
        names[path] = _object(b"tree", body)
        if path:
            parent, _, name = path.rpartition("/")
            folders[parent][name] = ("40000", names[path])
    return names


def commit_sha(files: Mapping[str, bytes], parent: str, message: str, at: float) -> str:
    lines = [f"tree {tree_shas(files)['']}", *([f"parent {parent}"] if parent else [])]
    person = f"{OWNER} <{OWNER}@example.org> {int(at)} +0000"
    lines += [f"author {person}", f"committer {person}", "", message, ""]
    return _object(b"commit", "\n".join(lines).encode())


def _object(kind: bytes, body: bytes) -> str:
    return hashlib.sha1(kind + b" " + str(len(body)).encode() + b"\0" + body).hexdigest()
