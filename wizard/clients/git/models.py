"""What a git host tells, in types. Identities are text, whatever the host calls them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a token belongs to. `scopes` are a classic token's; `expires` is a moment as the host says it."""

    login: str
    scopes: tuple[str, ...] = ()
    expires: str = ""


@dataclass(frozen=True, slots=True)
class Repository:
    """`name` is the host's own spelling. `administers`: whether the person may, None if that isn't told."""

    name: str
    private: bool
    default_branch: str
    archived: bool = False
    administers: bool | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The newest commit of a branch."""

    branch: str
    sha: str
    message: str


@dataclass(frozen=True, slots=True)
class Tree:
    """Every file's path from the root. `complete` is false when the host cut the list."""

    files: tuple[str, ...]
    complete: bool = True

    def holds(self, path: str) -> bool:
        """Whether `path` is a file, or a folder with files; "" is the root."""
        wanted = path.strip("/")
        return not wanted or any(one == wanted or one.startswith(f"{wanted}/") for one in self.files)


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook. Its address holds a secret. `last_code` is the newest delivery's answer, None if none."""

    id: str
    url: str = field(repr=False)
    events: tuple[str, ...] = ("push",)
    active: bool = True
    branch: str = ""
    last_code: int | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One sending. `code` is the HTTP status that came back, 0 when nothing did.

    `at` is a moment; `guid` is shared by a delivery and its repetitions.
    """

    id: str
    guid: str
    event: str
    at: float
    code: int
    status: str
    again: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DeliveryAnswer:
    """A delivery with what was sent and what came back; `branch` and `sha` are of a push."""

    delivery: Delivery
    branch: str
    sha: str
    body: str


@dataclass(frozen=True, slots=True)
class DeployKey:
    """`key` is the public half without comment; `last_used` a moment as the host says it, "" for never."""

    id: str
    title: str
    key: str
    read_only: bool
    last_used: str = ""
