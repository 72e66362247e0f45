"""The ladder away from Vercel: climbed to its end, climbed back, and never a rung too early."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.phases.context import Turn
from tests.phases.decommission_stage import DAY, LADDER, climb, take
from tests.rehearsal.vercel_stage import VercelWorld, shop, vercel_world
from wizard.clients.ssh import HostKeyError, LoginError
from wizard.dns.records import ChangeSet
from wizard.engine.check import CheckState
from wizard.engine.plan import Ask, Failed, Wait
from wizard.errors import CredentialError, UnreachableError, VendorError, WizardError
from wizard.phases.cutover.records import FlipRecord
from wizard.phases.decommission import revoke
from wizard.phases.decommission.delete import DeleteProject
from wizard.phases.decommission.end import Subscription
from wizard.phases.decommission.export import Export
from wizard.phases.decommission.records import SoakRecord
from wizard.phases.decommission.revoke import RevokeTokens, Standing
from wizard.phases.decommission.rungs import DisconnectGit, Pause, RemoveDomains, RungStep
from wizard.phases.decommission.soak import Soak
from wizard.phases.decommission.steps import steps
from wizard.phases.prepare.vercel import VercelStep
from wizard.redact import redact
from wizard.rehearsal.vercel.state import REHEARSAL_TOKEN


def ids(turn: Turn) -> list[str]:
    return [change.key for change in turn.applied]


async def test_the_ladder_ends_with_the_project_gone_and_the_zone_untouched(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        zones = dict(small.stage.vercel.state.zones)
        turn = await climb(small)
        assert ids(turn) == ["delete/shop-web"]
        assert small.stage.vercel.state.projects == {} and small.stage.vercel.state.zones == zones
        for name in ("shop.example", "www.shop.example"):
            assert small.stage.vercel.serves(name) == "gone"
        assert small.stage.ledger.count("vercel", "delete", "project shop-web") == 1
        kept = small.bench.context("decommission.export").kept("vercel-export-shop-web.json")
        assert kept is not None and json.loads(kept)["project"]["name"] == "shop-web"


async def test_every_rung_asks_for_the_name_and_only_the_last_has_no_way_back(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        await climb(small, Export)
        for made in LADDER[2:]:
            turn = await take(small, made)
            assert turn.applied and {one.confirm for one in turn.applied} == {"shop-web"}
        rungs = steps(small.world.config)
        assert [one.id for one in rungs if one.point_of_no_return] == ["decommission.delete"]
        assert all(one.way_back for one in rungs)


async def test_each_rung_is_climbed_back(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        await climb(small, RemoveDomains)
        project, config = small.project, small.world.config
        assert not project.domains and project.document["paused"] and "link" not in project.document
        for made in (RemoveDomains, Pause, DisconnectGit):
            await small.bench.undo(made(config))
        assert set(project.domains) == set(config.names[:2])
        assert not project.document["paused"] and project.document["link"]["repo"] == "shop"
        assert small.stage.vercel.serves("shop.example") == "ok"
        assert not small.stage.ledger.duplicates()


@pytest.mark.parametrize("rung", [DisconnectGit, Pause, RemoveDomains])
async def test_a_single_rung_is_taken_back_and_taken_again(tmp_path: Path, rung: type[RungStep]) -> None:
    async with vercel_world(tmp_path) as small:
        before = rung_state(small)
        await climb(small, rung)
        there = rung_state(small)
        step = rung(small.world.config)
        assert (await small.bench.undo(step)).changes
        assert rung_state(small) != there
        # Rungs below stay as they were taken.
        assert rung_state(small)[: LADDER.index(rung) - 2] == there[: LADDER.index(rung) - 2]
        assert rung_state(small)[LADDER.index(rung) - 2 :] == before[LADDER.index(rung) - 2 :]
        assert not (await small.bench.undo(step)).changes
        assert (await take(small, rung)).done and rung_state(small) == there
        assert not small.stage.ledger.duplicates()


def rung_state(small: VercelWorld) -> tuple[object, ...]:
    """As the rungs go: the repository, the pause, the domains."""
    document = small.project.document
    link = document.get("link") or {}
    return (link.get("repo"), document["paused"], frozenset(small.project.domains))


async def test_taking_a_rung_twice_changes_nothing(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        await climb(small)
        sent = {key: n for key, n in small.stage.vercel.state.counts.items() if not key.startswith("GET")}
        for made in LADDER:
            turn = await take(small, made)
            assert turn.done and not turn.applied, f"{made.__name__}: {turn.story}"
        again = {key: n for key, n in small.stage.vercel.state.counts.items() if not key.startswith("GET")}
        assert again == sent


async def test_a_change_whose_answer_was_lost_is_found_and_not_repeated(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        await climb(small, DisconnectGit)
        faults, played = small.stage.faults, set[str]()

        def roll(system: str, act: str) -> str | None:
            if act in ("pause.create", "domains.delete", "projects.delete") and act not in played:
                played.add(act)
                return "lost_answer"
            return None

        faults.roll = roll  # type: ignore[method-assign]
        for made in (Pause, RemoveDomains, DeleteProject):
            with pytest.raises(UnreachableError):
                await take(small, made)
            turn = await take(small, made)
            assert turn.done, turn.story
        state = small.stage.vercel.state
        assert played == {"pause.create", "domains.delete", "projects.delete"} and not state.projects
        assert {key: n for key, n in state.counts.items() if not key.startswith("GET") and n > 1} == {}


async def test_an_export_holds_no_secret_and_its_values_are_with_the_secrets(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        small.enrich()
        await small.bench.drive(Export(small.world.config))
        text = small.bench.context("decommission.export").kept("vercel-export-shop-web.json") or ""
        document = json.loads(text)
        for value in ("never-to-be-read", "vercel_blob_rw_x", "postgres://db", "secretpart", "b" * 32):
            assert value not in text
        assert document["items of ecfg_1"][0]["value"] == "on"
        assert {row["type"] for row in document["records of shop.example"]} == {"MX", "TXT", "ALIAS"}
        assert {one["name"] for one in document["variables"]} >= {"SESSION_SECRET", "TEAM_FLAG", "GREETING"}
        values = {(one["name"], one["branch"]): one["value"] for one in document["variables"]}
        assert values["VITE_ENV", ""] == "production" and values["TEAM_FLAG", ""] == "on"
        assert redact("it is in production") == "it is in production"
        name = "VERCEL_SHOP_WEB_POSTGRES_URL__PRODUCTION_PREVIEW"
        assert await small.world.secrets.get(name) == "postgres://db"
        missing = next(
            one
            for one in await Export(small.world.config).verify(small.bench.context("decommission.export"))
            if one.name.endswith("missing")
        )
        assert "SESSION_SECRET" in missing.evidence.seen and missing.state is CheckState.WAIVED


async def test_the_soak_waits_looks_and_is_prolonged_by_a_failure(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        await small.bench.drive(VercelStep(small.world.config))
        step, ctx = Soak(small.world.config), small.bench.context("decommission.soak")
        plan = await small.bench.plan(step)
        assert isinstance(plan.hold, Wait) and plan.hold.until <= ctx.now() + DAY
        began = ctx.saved.load("soak", SoakRecord)
        assert began is not None and began.looks == 1 and not began.failed
        small.stage.fronts.of("frontend").unroute("shop.example")
        await small.world.clock.wait_until(began.began + 1.9 * DAY)
        await small.bench.plan(step)
        small.stage.fronts.of("frontend").give("shop.example", "web", *small.stage.acme.issue("shop.example"))
        await small.world.clock.wait_until(began.began + 2.1 * DAY)
        plan = await small.bench.plan(step)
        assert isinstance(plan.hold, Wait), "a failure of the last day prolongs it"
        await small.flip()
        turn = await small.bench.drive(step)
        assert turn.done, turn.story
        names = {one.name for one in turn.checks}
        assert names >= {"over", "steady", "shop.example.old", "shop-web.traffic", "shop-web.shelf_life"}


async def test_a_soak_begins_with_the_last_flip_however_early_it_was_looked_at(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        step, ctx = Soak(small.world.config), small.bench.context("decommission.soak")
        await small.bench.plan(step)
        early = ctx.saved.load("soak", SoakRecord)
        await small.world.clock.wait_until(ctx.now() + 5 * DAY)
        flip = FlipRecord(ChangeSet("shop.example", ()), ctx.now(), 60, ctx.now() - 1)
        small.bench.context("cutover.flip").saved.save("flip", flip)
        plan = await small.bench.plan(step)
        record = ctx.saved.load("soak", SoakRecord)
        assert isinstance(plan.hold, Wait) and early is not None and record is not None
        assert record.began == flip.at > early.began and record.looks == 1


async def test_visitors_who_still_come_keep_the_soak_from_ending(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        await small.bench.drive(VercelStep(small.world.config))
        await small.flip()
        await small.bench.plan(step := Soak(small.world.config))
        await small.world.clock.wait_until(small.world.clock.now() + 2.1 * DAY)
        small.stage.vercel.visited("shop.example")
        await small.bench.plan(step)
        checks = await step.verify(small.bench.context(step))
        traffic = next(one for one in checks if one.name == "shop-web.traffic")
        assert traffic.state is CheckState.PENDING and "1 pages" in traffic.evidence.seen


async def test_where_nobody_counts_the_operator_is_asked(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        del small.project.document["webAnalytics"]
        await small.bench.drive(VercelStep(small.world.config))
        await small.flip()
        step = Soak(small.world.config)
        turn = await small.bench.drive(step)
        assert isinstance(turn.hold, Ask) and turn.hold.question.default == "none"
        turn = await small.bench.drive(step, {turn.hold.question.id: "none"})
        traffic = next(one for one in turn.checks if one.name == "shop-web.traffic")
        assert turn.done and traffic.state is CheckState.WAIVED
        turn = await small.bench.drive(Export(small.world.config))
        assert turn.done


# The end


async def test_the_subscription_is_asked_about_and_what_is_left_is_seen(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        step = Subscription(small.world.config)
        turn = await small.bench.drive(step)
        assert isinstance(turn.hold, Ask) and "settings/billing" in turn.hold.question.text
        turn = await small.bench.drive(step, {step.id: "cancelled"})
        projects = next(one for one in turn.checks if one.name == "projects")
        assert projects.state is CheckState.FAILED and projects.evidence.seen == "shop-web"


async def test_revoked_means_that_vercel_refuses_the_token(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        step = RevokeTokens(small.world.config)
        turn = await small.bench.drive(step)
        assert isinstance(turn.hold, Ask) and "VERCEL_TOKEN" in turn.hold.question.why
        for told in ("https://vercel.com/account/settings/tokens", "it may change and delete projects"):
            assert told in turn.hold.question.why
        turn = await small.bench.drive(step, {step.id: "revoked"})
        # The answer is forgotten with the hold: what was said too early is no dead end.
        assert (
            isinstance(turn.hold, Failed) and "VERCEL_TOKEN" in turn.hold.why and turn.hold.answer == step.id
        )
        small.bench.progress.answers[step.id] = "later"
        (listed,) = await small.bench.prove(step)
        assert (
            listed.state is CheckState.WAIVED and "VERCEL_TOKEN: Vercel: still taken" in listed.evidence.seen
        )
        small.stage.vercel.state.revoked.add(REHEARSAL_TOKEN[-12:])
        (listed,) = await small.bench.prove(step)
        assert "VERCEL_TOKEN: Vercel: refused" in listed.evidence.seen
        del small.bench.progress.answers[step.id]
        await small.world.secrets.drop("GITHUB_TOKEN")
        turn = await small.bench.drive(step, {step.id: "revoked"})
        states = {one.name: one.state for one in turn.checks}
        assert turn.done and states["revoked.VERCEL_TOKEN"] is CheckState.PASSED
        assert states["revoked.HCLOUD_TOKEN"] is CheckState.WAIVED


@pytest.mark.parametrize(("error", "standing"), [
    (CredentialError("no"), Standing.REFUSED),
    (VendorError("no such page", status=404), Standing.TAKEN),
    (VendorError("out of order", status=503), Standing.SILENT),
    (LoginError("backend does not let root in"), Standing.SILENT),
    (HostKeyError("backend shows another key"), Standing.SILENT),
    (UnreachableError("backend does not answer"), Standing.SILENT),
])  # fmt: skip
async def test_only_the_side_itself_proves_that_a_token_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: WizardError, standing: Standing
) -> None:
    """Given that SSH to the panel's host is refused, nothing is known of the panel's key."""

    async def refused(*_: object) -> None:
        raise error

    monkeypatch.setattr(revoke, "_use", refused)
    async with vercel_world(tmp_path) as small:
        step = RevokeTokens(small.world.config)
        facts = await step.observe(small.bench.context(step))
    held = [one.standing for one in facts.seen if one.standing is not Standing.NOT_HELD]
    assert held and set(held) == {standing}


async def test_without_a_project_every_rung_ends_honestly(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        config = replace(small.world.config, vercel=())
        await small.flip()
        for made in (*LADDER, Subscription):
            turn = await small.bench.drive(made(config))  # type: ignore[call-arg]
            assert turn.done and not turn.applied, f"{made.__name__}: {turn.story}"
        assert not [key for key in small.stage.vercel.state.counts if not key.startswith("GET")]


async def test_a_project_that_is_to_stay_is_exported_and_left_alone(tmp_path: Path) -> None:
    async with vercel_world(tmp_path, config=shop(delete_project=False)) as small:
        await climb(small)
        assert small.project.document["link"] and not small.project.document["paused"]
        assert not [key for key in small.stage.vercel.state.counts if not key.startswith("GET")]


def test_the_steps_are_in_the_ladders_order() -> None:
    from wizard.engine.order import in_order

    order = [one.id.removeprefix("decommission.") for one in in_order(steps(shop()))]
    ladder = ["soak", "export", "git", "pause", "domains", "delete", "subscription"]
    assert [one for one in order if one in ladder] == ladder
    assert order[-1] == "tokens" and order.index("old_host") > order.index("soak")
