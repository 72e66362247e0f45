"""A stage with git hosts, fronts and an authority: for tests of the client, the stand-in and the steps."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.rehearsal.small_stage import example, small_world
from tests.rehearsal.stage_clock import WizardClock
from wizard.clients.git import GitClient, GitClients
from wizard.config import Config, GitHost
from wizard.endpoints import Endpoints
from wizard.rehearsal.git.standin import GitStandin
from wizard.rehearsal.git.state import RepositoryState
from wizard.rehearsal.stage import Stage
from wizard.secrets import FileSecrets
from wizard.world import World

SHOP = "owner/shop"


def shop(*, host: GitHost = GitHost.GITHUB, private: bool = False) -> Config:
    """The small example with a stack in git, at either host."""
    base = example()
    web, api = base.apps
    web = replace(web, dockerfile="web/Dockerfile", build_args=("VITE_API_URL",))
    api = replace(api, compose_file="deploy/docker-compose.prod.yml", cache_service="cache")
    apps = tuple(replace(app, git_host=host, private_repository=private) for app in (web, api))
    return replace(base, apps=apps)


@dataclass
class GitWorld:
    """`client` speaks to the host of the configuration's apps, with the operator's token unless told."""

    stage: Stage
    world: World
    client: GitClient
    folder: Path

    @property
    def git(self) -> GitStandin:
        return self.stage.git

    @property
    def repository(self) -> RepositoryState:
        found = self.git.state.find(SHOP)
        assert found is not None
        return found

    async def use_token(self, token: str) -> None:
        """The operator now has this one; "" for none."""
        word = f"{self.repository.host.upper()}_TOKEN"
        await (self.world.secrets.put(word, token) if token else self.world.secrets.drop(word))


@contextlib.asynccontextmanager
async def git_world(
    folder: Path, *, config: Config | None = None, faults: str = "none", speed: float = 1200.0
) -> AsyncIterator[GitWorld]:
    config = config or shop()
    async with small_world(folder, speed=speed, faults=faults, config=config) as small:
        stage = small.stage
        stage.git = GitStandin(stage, GitStandin.begin(stage))
        await stage.git.start()
        secrets = FileSecrets(folder / "secrets.json")
        given: Mapping[str, str] = stage.git.secrets
        for name, value in given.items():
            await secrets.put(name, value)
        endpoints = Endpoints(github=stage.git.github_url, gitlab=stage.git.gitlab_url, trust=small.trust)
        world = World(config, secrets, endpoints, WizardClock(stage.clock), small.net, live=False)
        clients: GitClients = world.git
        try:
            yield GitWorld(stage, world, clients.of(config.apps[0].git_host), folder)
        finally:
            await world.aclose()
