"""A redeploy after the cutover: measured as it was, and the temporary name goes with it."""

from __future__ import annotations

import pytest

from tests.phases.test_certificates_steps import ADDRESSES, Scene, scene
from wizard.engine.check import CheckState
from wizard.phases.apps.trial import TrialStep
from wizard.phases.cutover import certificate_panel
from wizard.phases.cutover.certificates import CertificatesStep
from wizard.phases.settle.zero_downtime import ZeroDowntimeStep
from wizard.records import TrialRecord

__all__ = ["scene"]


@pytest.mark.parametrize(("gap", "slow"), [(0.0, 0.0), (600.0, 0.0), (0.0, 300.0)])
async def test_a_redeploy_is_measured_as_it_was(scene: Scene, gap: float, slow: float) -> None:
    config = scene.world.stage.config
    await scene.bench.drive(CertificatesStep(config))
    scene.panels["frontend"].gap, scene.panels["frontend"].slow = gap, slow

    turn = await scene.bench.drive(ZeroDowntimeStep(config, config.app("web")))

    check = turn.checks[0]
    assert check.ok is (gap == slow == 0.0), check.evidence.seen
    assert ("longest gap" in check.evidence.seen) is bool(gap)
    assert ("slow in" in check.evidence.seen) is bool(slow)


async def test_a_stack_that_is_recreated_is_measured_and_the_better_way_said(scene: Scene) -> None:
    config = scene.world.stage.config
    await scene.bench.drive(CertificatesStep(config))
    scene.panels["backend"].gap = 600.0

    turn = await scene.bench.drive(ZeroDowntimeStep(config, config.app("api")))

    check = turn.checks[0]
    assert check.state is CheckState.WAIVED
    assert "start-first" in check.evidence.seen and "status 404" in check.evidence.seen


@pytest.mark.parametrize("app", ["web", "api"])
async def test_the_temporary_name_goes_with_the_redeploy_and_leads_nowhere_after_it(
    scene: Scene, app: str
) -> None:
    config = scene.world.stage.config
    await scene.bench.drive(CertificatesStep(config))
    wish, host = config.app(app), f"{app}-trial.sslip.io"
    owner = {"composeId": f"id-{app}"} if app == "api" else {"applicationId": f"id-{app}"}
    panel = scene.panels[wish.server]
    await panel.post("domain.create", {"host": host, "https": False, "certificateType": "none", **owner})
    panel._route()
    url = f"http://{host}{wish.health}"
    assert (await scene.bench.world.http.get(url, ADDRESSES[wish.server], fresh=True)).status == 200
    trial = scene.bench.context(f"apps.{app}.trial").saved
    trial.save("trial", TrialRecord(host))
    step = ZeroDowntimeStep(config, wish)

    turn = await scene.bench.drive(step)

    assert [change.key for change in turn.applied] == ["trial", "redeploy"] and turn.done, turn.story
    assert "answers 404; not on the panel" in turn.checks[1].evidence.seen
    assert not [item for item in panel.domains if item["host"] == host]
    assert (await scene.bench.drive(step)).plan.empty
    (kept,) = await TrialStep(config, wish).verify(scene.bench.context(f"apps.{app}.trial"))
    assert kept.state is CheckState.WAIVED, "that it is gone is no fault of the phase apps"


async def test_a_name_that_somebody_else_put_on_the_panel_stays(scene: Scene) -> None:
    config = scene.world.stage.config
    await scene.bench.drive(CertificatesStep(config))
    panel = scene.panels["frontend"]
    theirs = {"host": "beta.shop.example", "https": False, "certificateType": "none"}
    await panel.post("domain.create", {**theirs, "applicationId": "id-web"})

    turn = await scene.bench.drive(ZeroDowntimeStep(config, config.app("web")))

    assert [change.key for change in turn.applied] == ["redeploy"]
    assert [item for item in panel.domains if item["host"] == "beta.shop.example"]


class Killed(BaseException):
    """The process dies here."""


async def test_a_stack_s_temporary_name_goes_before_the_cutover_even_if_that_was_interrupted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would go in settle, and its labels' going would recreate what visitors use."""
    config, host = scene.world.stage.config, "api-trial.sslip.io"
    panel = scene.panels["backend"]
    await panel.post(
        "domain.create", {"host": host, "https": False, "certificateType": "none", "composeId": "id-api"}
    )
    scene.bench.context("apps.api.trial").saved.save("trial", TrialRecord(host))

    async def dies(*_: object) -> None:
        raise Killed

    step = CertificatesStep(config)
    with monkeypatch.context() as patch:
        patch.setattr("wizard.phases.cutover.certificate_panel.unserve", dies)
        with pytest.raises(Killed):
            await scene.bench.drive(step)

    turn = await scene.bench.drive(step)

    assert turn.done, turn.story
    assert [change.key for change in turn.applied] == ["domains.api", "deploy.api"]
    assert all(row["host"] != host for row in panel.domains)
    assert (await scene.bench.drive(step)).plan.empty
    settle = ZeroDowntimeStep(config, config.app("api"))
    assert "trial" not in {change.key for change in (await scene.bench.plan(settle)).changes}


@pytest.mark.parametrize("at", ["upload", "serve"])
async def test_what_was_put_on_a_panel_is_taken_back_although_the_putting_was_interrupted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    step = CertificatesStep(scene.world.stage.config)
    real = getattr(certificate_panel, at)

    async def dies(*arguments: object) -> None:
        await real(*arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(certificate_panel, at, dies)
        with pytest.raises(Killed):
            await scene.bench.drive(step)
    await scene.bench.undo(step)
    for panel in scene.panels.values():
        assert panel.domains == [] and panel.certificates == []
