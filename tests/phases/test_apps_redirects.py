"""What Vercel did with requests the new host's proxy does, by a file of our own that is taken off again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.phases.apps_stage import Scene, example, scene
from wizard.config import Config, VercelProject
from wizard.engine.plan import Ask
from wizard.engine.step import Context
from wizard.errors import UnreachableError
from wizard.phases.apps.parity import RoutesStep
from wizard.phases.apps.redirects import RedirectsStep
from wizard.phases.apps.trial import put_on, take_off
from wizard.phases.prepare.vercel_records import VercelRecord
from wizard.phases.settle.zero_downtime import ZeroDowntimeStep
from wizard.records import TrialRecord
from wizard.vercel import json as vercel_json
from wizard.vercel.caddy import traefik
from wizard.vercel.json import Condition, HeaderRule, PathRule, VercelJson
from wizard.vercel.rules import probes, proxy_rules
from wizard.vercel.traefik import file_path

RULES = VercelJson(
    redirects=(
        PathRule("/home", "/", 308),
        PathRule("/blog/:slug", "/posts/:slug", 307),
        PathRule("/docs/:path*", "https://docs.example/:path*", 308),
        PathRule("/a/(\\d+)", "/b/$1", 308),
        PathRule("/own", "/r?own=1", 308),
        PathRule("/:path*", "https://shop.example/:path*", 308, (Condition("host", "", "www.shop.example"),)),
    ),
    headers=(HeaderRule("/sw.js", (("Cache-Control", "no-store"),)),),
)


def test_domains_that_lead_to_others_become_rules_of_the_proxy() -> None:
    import yaml

    from wizard.clients.vercel.models import ProjectDomain

    rows = (
        ProjectDomain("www.shop.example", "shop.example", "shop.example", 308),
        ProjectDomain("shop.example", "shop.example"),
    )
    made = yaml.safe_load(traefik(rows))["http"]
    (router,) = made["routers"].values()
    assert router["rule"] == "Host(`www.shop.example`)" and router["tls"]["certResolver"] == "letsencrypt"
    (middleware,) = made["middlewares"].values()
    assert middleware["redirectRegex"]["replacement"] == "https://shop.example/${1}"
    assert traefik(rows[1:]) == ""


def test_every_rule_that_a_path_can_be_made_for_is_asked_old_and_new() -> None:
    assert probes(RULES, (PathRule("/twitter", "https://x.example", 307),)) == (
        "/home", "/blog/example", "/docs/example", "/own", "/example", "/sw.js", "/twitter",
    )  # fmt: skip


def with_project(app: str) -> Config:
    return replace(example(), vercel=(VercelProject("shop-web", app),))


def recorded(found: Scene, app: str) -> int:
    """As prepare.vercel leaves it: the rules of the rehearsal's own vercel.json."""
    text = (found.repository_file(app, "frontend/apps/web_app/vercel.json") if app == "web" else b"").decode()
    file = vercel_json.read(text) if text else RULES
    led = proxy_rules(file, (), (), found.config.app(app).domains)
    assert led.lost == ()
    record = VercelRecord("shop-web", "prj", "", rules=led.rules, probes=probes(file, ()))
    found.bench.context("prepare.vercel").saved.save("vercel_shop-web", record)
    return len(led.rules)


async def test_rules_are_shown_as_a_diff_installed_once_and_taken_off_again(tmp_path: Path) -> None:
    config = with_project("web")
    async with scene(tmp_path, config, servers=["frontend"], until="apps.web.healthy") as found:
        count = recorded(found, "web")
        step = found.step("apps.web.redirects")
        assert isinstance(step, RedirectsStep)
        facts = await step.observe(found.bench.context(step.id))
        plan = step.plan(facts)
        assert [change.key for change in plan.changes] == ["rules"] and f"{count} rules" in plan.changes[
            0
        ].after
        assert any(line.startswith("+") and "Cross-Origin-Opener-Policy" in line for line in plan.notes)
        turn = await found.drive(step)
        assert turn.done and len(turn.applied) == 1, turn.story
        again = await found.drive(step)
        assert again.done and not again.applied
        files = found.host("frontend").state.files
        row = found.row("web")
        text = files[file_path("web")].content.decode()
        assert f"http://{row['appName']}:" in text
        assert found.panel("frontend").table("redirect") == {}
        others = {path for path in files if path.startswith("/etc/dokploy/") and path != file_path("web")}
        undone = await found.bench.undo(step)
        assert [change.key for change in undone.changes] == ["back"]
        assert file_path("web") not in files
        assert others == {path for path in files if path.startswith("/etc/dokploy/")}
        assert (await found.bench.undo(step)).changes == ()


