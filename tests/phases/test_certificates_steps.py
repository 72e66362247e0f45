"""Certificates before traffic, the hand-over to the proxy, parity and redeployments, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.clients.test_acme import MemorySecrets
from tests.phases.context import Bench
from tests.phases.panel_double import PanelDouble
from tests.rehearsal.small_stage import EDGE, NEW_API, NEW_WEB, OLD, SmallWorld, small_world
from tests.rehearsal.stage_clock import WizardClock
from wizard.checks.tls import look
from wizard.config import Cutover
from wizard.endpoints import Endpoints
from wizard.engine.check import CheckState
from wizard.engine.plan import Ask, Failed, Wait
from wizard.phases import dns01, http01
from wizard.phases.apps.parity import CorsStep, RoutesStep
from wizard.phases.cutover import certificate_panel
from wizard.phases.cutover.certificate_records import CertificateRecord, FailureLedger
from wizard.phases.cutover.certificates import CertificatesStep
from wizard.phases.cutover.proof import ProofStep
from wizard.phases.settle.renewal import RenewalStep
from wizard.records import AppRecord, PanelRecord, ServerRecord
from wizard.world import World

ADDRESSES = {"frontend": NEW_WEB, "backend": NEW_API}


@dataclass
class Scene:
    world: SmallWorld
    bench: Bench
    panels: dict[str, PanelDouble]
    secrets: MemorySecrets
    patch: pytest.MonkeyPatch

    async def trusted(self, name: str, address: str) -> bool:
        return (await look(self.world.net, name, address, trust=self.world.trust)).trusted


async def stage_scene(world: SmallWorld, folder: Path, patch: pytest.MonkeyPatch) -> Scene:
    for name in world.stage.config.names:
        world.names.records[(name, "A")] = (OLD if name.startswith("api") else EDGE,)
    secrets = MemorySecrets()
    acme = world.stage.acme
    endpoints = Endpoints(acme=acme.directory_url, acme_staging=acme.staging_url, trust=world.trust)
    live = World(world.stage.config, secrets, endpoints, WizardClock(world.stage.clock), world.net)
    bench = Bench(live, folder)
    panels = {name: PanelDouble(world, name) for name in ADDRESSES}
    for name, address in ADDRESSES.items():
        bench.context(f"provision.{name}.server").saved.save(
            "server", ServerRecord(name, 1, "cx23", "fsn1", address)
        )
        bench.context(f"provision.{name}.account").saved.save(
            "panel", PanelRecord(name, "v0.30.2", "org", "admin@shop.example")
        )
    for app in world.stage.config.apps:
        bench.context(f"apps.{app.name}.create").saved.save(
            "app", AppRecord(app.name, app.server, "p", "e", f"id-{app.name}", f"{app.name}-x1")
        )
        world.stage.fronts.of(app.server).app_version(app.name, "first")

    async def calls(ctx: Any, server: str) -> PanelDouble:
        return panels[server]

    async def publish(ctx: Any, records: Any) -> None:
        for record in records:
            world.names.records[(record.name, "TXT")] = record.values

    async def remove(ctx: Any, records: Any) -> None:
        for record in records:
            world.names.records.pop((record.name, "TXT"), None)

    async def forbidden(ctx: Any, names: Any) -> tuple[str, ...]:
        return ()

    async def ability(ctx: Any) -> dns01.Ability:
        return dns01.Ability(True)

    patch.setattr(certificate_panel, "calls", calls)
    patch.setattr("wizard.phases.apps.redeploy.calls", calls)
    for function in (publish, remove, forbidden, ability):
        patch.setattr(dns01, function.__name__, function, raising=False)

    async def no_old_host(ctx: Any, names: Any) -> dns01.Ability:
        return dns01.Ability(False, "no old host answers")

    patch.setattr(http01, "ability", no_old_host)
    return Scene(world, bench, panels, secrets, patch)


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    async with small_world(tmp_path) as world:
        scene = await stage_scene(world, tmp_path, monkeypatch)
        yield scene
        await scene.bench.world.aclose()
        scene.bench.close()


async def test_every_name_is_trusted_at_its_new_address_before_dns_moves(scene: Scene) -> None:
    step = CertificatesStep(scene.world.stage.config)

    turn = await scene.bench.drive(step)

    assert turn.done, turn.story
    assert [change.key for change in turn.applied] == [
        *("staging.web", "issue.web", "staging.api", "issue.api"),
        *("upload.web", "store.web", "domains.web", "upload.api", "store.api", "domains.api", "deploy.api"),
    ]
    assert {check.name for check in turn.checks} == {
        f"{name}.trusted" for name in scene.world.stage.config.names
    }
    ledger = scene.world.stage.ledger
    assert ledger.count("acme", "issue") == 2 and ledger.count("acme", "validation failed") == 0
    assert not [key for key in scene.world.names.records if key[1] == "TXT"], "proofs are cleaned up"


async def test_a_second_run_orders_and_changes_nothing(scene: Scene) -> None:
    step = CertificatesStep(scene.world.stage.config)
    await scene.bench.drive(step)
    calls = [list(panel.calls) for panel in scene.panels.values()]

    turn = await scene.bench.drive(step)

    assert turn.done and turn.plan.empty
    assert calls == [panel.calls for panel in scene.panels.values()]
    assert scene.world.stage.ledger.count("acme", "issue") == 2


async def test_no_private_key_reaches_the_progress_file_or_the_journal(scene: Scene, tmp_path: Path) -> None:
    await scene.bench.drive(CertificatesStep(scene.world.stage.config))

    written = "".join(
        path.read_text()
        for path in (scene.bench.progress.path, scene.bench.progress.journal_path)
        if path.exists()
    )
    assert "PRIVATE KEY" not in written and "BEGIN CERTIFICATE" in written


async def test_a_refusing_authority_is_remembered_and_the_same_order_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with small_world(tmp_path) as world:
        scene = await stage_scene(world, tmp_path, monkeypatch)
        step = CertificatesStep(world.stage.config)

        async def nothing(ctx: Any, records: Any) -> None: ...

        await _only_staging(scene, step)
        monkeypatch.setattr(dns01, "publish", nothing)
        for _ in range(3):
            plan = await scene.bench.plan(step)
            change = next(one for one in plan.changes if one.key == "issue.web")
            with pytest.raises(Exception, match="did not accept"):
                await step.apply(change, scene.bench.context(step))

        plan = await scene.bench.plan(step)

        ledger = scene.bench.context(step).saved.load("failures", FailureLedger)
        assert ledger is not None and len(ledger.tries) == 3
        assert isinstance(plan.hold, Wait) and "limits" in plan.hold.why
        await scene.bench.world.aclose()
        scene.bench.close()


async def _only_staging(scene: Scene, step: CertificatesStep) -> None:
    for change in (await scene.bench.plan(step)).changes:
        if change.key.startswith("staging."):
            await step.apply(change, scene.bench.context(step))


class Killed(BaseException):
    """The process ends."""


async def _killed_between_order_and_proof(scene: Scene) -> CertificatesStep:
    step = CertificatesStep(scene.world.stage.config)
    await _only_staging(scene, step)
    change = next(one for one in (await scene.bench.plan(step)).changes if one.key == "issue.web")

    async def die(ctx: Any, records: Any) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(dns01, "publish", die)
        await step.apply(change, scene.bench.context(step))
    return step


def _no_api(patch: pytest.MonkeyPatch) -> None:
    """The proofs cannot be put into DNS."""

    async def unable(ctx: Any) -> dns01.Ability:
        return dns01.Ability(False, "the DNS provider has no API")

    patch.setattr(dns01, "ability", unable)


async def test_an_order_that_was_paid_is_finished_after_a_kill(scene: Scene) -> None:
    step = await _killed_between_order_and_proof(scene)

    turn = await scene.bench.drive(step)

    assert turn.done, turn.story
    assert scene.world.stage.ledger.count("acme", "order") == 2, "one for each app"


async def test_an_order_that_the_authority_forgot_meanwhile_is_made_anew(scene: Scene) -> None:
    step = await _killed_between_order_and_proof(scene)
    scene.world.stage.acme.state.production.orders.clear()

    turn = await scene.bench.drive(step)

    assert turn.done, turn.story
    assert scene.bench.context(step).saved.load("failures", FailureLedger) is None, "nobody refused a proof"


async def test_without_a_way_to_prove_the_step_refuses_unless_a_gap_is_allowed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_api(monkeypatch)

    turn = await scene.bench.drive(CertificatesStep(scene.world.stage.config))

    assert isinstance(turn.hold, Failed) and "no API" in turn.hold.why
    assert any("allow_certificate_gap" in way for way in turn.hold.ways)


async def test_an_accepted_gap_serves_the_names_and_says_what_visitors_meet(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_api(monkeypatch)
    config = replace(scene.world.stage.config, cutover=Cutover(allow_certificate_gap=True))
    scene.bench.world.config = config

    turn = await scene.bench.drive(CertificatesStep(config))

    assert {check.state for check in turn.checks} == {CheckState.WAIVED}
    assert "warning" in turn.plan.notes[0]
    assert scene.world.stage.ledger.count("acme") == scene.world.stage.ledger.count("acme-staging") == 0


async def test_the_way_back_takes_certificates_and_domains_off_again(scene: Scene) -> None:
    step = CertificatesStep(scene.world.stage.config)
    await scene.bench.drive(step)

    await scene.bench.undo(step)

    assert all(not panel.certificates and not panel.domains for panel in scene.panels.values())


async def test_the_hand_over_leaves_no_moment_without_a_certificate(scene: Scene) -> None:
    await scene.bench.drive(CertificatesStep(scene.world.stage.config))
    for name in scene.world.stage.config.names:
        scene.world.names.records[(name, "A")] = (NEW_API if name.startswith("api") else NEW_WEB,)
    step = RenewalStep(scene.world.stage.config)
    plan = await scene.bench.plan(step)
    seen: list[bool] = []

    for change in plan.changes:
        await step.apply(change, scene.bench.context(step))
        seen += [
            await scene.trusted("shop.example", NEW_WEB),
            await scene.trusted("api.shop.example", NEW_API),
        ]
    checks = await scene.bench.prove(step)

    assert [change.key for change in plan.changes] == ["upload.web", "upload.api"]
    assert all(seen) and all(check.ok for check in checks), [check.evidence.seen for check in checks]
    assert all("renewal due" in c.evidence.seen for c in checks if c.name.endswith(".trusted"))
    assert (await scene.bench.drive(step)).plan.empty


async def test_the_hand_over_refuses_while_the_store_lacks_the_certificate(scene: Scene) -> None:
    await scene.bench.drive(CertificatesStep(scene.world.stage.config))
    scene.world.stage.fronts.of("frontend").state.from_acme = []

    turn = await scene.bench.drive(RenewalStep(scene.world.stage.config))

    assert isinstance(turn.hold, Failed) and "web" in turn.hold.why
    assert await scene.trusted("shop.example", NEW_WEB)


async def test_the_proof_passes_on_a_moved_site_and_fails_on_a_dead_app(scene: Scene) -> None:
    config = scene.world.stage.config
    await scene.bench.drive(CertificatesStep(config))

    good = await scene.bench.prove(ProofStep(config))
    scene.world.stage.fronts.of("backend").app_version("api", "dead", gap=1e9)
    scene.panels["frontend"].log = "Traceback (most recent call last):\n  boom\n"
    bad = await scene.bench.prove(ProofStep(config))

    assert all(check.ok for check in good), [(c.name, c.evidence.seen) for c in good if not c.ok]
    assert {check.name for check in bad if not check.ok} >= {"api.shop.example.answers", "web.log"}


async def _parity(scene: Scene) -> tuple[RoutesStep, Bench]:
    config = scene.world.stage.config
    await scene.bench.drive(CertificatesStep(config))

    async def addresses(ctx: Any, name: str) -> tuple[str, ...]:
        return scene.world.names.lookup(name, "A")

    scene.patch.setattr(dns01, "addresses", addresses)
    return RoutesStep(config, config.app("web")), scene.bench


async def test_the_new_place_answers_as_the_old_one(scene: Scene) -> None:
    step, bench = await _parity(scene)

    turn = await bench.drive(step)

    assert turn.done and turn.plan.empty, turn.story
    assert "no difference" in turn.checks[0].evidence.seen


async def test_differences_are_asked_about_and_their_answer_is_kept_with_them(scene: Scene) -> None:
    step, bench = await _parity(scene)
    scene.world.stage.sites.state.lost_headers["web first"] = ["X-Frame-Options"]

    asked = await bench.drive(step)
    assert isinstance(asked.hold, Ask) and "lost header" in asked.hold.question.why
    assert asked.hold.question.default == "accept", "nothing breaks"
    accepted = await bench.drive(step, {asked.hold.question.id: "accept"})
    scene.world.stage.sites.state.lost_headers["web first"].append("Content-Type")
    again = await bench.drive(step)

    assert accepted.checks[0].state is CheckState.WAIVED
    assert isinstance(again.hold, Ask) and again.hold.question.id != asked.hold.question.id
    assert again.hold.question.default == "", "a wrong content type breaks something"


async def test_cross_origin_calls_are_proven_for_allowed_and_foreign_origins(scene: Scene) -> None:
    config = scene.world.stage.config
    await scene.bench.drive(CertificatesStep(config))

    good = await scene.bench.drive(CorsStep(config))
    headers = ["Access-Control-Allow-Credentials"]
    scene.world.stage.sites.state.lost_headers["api build-1"] = headers
    bad = await scene.bench.drive(CorsStep(config))

    assert good.done and len(good.checks) == 2, good.story
    assert [check.ok for check in bad.checks] == [False, True]
    assert "credentials" in bad.checks[0].evidence.seen


async def test_the_certificate_record_outlives_the_step(scene: Scene) -> None:
    await scene.bench.drive(CertificatesStep(scene.world.stage.config))

    record = scene.bench.context("settle.renewal").saved.load(
        "certificate_web", CertificateRecord, step="cutover.certificates"
    )

    assert record is not None and record.names == ("shop.example", "www.shop.example")
