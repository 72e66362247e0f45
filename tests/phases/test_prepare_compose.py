"""prepare.compose: the real file from git is reviewed; what needs a person is said beforehand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.phases.context import Bench
from tests.rehearsal.entered import Entered, entered
from tests.shared import shared_dir
from wizard.config import Config, Volume
from wizard.engine.check import CheckState
from wizard.engine.plan import Ask, Failed
from wizard.phases.prepare.compose import GO_ON, STOP, ComposeStep, ReviewRecord

REPOSITORY = "glowingkitty/OpenMates"
FILE = "backend/core/docker-compose.selfhost.yml"
REVIEW = "api-compose-review.md"


async def _put(there: Entered, text: str) -> None:
    await there.stage.git.push(REPOSITORY, "main", {FILE: text.encode()}, "Another stack")


def _step(there: Entered) -> ComposeStep:
    return ComposeStep(there.world.config)


async def test_the_review_is_kept_and_a_second_turn_changes_nothing(tmp_path: Path) -> None:
    async with entered(tmp_path) as there:
        bench = Bench(there.world, tmp_path)
        turn = await bench.drive(_step(there))
        assert turn.done, turn.story
        record = bench.context("prepare.compose").saved.load("review.api", ReviewRecord)
        assert record is not None and record.by_hand == () and len(record.mended) >= 5
        text = (tmp_path / "backups" / REVIEW).read_text()
        assert all(rule in text for rule in ("published-port", "container-name", "data-volume"))
        again = await bench.drive(_step(there))
        assert again.done and again.applied == ()
        assert there.made == ()


async def test_another_file_in_git_is_reviewed_anew(tmp_path: Path) -> None:
    async with entered(tmp_path) as there:
        bench = Bench(there.world, tmp_path)
        await bench.drive(_step(there))
        files = there.stage.git.clone(REPOSITORY, "main").files
        await _put(there, files[FILE].decode().replace("mem_limit: 1g", "mem_limit: 2g", 1))
        checks = {one.name: one for one in await bench.prove(_step(there))}
        assert checks["api.reviewed"].state is CheckState.FAILED
        assert (await bench.drive(_step(there))).done


async def test_what_a_person_must_mend_is_asked_about_and_stays_visible(tmp_path: Path) -> None:
    text = (shared_dir() / "inputs" / "openmates" / "docker-compose.yml").read_text()
    async with entered(tmp_path) as there:
        await _put(there, text)
        config = there.world.config
        there.world.config = replace(config, volumes=(), databases=())
        bench = Bench(there.world, tmp_path)
        turn = await bench.drive(_step(there))
        assert isinstance(turn.hold, Ask), turn.story
        question = turn.hold.question
        assert "code-only-by-mount" in question.why and question.default == GO_ON
        stopped = await bench.drive(_step(there), {question.id: STOP})
        assert isinstance(stopped.hold, Failed) and "code-only-by-mount" in stopped.hold.why
        assert stopped.hold.answer == question.id, "the next run asks again"
        bench.progress.answers.clear()
        going = await bench.drive(_step(there), {question.id: GO_ON})
        assert going.done, going.story
        mended = next(one for one in going.checks if one.name == "api.mended")
        assert mended.state is CheckState.WAIVED and "code-only-by-mount" in mended.evidence.seen


BUILT = """services:
  api:
    build: {context: ., dockerfile: Dockerfile.api}
    volumes: ["./app:/app/app", shop-data:/data]
    healthcheck: {test: curl -f localhost/health, interval: 30s}
  worker:
    extends: {file: common.yml, service: base}
    mem_limit: 15g
volumes:
  shop-data:
    name: shop-data
"""


async def test_the_review_reads_what_the_file_refers_to_and_knows_the_domain_and_the_host(
    tmp_path: Path,
) -> None:
    async with entered(tmp_path) as there:
        folder = FILE.rpartition("/")[0]
        files = {
            FILE: BUILT,
            f"{folder}/Dockerfile.api": "FROM python:3.12\nCOPY lib/ lib/\n",
            f"{folder}/common.yml": "services:\n  base:\n    image: shop/worker:1.2\n",
        }
        content = {path: text.encode() for path, text in files.items()}
        await there.stage.git.push(REPOSITORY, "main", content, "Build it here")
        config = there.world.config
        there.world.config = replace(
            config,
            volumes=(Volume("shop-data", "api"),),
            databases=(),
            apps=tuple(replace(app, cache_service="") for app in config.apps),
        )

        stack = (await _step(there).observe(Bench(there.world, tmp_path).context("prepare.compose")))[0]

        assert "Dockerfile.api, which does not copy ./app" in stack.text, "the Dockerfile was read"
        assert "memory-over-host" in stack.text, "the wished type of server is known"
        assert "slow-health-check (api" in stack.text, "a domain leads to it"
        assert "which this review has read" in stack.text, "so was what it extends"


def _without(config: Config, what: str) -> Config:
    if what == "service":
        return replace(
            config, apps=tuple(replace(app, service="web2") if app.service else app for app in config.apps)
        )
    if what == "database":
        return replace(config, databases=(replace(config.databases[0], service="postgres"),))
    return replace(config, volumes=(*config.volumes, Volume("shop-letters", "api", ("api",))))


@pytest.mark.parametrize(
    ("what", "seen"),
    [
        ("service", "no service web2"),
        ("database", "no service postgres"),
        ("volume", "no volume shop-letters"),
    ],
)
async def test_a_configuration_that_does_not_fit_the_file_is_refused(
    tmp_path: Path, what: str, seen: str
) -> None:
    async with entered(tmp_path) as there:
        there.world.config = _without(there.world.config, what)
        turn = await Bench(there.world, tmp_path).drive(_step(there))
        assert isinstance(turn.hold, Failed) and seen in turn.hold.why
        assert "configuration" in turn.hold.ways[0]


@pytest.mark.parametrize("text", ["services: [\n", "no: stack\n", "services:\n  api: 5\n"])
async def test_a_file_that_is_no_compose_file_is_a_sentence(tmp_path: Path, text: str) -> None:
    async with entered(tmp_path) as there:
        await _put(there, text)
        turn = await Bench(there.world, tmp_path).drive(_step(there))
        assert isinstance(turn.hold, Failed) and turn.hold.why.startswith(FILE) and turn.hold.ways


async def test_without_a_stack_there_is_nothing_to_review(tmp_path: Path) -> None:
    async with entered(tmp_path) as there:
        config = there.world.config
        there.world.config = replace(config, apps=config.apps[:1])
        turn = await Bench(there.world, tmp_path).drive(_step(there))
        assert turn.done and turn.checks[0].name == "none"