async def test_a_file_that_stood_there_before_is_as_it_was_after_the_undo(tmp_path: Path) -> None:
    config = with_project("web")
    async with scene(tmp_path, config, servers=["frontend"], until="apps.web.healthy") as found:
        recorded(found, "web")
        host = found.host("frontend")
        host.write(file_path("web"), b"# mine\n")
        step = found.step("apps.web.redirects")
        turn = await found.drive(step)
        assert turn.done and str(turn.applied[0].kind) == "update"
        await found.bench.undo(step)
        assert host.state.files[file_path("web")].content == b"# mine\n"


async def test_old_and_new_are_equal_by_the_file_and_differ_without_it(tmp_path: Path) -> None:
    config = with_project("web")
    async with scene(tmp_path, config, servers=["frontend"], until="apps.web.healthy") as found:
        recorded(found, "web")
        routes = found.step("apps.web.routes")
        assert isinstance(routes, RoutesStep)
        turn = await found.bench.drive(routes, {})
        assert isinstance(turn.hold, Ask)
        for told in ("cross-origin-opener-policy", "/home", "/begin/example"):
            assert any(told in line for line in turn.plan.notes), turn.plan.notes
        assert (await found.drive("apps.web.redirects")).done
        turn = await found.bench.drive(routes, {})
        assert turn.done and not turn.plan.notes, turn.story


async def test_the_temporary_name_leaves_the_rules_when_it_is_over(tmp_path: Path) -> None:
    config = with_project("web")
    async with scene(tmp_path, config, servers=["frontend"], until="apps.web.healthy") as found:
        recorded(found, "web")
        step = found.step("apps.web.redirects")
        assert (await found.drive(step)).done
        files = found.host("frontend").state.files
        assert ".sslip.io" in files[file_path("web")].content.decode()
        app, ctx = config.app("web"), found.bench.context("settle.web.zero_downtime")
        made = ctx.saved.load("trial", TrialRecord, step="apps.web.trial")
        assert made is not None
        await take_off(ctx, app, "trial_over")
        assert ".sslip.io" not in files[file_path("web")].content.decode()
        assert (await step.verify(found.bench.context(step.id)))[0].ok
        await put_on(ctx, app, made.host)
        assert ".sslip.io" in files[file_path("web")].content.decode()
        assert (await step.verify(found.bench.context(step.id)))[0].ok


async def test_a_temporary_name_whose_end_was_cut_off_stays_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(ctx: Context, server: str) -> None:
        raise UnreachableError(server, "no answer by SSH", "Run again.")

    config = with_project("web")
    async with scene(tmp_path, config, servers=["frontend"], until="apps.web.healthy") as found:
        recorded(found, "web")
        assert (await found.drive("apps.web.redirects")).done
        step = ZeroDowntimeStep(config, config.app("web"))
        app, ctx = config.app("web"), found.bench.context(step.id)
        with monkeypatch.context() as patched, pytest.raises(UnreachableError):
            patched.setattr("wizard.phases.apps.redirects.new_host", silent)
            await take_off(ctx, app, "trial_over")
        planned = step.plan(await step.observe(ctx))
        assert planned.changes[0].key == "trial"
        await step.apply(planned.changes[0], ctx)
        assert ".sslip.io" not in found.host("frontend").state.files[file_path("web")].content.decode()
        assert "trial" not in [change.key for change in step.plan(await step.observe(ctx)).changes]


@pytest.mark.parametrize(
    "broken", [b"http: [", b"http:\n  routers:\n    a: {rule: Nothing(`x`), service: b}\n"]
)
async def test_a_file_that_the_proxy_cannot_read_fails_the_checks(tmp_path: Path, broken: bytes) -> None:
    config = with_project("web")
    async with scene(tmp_path, config, servers=["frontend"], until="apps.web.healthy") as found:
        recorded(found, "web")
        step = found.step("apps.web.redirects")
        assert (await found.drive(step)).done
        found.host("frontend").write(file_path("web"), broken)
        assert not (await step.verify(found.bench.context(step.id)))[0].ok
        assert isinstance((await found.bench.drive(found.step("apps.web.routes"), {})).hold, Ask)


async def test_a_stack_gets_the_same_by_the_name_of_its_container(tmp_path: Path) -> None:
    config = with_project("api")
    async with scene(tmp_path, config, servers=["backend"], until="apps.api.trial") as found:
        recorded(found, "api")
        row = found.row("api")
        app = config.app("api")
        turn = await found.drive("apps.api.redirects")
        assert turn.done, turn.story
        text = found.host("backend").state.files[file_path("api")].content.decode()
        assert f"http://{row['appName']}-{app.service}-1:{app.port}" in text
