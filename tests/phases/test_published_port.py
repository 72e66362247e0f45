"""The panel's port, taken away once its domain answers: proven, resumable, and given back."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.phases.test_account import NAMED, Scene, scene, zone_of
from wizard.checks.ports import Standing, View, judge
from wizard.engine.check import CheckState
from wizard.engine.plan import Failed, Refusal
from wizard.net import Reach
from wizard.phases.firewall import steps as firewall
from wizard.phases.firewall.published import PublishedPort
from wizard.phases.panels import Unpublished, door, panel, way_in

UNPUBLISHED = replace(
    NAMED,
    servers=tuple(replace(s, unpublish_panel_port=bool(s.panel_domain)) for s in NAMED.servers),
)


@dataclass
class Closing:
    """A panel with its account and its domain, the port still published."""

    at: Scene
    step: PublishedPort

    @property
    def ctx(self) -> Any:
        return self.at.bench.context(self.step)

    @property
    def published(self) -> tuple[int, ...]:
        return self.at.host.docker.services["dokploy"].published

    async def taken_away(self) -> None:
        turn = await self.at.bench.drive(self.step)
        assert turn.done, turn.story


@contextlib.asynccontextmanager
async def closing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Closing]:
    async with scene(folder, config=UNPUBLISHED) as at:
        zone_of(at, monkeypatch)
        vars(at.small.small.world).pop("panels", None)
        at.host.docker.services["dokploy"].published = (3000,)
        at.host.state.ports[80] = at.host.state.ports[443] = at.host.state.ports[3000]
        turn = await at.bench.drive(at.step)
        assert turn.done, turn.story
        yield Closing(at, PublishedPort(UNPUBLISHED.server("backend")))


async def test_the_port_is_gone_and_the_panel_is_reached_by_its_name_through_ssh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with closing(tmp_path, monkeypatch) as close:
        await close.taken_away()

        assert close.published == () and 3000 not in close.at.host.state.ports
        assert way_in(close.ctx, "backend") == "panel.shop.example"
        assert await (await panel(close.ctx, "backend")).get("organization.all")
        assert await (await door(close.ctx, "backend")).healthy()
        # The account's own proofs go by the new way too.
        assert all(check.ok for check in await close.at.step.verify(close.at.ctx))


async def test_undo_publishes_again_and_the_old_way_leads_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with closing(tmp_path, monkeypatch) as close:
        await close.taken_away()

        await close.at.bench.undo(close.step)

        assert close.published == (3000,) and way_in(close.ctx, "backend") == ""
        assert await (await panel(close.ctx, "backend")).get("organization.all")
        assert (await close.step.undo(close.ctx)).empty
        await close.taken_away()


async def test_without_an_open_door_the_last_one_is_not_shut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with closing(tmp_path, monkeypatch) as close:
        nowhere = {"host": "", "certificateType": "none", "letsEncryptEmail": "", "https": False}
        await (await panel(close.ctx, "backend")).post("settings.assignDomainServer", nowhere)
        plan = await close.at.bench.plan(close.step)
        assert isinstance(plan.hold, Failed) and plan.hold.refusal is Refusal.NOT_READY
        assert "no door" in plan.hold.why and close.published == (3000,)


async def test_a_run_that_died_before_docker_was_told_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with closing(tmp_path, monkeypatch) as close:
        close.ctx.saved.save("unpublished", Unpublished("panel.shop.example", close.ctx.now()))
        await close.taken_away()
        assert close.published == ()
        assert close.at.small.stage.ledger.count("host", "--publish-rm") == 1
        assert (await close.at.bench.plan(close.step)).empty


async def test_a_port_that_somebody_publishes_again_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with closing(tmp_path, monkeypatch) as close:
        await close.taken_away()
        close.at.host.docker.services["dokploy"].published = (3000,)
        close.at.panel.open()
        close.ctx.saved.save("unpublished", Unpublished("panel.shop.example", 0.0))
        states = {check.name: check.state for check in await close.step.verify(close.ctx)}
        assert states == {
            "published": CheckState.FAILED,
            "closed": CheckState.FAILED,
            "door": CheckState.PASSED,
        }


async def test_a_certificate_of_another_name_is_no_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with closing(tmp_path, monkeypatch) as close:
        server = replace(UNPUBLISHED.server("backend"), panel_domain="other.shop.example")
        plan = await close.at.bench.plan(PublishedPort(server))
        assert isinstance(plan.hold, Failed) and "other.shop.example" in plan.hold.why


def test_the_step_is_there_only_if_wished_and_the_matrix_expects_a_closed_port() -> None:
    assert "firewall.backend.published" in {step.id for step in firewall.steps(UNPUBLISHED)}
    assert not any(step.id.endswith(".published") for step in firewall.steps(NAMED))
    view = View("operator", Standing.ADMIN, "203.0.113.2", "IPv4")
    seen = {22: Reach.OPEN, 80: Reach.OPEN, 443: Reach.OPEN, 3000: Reach.REFUSED}
    closed = UNPUBLISHED.server("backend").panel_for_nobody
    assert not judge(view, seen, panel_closed=closed).wrong
    assert judge(view, {**seen, 3000: Reach.OPEN}, panel_closed=closed).wrong
