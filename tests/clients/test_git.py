"""The git client against the stand-in: what it reads, what it refuses to repeat, how it says no."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsal.git_stage import SHOP, git_world, shop
from wizard.clients.git import LimitedError, NotFoundError, TakenError
from wizard.clients.ssh import generate_key
from wizard.config import GitHost
from wizard.errors import CredentialError, UnreachableError
from wizard.rehearsal.faults import PROFILES, Rule
from wizard.rehearsal.git.state import (
    EXPIRED_TOKEN,
    HOURLY_WITHOUT_TOKEN,
    READ_ONLY_TOKEN,
    STRANGER_TOKEN,
)

HOSTS = pytest.mark.parametrize("host", list(GitHost))
HOOK = "https://panel.shop.example/api/deploy/abcdefghijkl"


@HOSTS
async def test_reads_what_a_repository_holds(tmp_path: Path, host: GitHost) -> None:
    async with git_world(tmp_path, config=shop(host=host)) as there:
        client = there.client
        found = await client.repository("Owner/SHOP")
        assert found is not None and (found.name, found.default_branch) == (SHOP, "main")
        head = await client.head(SHOP, "main")
        assert head is not None and head.sha == there.repository.branches["main"][-1].sha
        text = await client.read_file(SHOP, "deploy/docker-compose.prod.yml", "main")
        assert text is not None and "${INTERNAL_API_SHARED_TOKEN}" in text
        tree = await client.tree(SHOP, "main")
        assert tree.complete and tree.holds("web/Dockerfile") and tree.holds("web") and not tree.holds("we")


@HOSTS
async def test_what_is_not_there_is_none_not_an_error(tmp_path: Path, host: GitHost) -> None:
    async with git_world(tmp_path, config=shop(host=host)) as there:
        assert await there.client.repository("owner/none") is None
        assert await there.client.head(SHOP, "feature/none") is None
        assert await there.client.read_file(SHOP, "none.yml", "main") is None
        with pytest.raises(NotFoundError):
            await there.client.tree(SHOP, "none")


@HOSTS
async def test_lists_of_any_length_are_read_whole(tmp_path: Path, host: GitHost) -> None:
    async with git_world(tmp_path, config=shop(host=host)) as there:
        files = {f"many/{number}.txt": b"x" for number in range(230)}
        await there.git.push(SHOP, "main", files, "Many files")
        assert len((await there.client.tree(SHOP, "main")).files) > 230
        for _ in range(104):
            await there.client.add_deploy_key(SHOP, "key", generate_key("x")[1])
        assert len(await there.client.deploy_keys(SHOP)) == 104


@HOSTS
async def test_a_hook_is_made_once_and_taken_away_once(tmp_path: Path, host: GitHost) -> None:
    async with git_world(tmp_path, config=shop(host=host)) as there:
        first = await there.client.ensure_hook(SHOP, HOOK, "main")
        assert (await there.client.ensure_hook(SHOP, HOOK, "main")).id == first.id
        assert [one.url for one in await there.client.hooks(SHOP)] == [HOOK]
        assert there.stage.ledger.duplicates() == ()
        await there.client.remove_hook(SHOP, first.id)
        await there.client.remove_hook(SHOP, first.id)
        assert await there.client.hooks(SHOP) == ()


async def test_a_second_hook_of_the_same_address_is_refused_as_taken(tmp_path: Path) -> None:
    async with git_world(tmp_path) as there:
        await there.client.add_hook(SHOP, HOOK)
        with pytest.raises(TakenError):
            await there.client.add_hook(SHOP, HOOK)


@HOSTS
async def test_a_deploy_key_reads_only_and_is_found_again(tmp_path: Path, host: GitHost) -> None:
    _, public = generate_key("trial")
    async with git_world(tmp_path, config=shop(host=host)) as there:
        made = await there.client.ensure_deploy_key(SHOP, "trial", public)
        assert made.read_only and made.key.split()[:2] == public.split()[:2]
        assert (await there.client.ensure_deploy_key(SHOP, "trial", public)).id == made.id
        await there.client.remove_deploy_key(SHOP, made.id)
        assert await there.client.deploy_keys(SHOP) == ()


async def test_a_key_of_another_repository_is_refused_as_taken(tmp_path: Path) -> None:
    _, public = generate_key("trial")
    async with git_world(tmp_path) as there:
        await there.client.add_deploy_key(SHOP, "trial", public)
        with pytest.raises(TakenError):
            await there.client.add_deploy_key(SHOP, "again", public)


async def test_a_missing_right_is_named(tmp_path: Path) -> None:
    async with git_world(tmp_path) as there:
        await there.use_token(READ_ONLY_TOKEN)
        with pytest.raises(CredentialError) as hooks:
            await there.client.hooks(SHOP)
        with pytest.raises(CredentialError) as keys:
            await there.client.add_deploy_key(SHOP, "trial", generate_key("x")[1])
        assert "Webhooks: read" in hooks.value.what and "Webhooks: read and write" in hooks.value.next
        assert "Administration: read and write" in keys.value.what


async def test_hidden_and_absent_are_told_alike_and_the_right_is_named(tmp_path: Path) -> None:
    async with git_world(tmp_path, config=shop(private=True)) as there:
        await there.use_token(STRANGER_TOKEN)
        assert await there.client.repository(SHOP) is None
        with pytest.raises(NotFoundError) as refused:
            await there.client.hooks(SHOP)
        assert "hidden from this token" in refused.value.why and "Webhooks" in refused.value.next


@HOSTS
async def test_a_bad_token_is_told_apart_from_none(tmp_path: Path, host: GitHost) -> None:
    async with git_world(tmp_path, config=shop(host=host)) as there:
        await there.use_token(EXPIRED_TOKEN)
        with pytest.raises(CredentialError, match="does not accept the token"):
            await there.client.repository(SHOP)
        await there.use_token("")
        assert await there.client.repository(SHOP) is not None
        with pytest.raises(CredentialError, match="There is no"):
            await there.client.hooks(SHOP)


async def test_no_error_text_holds_the_token_or_the_address_of_a_hook(tmp_path: Path) -> None:
    async with git_world(tmp_path) as there:
        made = await there.client.add_hook(SHOP, HOOK)
        assert "abcdefghijkl" not in repr(made)
        with pytest.raises(TakenError) as taken:
            await there.client.add_hook(SHOP, HOOK)
        await there.use_token(EXPIRED_TOKEN)
        with pytest.raises(CredentialError) as refused:
            await there.client.hooks(SHOP)
        for text in (str(taken.value), str(refused.value)):
            assert "abcdefghijkl" not in text and EXPIRED_TOKEN not in text


def _fault(monkeypatch: pytest.MonkeyPatch, act: str, fault: str, times: int) -> str:
    monkeypatch.setitem(PROFILES, "trial", (Rule("github", act, fault, times=times),))
    return "trial"


async def test_reads_outlast_a_host_in_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with git_world(tmp_path, faults=_fault(monkeypatch, "*", "error_502", 3)) as there:
        assert await there.client.head(SHOP, "main") is not None


async def test_a_change_is_sent_once_whatever_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with git_world(tmp_path, faults=_fault(monkeypatch, "hooks.create", "lost_answer", 1)) as there:
        with pytest.raises(UnreachableError, match="does not answer"):
            await there.client.add_hook(SHOP, HOOK)
        assert there.stage.faults.calls["github/hooks.create"] == 1
        assert (await there.client.ensure_hook(SHOP, HOOK)).url == HOOK
        assert len(there.repository.hooks) == 1


async def test_a_secondary_limit_is_waited_out_by_changes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with git_world(tmp_path, faults=_fault(monkeypatch, "hooks.create", "secondary_limit", 1)) as there:
        before = there.stage.clock.now()
        await there.client.add_hook(SHOP, HOOK)
        assert there.stage.clock.now() - before >= 60
        assert len(there.repository.hooks) == 1


async def test_a_limit_that_lasts_is_said_with_its_end(tmp_path: Path) -> None:
    async with git_world(tmp_path) as there:
        await there.use_token("")
        there.git.state.spent[""] = HOURLY_WITHOUT_TOKEN
        with pytest.raises(LimitedError, match="request limit") as refused:
            await there.client.head(SHOP, "main")
        assert "begins anew at" in refused.value.why and "GITHUB_TOKEN" in refused.value.next


async def test_nobody_there_is_a_sentence(tmp_path: Path) -> None:
    async with git_world(tmp_path) as there:
        there.client._wire._url = "http://127.0.0.1:9"
        with pytest.raises(UnreachableError, match="GitHub's API does not answer"):
            await there.client.repository(SHOP)


async def test_networks_of_deliveries_are_told(tmp_path: Path) -> None:
    async with git_world(tmp_path) as there:
        assert "192.0.2.192/28" in await there.client.hook_sources()


@HOSTS
async def test_repositories_of_the_token_are_listed(tmp_path: Path, host: GitHost) -> None:
    async with git_world(tmp_path, config=shop(host=host)) as there:
        assert [one.name for one in await there.client.repositories()] == [SHOP]
        assert (await there.client.account()).login == "rehearsal-operator"
