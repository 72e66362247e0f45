"""The apps phase over a whole rehearsal: what is made, proven, adopted, refused and taken back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.phases.apps_stage import Scene, example, scene
from wizard.config import App, CachePolicy, Config, EnvSource
from wizard.engine.check import CheckState
from wizard.engine.plan import Ask, Failed
from wizard.errors import WizardError
from wizard.phases.apps import steps as apps
from wizard.records import AppRecord


def changed(config: Config, name: str, **fields: object) -> Config:
    """`config` with other fields of one app."""
    made = tuple(replace(app, **fields) if app.name == name else app for app in config.apps)  # type: ignore[arg-type]
    return replace(config, apps=made)


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path, example()) as made:
        yield made


async def test_every_app_is_built_reached_healthy_equal_and_deployed_by_a_push(whole: Scene) -> None:
    for step in apps.steps(whole.config):
        turn = await whole.drive(step)
        assert turn.done, f"{step.id}: {turn.story}"

    hooks = [hook for server in ("frontend", "backend") for hook in whole.panel(server).state.hooks]
    assert {(event, status) for event, status, _ in hooks if event == "push"} == {("push", 200)}
    assert whole.stage.ledger.duplicates() == ()
    values = [value for value in whole.row("api")["env"].split("\n") if "SECRET" in value]
    kept = (whole.bench.folder / "progress.toml").read_text() + (
        whole.bench.folder / "journal.jsonl"
    ).read_text()
    assert values and not [value for value in values if value.partition("=")[2] in kept]

    for step in apps.steps(whole.config):
        turn = await whole.drive(step)
        assert turn.done and not turn.applied, f"{step.id} changes something a second time"


async def test_what_has_the_name_already_is_adopted_and_survives_undo(whole: Scene) -> None:
    panel = whole.panel("frontend")
    await whole.until("apps.web.create")
    mine = whole.bench.context("apps.web.create").saved
    mine.drop("app")

    turn = await whole.drive("apps.web.create")

    assert turn.done and [change.key for change in turn.applied] == ["adopt"]
    assert len(panel.table("application")) == len(panel.table("project")) == 1
    assert mine.load("app", AppRecord).made is False  # type: ignore[union-attr]
    assert (await whole.bench.undo(whole.step("apps.web.create"))).empty


async def test_two_of_a_name_are_refused_with_a_way_on(whole: Scene) -> None:
    await whole.until("apps.web.create")
    panel = whole.panel("frontend")
    (row,) = panel.table("application").values()
    panel.add("application", {**row, "applicationId": panel.new_id()})
    whole.bench.context("apps.web.create").saved.drop("app")

    turn = await whole.drive("apps.web.create")

    assert isinstance(turn.hold, Failed) and "2 of the name web" in turn.hold.why


async def test_what_was_made_is_taken_back_but_never_data(whole: Scene) -> None:
    await whole.until("apps.api.source")
    docker = whole.host("backend").docker
    docker.volumes["openmates-vault-data"].files["key"] = next(
        iter(whole.host("old-backend").docker.volumes["openmates-vault-data"].files.values())
    )

    for step in ("apps.api.source", "apps.api.create"):
        await whole.bench.undo(whole.step(step))

    assert not whole.panel("backend").table("compose")
    assert "openmates-vault-data" in docker.volumes, "it holds something"
    assert "openmates-directus-uploads" not in docker.volumes, "it was empty, and ours"


async def test_a_stack_that_names_files_of_its_repository_is_cloned_with_the_reviewed_file_over_it(
    whole: Scene,
) -> None:
    turn = await whole.until("apps.api.source")

    (patch,) = whole.panel("backend").table("patch").values()
    assert patch["filePath"] == whole.config.app("api").compose_file
    assert "container_name" not in patch["content"] and "external: true" in patch["content"]
    assert turn.done, turn.story
    assert any(line.startswith("-") and "container_name" in line for line in turn.plan.notes), "the diff"


async def test_an_image_without_a_version_is_kept_at_what_the_old_host_runs(whole: Scene) -> None:
    app = whole.config.app("api")
    text = whole.repository_file("api", app.compose_file).decode()
    floating = re.sub(r"(image: \S+?-api):\S+", r"\1:latest", text)
    await whole.stage.git.push(app.repository, app.branch, {app.compose_file: floating.encode()}, "Float")

    await whole.until("apps.api.source")

    (patch,) = whole.panel("backend").table("patch").values()
    old = whole.host("old-backend").docker
    assert f"image: {old.images[old.containers['api'].image]}\n" in patch["content"]


async def test_the_operator_can_refuse_the_edits(whole: Scene) -> None:
    await whole.until("apps.api.create")
    step = whole.step("apps.api.source")
    question = step.plan(await step.observe(whole.bench.context(step))).hold.question  # type: ignore[union-attr]

    turn = await whole.bench.drive(step, {question.id: "stop"})

    assert isinstance(turn.hold, Failed) and "not accepted" in turn.hold.why
    assert whole.row("api")["sourceType"] == "github", "nothing was changed"


async def test_a_private_repository_gets_a_key_that_only_reads_and_loses_it_again(tmp_path: Path) -> None:
    config = example()
    for name in ("web", "api"):
        config = changed(config, name, private_repository=True)
    async with scene(tmp_path, config) as found:
        turn = await found.until("apps.web.deploy")

        assert turn.done, turn.story
        (repository,) = found.stage.git.state.repositories.values()
        (key,) = repository.keys.values()
        assert key.read_only and key.last_used, "the panel cloned with it"
        private = await found.bench.world.secrets.get("DEPLOY_KEY_WEB")
        assert private and private not in (found.bench.folder / "progress.toml").read_text()

        await found.bench.undo(found.step("apps.web.source"))
        assert not repository.keys and not found.panel("frontend").table("sshKey")


async def test_the_front_ends_host_gets_no_secret(tmp_path: Path) -> None:
    config = changed(example(), "web", env_extra=(("STRIPE_SECRET_KEY", "sk-never-there"), ("THEME", "dark")))
    async with scene(tmp_path, config, servers=["frontend"]) as found:
        turn = await found.until("apps.web.environment")

        assert turn.done, turn.story
        assert "sk-never-there" not in found.row("web")["env"] + found.row("web")["buildArgs"]
        assert "THEME=dark" in found.row("web")["env"]
        assert "STRIPE_SECRET_KEY" in next(c for c in turn.checks if c.name == "web.no_secret").evidence.seen


async def test_build_arguments_are_apart_from_what_the_container_gets(tmp_path: Path) -> None:
    config = changed(example(), "web", env_extra=(("THEME", "dark"),))
    async with scene(tmp_path, config, servers=["frontend"], until="apps.web.environment") as found:
        row = found.row("web")
        assert "VITE_API_URL=" in row["buildArgs"] and "VITE_API_URL" not in row["env"]
        assert row["createEnvFile"] is False, "a file in the build's context would end up in the image"


async def test_a_missing_variable_is_asked_for_and_then_set(tmp_path: Path) -> None:
    file = tmp_path / "web.env"
    file.write_text("VITE_API_URL=https://api.shop.example\nVITE_ENV=production\n")
    wanted = ("VITE_API_URL", "VITE_ENV", "VITE_LATE")
    config = changed(example(), "web", build_args=wanted, env_source=EnvSource.FILE, env_file=str(file))
    async with scene(tmp_path, config, servers=["frontend"]) as found:
        turn = await found.until("apps.web.environment")
        assert isinstance(turn.hold, Ask) and not turn.hold.question.secret
        assert "VITE_LATE" in turn.hold.question.text

        found.answers[turn.hold.question.id] = "given"
        turn = await found.drive("apps.web.environment")

        assert turn.done, turn.story
        assert "VITE_LATE=given" in found.row("web")["buildArgs"]


async def test_variables_that_somebody_changed_on_the_panel_are_kept_unless_told_otherwise(
    whole: Scene,
) -> None:
    await whole.until("apps.web.environment")
    whole.row("web")["env"] = "MINE=1"

    turn = await whole.drive("apps.web.environment")

    assert turn.done and whole.row("web")["env"] == "MINE=1"
    assert turn.checks[0].state is CheckState.WAIVED


async def test_a_source_that_is_not_there_is_said_before_anything_is_changed(tmp_path: Path) -> None:
    config = changed(example(), "web", env_source=EnvSource.FILE, env_file=str(tmp_path / "none.env"))
    async with scene(tmp_path, config, servers=["frontend"]) as found:
        with pytest.raises(WizardError, match=r"none\.env cannot be read"):
            await found.until("apps.web.environment")


async def test_a_hook_to_another_branch_is_told_with_the_panels_answer(whole: Scene) -> None:
    await whole.until("apps.web.routes")
    whole.row("web")["customGitBranch"] = "release"

    with pytest.raises(WizardError) as refused:
        await whole.drive("apps.web.webhook")

    assert "listens to another branch" in str(refused.value) and "301" in refused.value.why
    whole.row("web")["customGitBranch"] = "main"
    turn = await whole.drive("apps.web.webhook")
    assert turn.done, turn.story
    (repository,) = whole.stage.git.state.repositories.values()
    assert len(repository.hooks) == 1, "the hook of the first try is taken"


async def test_a_webhook_is_taken_off_with_its_way_in(whole: Scene) -> None:
    await whole.until("apps.web.webhook")

    await whole.bench.undo(whole.step("apps.web.webhook"))

    (repository,) = whole.stage.git.state.repositories.values()
    assert not repository.hooks
    assert not whole.stage.dns.lookup("deploy-frontend.openmates.org", "A")
    assert not [path for path in whole.host("frontend").state.files if "dokploy-wizard-deploy" in path]


async def test_a_build_that_wants_more_memory_than_there_is_is_refused_first(whole: Scene) -> None:
    app: App = whole.config.app("web")
    await whole.until("apps.web.create")
    content = whole.repository_file("web", app.dockerfile)
    await whole.stage.git.push(
        app.repository, app.branch, {app.dockerfile: content.replace(b"size=512", b"size=65536")}, "Grow"
    )

    turn = await whole.drive("apps.web.source")

    assert isinstance(turn.hold, Failed) and "65536 MB" in turn.hold.why


async def test_flushall_is_typed_says_what_it_destroys_and_runs_with_each_deployment(tmp_path: Path) -> None:
    config = changed(example(), "api", cache_policy=CachePolicy.FLUSHALL)
    async with scene(tmp_path, config) as found:
        app = config.app("api")
        text = found.repository_file("api", app.compose_file).decode()
        own = text.replace(
            "      DRAGONFLY_PASSWORD: ${DRAGONFLY_PASSWORD}\n",
            "      DRAGONFLY_PASSWORD: ${DRAGONFLY_PASSWORD}\n      REDISCLI_AUTH: ${DRAGONFLY_PASSWORD}\n",
        )
        await found.stage.git.push(app.repository, app.branch, {app.compose_file: own.encode()}, "Log in")
        turn = await found.until("apps.api.cache")

        assert turn.done, turn.story
        (change, _) = turn.applied
        assert change.confirm == "FLUSHALL" and "queued work" in change.why
        assert found.row("api")["command"].endswith("exec -T cache redis-cli FLUSHALL")


async def test_flushall_that_the_cache_would_refuse_is_refused_first(tmp_path: Path) -> None:
    async with scene(tmp_path, changed(example(), "api", cache_policy=CachePolicy.FLUSHALL)) as found:
        turn = await found.until("apps.api.cache")

        assert isinstance(turn.hold, Failed) and "REDISCLI_AUTH" in turn.hold.ways[0]
        assert not found.row("api")["command"]


@pytest.mark.parametrize(
    ("policy", "state"),
    [(CachePolicy.NONE, CheckState.WAIVED), (CachePolicy.VERSIONED_KEYS, CheckState.FAILED)],
)
async def test_other_cache_policies_clear_nothing(
    tmp_path: Path, policy: CachePolicy, state: CheckState
) -> None:
    async with scene(tmp_path, changed(example(), "api", cache_policy=policy)) as found:
        turn = await found.until("apps.api.cache")

        assert not turn.applied and [check.state for check in turn.checks] == [state]
