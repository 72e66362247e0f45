"""GitHub: what our client sends and what the stand-in answers, against GitHub's own description."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.harness import Contract, ContractError, recorded
from tests.rehearsal.git_stage import SHOP, git_world
from wizard.clients.git.github import GitHubClient
from wizard.clients.ssh import generate_key
from wizard.errors import VendorError
from wizard.rehearsal.git.state import READ_ONLY_TOKEN

HOOK = "https://nowhere.shop.example/api/deploy/abcdefghijkl"


async def test_everything_that_is_sent_and_answered_is_as_described(tmp_path: Path) -> None:
    contract = Contract.of("github")
    async with git_world(tmp_path) as there, recorded(there.git.github_url) as tape:
        client = GitHubClient(tape.url, lambda: there.world.secrets.get("GITHUB_TOKEN"), there.world.clock)
        await client.account()
        await client.repositories()
        await client.repository(SHOP)
        await client.head(SHOP, "main")
        await client.head(SHOP, "none")
        await client.tree(SHOP, "main")
        await client.read_file(SHOP, "web/Dockerfile", "main")
        await client.read_file(SHOP, "none", "main")
        await client.hook_sources()
        hook = await client.ensure_hook(SHOP, HOOK)
        with _refused():
            await client.add_hook(SHOP, HOOK)
        await client.ping(SHOP, hook.id)
        await client.send_push(SHOP, hook.id)
        while len(await client.deliveries(SHOP, hook.id)) < 3:
            await there.stage.clock.sleep(10)
        newest = (await client.deliveries(SHOP, hook.id))[0]
        await client.delivery(SHOP, hook.id, newest.id)
        await client.redeliver(SHOP, hook.id, newest.id)
        await client.hooks(SHOP)
        await client.may_hook(SHOP)
        key = await client.ensure_deploy_key(SHOP, "trial", generate_key("trial")[1])
        with _refused():
            await client.add_deploy_key(SHOP, "trial", key.key)
        await client.deploy_keys(SHOP)
        await client.may_key(SHOP)
        await client.remove_deploy_key(SHOP, key.id)
        await client.remove_hook(SHOP, hook.id)
        await client.remove_hook(SHOP, hook.id)
        await client.aclose()
        contract.check_all(tape.exchanges, tape.url)
        used = {(one.method, one.status) for one in tape.exchanges}
        assert {("POST", 201), ("POST", 202), ("POST", 204), ("POST", 422), ("DELETE", 404)} <= used


async def test_a_missing_right_is_refused_as_described(tmp_path: Path) -> None:
    contract = Contract.of("github")
    async with git_world(tmp_path) as there, recorded(there.git.github_url) as tape:
        await there.use_token(READ_ONLY_TOKEN)
        client = GitHubClient(tape.url, lambda: there.world.secrets.get("GITHUB_TOKEN"), there.world.clock)
        with _refused():
            await client.add_hook(SHOP, HOOK)
        await client.aclose()
        contract.check_all(tape.exchanges, tape.url)
        assert tape.exchanges[-1].status == 403


async def test_the_description_objects_to_what_it_should(tmp_path: Path) -> None:
    """A broken request and a broken answer are found, so a green test above means something."""
    contract = Contract.of("github")
    async with git_world(tmp_path) as there, recorded(there.git.github_url) as tape:
        client = GitHubClient(tape.url, lambda: there.world.secrets.get("GITHUB_TOKEN"), there.world.clock)
        await client.add_hook(SHOP, HOOK)
        await client.repository(SHOP)
        await client.aclose()
        sent, shown = tape.exchanges
        with pytest.raises(ContractError, match="active"):
            contract.check(replace(sent, body=sent.body.replace(b"true", b'"yes"')), tape.url)
        with pytest.raises(ContractError, match="the answer"):
            contract.check(
                replace(shown, answer=shown.answer.replace(b"default_branch", b"branch")), tape.url
            )


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    with pytest.raises(VendorError):
        yield
