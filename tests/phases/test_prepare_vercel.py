"""What stands at Vercel is found, read only, graded and kept; what can be translated is."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.phases.context import Turn
from tests.real.acme_servers import free_ports, needs, running
from tests.rehearsal.vercel_stage import VercelWorld, shop, vercel_world
from tests.shared import shared_dir
from wizard.config import VercelProject
from wizard.engine.plan import Ask, Failed
from wizard.errors import WizardError
from wizard.phases.costs import costs_of
from wizard.phases.prepare.vercel import VercelStep
from wizard.phases.prepare.vercel_records import VercelRecord
from wizard.rehearsal.vercel.state import EXPIRED_TOKEN, OTHER_TEAM_TOKEN
from wizard.vercel import json as vercel_json
from wizard.vercel.caddy import caddyfile
from wizard.vercel.findings import ORDER, Fate, Severity, worst
from wizard.vercel.json import HeaderRule, PathRule, VercelJson
from wizard.vercel.paths import UntranslatableError, destination, pattern

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


# The real file


def openmates() -> VercelJson:
    return vercel_json.read((shared_dir() / "inputs/openmates/vercel.json").read_text(encoding="utf-8"))


def test_the_real_file_is_translated_and_what_is_lost_is_listed() -> None:
    found = openmates()
    made = caddyfile(found)
    assert made.lost == () and made.rules == len(found.headers) + len(found.rewrites) == 8
    assert "(?!" not in made.caddyfile
    assert {one.key for one in found.settings if one.lost} == {"ignoreCommand"}
    assert {one.key for one in found.settings if not one.lost} == {"installCommand"}
    for name in ("Clear-Site-Data", "Service-Worker-Allowed", "max-age=31536000, immutable"):
        assert name in made.caddyfile


async def test_the_real_file_in_the_repository_is_found_and_kept_translated(tmp_path: Path) -> None:
    text = (shared_dir() / "inputs/openmates/vercel.json").read_bytes()
    async with vercel_world(tmp_path) as small:
        await small.stage.git.push("owner/shop", "main", {"web/vercel.json": text}, "as it is")
        turn, record = await driven(small)
        assert turn.done, turn.story
        assert small.bench.context("prepare.vercel").kept("vercel-shop-web.Caddyfile")
        lost = [one.key for one in record.findings if one.fate is Fate.LOST and one.key.startswith("file.")]
        assert lost == ["file.ignoreCommand"]


EVERY_FORM = VercelJson(
    redirects=(
        PathRule("/blog/:slug", "/posts/:slug", 308),
        PathRule("/a/(\\d+)", "https://x.example/$1", 307),
        PathRule("/q", "/r?own=1", 308),
    ),
    rewrites=(
        PathRule("/proxy/:path*", "http://127.0.0.1:UPSTREAM/:path*"),
        PathRule("/dev/:path*", "/"),
        PathRule("/((?!_app|docs).*)", "/"),
    ),
    headers=(
        HeaderRule("/sw.js", (("Cache-Control", "no-store"), ("Clear-Site-Data", '"cache"'))),
        HeaderRule("/_app/immutable/(.*)", (("Cache-Control", "max-age=31536000, immutable"),)),
    ),
    clean_urls=True,
    trailing_slash=False,
)
ASKED = (
    ("/", 200, "home"),
    ("/dev/x/y", 200, "home"),
    ("/anything", 200, "home"),
    ("/docs/none", 404, ""),
    ("/_app/none.js", 404, ""),
    ("/about", 200, "about"),
    ("/proxy/k/l?z=1", 200, "upstream /k/l?z=1"),
    ("/blog/one?q=1", 308, "/posts/one?q=1"),
    ("/blog/two", 308, "/posts/two"),
    ("/a/12", 307, "https://x.example/12"),
    ("/a/x", 200, "home"),
    ("/q?z=1", 308, "/r?own=1"),
    ("/about.html?x=1", 308, "/about?x=1"),
    ("/index.html", 308, "/"),
    ("/about/", 308, "/about"),
)


@pytest.mark.real
async def test_a_real_caddy_answers_as_vercel_did(tmp_path: Path) -> None:
    needs("caddy")
    site = tmp_path / "site"
    (site / "_app/immutable").mkdir(parents=True)
    files = {"index.html": "home", "about.html": "about", "sw.js": "sw", "_app/immutable/a.js": "a"}
    for name, text in files.items():
        (site / name).write_text(text)
    port, upstream = free_ports(2)
    made = caddyfile(EVERY_FORM)
    assert made.lost == ()
    snippet = made.caddyfile.replace("UPSTREAM", str(upstream))
    (tmp_path / "Caddyfile").write_text(
        "{\nadmin off\nauto_https off\n}\n"
        f":{upstream} {{\nrespond `upstream {{http.request.uri}}`\n}}\n"
        f":{port} {{\nroot * {site}\nfile_server\n{snippet}}}\n"
    )
    command = ("caddy", "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile")
    env = {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    base = f"http://127.0.0.1:{port}"
    async with running(*command, port=port, env=env), httpx.AsyncClient(base_url=base) as client:
        seen = []
        for path, _, _ in ASKED:
            answer = await client.get(path)
            told = answer.headers.get("location", "") or (answer.text if answer.status_code == 200 else "")
            seen.append((path, answer.status_code, told))
        assert tuple(seen) == ASKED
        worker = await client.get("/sw.js")
        assert worker.headers["clear-site-data"] == '"cache"' and worker.text == "sw"
        assert "immutable" in (await client.get("/_app/immutable/a.js")).headers["cache-control"]


# Patterns


@pytest.mark.parametrize(
    ("source", "matching", "others"),
    [
        ("/dev/:path*", ("/dev", "/dev/a", "/dev/a/b"), ("/developer", "/de")),
        ("/blog/:slug", ("/blog/one",), ("/blog", "/blog/one/two")),
        ("/post/:id(\\d+)", ("/post/12",), ("/post/x",)),
        ("/(.*).html", ("/a.html", "/a/b.html"), ("/a.htm",)),
        ("/sw.js", ("/sw.js",), ("/swxjs",)),
        ("/((?!_app|s/).*)", ("/", "/x", "/static"), ("/_app/x", "/s/1")),
        ("/:a/:b?", ("/x", "/x/y"), ("/", "/x/y/z")),
    ],
)
def test_a_pattern_takes_what_vercel_would(
    source: str, matching: tuple[str, ...], others: tuple[str, ...]
) -> None:
    import re

    found = pattern(source)

    def takes(path: str) -> bool:
        unless = found.unless and re.match(found.unless, path)
        return bool(re.match(found.regex, path)) and not unless

    assert [path for path in matching if not takes(path)] == []
    assert [path for path in others if takes(path)] == []


@pytest.mark.parametrize("source", ["/a(?!b)/c", "/x(?<=y)", "/(open", "/((?!a).*)/tail"])
def test_what_has_no_form_is_listed_and_never_half_translated(source: str) -> None:
    with pytest.raises(UntranslatableError):
        pattern(source)
    made = caddyfile(VercelJson(rewrites=(PathRule(source, "/"),)))
    assert made.caddyfile == "" and made.lost[0].rule == source


def test_a_destination_names_only_what_its_source_has() -> None:
    found = pattern("/blog/:year/:slug")
    mark = "<{}>".format
    assert destination("/p/:slug?y=:year", found, mark) == "/p/<2>?y=<1>"
    assert destination("https://x.example/:slug", found, mark) == "https://x.example/<2>"
    with pytest.raises(UntranslatableError):
        destination("/p/:other", found, mark)


@given(st.from_regex(r"/[a-z0-9_.-]{1,12}(/[a-z0-9_.-]{1,12}){0,3}", fullmatch=True))
def test_a_plain_path_takes_itself_and_nothing_else(path: str) -> None:
    import re

    found = pattern(path)
    assert re.match(found.regex, path) and not re.match(found.regex, path + "x")


@given(st.text(max_size=200))
def test_text_that_is_no_vercel_json_is_refused_in_a_sentence(text: str) -> None:
    try:
        found = vercel_json.read(text)
    except WizardError as error:
        assert error.next
    else:
        assert json.loads(text) is not None and isinstance(found, VercelJson)


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
