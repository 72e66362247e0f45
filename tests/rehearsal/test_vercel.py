"""The rehearsal's Vercel serves what its API says, and refuses what Vercel refuses."""

from __future__ import annotations

import pickle
from pathlib import Path

import httpx
import pytest

from tests.rehearsal.vercel_stage import VercelWorld, shop, vercel_world
from wizard.checks.http import HttpAnswer
from wizard.rehearsal.fronts.vercel import VERCEL_ADDRESS
from wizard.rehearsal.vercel.standin import VercelStandin
from wizard.rehearsal.vercel.state import EXPIRED_TOKEN, OTHER_TEAM_TOKEN, REHEARSAL_TOKEN

TEAM = {"teamId": "team_shop"}


async def sent(
    small: VercelWorld, method: str, path: str, *, token: str = REHEARSAL_TOKEN, scope: bool = True,
    body: dict[str, object] | None = None,
) -> httpx.Response:  # fmt: skip
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=small.stage.vercel.url, headers=headers) as client:
        return await client.request(method, path, params=TEAM if scope else {}, json=body)


async def visited(small: VercelWorld, name: str) -> HttpAnswer:
    return await small.world.http.get(f"https://{name}/", VERCEL_ADDRESS)


async def test_its_edge_serves_both_names_and_follows_pause_removal_and_deletion(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        for name in ("shop.example", "www.shop.example"):
            assert (await visited(small, name)).status == 200
        await sent(small, "POST", "/v1/projects/prj_shopweb/pause")
        paused = await visited(small, "shop.example")
        assert (paused.status, paused.header("x-vercel-error")) == (503, "DEPLOYMENT_PAUSED")
        await sent(small, "POST", "/v1/projects/prj_shopweb/unpause")
        assert (await visited(small, "shop.example")).status == 200
        assert (
            await sent(small, "DELETE", "/v9/projects/shop-web/domains/www.shop.example")
        ).status_code == 200
        assert (await visited(small, "www.shop.example")).status == 404
        assert (await sent(small, "DELETE", "/v9/projects/shop-web")).status_code == 204
        assert (await visited(small, "shop.example")).header("x-vercel-error") == "DEPLOYMENT_NOT_FOUND"


async def test_a_domain_that_redirects_does_so_at_the_edge(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        await sent(small, "DELETE", "/v9/projects/shop-web/domains/www.shop.example")
        body: dict[str, object] = {"name": "www.shop.example", "redirect": "shop.example"}
        made = await sent(small, "POST", "/v10/projects/shop-web/domains", body=body)
        assert made.json()["redirectStatusCode"] == 308
        answer = await visited(small, "www.shop.example")
        assert (answer.status, answer.header("location")) == (308, "https://shop.example/")


async def test_only_visitors_are_counted(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        await visited(small, "shop.example")
        assert small.project.visits == {}
        await small.world.http.get(
            "https://shop.example/", VERCEL_ADDRESS, headers={"User-Agent": "Mozilla/5.0"}
        )
        assert sum(small.project.visits.values()) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/projects/shop-web/pause", 400),
        ("POST", "/v1/projects/prj_other/pause", 400),
        ("GET", "/v9/projects/nobody", 404),
        ("DELETE", "/v9/projects/shop-web/domains/nobody.example", 404),
        ("GET", "/v5/domains/nobody.example", 404),
        ("GET", "/v1/security/firewall/config?projectId=prj_shopweb", 404),
        ("GET", "/v1/integrations/configurations", 400),
        ("GET", "/v99/nothing", 404),
        ("DELETE", "/v6/domains/shop.example", 404),
        ("DELETE", "/v1/teams/team_shop", 404),
    ],
)
async def test_it_refuses_what_vercel_refuses(tmp_path: Path, method: str, path: str, status: int) -> None:
    async with vercel_world(tmp_path) as small:
        path, _, query = path.partition("?")
        headers = {"Authorization": f"Bearer {REHEARSAL_TOKEN}"}
        params = {**TEAM, **dict(pair.split("=") for pair in query.split("&") if pair)}
        async with httpx.AsyncClient(base_url=small.stage.vercel.url, headers=headers) as client:
            answer = await client.request(method, path, params=params)
        assert answer.status_code == status and answer.json()["error"]["code"]


async def test_tokens_and_scopes_are_told_apart(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        path = "/v9/projects/shop-web"
        assert (await sent(small, "GET", path)).status_code == 200
        assert (await sent(small, "GET", path, scope=False)).status_code == 404
        assert (await sent(small, "GET", path, token=OTHER_TEAM_TOKEN)).status_code == 403
        expired = await sent(small, "GET", path, token=EXPIRED_TOKEN)
        assert expired.status_code == 403 and expired.json()["error"]["invalidToken"]


async def test_conflicts_transfers_and_unpaid_bills_are_refused(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        taken: dict[str, object] = {"name": "shop.example"}
        assert (await sent(small, "POST", "/v10/projects/shop-web/domains", body=taken)).status_code == 409
        git: dict[str, object] = {"type": "github", "repo": "owner/shop"}
        assert (await sent(small, "POST", "/v9/projects/shop-web/link", body=git)).status_code == 409
        small.stage.vercel.state.soft_block = "UNPAID_INVOICE"
        assert (await sent(small, "POST", "/v1/projects/prj_shopweb/pause")).status_code == 402
        small.project.transferring = True
        assert (await sent(small, "DELETE", "/v9/projects/shop-web")).status_code == 409
        assert small.project.id in small.stage.vercel.state.projects


async def test_a_limit_is_of_one_path_and_ends_at_its_reset(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        small.stage.vercel.throttle("/v2/user", 3_600.0)
        answer = await sent(small, "GET", "/v2/user")
        reset = answer.json()["error"]["limit"]["resetMs"] / 1000
        assert answer.status_code == 429 and reset > small.stage.clock.now()
        assert (await sent(small, "GET", "/v2/teams")).status_code == 200
        await small.stage.clock.leap(reset)
        assert (await sent(small, "GET", "/v2/user")).status_code == 200


async def test_the_fault_profiles_reach_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    async with vercel_world(tmp_path / "a", faults="wrong-team") as small:
        assert (await sent(small, "GET", "/v9/projects/shop-web")).status_code == 403
    (tmp_path / "b").mkdir()
    async with vercel_world(tmp_path / "b", faults="storm") as small:
        statuses: set[int] = set()
        while statuses != {200, 429}:
            statuses.add((await sent(small, "GET", "/v2/user")).status_code)
            assert statuses <= {200, 429}


async def test_a_sensitive_value_never_leaves_it(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        small.enrich()
        listed = await sent(small, "GET", "/v10/projects/shop-web/env")
        rows = {row["key"]: row for row in listed.json()["envs"]}
        assert rows["SESSION_SECRET"]["value"] == ""
        assert rows["VITE_API_URL"]["value"] != "https://api.shop.example"
        one = await sent(small, "GET", f"/v1/projects/shop-web/env/{rows['SESSION_SECRET']['id']}")
        assert "value" not in one.json() and one.json()["decrypted"] is False
        one = await sent(small, "GET", f"/v1/projects/shop-web/env/{rows['VITE_API_URL']['id']}")
        assert one.json()["value"] == "https://api.shop.example"


async def test_its_memory_survives_a_restart(tmp_path: Path) -> None:
    async with vercel_world(tmp_path, config=shop(team="")) as small:
        await sent(small, "POST", "/v1/projects/prj_shopweb/pause", scope=False)
        kept = pickle.loads(pickle.dumps(small.stage.vercel.state))
        assert VercelStandin(small.stage, kept).serves("shop.example") == "paused"
