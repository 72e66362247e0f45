"""What stands at Vercel is found, read only, graded and kept; what can be translated is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.phases.context import Turn
from tests.rehearsal.vercel_stage import VercelWorld, shop, vercel_world
from tests.shared import shared_dir
from wizard.config import VercelProject
from wizard.engine.plan import Ask, Failed
from wizard.phases.costs import costs_of
from wizard.phases.prepare.vercel import VercelStep
from wizard.phases.prepare.vercel_records import VercelRecord
from wizard.rehearsal.vercel.state import EXPIRED_TOKEN, OTHER_TEAM_TOKEN
from wizard.vercel.findings import ORDER, Fate, Severity, worst

RECORD = "vercel_shop-web"


async def driven(small: VercelWorld, answers: dict[str, str] | None = None) -> tuple[Turn, VercelRecord]:
    """The step taken to its end, its questions answered as a headless run would, blockers accepted."""
    step = VercelStep(small.world.config)
    given_: dict[str, str] = dict(answers or {})
    for _ in range(20):
        turn = await small.bench.drive(step, given_)
        if not isinstance(turn.hold, Ask):
            break
        question = turn.hold.question
        given_[question.id] = question.default or "accept"
    record = small.bench.context(step).saved.load(RECORD, VercelRecord)
    assert record is not None, turn.story
    return turn, record


async def test_a_plain_static_project_gives_nothing_above_low(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        turn, record = await driven(small)
        assert turn.done, turn.story
        assert ORDER.index(worst(record.findings)) >= ORDER.index(Severity.LOW), [
            str(one) for one in record.findings if one.severity in ORDER[:3]
        ]
        assert record.configs and record.deployment and record.git_repository == "owner/shop"
        assert record.bill == "20.00 USD"
        before = costs_of(small.world.config, small.bench.progress).before
        assert [str(money) for money in before] == ["20.00 USD/month"]


def written(folder: Path) -> str:
    """All that a run leaves on disk but its secrets."""
    files = [folder / "progress.toml", folder / "journal.jsonl", *(folder / "backups").iterdir()]
    return "".join(path.read_text() for path in files if path.exists())


EXPECTED = {
    "variable.SESSION_SECRET (production+preview)": (Severity.BLOCKER, Fate.NEEDS_YOU),
    "variable.GREETING (production)": (Severity.OK, Fate.CARRIED),
    "variable.GREETING (preview, branch next)": (Severity.LOW, Fate.LOST),
    "variable.STAGING_ONLY (env_staging)": (Severity.LOW, Fate.LOST),
    "variable.VERCEL_URL (production+preview)": (Severity.LOW, Fate.LOST),
    "variable.OAUTH_CALLBACK (production)": (Severity.HIGH, Fate.NEEDS_YOU),
    "variable.POSTGRES_URL (production+preview)": (Severity.MEDIUM, Fate.NEEDS_YOU),
    "variable.TEAM_FLAG (production)": (Severity.OK, Fate.CARRIED),
    "variable.VITE_API_URL (production+preview)": (Severity.OK, Fate.CARRIED),
    "system": (Severity.LOW, Fate.LOST),
    "environment.staging": (Severity.LOW, Fate.LOST),
    "store.pictures": (Severity.BLOCKER, Fate.NEEDS_YOU),
    "store.orders": (Severity.HIGH, Fate.NEEDS_YOU),
    "edge_config.flags": (Severity.HIGH, Fate.NEEDS_YOU),
    "build.framework": (Severity.OK, Fate.REPLACED),
    "build.root": (Severity.OK, Fate.REPLACED),
    "build.commands": (Severity.OK, Fate.REPLACED),
    "build.ignore": (Severity.LOW, Fate.LOST),
    "build.lfs": (Severity.MEDIUM, Fate.NEEDS_YOU),
    "git.link": (Severity.OK, Fate.CARRIED),
    "hook.cms": (Severity.MEDIUM, Fate.NEEDS_YOU),
    "domain.shop.example": (Severity.OK, Fate.CARRIED),
    "domain.old.shop.example": (Severity.HIGH, Fate.NEEDS_YOU),
    "way_back.shop.example": (Severity.OK, Fate.CARRIED),
    "certificate.shop.example": (Severity.OK, Fate.REPLACED),
    "production": (Severity.OK, Fate.CARRIED),
    "aliases": (Severity.LOW, Fate.LOST),
    "redirect./twitter": (Severity.MEDIUM, Fate.CARRIED),
    "route./legacy/(.*)": (Severity.HIGH, Fate.NEEDS_YOU),
    "protection": (Severity.MEDIUM, Fate.LOST),
    "firewall": (Severity.MEDIUM, Fate.LOST),
    "secure_compute": (Severity.HIGH, Fate.NEEDS_YOU),
    "oidc": (Severity.HIGH, Fate.NEEDS_YOU),
    "microfrontends": (Severity.HIGH, Fate.NEEDS_YOU),
    "skew": (Severity.MEDIUM, Fate.LOST),
    "rolling": (Severity.MEDIUM, Fate.LOST),
    "analytics.web": (Severity.LOW, Fate.LOST),
    "analytics.speed": (Severity.LOW, Fate.LOST),
    "webhook.hook_deploys": (Severity.MEDIUM, Fate.LOST),
    "drain.drain_1": (Severity.MEDIUM, Fate.LOST),
    "integration.neon": (Severity.MEDIUM, Fate.NEEDS_YOU),
    "zone.shop.example": (Severity.HIGH, Fate.NEEDS_YOU),
    "registration.shop.example": (Severity.MEDIUM, Fate.NEEDS_YOU),
    "file.redirects": (Severity.OK, Fate.CARRIED),
    "file.headers": (Severity.OK, Fate.CARRIED),
    "file.rewrites": (Severity.OK, Fate.CARRIED),
    "cron./api/cron/daily": (Severity.HIGH, Fate.CARRIED),
    "functions": (Severity.MEDIUM, Fate.CARRIED),
    "middleware": (Severity.MEDIUM, Fate.CARRIED),
    "isr": (Severity.MEDIUM, Fate.CARRIED),
    "images": (Severity.MEDIUM, Fate.CARRIED),
}


async def test_one_of_everything_gives_one_correct_finding_each(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        small.enrich()
        turn, record = await driven(small)
        assert turn.done, turn.story
        found = {one.key: (one.severity, one.fate) for one in record.findings}
        assert len(found) == len(record.findings)
        assert {key: found.get(key) for key in EXPECTED} == EXPECTED
        others = set(found) - set(EXPECTED)
        assert others == {
            "variable.BLOB_READ_WRITE_TOKEN (production+preview)",
            "variable.VITE_ENV (production+preview)",
            "domain.www.shop.example",
            "way_back.www.shop.example",
            "certificate.www.shop.example",
        }


async def test_looking_sends_nothing_but_reads_and_keeps_no_value(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        small.enrich()
        await driven(small)
        assert {sent.partition(" ")[0] for sent in small.stage.vercel.state.counts} == {"GET"}
        kept = written(tmp_path)
        for value in ("never-to-be-read", "vercel_blob_rw_x", "postgres://db", "secretpart", "b" * 32):
            assert value not in kept


async def test_a_blocker_holds_the_migration_until_it_is_decided(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        small.enrich()
        step = VercelStep(small.world.config)
        plan = await small.bench.plan(step)
        assert isinstance(plan.hold, Ask) and not plan.changes
        turn = await small.bench.drive(step, {plan.hold.question.id: "stop"})
        assert isinstance(turn.hold, Failed) and "stop here" in turn.hold.why
        # The engine forgets this answer when the step is run again: to stop is no dead end.
        assert turn.hold.answer == plan.hold.question.id


async def test_a_value_that_the_operator_gave_is_no_blocker_any_more(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        small.enrich()
        await small.world.secrets.put("ENV_WEB_SESSION_SECRET", "given-by-me")
        _, record = await driven(small)
        given_ = next(one for one in record.findings if "SESSION_SECRET" in one.key)
        assert given_.severity is Severity.OK


async def test_looking_twice_finds_nothing_new(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        await driven(small)
        turn, _ = await driven(small)
        assert turn.done and not turn.applied


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (EXPIRED_TOKEN, "wrong, expired or revoked"),
        (OTHER_TEAM_TOKEN, "not good for team shop"),
        ("", "no Vercel token"),
    ],
)
async def test_a_token_that_will_not_do_is_told_apart(tmp_path: Path, token: str, said: str) -> None:
    async with vercel_world(tmp_path, token=token) as small:
        plan = await small.bench.plan(VercelStep(small.world.config))
        assert isinstance(plan.hold, Failed) and said in plan.hold.why and plan.hold.ways


async def test_a_project_of_another_name_or_team_is_said(tmp_path: Path) -> None:
    from dataclasses import replace

    config = replace(shop(), vercel=(VercelProject("shop-web", "web", "shop"),))
    async with vercel_world(tmp_path, config=config) as small:
        for wrong in (VercelProject("shop-wbe", "web", "shop"), VercelProject("shop-web", "web", "shp")):
            plan = await small.bench.plan(VercelStep(replace(config, vercel=(wrong,))))
            assert isinstance(plan.hold, Failed) and wrong.team in plan.hold.why


async def test_without_a_project_the_step_says_so(tmp_path: Path) -> None:
    from dataclasses import replace

    async with vercel_world(tmp_path) as small:
        step = VercelStep(replace(small.world.config, vercel=()))
        turn = await small.bench.drive(step)
        assert turn.done and [one.name for one in turn.checks] == ["none"]


async def test_the_real_file_in_the_repository_is_found_and_kept_translated(tmp_path: Path) -> None:
    text = (shared_dir() / "inputs/openmates/vercel.json").read_bytes()
    async with vercel_world(tmp_path) as small:
        await small.stage.git.push("owner/shop", "main", {"web/vercel.json": text}, "as it is")
        turn, record = await driven(small)
        assert turn.done, turn.story
        assert small.bench.context("prepare.vercel").kept("vercel-shop-web.Caddyfile")
        lost = [one.key for one in record.findings if one.fate is Fate.LOST and one.key.startswith("file.")]
        assert lost == ["file.ignoreCommand"]


async def test_settings_in_the_repository_that_leave_something_to_vercel_are_found(tmp_path: Path) -> None:
    files = {
        "web/next.config.mjs": b"export default { images: {}, async redirects() { return [] } }",
        "web/.env.production": b"NEXTAUTH_URL=https://shop-web.vercel.app\n",
        "web/src/config.ts": b"export const home = 'https://shop.example'\n",
    }
    async with vercel_world(tmp_path) as small:
        small.project.document["framework"] = "nextjs"
        await small.stage.git.push("owner/shop", "main", files, "settings")
        _, record = await driven(small)
        found = {one.key: one for one in record.findings}
        assert found["code.vercel_app"].severity is Severity.MEDIUM
        assert ".env.production" in found["code.vercel_app"].what
        assert "config.ts" not in found["code.vercel_app"].what
        assert found["next.rules"].what == "redirects, images of next.config"
        assert found["next.output"].severity is found["next.cache"].severity is Severity.LOW
        assert "NEXTAUTH_URL" not in written(tmp_path)
