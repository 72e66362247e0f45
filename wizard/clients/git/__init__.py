"""Git hosts: GitHub and GitLab, asked in the same words."""

from __future__ import annotations

from wizard.clients.git.base import GitClient
from wizard.clients.git.errors import GITHUB, GITLAB, LimitedError, NotFoundError, Right, TakenError
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
from wizard.clock import Clock
from wizard.config import GitHost
from wizard.secrets import Secrets

__all__ = [
    "Account",
    "Delivery",
    "DeliveryAnswer",
    "DeployKey",
    "GitClient",
    "GitClients",
    "Head",
    "Hook",
    "LimitedError",
    "NotFoundError",
    "Repository",
    "Right",
    "TakenError",
    "Tree",
]


class GitClients:
    """A client for each git host, made when first asked for."""

    def __init__(self, github_base: str, gitlab_base: str, secrets: Secrets, clock: Clock) -> None:
        self._github = github_base
        self._gitlab = gitlab_base
        self._secrets = secrets
        self._clock = clock
        self._clients: dict[GitHost, GitClient] = {}

    def of(self, host: GitHost) -> GitClient:
        if host not in self._clients:
            self._clients[host] = self._make(host)
        return self._clients[host]

    def _make(self, host: GitHost) -> GitClient:
        from wizard.clients.git.github import GitHubClient
        from wizard.clients.git.gitlab import GitLabClient

        if host is GitHost.GITHUB:
            return GitHubClient(self._github, lambda: self._secrets.get(GITHUB.secret), self._clock)
        return GitLabClient(self._gitlab, lambda: self._secrets.get(GITLAB.secret), self._clock)

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.aclose()
