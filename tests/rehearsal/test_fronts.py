"""The fronts are looked at by the wizard's own HTTP and TLS checks."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.rehearsal.small_stage import EDGE, NEW_API, NEW_WEB, OLD, SmallWorld, small_world
from wizard.checks.http import HttpClient, HttpProblem, Problem
from wizard.checks.tls import DEFAULT_CERTIFICATE, look
from wizard.rehearsal.fronts.front import ACME_FILE


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SmallWorld]:
    async with small_world(tmp_path) as world:
        yield world


@pytest.fixture
async def http(world: SmallWorld) -> AsyncIterator[HttpClient]:
    client = HttpClient(world.net, world.trust)
    yield client
    await client.aclose()


async def settle(world: SmallWorld, seconds: float) -> None:
    await world.stage.clock.sleep(seconds)


async def test_the_edge_serves_the_site_under_a_trusted_certificate(
    world: SmallWorld, http: HttpClient
) -> None:
    answer = await http.get("https://shop.example/about", EDGE)

    assert (answer.status, answer.header("server")) == (200, "Vercel")
    assert 'content="old-build"' in answer.text
    assert answer.tls.startswith("TLSv1")
    view = await look(world.net, "shop.example", EDGE, trust=world.trust)
    assert view.trusted and view.certificate is not None
    assert view.certificate.names == ("shop.example",)
    assert view.certificate.chain_length == 2


async def test_plain_http_is_redirected_and_followed_to_the_same_address(
    world: SmallWorld, http: HttpClient
) -> None:
    answer = await http.get("http://api.shop.example/health?x=1", OLD, follow=True)

    assert answer.status == 200 and answer.address == OLD
    assert answer.url == "https://api.shop.example/health?x=1"
    assert [hop.status for hop in answer.hops] == [308]


@pytest.mark.parametrize(
    ("verdict", "status", "word"),
    [("paused", 503, "DEPLOYMENT_PAUSED"), ("gone", 404, "DEPLOYMENT_NOT_FOUND")],
)
async def test_the_edge_follows_the_project(
    world: SmallWorld, http: HttpClient, verdict: str, status: int, word: str
) -> None:
    world.edge.verdicts["shop.example"] = verdict

    answer = await http.get("https://shop.example/", EDGE)

    assert answer.status == status and word in answer.text


async def test_traefik_shows_its_own_certificate_until_one_is_uploaded(
    world: SmallWorld, http: HttpClient
) -> None:
    front = world.stage.fronts.of("frontend")
    front.route("shop.example", "web", "", True, "none")
    front.app_version("web", "abc123")

    before = await look(world.net, "shop.example", NEW_WEB, trust=world.trust)
    front.add_certificate(*world.stage.acme.issue("shop.example", "www.shop.example"))
    after = await look(world.net, "shop.example", NEW_WEB, trust=world.trust)

    assert not before.trusted and before.certificate is not None
    assert before.certificate.subject == DEFAULT_CERTIFICATE and before.certificate.is_default
    assert after.trusted
    assert (await http.get("https://shop.example/", NEW_WEB)).status == 200
    with pytest.raises(HttpProblem) as caught:
        await http.get("https://other.example/", NEW_WEB)
    assert caught.value.kind is Problem.TLS


async def test_a_route_that_does_not_exist_is_404_and_so_is_a_container_that_restarts(
    world: SmallWorld, http: HttpClient
) -> None:
    front = world.stage.fronts.of("frontend")
    front.route("shop.example", "web", "", False, "none")

    nobody = await http.get("http://nobody.example/", NEW_WEB)
    front.app_version("web", "one")
    running = await http.get("http://shop.example/", NEW_WEB)
    front.app_version("web", "two", gap=3600.0)
    gap = await http.get("http://shop.example/", NEW_WEB)

    assert [nobody.status, running.status, gap.status] == [404, 200, 404]
    assert "page not found" in gap.text


async def test_letsencrypt_fails_while_dns_points_elsewhere_and_works_afterwards(world: SmallWorld) -> None:
    front = world.stage.fronts.of("frontend")
    world.names.records[("shop.example", "A")] = (EDGE,)
    front.route("shop.example", "web", "", True, "letsencrypt")
    await settle(world, 120)
    early = await look(world.net, "shop.example", NEW_WEB, trust=world.trust)
    assert not early.trusted and "Unable to obtain ACME certificate" in front.state.log[0]

    world.names.records[("shop.example", "A")] = (NEW_WEB,)
    front.renew()
    await settle(world, 120)

    assert (await look(world.net, "shop.example", NEW_WEB, trust=world.trust)).trusted


async def test_failed_orders_run_into_the_authoritys_limit(world: SmallWorld) -> None:
    front = world.stage.fronts.of("frontend")
    world.names.records[("shop.example", "A")] = (EDGE,)
    for _ in range(6):
        front.route("shop.example", "web", "", True, "letsencrypt")
        await settle(world, 60)

    assert "too many failed authorizations" in front.state.log[-1]


async def test_the_stored_certificate_survives_the_removal_of_the_uploaded_one(
    world: SmallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An hour of the fast clock: a slow machine must not miss the restart that this looks into.
    monkeypatch.setattr("wizard.rehearsal.fronts.front._RELOAD_SECONDS", 3600.0)
    front = world.stage.fronts.of("frontend")
    chain, key = world.stage.acme.issue("shop.example")
    front.route("shop.example", "web", "", True, "none")
    front.add_certificate(chain, key)
    item = {
        "domain": {"main": "shop.example"},
        "certificate": base64.b64encode(chain.encode()).decode(),
        "key": base64.b64encode(key.encode()).decode(),
        "Store": "default",
    }
    front.write_file(ACME_FILE, json.dumps({"letsencrypt": {"Account": None, "Certificates": [item]}}))
    front.reload()
    with pytest.raises(HttpProblem) as caught:
        await HttpClient(world.net, world.trust).get("https://shop.example/", NEW_WEB)
    assert caught.value.kind is Problem.REFUSED
    await world.stage.clock.leap(world.stage.clock.now() + 3601)

    front.remove_certificate(chain)

    view = await look(world.net, "shop.example", NEW_WEB, trust=world.trust)
    assert view.trusted and world.stage.ledger.count("acme", "issue") == 0
    assert json.loads(front.read_file(ACME_FILE) or "")["letsencrypt"]["Certificates"][0]["domain"]


async def test_the_old_host_forwards_to_the_new_one(world: SmallWorld, http: HttpClient) -> None:
    new = world.stage.fronts.of("backend")
    new.route("api.shop.example", "api", "api", True, "none")
    new.add_certificate(*world.stage.acme.issue("api.shop.example"))
    new.app_version("api", "new-build")

    old = await http.get("https://api.shop.example/v1/apps", OLD)
    world.stage.fronts.of("old-backend").forward_all("api.shop.example", NEW_API)
    forwarded = await http.get("https://api.shop.example/v1/apps", OLD)

    assert (old.status, forwarded.status) == (200, 200)
    assert json.loads(old.body)["build"] == "old-build"
    assert json.loads(forwarded.body)["build"] == "new-build"


async def test_a_front_that_forwards_to_nobody_says_502(world: SmallWorld, http: HttpClient) -> None:
    world.stage.fronts.of("old-backend").forward_all("api.shop.example", "203.0.113.99")

    answer = await http.get("https://api.shop.example/health", OLD)

    assert answer.status == 502 and "no route" in answer.text


async def test_apis_answer_preflights_as_their_origins_allow(world: SmallWorld, http: HttpClient) -> None:
    wish = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    good = await http.options(
        "https://api.shop.example/v1/apps", OLD, headers={"Origin": "https://shop.example", **wish}
    )
    evil = await http.options(
        "https://api.shop.example/v1/apps", OLD, headers={"Origin": "https://evil.example", **wish}
    )

    assert good.header("access-control-allow-origin") == "https://shop.example"
    assert good.header("access-control-allow-credentials") == "true"
    assert evil.status == 400 and not evil.header("access-control-allow-origin")


async def test_a_name_is_ordered_once_at_a_time(world: SmallWorld) -> None:
    front = world.stage.fronts.of("frontend")
    world.names.records[("shop.example", "A")] = (NEW_WEB,)
    for _ in range(4):
        front.route("shop.example", "web", "", True, "letsencrypt")
    await settle(world, 120)

    assert world.stage.ledger.count("acme", "issue", "shop.example") == 1


async def test_a_deployment_that_changes_nothing_interrupts_nothing(
    world: SmallWorld, http: HttpClient
) -> None:
    front = world.stage.fronts.of("backend")
    front.route("api.shop.example", "api", "api", False, "none")
    front.app_version("api", "one")

    front.app_version("api", "one", gap=3600.0)

    assert (await http.get("http://api.shop.example/health", NEW_API)).status == 200
