"""When things go wrong between a repository and a running app: the cause is said, and the way on leads on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.phases.apps_stage import Scene, example, scene
from tests.phases.context import Turn
from wizard.engine.events import Output
from wizard.errors import UnreachableError, VendorError
from wizard.phases.apps import steps as apps
from wizard.rehearsal.faults import PROFILES, Rule

_MOST_TRIES = 12


def said(found: Scene) -> str:
    return "\n".join(event.line for event in found.bench.events if isinstance(event, Output))


def deployments(found: Scene, app: str) -> list[dict[str, Any]]:
    row = found.row(app)
    key = "composeId" if "composeId" in row else "applicationId"
    table = found.panel(found.config.app(app).server).table("deployment").values()
    return [one for one in table if one.get(key) == row[key]]


async def stubborn(found: Scene, step: str) -> Turn:
    """As the engine does: a lost answer is looked after, then the step goes on from what is there."""
    for _ in range(_MOST_TRIES):
        try:
            return await found.drive(step)
        except UnreachableError:
            continue
    raise AssertionError(f"{step} never gets through")


async def test_a_failed_build_shows_its_cause_and_lines_and_the_next_run_goes_on(tmp_path: Path) -> None:
    async with scene(tmp_path, example(), servers=["frontend"], until="apps.web.trial") as found:
        found.stage.faults.profile = "build-fails"

        with pytest.raises(VendorError) as failed:
            await found.drive("apps.web.deploy")

        assert "the build ran out of memory" in failed.value.what
        assert "JavaScript heap out of memory" in failed.value.why
        assert "larger server" in failed.value.next
        assert "JavaScript heap out of memory" in said(found), "the log is followed live"

        turn = await found.drive("apps.web.deploy")
        assert turn.done, turn.story
        assert [one["status"] for one in deployments(found, "web")] == ["error", "done"]


async def test_a_version_that_never_becomes_healthy_is_not_called_done(tmp_path: Path) -> None:
    async with scene(tmp_path, example(), servers=["frontend"], until="apps.web.trial") as found:
        found.stage.faults.profile = "never-healthy"

        turn = await found.drive("apps.web.deploy")

        built, converged = turn.checks
        assert built.ok and not converged.ok
        assert "health check failed: connection refused" in converged.evidence.seen
        assert found.config.app("web").health in converged.advice

        turn = await found.drive("apps.web.deploy")
        assert turn.done, turn.story
        assert "never became healthy" in turn.applied[0].before


async def test_a_stack_that_never_becomes_healthy_shows_the_lines_of_the_sick_service(tmp_path: Path) -> None:
    async with scene(tmp_path, example(), servers=["backend"], until="apps.api.trial") as found:
        found.stage.faults.profile = "never-healthy"

        turn = await found.drive("apps.api.deploy")

        converged = turn.checks[1]
        assert not converged.ok and "api: running, unhealthy" in converged.evidence.seen
        assert "api: " in converged.evidence.seen and "connection refused" in converged.evidence.seen
        assert (await found.drive("apps.api.deploy")).done


async def test_a_panel_that_restarts_in_the_middle_is_waited_for_and_asked_once_more(tmp_path: Path) -> None:
    async with scene(tmp_path, example(), servers=["frontend"], until="apps.web.trial") as found:
        found.stage.faults.profile = "panel-restarts"

        turn = await found.drive("apps.web.deploy")

        assert turn.done, turn.story
        assert [one["status"] for one in deployments(found, "web")] == ["cancelled", "done"]
        assert "the panel was restarted" in said(found)


async def test_a_registrys_limit_is_named_waited_for_and_passed(tmp_path: Path) -> None:
    async with scene(tmp_path, example(), servers=["backend"], until="apps.api.trial") as found:
        found.stage.faults.profile = "registry-limit"

        turn = await found.drive("apps.api.deploy")

        assert turn.done, turn.story
        assert "the image registry refuses more pulls for now" in said(found)
        assert [one["status"] for one in deployments(found, "api")] == ["error", "done"]


async def test_a_deployment_is_followed_after_a_kill_not_begun_twice(tmp_path: Path) -> None:
    async with scene(tmp_path, example(), servers=["frontend"], until="apps.web.trial") as found:
        killed = asyncio.ensure_future(found.drive("apps.web.deploy"))
        while not [one for one in deployments(found, "web") if one["status"] == "running"]:
            await asyncio.sleep(0)
            assert not killed.done()
        killed.cancel()
        with pytest.raises(asyncio.CancelledError):
            await killed

        turn = await found.drive("apps.web.deploy")

        assert turn.done, turn.story
        assert len(deployments(found, "web")) == 1


async def test_a_kill_between_asking_and_the_queue_begins_nothing_twice(tmp_path: Path) -> None:
    async with scene(tmp_path, example(), servers=["frontend"], until="apps.web.trial") as found:
        panel = found.panel("frontend")
        killed = asyncio.ensure_future(found.drive("apps.web.deploy"))
        while not panel.state.queue:
            await asyncio.sleep(0)
            assert not killed.done()
        killed.cancel()
        with pytest.raises(asyncio.CancelledError):
            await killed

        assert (await found.drive("apps.web.deploy")).done
        assert len(deployments(found, "web")) == 1


async def test_lost_answers_of_the_panel_make_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts = (
        *("project.create", "application.create", "application.saveGitProvider", "domain.create"),
        *("application.saveEnvironment", "application.deploy"),
    )
    lost = tuple(Rule("panel", act, "lost_answer", times=1) for act in acts)
    monkeypatch.setitem(PROFILES, "lost-answers", lost)
    async with scene(tmp_path, example(), servers=["frontend"], faults="lost-answers") as found:
        for name in ("create", "source", "environment", "trial", "deploy", "healthy"):
            turn = await stubborn(found, f"apps.web.{name}")
            assert turn.done, f"{name}: {turn.story}"

        panel = found.panel("frontend")
        assert sum(found.stage.faults.played.values()) == len(acts), "every answer was lost once"
        assert [len(panel.table(name)) for name in ("project", "application", "domain")] == [1, 1, 1]
        assert len(deployments(found, "web")) == 1
        assert found.stage.ledger.duplicates() == ()


async def test_a_panel_full_of_500s_ends_with_each_thing_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROFILES, "bad-panel", (Rule("panel", "*", "error_500", chance=0.12),))
    async with scene(tmp_path, example(), faults="bad-panel") as found:
        for step in apps.steps(found.config):
            turn = await stubborn(found, step.id)
            assert turn.done, f"{step.id}: {turn.story}"

        assert found.stage.faults.played, "the panel did fail"
        assert found.stage.ledger.duplicates() == ()
        for server in ("frontend", "backend"):
            panel = found.panel(server)
            assert len(panel.table("project")) == len(panel.table("domain")) == 1
