"""What Vercel redirected is redirected by the panel; what cannot be is listed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.phases.apps_stage import example, scene
from wizard.clients.vercel.models import ProjectDomain
from wizard.config import VercelProject
from wizard.phases.apps.redirects import RedirectsStep
from wizard.phases.prepare.vercel_records import VercelRecord
from wizard.vercel.caddy import traefik
from wizard.vercel.json import Condition, HeaderRule, PathRule, VercelJson
from wizard.vercel.redirects import PanelRedirect, panel_redirects, probes


def answered(redirects: tuple[PanelRedirect, ...], address: str) -> str:
    """As the proxy does: the first expression that changes the address wins; "" if none does."""
    for one in redirects:
        target = re.sub(one.regex, re.sub(r"\$\{(\d+)\}", r"\\g<\1>", one.replacement), address)
        if target != address:
            return target
    return ""


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


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("https://shop.example/home", "https://shop.example/"),
        ("https://shop.example/home?a=1", "https://shop.example/?a=1"),
        ("https://shop.example/blog/one?x=y", "https://shop.example/posts/one?x=y"),
        ("https://shop.example/docs/a/b", "https://docs.example/a/b"),
        ("https://shop.example/a/12", "https://shop.example/b/12"),
        ("https://shop.example/own?gone=1", "https://shop.example/r?own=1"),
        ("https://www.shop.example/any/page", "https://shop.example/any/page"),
        ("https://shop.example/homes", ""),
        ("https://shop.example/x/home", ""),
        ("https://shop.example/a/twelve", ""),
    ],
)
def test_a_redirect_leads_where_vercel_led(address: str, target: str) -> None:
    assert answered(panel_redirects(RULES, (), (), ()).redirects, address) == target


def test_whole_domains_lead_on_if_the_proxy_serves_them() -> None:
    rows = (
        ProjectDomain("www.shop.example", "shop.example", "shop.example", 307),
        ProjectDomain("old.shop.example", "shop.example", "shop.example", 308),
    )
    (made,) = panel_redirects(None, (), rows, ("shop.example", "www.shop.example")).redirects
    assert answered((made,), "https://www.shop.example/a?b=1") == "https://shop.example/a?b=1"
    assert answered((made,), "https://wwwxshop.example/a") == "" and not made.permanent


def test_domains_that_lead_to_others_become_rules_of_the_proxy() -> None:
    import yaml

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


def test_what_depends_on_more_than_the_address_is_listed_with_why() -> None:
    rules = (
        PathRule("/x", "/y", 308, (Condition("cookie", "beta", "1"),)),
        PathRule("/((?!api).*)", "/y", 308),
    )
    led = panel_redirects(None, rules, (), ())
    assert led.redirects == ()
    assert dict(led.lost).keys() == {"/x", "/((?!api).*)"} and "cookie beta" in dict(led.lost)["/x"]


def test_every_rule_that_a_path_can_be_made_for_is_asked_old_and_new() -> None:
    assert probes(RULES, (PathRule("/twitter", "https://x.example", 307),)) == (
        "/home", "/blog/example", "/docs/example", "/own", "/example", "/sw.js", "/twitter",
    )  # fmt: skip


async def test_redirects_are_put_on_the_panel_once_answer_and_are_taken_off_again(tmp_path: Path) -> None:
    config = replace(example(), vercel=(VercelProject("shop-web", "web"),))
    async with scene(tmp_path, config, servers=["frontend"], until="apps.web.trial") as found:
        led = panel_redirects(RULES, (), (), config.app("web").domains).redirects
        record = VercelRecord("shop-web", "prj", "", redirects=led)
        found.bench.context("prepare.vercel").saved.save("vercel_shop-web", record)
        step = found.step("apps.web.redirects")
        assert isinstance(step, RedirectsStep)
        turn = await found.drive(step)
        assert turn.done and len(turn.applied) == len(led), turn.story
        again = await found.drive(step)
        assert again.done and not again.applied
        foreign = {"applicationId": found.row("web")["applicationId"], "regex": "^mine$"}
        panel = found.panel("frontend")
        panel.add("redirect", {**foreign, "replacement": "kept", "permanent": True})
        undone = await found.bench.undo(step)
        assert len(undone.changes) == len(led)
        assert [row["regex"] for row in panel.table("redirect").values()] == ["^mine$"]
