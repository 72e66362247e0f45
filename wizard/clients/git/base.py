"""What the phases ask of a git host, whichever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from wizard.clients.git.errors import NotFoundError, Right, Vendor
from wizard.clients.git.models import (
    Account,
    Delivery,
    DeliveryAnswer,
    DeployKey,
    Head,
    Hook,
    Repository,
    Tree,
)
from wizard.clients.git.transport import Budget, Wire
from wizard.errors import VendorError

HOOKS: Mapping[str, Any] = {"right": Right.HOOKS, "owned": True}
KEYS: Mapping[str, Any] = {"right": Right.KEYS, "owned": True}


class GitClient(ABC):
    """`repository` is ``owner/name`` everywhere. Reads of public things need no token.

    Every method raises UnreachableError (after a change: nobody knows whether it took effect, so look),
    CredentialError that names the missing right, NotFoundError, or VendorError.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    @property
    def vendor(self) -> Vendor:
        """Its name, the secret that holds its token, and where tokens are made."""
        return self._wire.vendor

    @property
    def budget(self) -> Budget | None:
        """Requests that are left, as of the last answer."""
        return self._wire.budget

    async def has_token(self) -> bool:
        return await self._wire.has_token()

    async def aclose(self) -> None:
        await self._wire.aclose()

    @abstractmethod
    async def account(self) -> Account:
        """Whom the token belongs to. Raises CredentialError without a good one."""

    @abstractmethod
    async def repositories(self) -> tuple[Repository, ...]:
        """Those that the token's person works on, the latest first."""

    async def repository(self, repository: str) -> Repository | None:
        """None when there is none, or none that may be seen."""
        row = await self._wire.get_or_none(self._of(repository), f"looking at {repository}")
        return self._repository(row) if row else None

    @abstractmethod
    async def head(self, repository: str, branch: str) -> Head | None:
        """None when there is no such branch."""

    @abstractmethod
    async def read_file(self, repository: str, path: str, branch: str) -> str | None:
        """A text file of a branch; None when it isn't there."""

    @abstractmethod
    async def tree(self, repository: str, branch: str) -> Tree:
        """Every file of a branch. Raises NotFoundError when there is no such branch."""

    async def hooks(self, repository: str) -> tuple[Hook, ...]:
        """The repository's webhooks."""
        doing = f"listing webhooks of {repository}"
        rows = await self._wire.all(f"{self._of(repository)}/hooks", doing, **HOOKS)
        return tuple(map(self._hook, rows))

    @abstractmethod
    async def add_hook(self, repository: str, url: str, branch: str = "") -> Hook:
        """A webhook for pushes, with `branch` as its filter where the host has one.

        Raises TakenError when the host says that there is one already.
        """

    async def ensure_hook(self, repository: str, url: str, branch: str = "") -> Hook:
        """The webhook for pushes to `url`: the one that is there, else a new one."""
        found = next((one for one in await self.hooks(repository) if one.url == url), None)
        if found is not None and found.active and "push" in found.events:
            return found
        if found is not None:
            await self.remove_hook(repository, found.id)
        return await self.add_hook(repository, url, branch)

    async def remove_hook(self, repository: str, hook: str) -> None:
        """No error if it is gone already."""
        path, doing = f"{self._of(repository)}/hooks/{hook}", f"removing a webhook of {repository}"
        await self._gone(path, doing, HOOKS)

    @abstractmethod
    async def send_push(self, repository: str, hook: str) -> None:
        """Deliver the latest push once more: whoever listens deploys. The outcome is in `deliveries`."""

    @abstractmethod
    async def ping(self, repository: str, hook: str) -> None:
        """Deliver something harmless. That it is answered proves the way, not the secret in the address."""

    @abstractmethod
    async def deliveries(self, repository: str, hook: str) -> tuple[Delivery, ...]:
        """The newest first; hosts forget them after some days."""

    @abstractmethod
    async def delivery(self, repository: str, hook: str, delivery: str) -> DeliveryAnswer:
        """One delivery with what came back."""

    @abstractmethod
    async def redeliver(self, repository: str, hook: str, delivery: str) -> None:
        """Send a delivery again."""

    async def deploy_keys(self, repository: str) -> tuple[DeployKey, ...]:
        """Keys that may clone the repository."""
        doing = f"listing deploy keys of {repository}"
        rows = await self._wire.all(self._keys(repository), doing, **KEYS)
        return tuple(map(self._key, rows))

    @abstractmethod
    async def add_deploy_key(self, repository: str, title: str, public: str) -> DeployKey:
        """A key that may read and not write. Raises TakenError when any repository has it already."""

    async def ensure_deploy_key(self, repository: str, title: str, public: str) -> DeployKey:
        """The key that is there, else a new one."""
        wanted = public.split()[:2]
        for one in await self.deploy_keys(repository):
            if one.key.split()[:2] == wanted:
                return one
        return await self.add_deploy_key(repository, title, public)

    async def remove_deploy_key(self, repository: str, key: str) -> None:
        """No error if it is gone already."""
        path, doing = f"{self._keys(repository)}/{key}", f"removing a deploy key of {repository}"
        await self._gone(path, doing, KEYS)

    @abstractmethod
    async def hook_sources(self) -> tuple[str, ...]:
        """Networks that deliveries come from; empty where the host doesn't tell."""

    @abstractmethod
    async def may_hook(self, repository: str) -> None:
        """Raises CredentialError or NotFoundError when the token may not add webhooks. Nothing is made.

        Asked with a webhook that cannot be: who may is refused for what it says, others for who they are.
        """

    @abstractmethod
    async def may_key(self, repository: str) -> None:
        """The same for deploy keys."""

    @staticmethod
    @abstractmethod
    def _of(repository: str) -> str:
        """The path of what the host has of a repository."""

    @staticmethod
    @abstractmethod
    def _keys(repository: str) -> str:
        """The path of its deploy keys."""

    @staticmethod
    @abstractmethod
    def _repository(row: Mapping[str, Any]) -> Repository: ...

    @staticmethod
    @abstractmethod
    def _hook(row: Mapping[str, Any]) -> Hook: ...

    @staticmethod
    @abstractmethod
    def _key(row: Mapping[str, Any]) -> DeployKey: ...

    async def _gone(self, path: str, doing: str, needs: Mapping[str, Any]) -> None:
        try:
            await self._wire.change("DELETE", path, doing, **needs)
        except NotFoundError:
            return

    async def _only_refused(self, path: str, doing: str, right: Right, body: Mapping[str, Any]) -> None:
        try:
            await self._wire.change("POST", path, doing, right=right, owned=True, body=body)
        except VendorError as error:
            if error.status not in (400, 422):
                raise
