"""The old host's setting for waiting connections is as it was after every reload, however that ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.phases.cutover_stage import CutoverWorld, cutover_world
from wizard.clients import commands
from wizard.clients.ssh import HostClient
from wizard.errors import WizardError
from wizard.phases.cutover.certificates import CertificatesStep
from wizard.phases.cutover.hand_on import NOTE, RECORD, HandOnRecord, handing_on, put_back
from wizard.phases.cutover.old_proxy import OldProxy
from wizard.phases.hosts import old_host
from wizard.rehearsal.hosts.kernel import pid_of, setting_path

pytestmark = pytest.mark.timeout(300)
SETTING = "net.ipv4.tcp_migrate_req"


def setting(world: CutoverWorld, pid: int = 0) -> str:
    return world.stage.hosts.get("old-backend").text(setting_path(SETTING, pid)).strip() or "0"


def seen_at_reloads(world: CutoverWorld, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The setting in the proxy's network, each time that it reloads."""
    seen: list[str] = []
    box = world.stage.hosts.get("old-backend").docker.containers["caddy"]
    plain = HostClient.run

    async def run(self: HostClient, command: commands.Command, **more: Any) -> Any:
        if command.argv[-4:-2] == ("caddy", "reload"):
            seen.append(setting(world, pid_of(box)))
        return await plain(self, command, **more)

    monkeypatch.setattr(HostClient, "run", run)
    return seen


async def test_it_is_on_for_each_reload_and_as_before_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        await world.bench.drive(CertificatesStep(world.config))
        seen = seen_at_reloads(world, monkeypatch)
        step, ctx = OldProxy(world.config), world.bench.context("cutover.old_proxy")

        assert NOTE in step.plan(await step.observe(ctx)).notes
        turn = await world.bench.drive(step)
        assert NOTE in (await step.undo(ctx)).notes
        await world.bench.undo(step)

        pid = pid_of(world.stage.hosts.get("old-backend").docker.containers["caddy"])
        assert turn.done, turn.story
        assert seen == ["1", "1"] and setting(world, pid) == "0" and setting(world) == "0"
        assert ctx.saved.load(RECORD, HandOnRecord) is None


async def test_a_kernel_without_it_is_told_and_the_proxy_forwards_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        await world.bench.drive(CertificatesStep(world.config))
        monkeypatch.setattr(commands, "_HANDS_ON", "net.ipv4.not_yet")

        turn = await world.bench.drive(OldProxy(world.config))

        assert turn.done, turn.story
        assert any("its kernel is older than Linux 5.14" in line for line in world.bench.lines)
        assert world.bench.context("cutover.old_proxy").saved.load(RECORD, HandOnRecord) is None


@pytest.mark.parametrize("before", [0, 1])
async def test_a_reload_that_fails_leaves_the_setting_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        ctx = world.bench.context("cutover.old_proxy")
        host = await old_host(ctx)
        await host.run(commands.hand_on(0, before))

        with pytest.raises(WizardError, match="would not"):
            async with handing_on(ctx, host, 0):
                assert setting(world) == "1"
                raise WizardError("it would not")

        assert setting(world) == str(before)
        assert ctx.saved.load(RECORD, HandOnRecord) is None


async def test_what_a_cut_off_reload_left_is_put_back_by_the_next_run_or_by_undo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        await world.bench.drive(CertificatesStep(world.config))
        step, ctx = OldProxy(world.config), world.bench.context("cutover.old_proxy")
        await world.bench.drive(step)
        host = await old_host(ctx)
        pid = pid_of(world.stage.hosts.get("old-backend").docker.containers["caddy"])
        for again in (world.bench.drive, world.bench.undo):
            ctx.saved.save(RECORD, HandOnRecord(0, ctx.now()))
            await host.run(commands.hand_on(pid, 1))

            await again(step)

            assert setting(world, pid) == "0"
            assert ctx.saved.load(RECORD, HandOnRecord) is None


async def test_a_setting_that_will_not_go_back_is_told_with_the_command_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        ctx = world.bench.context("cutover.old_proxy")
        ctx.saved.save(RECORD, HandOnRecord(0, ctx.now()))
        monkeypatch.setattr(commands, "_HANDS_ON", "net.ipv4.gone")

        await put_back(ctx, await old_host(ctx), 0)

        assert any("sysctl -q -w net.ipv4.gone=0" in line for line in world.bench.lines)
        assert ctx.saved.load(RECORD, HandOnRecord) is not None
