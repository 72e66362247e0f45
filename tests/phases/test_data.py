"""The data phase between the rehearsal's old and new host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.phases.context import Bench
from tests.phases.test_hosts_provision import Scene
from tests.rehearsal.hosts_stage import CONFIG, hosts_world
from wizard.engine.plan import Failed, Kind, Refusal
from wizard.phases.data import steps as data
from wizard.phases.decommission.old_host import StopOldHost
from wizard.phases.prepare.old_host import OldHostInventoryStep
from wizard.records import AppRecord
from wizard.rehearsal.hosts.standin import Host
from wizard.rehearsal.hosts.state import Container, File, Mount, Volume

REHEARSE, FREEZE, DATABASE, VAULT, LOGS, COMPARE, START = data.steps(CONFIG)


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A back end with the stack in trial: its own fresh database and an initialised vault."""
    async with hosts_world(tmp_path, speed=120.0) as small:
        bench = Bench(small.world, tmp_path)
        scene = Scene(small, bench)
        host = scene.server("backend", 10)
        await small.stage.clock.leap(host.state.booted + 20)
        await bench.drive(scene.login("backend"))
        _trial(host)
        bench.context("apps.api.create").saved.save(
            "app", AppRecord("api", "backend", "p", "e", "c", "shop-api-x1")
        )
        yield scene
        bench.close()


def _trial(host: Host) -> None:
    host.docker.version = "28.5.0"
    host.docker.volumes["shop-vault"] = Volume("shop-vault", {"fresh": File(b"trial")})
    for service in ("api", "cms-database", "vault", "task-worker"):
        box = Container(f"shop-api-x1-{service}-1", service, project="shop-api-x1", service=service)
        host.docker.containers[box.name] = box
    host.docker.containers["shop-api-x1-vault-1"].mounts = [Mount("volume", "/vault", "shop-vault")]
    database = host.docker.containers["shop-api-x1-cms-database-1"]
    database.image, database.env = "postgres:13-alpine", {"POSTGRES_DB": "directus"}


def machines(scene: Scene) -> tuple[Host, Host]:
    old, new = scene.small.stage.hosts.get("old-backend"), scene.small.stage.hosts.get("backend")
    assert old is not None and new is not None
    return old, new


async def test_everything_arrives_and_the_stack_runs_on_it(scene: Scene) -> None:
    old, new = machines(scene)
    for step in data.steps(CONFIG):
        turn = await scene.bench.drive(step)
        assert turn.done, f"{step.id}: {turn.story}"

    assert new.docker.volumes["shop-vault"].files == old.docker.volumes["shop-vault"].files
    assert {box.state for box in new.docker.containers.values()} == {"running"}
    assert old.docker.containers["api"].state == "running", "reads go on"
    assert old.docker.containers["vault"].state == "running", "paused for the copy only"
    assert old.docker.containers["task-worker"].state == "exited"
    assert "dokploy-wizard-move" not in new.text("/root/.ssh/authorized_keys")
    assert not [path for path in old.state.files if "move_key" in path]
    assert (await scene.bench.plan(START)).empty


async def test_what_the_trial_wrote_is_replaced_only_by_typing_its_name(scene: Scene) -> None:
    await scene.bench.drive(FREEZE)

    plans = [await scene.bench.plan(step) for step in (DATABASE, VAULT)]

    assert [plan.changes[0].kind for plan in plans] == [Kind.REPLACE, Kind.REPLACE]
    assert [plan.changes[0].confirm for plan in plans] == ["directus", "shop-vault"]


async def test_a_moved_database_that_was_written_to_since_is_not_replaced(scene: Scene) -> None:
    _, new = machines(scene)
    await scene.bench.drive(FREEZE)
    await scene.bench.drive(DATABASE)
    volume = new.docker.volumes["shop-api-x1-cms-database-1-data"]
    volume.databases["directus"].tables["public.users"].rows.append(("999", "new@example.org", "x"))

    plan = await scene.bench.plan(DATABASE)

    assert isinstance(plan.hold, Failed) and plan.hold.refusal is Refusal.THIRD_VALUE


async def test_a_row_that_is_missing_is_found(scene: Scene) -> None:
    _, new = machines(scene)
    await scene.bench.drive(FREEZE)
    await scene.bench.drive(DATABASE)
    volume = new.docker.volumes["shop-api-x1-cms-database-1-data"]
    volume.databases["directus"].tables["public.messages"].rows.pop()

    checks = await scene.bench.prove(DATABASE)

    assert not checks[0].ok
    assert "public.messages" in checks[0].evidence.seen


async def test_undo_lifts_the_freeze(scene: Scene) -> None:
    old, _ = machines(scene)
    await scene.bench.drive(FREEZE)
    assert old.docker.volumes["cms-database-data"].databases["directus"].read_only

    await scene.bench.undo(FREEZE)

    assert not old.docker.volumes["cms-database-data"].databases["directus"].read_only
    assert old.docker.containers["task-worker"].state == "running"
    assert old.docker.containers["task-worker"].restart == "unless-stopped"


async def test_practice_leaves_nothing_behind(scene: Scene) -> None:
    _, new = machines(scene)

    turn = await scene.bench.drive(REHEARSE)

    assert turn.done, turn.story
    databases = new.docker.volumes["shop-api-x1-cms-database-1-data"].databases
    assert not [name for name in databases if name.startswith("rehearsal_")]


@pytest.mark.parametrize("optional", [True, False])
async def test_a_volume_that_is_not_there(scene: Scene, optional: bool) -> None:
    old, _ = machines(scene)
    del old.docker.volumes["shop-logs" if optional else "shop-vault"]

    turn = await scene.bench.drive(LOGS if optional else VAULT)

    assert turn.done is optional


async def test_the_inventory_names_what_nobody_decided_about(scene: Scene) -> None:
    old, _ = machines(scene)
    old.docker.volumes["forgotten"] = Volume("forgotten", {"x": File(b"x")})
    step = OldHostInventoryStep(CONFIG)

    turn = await scene.bench.drive(step)

    assert turn.done, turn.story
    assert any("forgotten" in note for note in turn.plan.notes)
    kept = (scene.bench.folder / "backups" / "old-host.json").read_text()
    assert "DATABASE_PASSWORD" in kept
    secret = old.docker.containers["api"].env["DATABASE_PASSWORD"]
    assert secret not in kept


async def test_the_last_stop_deletes_nothing_and_can_be_taken_back(scene: Scene) -> None:
    old, _ = machines(scene)
    step = StopOldHost(CONFIG)

    turn = await scene.bench.drive(step)
    assert turn.done, turn.story
    assert {box.state for box in old.docker.containers.values()} == {"exited"}
    assert old.docker.volumes

    await scene.bench.undo(step)
    assert old.docker.containers["api"].state == "running"
