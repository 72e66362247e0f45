"""Settle: the way back on each host, who is told of failures, and backups that were restored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.phases.apps_stage import Scene, example, scene
from wizard.config import Config, Settle
from wizard.engine.check import CheckState
from wizard.engine.plan import Ask
from wizard.errors import WizardError
from wizard.phases.settle.alerts import AlertsStep
from wizard.phases.settle.backup_restore import Saved, restore_volume
from wizard.phases.settle.backups import BackupsStep
from wizard.phases.settle.rollback import RollbackStep
from wizard.rehearsal.hosts.docker import packed
from wizard.rehearsal.hosts.state import File, Volume


def alone(config: Config, **wishes: object) -> Config:
    """`config` with these wishes for settling."""
    return replace(config, settle=replace(config.settle, **wishes))  # type: ignore[arg-type]


def version(found: Scene, app: str) -> str:
    """What visitors get at the new place."""
    server = found.config.app(app).server
    return str(found.stage.fronts.of(server).state.apps[app].version)


# The way back


async def test_the_version_before_of_an_application_runs_again_and_then_this_one(tmp_path: Path) -> None:
    async with scene(tmp_path, example(), servers=["frontend"], until="apps.web.healthy") as found:
        step = RollbackStep(found.config, found.config.app("web"))
        ctx = found.bench.context(step)
        changes = {change.key: change for change in step.plan(await step.observe(ctx)).changes}
        assert list(changes) == ["keep", "deploy", "back", "forward"]
        before = version(found, "web")

        await step.apply(changes["keep"], ctx)
        await step.apply(changes["deploy"], ctx)
        present = version(found, "web")
        await step.apply(changes["back"], ctx)
        assert version(found, "web") == before != present

        turn = await found.drive(step)
        assert [change.key for change in turn.applied] == ["forward"], "it goes on where it was left"
        assert turn.done and version(found, "web") == present
        assert "back after" in turn.checks[0].evidence.seen


async def test_of_a_stack_only_what_visitors_do_not_reach_is_put_back(tmp_path: Path) -> None:
    async with scene(tmp_path, example(), until="apps.api.healthy") as found:
        started = {box.name: box.image for box in found.host("backend").docker.containers.values()}

        turn = await found.drive(RollbackStep(found.config, found.config.app("api")))

        assert turn.done, turn.story
        assert "task-worker, task-scheduler" in turn.checks[0].evidence.seen
        assert "nothing gone" in turn.checks[1].evidence.seen
        after = {box.name: box.image for box in found.host("backend").docker.containers.values()}
        assert after == started, "the present images run at the end"
        run = found.stage.fronts.of("backend").state.apps["api"]
        assert run.down_until < found.bench.world.clock.now() - 60 or not run.down_from, (
            "visitors notice nothing"
        )


async def test_a_stack_in_which_everything_matters_is_not_tried_and_that_is_said(tmp_path: Path) -> None:
    config = example()
    every = tuple(
        replace(volume, services=(*volume.services, "task-worker", "task-scheduler"))
        for volume in config.volumes
    )
    async with scene(tmp_path, replace(config, volumes=every), until="apps.api.healthy") as found:
        turn = await found.drive(RollbackStep(found.config, found.config.app("api")))

        assert [check.state for check in turn.checks] == [CheckState.WAIVED]
        assert "outage" in turn.checks[0].evidence.seen


# Who is told


async def test_a_test_message_is_taken_before_a_notification_is_made_and_once(tmp_path: Path) -> None:
    config = alone(example(), discord=True, slack=True)
    async with scene(tmp_path, config, servers=["frontend"]) as found:
        step = AlertsStep(config, config.server("frontend"))

        turn = await found.drive(step)

        assert turn.done, turn.story
        panel = found.panel("frontend")
        assert {kind for kind, _ in panel.state.delivered} == {"email", "discord", "slack"}
        assert len(panel.table("notification")) == 3
        again = await found.drive(step)
        assert again.done and not again.applied
        shown = (found.bench.folder / "progress.toml").read_text() + (
            found.bench.folder / "journal.jsonl"
        ).read_text()
        for name in ("SMTP_PASSWORD", "DISCORD_WEBHOOK", "SLACK_WEBHOOK"):
            assert (await found.bench.world.secrets.get(name) or "-") not in shown

        await found.bench.undo(step)
        assert not panel.table("notification")


async def test_a_target_that_refuses_is_told_and_nothing_is_set_up(tmp_path: Path) -> None:
    config = alone(example(), discord=True, mail="")
    async with scene(tmp_path, config, servers=["frontend"]) as found:
        await found.bench.world.secrets.put("DISCORD_WEBHOOK", "https://discord.example/wrong/secret-part")

        with pytest.raises(WizardError, match="by Discord was refused") as refused:
            await found.drive(AlertsStep(config, config.server("frontend")))

        assert "secret-part" not in str(refused.value)
        assert not found.panel("frontend").table("notification")


async def test_without_a_mail_server_the_operator_decides_and_it_is_never_passed(tmp_path: Path) -> None:
    config = alone(example(), mail="ops@shop.example")
    async with scene(tmp_path, config, servers=["frontend"]) as found:
        await found.bench.world.secrets.drop("SMTP_PASSWORD")
        step = AlertsStep(config, config.server("frontend"))

        asked = await found.bench.drive(step)
        assert isinstance(asked.hold, Ask) and "SMTP_PASSWORD" in asked.hold.question.text

        turn = await found.drive(step)
        assert [check.state for check in turn.checks] == [CheckState.WAIVED]
        assert "SMTP_PASSWORD is missing" in turn.checks[0].evidence.seen


# Backups


async def test_every_database_and_volume_is_saved_and_a_dump_restored_and_compared(tmp_path: Path) -> None:
    async with scene(tmp_path, example(), until="apps.api.healthy") as found:
        step = BackupsStep(found.config)

        turn = await found.drive(step)

        assert turn.done, turn.story
        names = {check.name for check in turn.checks}
        assert {"cms.saved", "cms.restored", "openmates-vault-data.saved"} <= names
        vault = next(check for check in turn.checks if check.name == "openmates-vault-data.restored")
        assert "scratch volume" in vault.evidence.seen and "equal to what was saved" in vault.evidence.seen
        assert not [name for name in found.host("backend").docker.volumes if "restore" in name]
        panel, host = found.panel("backend"), found.host("backend")
        box = next(box for box in host.docker.containers.values() if box.service == "cms-database")
        assert not [name for name in host.docker.volumes[box.mounts[0].name].databases if "restore" in name]
        assert not [path for path in host.state.files if path.endswith(".curl")], "no signed address is left"
        secret = await found.bench.world.secrets.get("BACKUP_SECRET_KEY") or "-"
        jobs = [*host.state.jobs.values(), *host.state.ended_jobs]
        assert not [job for job in jobs if secret in job.script or "X-Amz" in job.script]
        volumes = {row["volumeName"]: row for row in panel.table("volumeBackup").values()}
        assert volumes["openmates-vault-data"]["turnOff"], "a live copy may be torn"

        again = await found.drive(step)
        assert again.done and not again.applied
        await found.bench.undo(step)
        assert (
            not panel.table("backup") and not panel.table("volumeBackup") and not panel.table("destination")
        )


async def test_a_dump_that_lacks_rows_is_no_backup(tmp_path: Path) -> None:
    async with scene(tmp_path, example(), until="apps.api.healthy") as found:
        host, panel = found.host("backend"), found.panel("backend")
        box = next(box for box in host.docker.containers.values() if box.service == "cms-database")
        databases = host.docker.volumes[box.mounts[0].name].databases
        table = next(iter(databases["directus"].tables.values()))
        table.rows = [(str(n), "x") for n in range(100)]
        step = BackupsStep(found.config)
        ctx = found.bench.context(step)
        changes = {change.key: change for change in step.plan(await step.observe(ctx)).changes}
        for key in ("target:backend", "plan:cms", "run:cms"):
            await step.apply(changes[key], ctx)
        # What lies in the store is another, smaller dump.
        table.rows = table.rows[:3]
        await step.apply(changes["run:cms"], ctx)
        newest = max(panel.state.bodies)
        oldest = min(panel.state.bodies)
        panel.state.bodies[oldest] = panel.state.bodies[newest]
        saved = ctx.saved
        record = saved.load("saved cms", Saved)
        assert record is not None
        saved.save("saved cms", replace(record, path=oldest, content=(("public.settings", 100),)))

        await step.apply(changes["restore:cms"], ctx)

        checks = {check.name: check for check in await step.verify(ctx)}
        assert checks["cms.restored"].state is CheckState.FAILED
        assert "100 before, 3 after" in checks["cms.restored"].evidence.seen
        again = step.plan(await step.observe(ctx))
        assert {"run:cms", "restore:cms"} <= {change.key for change in again.changes}, "no dead end"


async def test_a_volumes_archive_that_is_torn_or_lacks_files_is_no_backup(tmp_path: Path) -> None:
    name = "openmates-vault-data"
    async with scene(tmp_path, example(), servers=["backend"], until="apps.api.create") as found:
        host, panel = found.host("backend"), found.panel("backend")
        host.docker.volumes[name].files |= {
            f"core/{number}": File(b"sealed " * number) for number in range(1, 21)
        }
        step = BackupsStep(found.config)
        ctx = found.bench.context(step)
        changes = {change.key: change for change in step.plan(await step.observe(ctx)).changes}
        for key in ("target:backend", f"plan:{name}", f"run:{name}"):
            await step.apply(changes[key], ctx)
        saved = ctx.saved.load(f"saved {name}", Saved)
        assert saved is not None
        whole = panel.state.bodies[saved.path]

        panel.state.bodies[saved.path] = whole[:-40]
        with pytest.raises(WizardError, match="restore-openmates-vault-data failed") as torn:
            await step.apply(changes[f"restore:{name}"], ctx)
        assert "Unexpected EOF" in torn.value.why

        few = Volume(name, dict(list(host.docker.volumes[name].files.items())[:5]))
        panel.state.bodies[saved.path] = packed(few)
        await step.apply(changes[f"restore:{name}"], ctx)
        checks = {check.name: check for check in await step.verify(ctx)}
        assert checks[f"{name}.restored"].state is CheckState.FAILED
        assert "files: 20 before, 5 after" in checks[f"{name}.restored"].evidence.seen

        panel.state.bodies[saved.path] = whole
        await step.apply(changes[f"restore:{name}"], ctx)
        checks = {check.name: check for check in await step.verify(ctx)}
        assert checks[f"{name}.restored"].ok, checks[f"{name}.restored"].evidence.seen
        assert not [volume for volume in host.docker.volumes if "restore" in volume]


async def test_a_restore_for_which_the_disk_has_no_room_is_not_begun(tmp_path: Path) -> None:
    async with scene(tmp_path, example(), servers=["backend"], until="apps.api.create") as found:
        app, volume = found.config.app("api"), found.config.volumes[0]
        huge = Saved("vault.tar", 1 << 50, (("files", 1), ("bytes", 1 << 50)), 0.0)
        step = BackupsStep(found.config)

        with pytest.raises(WizardError, match="has no room to try the restore"):
            await restore_volume(found.bench.context(step), app, volume, huge)


async def test_a_store_that_refuses_the_keys_is_told_without_them(tmp_path: Path) -> None:
    config = alone(example(), backup_endpoint="http://store.example")
    async with scene(tmp_path, config, until="apps.api.healthy") as found:
        with pytest.raises(WizardError, match="cannot use the store") as refused:
            await found.drive(BackupsStep(config))

        for name in ("BACKUP_ACCESS_KEY", "BACKUP_SECRET_KEY"):
            assert (await found.bench.world.secrets.get(name) or "-") not in str(refused.value)
        assert not found.panel("backend").table("destination")


async def test_without_a_bucket_nothing_passes_silently(tmp_path: Path) -> None:
    config = replace(example(), settle=Settle())
    async with scene(tmp_path, config, until="apps.api.healthy") as found:
        step = BackupsStep(config)

        asked = await found.bench.drive(step)
        assert isinstance(asked.hold, Ask) and "backup_bucket" in asked.hold.question.text

        turn = await found.drive(step)
        assert turn.checks and all(check.state is CheckState.WAIVED for check in turn.checks)
        assert "backup_bucket is missing" in turn.checks[0].evidence.seen
