"""The apps phase by other ways: back to nothing and again, GitLab, the panel's own domain, DNS by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.phases.apps_stage import example, scene
from tests.phases.test_apps import changed
from wizard.config import Config, DnsProviderName, GitHost
from wizard.engine.plan import Ask, Wait
from wizard.phases.apps import steps as apps


async def test_the_whole_phase_goes_back_to_nothing_and_forward_again(tmp_path: Path) -> None:
    async with scene(tmp_path, example()) as found:
        steps = apps.steps(found.config)
        for step in steps:
            assert (await found.drive(step)).done

        for step in reversed(steps):
            plan = await found.bench.undo(step)
            assert plan.hold is None, f"{step.id}: {plan.hold}"

        for server in ("frontend", "backend"):
            panel = found.panel(server)
            left = {
                name
                for name in ("application", "compose", "domain", "patch", "schedule")
                if panel.table(name)
            }
            assert not left
            assert not [name for name in panel.docker.containers if "dokploy" not in name]
        (repository,) = found.stage.git.state.repositories.values()
        assert not repository.hooks

        for step in steps:
            turn = await found.drive(step)
            assert turn.done, f"{step.id}: {turn.story}"
        assert found.stage.ledger.duplicates() == ()


async def test_gitlab_deploys_by_a_push_too(tmp_path: Path) -> None:
    config = example()
    for name in ("web", "api"):
        config = changed(config, name, git_host=GitHost.GITLAB, private_repository=True)
    async with scene(tmp_path, config) as found:
        for app in ("web", "api"):
            turn = await found.until(f"apps.{app}.webhook")
            assert turn.done, turn.story
        (repository,) = found.stage.git.state.repositories.values()
        assert repository.host == "gitlab" and len(repository.keys) == 2


async def test_a_panel_with_a_domain_of_its_own_is_told_of_pushes_there(tmp_path: Path) -> None:
    config = example()
    servers = tuple(
        replace(server, panel_domain=f"panel-{server.name}.openmates.org") for server in config.servers
    )
    async with scene(tmp_path, replace(config, servers=servers), servers=["frontend"]) as found:
        turn = await found.until("apps.web.webhook")

        assert turn.done, turn.story
        assert [change.key for change in turn.applied] == ["hook", "deliver"]
        (repository,) = found.stage.git.state.repositories.values()
        (hook,) = repository.hooks.values()
        assert hook.url.startswith("https://panel-frontend.openmates.org/api/deploy/")


async def test_a_zone_edited_by_hand_is_asked_for_its_record_and_waited_for(tmp_path: Path) -> None:
    async with scene(tmp_path, example(), servers=["frontend"]) as found:
        assert (await found.until("apps.web.routes")).done
        by_hand: Config = replace(
            found.config, dns=replace(found.config.dns, provider=DnsProviderName.MANUAL)
        )
        found.config = found.bench.world.config = by_hand
        step = found.step("apps.web.webhook")
        ctx = found.bench.context(step)

        asked = step.plan(await step.observe(ctx)).hold
        assert isinstance(asked, Ask) and "deploy-frontend.openmates.org A 203.0.113." in asked.question.text

        found.bench.progress.answers[asked.question.id] = "added"
        assert isinstance(step.plan(await step.observe(ctx)).hold, Wait), "not there yet"


@pytest.mark.parametrize("app", ["web", "api"])
async def test_a_push_by_somebody_is_deployed_from_then_on(tmp_path: Path, app: str) -> None:
    async with scene(tmp_path, example()) as found:
        turn = await found.until(f"apps.{app}.webhook")
        wish = found.config.app(app)
        panel = found.panel(wish.server)
        before = len(panel.state.hooks)
        repository = found.stage.git.state.find(wish.repository)
        head = repository.head(wish.branch) if repository else None
        proof = next(one for one in turn.checks if one.name == f"{app}.delivered")
        assert head is not None and f"commit {head.sha[:12]}, as pushed" in proof.evidence.seen

        await found.stage.git.push(wish.repository, wish.branch, {"NEWS.md": b"news\n"}, "News")
        await found.stage.git.push(wish.repository, "other", {"NEWS.md": b"more\n"}, "Not for production")

        assert [status for _, status, _ in panel.state.hooks[before:]] == [200, 301]
