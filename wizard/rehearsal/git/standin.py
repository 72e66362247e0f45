"""Stands in for GitHub and GitLab: repositories as configured, their hooks and keys, clones and pushes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncssh
from aiohttp import web

from wizard.rehearsal.git import delivery as git_delivery
from wizard.rehearsal.git import github as git_github
from wizard.rehearsal.git import gitlab as git_gitlab
from wizard.rehearsal.git import tree as git_tree
from wizard.rehearsal.git.state import (
    GITLAB_TOKEN,
    REHEARSAL_TOKEN,
    Clone,
    CloneRefused,
    DeliveryState,
    Document,
    GitState,
    HookState,
    RepositoryState,
    bare_key,
)

if TYPE_CHECKING:
    from wizard.rehearsal.stage import Stage

_AGE = 400 * 86400.0
_BEHIND = 3 * 86400.0


class GitStandin:
    """`github_url` and `gitlab_url` are base addresses once started."""

    def __init__(self, stage: Stage, state: GitState) -> None:
        self.stage = stage
        self.state = state
        self.github_url = ""
        self.gitlab_url = ""

    @staticmethod
    def begin(stage: Stage) -> GitState:
        now = stage.clock.now()
        state = GitState(window=now)
        for (host, name), apps in git_tree.repositories(stage.config).items():
            private = any(app.private_repository for app in apps)
            made = RepositoryState(state.number(), name, host, private, apps[0].branch, now - _AGE)
            files = git_tree.tree(stage.config, apps)
            readme = {"README.md": files["README.md"]}
            for branch in dict.fromkeys(app.branch for app in apps):
                made.add(branch, readme, "Begin", now - _AGE)
                made.add(branch, files, "Ready for production", now - _BEHIND)
            state.repositories[f"{host}:{name.lower()}"] = made
        return state

    @property
    def secrets(self) -> dict[str, str]:
        """What the operator has: a token for each git host that the configuration names."""
        known = {"github": ("GITHUB_TOKEN", REHEARSAL_TOKEN), "gitlab": ("GITLAB_TOKEN", GITLAB_TOKEN)}
        return dict(known[one.host] for one in self.state.repositories.values())

    async def start(self) -> None:
        github, gitlab = web.Application(), web.Application()
        git_github.mount(self, github)
        git_gitlab.mount(self, gitlab)
        self.github_url = f"http://{await self.stage.serve(github, 'github')}"
        self.gitlab_url = f"http://{await self.stage.serve(gitlab, 'gitlab')}/api/v4"

    async def stop(self) -> None:
        """Its listeners end with the stage."""

    def now(self) -> float:
        return self.stage.clock.now()

    # What git itself does

    def clone(self, repository: str, branch: str, *, key: str = "") -> Clone:
        """A checkout of `branch`; `key` is the private half of a deploy key. Raises CloneRefused."""
        found = self.state.find(repository)
        if found is None:
            raise CloneRefused("remote: Repository not found.")
        if key or found.private:
            self._admit(found, key)
        head = found.head(branch)
        if head is None:
            raise CloneRefused(f"fatal: Remote branch {branch} not found in upstream origin")
        return Clone(head.sha, head.message, dict(head.files))

    def _admit(self, repository: RepositoryState, key: str) -> None:
        if not key:
            raise CloneRefused("fatal: could not read Username: terminal prompts disabled")
        try:
            public = asyncssh.import_private_key(key).export_public_key().decode()
        except (asyncssh.KeyImportError, ValueError) as error:
            raise CloneRefused("Load key: error in libcrypto") from error
        for held in repository.keys.values():
            if bare_key(held.key) == bare_key(public):
                held.last_used = self.now()
                return
        if self.state.key_holder(public) is not None:
            # The key is known, but not here: SSH lets it in, the repository does not exist for it.
            raise CloneRefused("ERROR: Repository not found.")
        raise CloneRefused("git@host: Permission denied (publickey).")

    async def push(self, repository: str, branch: str, files: dict[str, bytes], message: str) -> str:
        """Commit `files` on top of the branch (others stay as they are) and tell the hooks; the new sha.

        A file whose content is empty is removed.
        """
        found = self.state.find(repository)
        if found is None:
            raise KeyError(repository)
        before = found.head(branch) or found.head()
        content = {**(before.files if before else {}), **files}
        kept = {path: text for path, text in content.items() if text or path not in files}
        commit = found.add(branch, kept, message, self.now())
        payload = git_delivery.push_payload(found, branch, commit, before)
        for hook in list(found.hooks.values()):
            if hook.active and "push" in hook.events and hook.branch in ("", branch):
                await self.deliver(found, hook, "push", payload)
        return commit.sha

    async def deliver(
        self,
        repository: RepositoryState,
        hook: HookState,
        event: str,
        payload: Document,
        again: DeliveryState | None = None,
    ) -> DeliveryState:
        """Send an event to one hook and keep the answer."""
        number = self.state.number()
        self.stage.ledger.record("git", "deliver", f"{event} of {repository.name}")
        return await git_delivery.deliver(self.stage, repository, hook, event, payload, number, again=again)
