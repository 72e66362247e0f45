"""Twenty-seven ways of being too early: each is refused with its reason, and nothing is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.phases.decommission_stage import DAY, climb, take
from tests.rehearsal.vercel_stage import VercelWorld, shop, vercel_world
from wizard.config import EnvSource
from wizard.engine.plan import Ask, Failed
from wizard.phases.decommission.delete import DeleteProject
from wizard.phases.decommission.export import Export
from wizard.phases.decommission.guards import Rung, objections
from wizard.phases.decommission.records import SoakRecord
from wizard.phases.decommission.rungs import DisconnectGit, Pause, RemoveDomains
from wizard.phases.decommission.standing import standing
from wizard.phases.prepare.vercel_records import VercelRecord
from wizard.rehearsal.fronts.vercel import VERCEL_ADDRESS
from wizard.rehearsal.vercel.project import add_variable
from wizard.rehearsal.vercel.state import HOUR

Spoil = Callable[[VercelWorld], Awaitable[None]]


async def _old_resolver(small: VercelWorld) -> None:
    cache = small.stage.dns.caches[3]
    small.zone.put("@", "A", 30 * 86_400, (VERCEL_ADDRESS,))
    cache.warm("shop.example", "A", [0.0 for _ in cache.state.pools])
    small.zone.put("@", "A", 60, ("203.0.113.10",))


async def _record(small: VercelWorld) -> None:
    await small.flip_back("www.shop.example")


async def _ipv6(small: VercelWorld) -> None:
    small.zone.put("@", "AAAA", 60, ("2001:db8::76",))


async def _other_record(small: VercelWorld) -> None:
    small.other_records.append(("staging.shop.example", "CNAME", "cname.vercel-dns.com."))


async def _old_export(small: VercelWorld) -> None:
    await small.world.clock.wait_until(small.world.clock.now() + 1.5 * DAY)


async def _no_export(small: VercelWorld) -> None:
    small.bench.context("decommission.export").saved.drop("export_shop-web")


async def _damaged_export(small: VercelWorld) -> None:
    small.bench.context("decommission.export").backup("vercel-export-shop-web.json", "{}")


async def _lost_export(small: VercelWorld) -> None:
    (small.bench.folder / "backups" / "vercel-export-shop-web.json").unlink()


async def _new_variable(small: VercelWorld) -> None:
    add_variable(small.stage.vercel.state, small.project, "LATE", "1", small.world.clock.now())


async def _new_deployment(small: VercelWorld) -> None:
    small.project.document["targets"]["production"]["id"] = "dpl_later"


async def _sensitive(small: VercelWorld) -> None:
    now = small.world.clock.now()
    add_variable(small.stage.vercel.state, small.project, "HIDDEN", "x", now, kind="sensitive")


async def _git(small: VercelWorld) -> None:
    from wizard.rehearsal.vercel.project import github_link

    small.project.document["link"] = github_link("owner/shop", "main", 1)


async def _unpaused(small: VercelWorld) -> None:
    small.project.document.update(paused=False, live=True)


async def _domain(small: VercelWorld) -> None:
    from wizard.rehearsal.vercel.project import domain

    small.project.domains["new.shop.example"] = domain(
        small.project.id, "new.shop.example", "shop.example", 1
    )


async def _cron(small: VercelWorld) -> None:
    rows = [{"host": "shop.example", "path": "/api/tick", "schedule": "* * * * *"}]
    small.project.document["crons"]["definitions"] = rows


def _linked(small: VercelWorld) -> dict[str, Any]:
    return {"ownerId": small.project.owner, "projectIds": [small.project.id], "createdAt": 1, "updatedAt": 1}


async def _webhook(small: VercelWorld) -> None:
    row = {"id": "hk", "url": "https://ci.example/x", "events": ["deployment.created"], **_linked(small)}
    small.stage.vercel.state.webhooks.append(row)


async def _drain(small: VercelWorld) -> None:
    delivery = {"type": "http", "endpoint": "https://logs.example/in", "encoding": "json", "headers": {}}
    row = {"id": "dr", "name": "logs", "schemas": {}, "delivery": delivery, **_linked(small)}
    small.stage.vercel.state.drains.append(row)


async def _store(small: VercelWorld) -> None:
    linked = [{"projectId": small.project.id}]
    row = {"id": "st", "name": "pictures", "type": "blob", "ownerId": small.project.owner}
    small.stage.vercel.state.stores.append({**row, "projectsMetadata": linked})


async def _edge_config(small: VercelWorld) -> None:
    row = {"id": "ecfg", "slug": "flags", "ownerId": small.project.owner, "itemCount": 0, "sizeInBytes": 2}
    small.stage.vercel.state.edge_configs.append(row)


async def _integration(small: VercelWorld) -> None:
    row = {"id": "ic", "slug": "neon", "ownerId": small.project.owner, "projectSelection": "all"}
    small.stage.vercel.state.integrations.append(row)


async def _value(small: VercelWorld) -> None:
    now, value = small.world.clock.now(), "https://shop-web.vercel.app/callback"
    add_variable(small.stage.vercel.state, small.project, "CALLBACK", value, now)


async def _visitors(small: VercelWorld) -> None:
    small.project.document.update(paused=False, live=True)
    small.project.visits[int(small.world.clock.now() // HOUR)] = 3


async def _new_side(small: VercelWorld) -> None:
    small.stage.fronts.of("frontend").unroute("shop.example")


async def _soak(small: VercelWorld) -> None:
    saved = small.bench.context("decommission.soak").saved
    record = saved.load("soak", SoakRecord)
    assert record is not None
    saved.save("soak", replace(record, ended=0.0))


async def _other_project(small: VercelWorld) -> None:
    saved = small.bench.context("prepare.vercel").saved
    record = saved.load("vercel_shop-web", VercelRecord)
    assert record is not None
    saved.save("vercel_shop-web", replace(record, project="shop-front"))


async def _never_looked_at(small: VercelWorld) -> None:
    small.bench.context("prepare.vercel").saved.drop("vercel_shop-web")


async def _silence(small: VercelWorld) -> None:
    from wizard.endpoints import Resolver, SocketAddress

    nobody = (Resolver("Nobody", SocketAddress("127.0.0.1", 9)),)
    small.world.endpoints = replace(small.world.endpoints, resolvers=nobody)


TOO_EARLY: tuple[tuple[Spoil, str], ...] = (
    (_soak, "the soak is not over"),
    (_no_export, "nothing was exported"),
    (_old_export, "older than a day"),
    (_damaged_export, "damaged or was changed"),
    (_lost_export, "gone from backups/"),
    (_new_variable, "changed since the export"),
    (_new_deployment, "changed since the export"),
    (_sensitive, "undecided: HIDDEN"),
    (_git, "git is still connected"),
    (_unpaused, "is not paused"),
    (_domain, "still attached: new.shop.example"),
    (_old_resolver, "a resolver is behind: Bogota"),
    (_silence, "no resolver answers"),
    (_record, "a record still leads there: www.shop.example A"),
    (_ipv6, "a record still leads there: shop.example AAAA"),
    (_other_record, "a record still leads there: staging.shop.example CNAME"),
    (_value, "variable CALLBACK (production+preview) names an address of vercel.app"),
    (_cron, "cron * * * * * on /api/tick is still attached"),
    (_webhook, "webhook to ci.example is still attached"),
    (_drain, "log drain to logs.example is still attached"),
    (_store, "store pictures is still attached"),
    (_edge_config, "Edge Config flags is still attached"),
    (_integration, "integration neon is still attached"),
    (_visitors, "3 pages were loaded at Vercel within a day"),
    (_new_side, "the new host does not serve shop.example"),
    (_other_project, "is called shop-web now, not shop-front"),
    (_never_looked_at, "never looked at before the move"),
)


@pytest.mark.parametrize(
    ("spoil", "reason"), TOO_EARLY, ids=[one.__name__.strip("_") for one, _ in TOO_EARLY]
)
async def test_deleting_too_early_is_refused_with_the_reason(
    tmp_path: Path, spoil: Spoil, reason: str
) -> None:
    base = shop()
    web = replace(base.apps[0], env_source=EnvSource.VERCEL)
    config = replace(base, apps=(web, *base.apps[1:]))
    async with vercel_world(tmp_path, config=config) as small:
        await climb(small, RemoveDomains)
        await spoil(small)
        turn = await take(small, DeleteProject)
        assert isinstance(turn.hold, Failed) and not turn.applied, turn.story
        assert reason in turn.hold.why and turn.hold.ways
        assert small.project.id in small.stage.vercel.state.projects
        assert not small.stage.ledger.count("vercel", "delete", "project shop-web")


@pytest.mark.parametrize("spoil", [_old_resolver, _record, _visitors, _git, _soak, _no_export])
async def test_pausing_too_early_is_refused(tmp_path: Path, spoil: Spoil) -> None:
    async with vercel_world(tmp_path) as small:
        await climb(small, DisconnectGit)
        await spoil(small)
        turn = await take(small, Pause)
        assert isinstance(turn.hold, Failed) and not small.project.document["paused"]


async def test_a_resolver_that_lies_for_ever_is_a_question_and_no_dead_end(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        await climb(small, DisconnectGit)
        small.stage.dns.caches[3].state.quirk = "lie"
        turn = await take(small, Pause)
        assert isinstance(turn.hold, Ask), turn.story
        question = turn.hold.question
        assert "192.0.2.66" in question.why and not small.project.document["paused"]
        stopped = await small.bench.drive(Pause(small.world.config), {question.id: "stop"})
        assert isinstance(stopped.hold, Failed) and stopped.hold.answer == question.id
        small.bench.progress.answers.pop(question.id)
        turn = await small.bench.drive(Pause(small.world.config), {question.id: question.default})
        assert turn.done and small.project.document["paused"], turn.story


async def test_a_resolver_that_leads_to_another_address_of_vercels_is_behind(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        await climb(small, DisconnectGit)
        saved = small.bench.context("prepare.vercel").saved
        record = saved.load("vercel_shop-web", VercelRecord)
        assert record is not None
        saved.save("vercel_shop-web", replace(record, configs=()))
        await _old_resolver(small)
        turn = await take(small, Pause)
        assert isinstance(turn.hold, Failed) and "a resolver is behind: Bogota" in turn.hold.why


async def test_what_vercel_refuses_is_told_and_nothing_is_repeated(tmp_path: Path) -> None:
    from wizard.errors import WizardError

    async with vercel_world(tmp_path) as small:
        await climb(small, DisconnectGit)
        small.stage.vercel.state.soft_block = "UNPAID_INVOICE"
        with pytest.raises(WizardError, match="until a bill is paid"):
            await take(small, Pause)
        small.stage.vercel.state.soft_block = ""
        await take(small, Pause)
        small.project.transferring = True
        with pytest.raises(WizardError, match="conflict"):
            await take(small, RemoveDomains)
        assert small.stage.vercel.state.counts["POST /v1/projects/prj_shopweb/pause"] == 2


async def test_deploy_hooks_are_asked_about_before_the_link_goes(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        hook = {"id": "h", "name": "cms", "ref": "main", "url": "https://api.vercel.com/v1/x"}
        small.project.document["link"]["deployHooks"] = [hook]
        await climb(small, Export)
        turn = await take(small, DisconnectGit)
        assert isinstance(turn.hold, Ask) and "cms" in turn.hold.question.text
        assert not turn.hold.question.default
        step = DisconnectGit(small.world.config)
        turn = await small.bench.drive(step, {turn.hold.question.id: "moved"})
        assert turn.done, turn.story


async def test_all_reasons_are_told_at_once(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        wanted = small.world.config.vercel[0]
        seen = await standing(small.bench.context("decommission.delete"), wanted)
        found = objections(Rung.DELETE, seen, small.world.clock.now())
        whys = " ".join(one.why for one in found)
        for part in (
            "soak",
            "exported",
            "git is",
            "not paused",
            "domains are",
            "resolver",
            "record",
            "looked at",
        ):
            assert part in whys
