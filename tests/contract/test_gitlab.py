"""GitLab: what our client sends and what the stand-in answers, against the list of its documented calls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.gitlab_calls import CALLS, check
from tests.contract.harness import ContractError, recorded
from tests.rehearsal.git_stage import SHOP, git_world, shop
from wizard.clients.git.gitlab import GitLabClient
from wizard.clients.ssh import generate_key
from wizard.config import GitHost

HOOK = "https://nowhere.shop.example/api/deploy/abcdefghijkl"


async def test_every_call_is_made_and_answered_as_documented_and_the_list_objects(tmp_path: Path) -> None:
    config = shop(host=GitHost.GITLAB, private=True)
    async with git_world(tmp_path, config=config) as there, recorded(there.git.gitlab_url) as tape:
        client = GitLabClient(tape.url, lambda: there.world.secrets.get("GITLAB_TOKEN"), there.world.clock)
        await client.account()
        await client.repositories()
        await client.repository(SHOP)
        await client.head(SHOP, "main")
        await client.head(SHOP, "none")
        await client.tree(SHOP, "main")
        await client.read_file(SHOP, "web/Dockerfile", "main")
        hook = await client.ensure_hook(SHOP, HOOK, "main")
        await client.hooks(SHOP)
        await client.send_push(SHOP, hook.id)
        while not (sent := await client.deliveries(SHOP, hook.id)):
            await there.stage.clock.sleep(10)
        await client.delivery(SHOP, hook.id, sent[0].id)
        await client.redeliver(SHOP, hook.id, sent[0].id)
        await client.may_hook(SHOP)
        key = await client.ensure_deploy_key(SHOP, "trial", generate_key("trial")[1])
        await client.deploy_keys(SHOP)
        await client.may_key(SHOP)
        await client.remove_deploy_key(SHOP, key.id)
        await client.remove_hook(SHOP, hook.id)
        await client.remove_hook(SHOP, hook.id)
        await client.aclose()

        made = {check(exchange, tape.url) for exchange in tape.exchanges}
        assert made == set(CALLS), {f"{one.method} {one.path}" for one in set(CALLS) - made}

        added = next(one for one in tape.exchanges if one.method == "POST" and one.status == 201)
        for broken in (
            replace(added, body=added.body.replace(b"push_events_branch_filter", b"branch")),
            replace(added, body=added.body.replace(b'"url"', b'"address"')),
            replace(added, answer=added.answer.replace(b"push_events", b"events")),
            replace(added, url=f"{added.url}?force=1"),
            replace(added, url=added.url.replace("/hooks", "/webhooks")),
            replace(added, status=200),
            replace(added, headers={}),
        ):
            with pytest.raises(ContractError):
                check(broken, tape.url)
