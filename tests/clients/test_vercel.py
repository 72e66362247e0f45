"""The client against trouble: what is paged, waited for, repeated, never repeated, and never sent at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.outside import LeapingClock
from tests.rehearsal.vercel_stage import vercel_world
from wizard.clients.vercel import VercelClient, calls
from wizard.clients.vercel.errors import (
    NotFoundError,
    PaymentError,
    RateLimitError,
    WrongTeamError,
    sentence,
)
from wizard.clients.vercel.guard import NotPermittedError, permit
from wizard.clients.vercel.models import Project, variable
from wizard.clients.vercel.transport import reset_of
from wizard.errors import CredentialError, UnreachableError, VendorError

PROJECT = Project("prj_1", "shop-web", "usr_1")


@dataclass
class Scripted:
    """A server that answers as told, in order, then with `last`."""

    answers: list[tuple[int, Any, dict[str, str]]] = field(default_factory=list)
    last: tuple[int, Any, dict[str, str]] = (200, {}, {})
    asked: list[str] = field(default_factory=list)
    cut: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event | None = None
    answered: list[str] = field(default_factory=list)

    def then(self, status: int, body: Any = None, **headers: str) -> None:
        self.answers.append((status, body, {name.replace("_", "-"): text for name, text in headers.items()}))

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path_qs}")
        self.arrived.set()
        if self.hold is not None:
            await self.hold.wait()
        self.answered.append(f"{request.method} {request.path}")
        if self.cut:
            self.cut -= 1
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        status, body, headers = self.answers.pop(0) if self.answers else self.last
        if body is None:
            return web.Response(status=status, headers=headers)
        return web.json_response(body, status=status, headers=headers)


@pytest.fixture
async def served() -> AsyncIterator[tuple[Scripted, VercelClient, LeapingClock]]:
    scripted, clock = Scripted(), LeapingClock()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", scripted.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    async def token() -> str:
        return "vcp_" + "t" * 24

    client = VercelClient(f"http://127.0.0.1:{runner.addresses[0][1]}", token, clock)
    yield scripted, client, clock
    await client.aclose()
    await runner.cleanup()


Served = tuple[Scripted, VercelClient, LeapingClock]


def limited(reset_ms: float) -> dict[str, Any]:
    return {"error": {"code": "rate_limited", "message": "slow down", "limit": {"resetMs": reset_ms}}}


# Nothing but reads


MUTATIONS = (
    ("POST", "/v1/projects/prj_1/pause"),
    ("POST", "/v1/projects/prj_1/unpause"),
    ("DELETE", "/v9/projects/prj_1/link"),
    ("POST", "/v9/projects/prj_1/link"),
    ("DELETE", "/v9/projects/prj_1/domains/shop.example"),
    ("POST", "/v10/projects/prj_1/domains"),
    ("DELETE", "/v9/projects/prj_1"),
)
NEVER = (
    ("DELETE", "/v6/domains/shop.example"),
    ("DELETE", "/v1/teams/team_1"),
    ("DELETE", "/v1/user"),
    ("DELETE", "/v2/domains/shop.example/records/rec_1"),
    ("POST", "/v2/domains/shop.example/records"),
    ("PATCH", "/v1/domains/records/rec_1"),
    ("PATCH", "/v3/domains/shop.example"),
    ("PATCH", "/v1/registrar/domains/shop.example/nameservers"),
    ("DELETE", "/v9/projects/prj_1/env/env_1"),
    ("PATCH", "/v9/projects/prj_1"),
    ("DELETE", "/v9/projects/prj_2"),
    ("POST", "/v1/projects/prj_2/pause"),
    ("DELETE", "/v13/deployments/dpl_1"),
    ("DELETE", "/v1/edge-config/ecfg_1"),
    ("DELETE", "/v1/webhooks/hook_1"),
    ("DELETE", "/v3/user/tokens/tok_1"),
    ("PUT", "/v8/certs"),
    ("DELETE", "/v9/projects/prj_1/../../v6/domains/shop.example"),
)


@pytest.mark.parametrize(("method", "path"), [*MUTATIONS, *NEVER])
async def test_before_the_ladder_nothing_but_reads_leaves_the_client(
    served: Served, method: str, path: str
) -> None:
    scripted, client, _ = served
    with pytest.raises(NotPermittedError):
        await client._api.change(method, path, "trying", project="", team="")
    with pytest.raises(NotPermittedError):
        await client._api._send(method, path, "trying", {}, "", None, "")
    assert scripted.asked == []


@pytest.mark.parametrize(("method", "path"), NEVER)
async def test_on_the_ladder_nothing_but_its_own_rungs_leaves_the_client(
    served: Served, method: str, path: str
) -> None:
    scripted, client, _ = served
    async with client.ladder(PROJECT):
        with pytest.raises(NotPermittedError):
            await client._api.change(method, path, "trying", project="prj_1", team="")
    assert scripted.asked == []


@pytest.mark.parametrize(("method", "path"), MUTATIONS)
def test_the_rungs_are_permitted_to_their_own_project_only(method: str, path: str) -> None:
    permit(method, path, "prj_1")
    with pytest.raises(NotPermittedError):
        permit(method, path, "prj_")


@given(st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]), st.text(max_size=60), st.text(max_size=20))
def test_no_other_path_is_ever_a_rung(method: str, tail: str, project: str) -> None:
    for path in (f"/v6/domains/{tail}", f"/v1/teams/{tail}", f"/v2/domains/{tail}"):
        with pytest.raises(NotPermittedError):
            permit(method, path, project)


def test_only_the_last_phase_enters_the_ladder() -> None:
    root = Path(__file__).parents[2] / "wizard"
    users = {path.name for path in root.rglob("*.py") if ".ladder(" in path.read_text(encoding="utf-8")}
    assert users - {"__init__.py"} <= {"rungs.py", "delete.py"}


# Pages


async def test_pages_by_moment_by_token_and_by_number_are_all_read(served: Served) -> None:
    scripted, client, _ = served
    domain = {"name": "a.example", "apexName": "a.example", "projectId": "prj_1", "verified": True}
    scripted.then(200, {"domains": [domain], "pagination": {"count": 1, "next": 1700, "prev": None}})
    scripted.then(200, {"domains": [domain], "pagination": {"count": 1, "next": None, "prev": 1700}})
    assert len(await client.domains(PROJECT)) == 2
    row = {"id": "prj_1", "name": "shop-web"}
    scripted.then(200, {"projects": [row], "pagination": {"count": 1, "next": "MFTGK4Q"}})
    scripted.then(200, {"projects": [row], "pagination": {"count": 1, "next": 1600, "prev": 1}})
    scripted.then(200, {"projects": [row], "pagination": {"count": 1, "next": None}})
    assert len(await client.projects()) == 3
    rule = {"source": "/a", "destination": "/b", "statusCode": 307}
    scripted.then(200, {"redirects": [rule], "pagination": {"page": 1, "perPage": 1, "numPages": 2}})
    scripted.then(200, {"redirects": [rule], "pagination": {"page": 2, "perPage": 1, "numPages": 2}})
    assert len(await client.redirects(PROJECT)) == 2
    paths = scripted.asked
    assert paths[1].endswith("limit=100&until=1700")
    assert paths[3].endswith("limit=100&from=MFTGK4Q") and paths[4].endswith("limit=100&from=1600")
    assert paths[6].endswith("projectId=prj_1&page=2")


async def test_every_page_of_a_long_list_is_read_from_the_stand_in(tmp_path: Path) -> None:
    from wizard.rehearsal.vercel.project import domain

    async with vercel_world(tmp_path) as small:
        for number in range(230):
            name = f"d{number}.shop.example"
            moment = 1_000 + number // 2
            small.project.domains[name] = domain(small.project.id, name, "shop.example", moment)
        project = await small.world.vercel.project("shop-web", "shop")
        assert project is not None
        names = [one.name for one in await small.world.vercel.domains(project)]
        assert len(names) == len(set(names)) == 232


async def test_the_bill_is_summed_by_currency(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        extra = {**small.stage.vercel.state.charges[0], "BilledCost": 1.5, "BillingCurrency": "EUR"}
        small.stage.vercel.state.charges.append(extra)
        project = await small.world.vercel.project("shop-web", "shop")
        assert project is not None
        bill = await small.world.vercel.bill(project, "2026-08-01T00:00:00Z", "2026-09-01T00:00:00Z")
        assert {currency: f"{amount:.2f}" for currency, amount in bill.items()} == {
            "USD": "20.00",
            "EUR": "1.50",
        }


async def test_a_list_that_is_one_bare_thing_is_read_too(served: Served) -> None:
    scripted, client, _ = served
    scripted.then(200, {"key": "A", "type": "plain", "value": "1", "target": "production"})
    scripted.then(404)
    (only,) = await client.variables(PROJECT)
    assert (only.name, only.value, only.targets) == ("A", "1", ("production",))


async def test_an_answer_of_unknown_form_is_said(served: Served) -> None:
    scripted, client, _ = served
    scripted.then(200, {"surprise": []})
    with pytest.raises(VendorError, match="unknown form"):
        await client.domains(PROJECT)


# Limits


async def test_a_limit_is_sat_out_until_its_reset_by_the_clock(served: Served) -> None:
    scripted, client, clock = served
    began = clock.now()
    scripted.then(429, limited((began + 42) * 1000))
    scripted.then(200, {"user": {"id": "usr_1", "username": "me"}})
    assert (await client.user()).id == "usr_1"
    assert clock.now() - began == pytest.approx(42, abs=1)


async def test_a_limit_of_days_is_told_with_its_end_and_not_sat_out(served: Served) -> None:
    scripted, client, clock = served
    scripted.then(429, limited((clock.now() + 2 * 86_400) * 1000))
    with pytest.raises(RateLimitError) as caught:
        await client.user()
    assert caught.value.reset == pytest.approx(clock.now() + 2 * 86_400, abs=5)
    assert len(scripted.asked) == 1


@pytest.mark.parametrize(
    ("body", "headers", "reset"),
    [
        ({"error": {"limit": {"resetMs": 5_000_000.0, "reset": 1}}}, {"retry-after": "9"}, 5_000.0),
        ({"error": {"limit": {"reset": 4_000}}}, {}, 4_000.0),
        ({"error": {}}, {"retry-after": "9"}, 1_009.0),
        (None, {"x-ratelimit-reset": "3000"}, 3_000.0),
        (None, {}, 0.0),
        ({"error": "no"}, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0),
    ],
)
def test_where_a_reset_is_written(body: Any, headers: dict[str, str], reset: float) -> None:
    assert reset_of(body, headers, 1_000.0) == reset


# Trouble


async def test_a_read_is_repeated_and_a_change_whose_answer_was_lost_is_not(served: Served) -> None:
    scripted, client, _ = served
    scripted.cut = 2
    scripted.then(500)
    scripted.then(200, {"user": {"id": "usr_1"}})
    assert (await client.user()).id == "usr_1"
    scripted.asked.clear()
    scripted.cut = 1
    async with client.ladder(PROJECT) as ladder:
        with pytest.raises(UnreachableError):
            await ladder.pause()
        scripted.then(502, {"error": {"code": "internal_server_error"}})
        with pytest.raises(UnreachableError):
            await ladder.pause()
    assert scripted.asked == ["POST /v1/projects/prj_1/pause"] * 2


async def test_a_change_that_was_refused_for_the_limit_is_sent_again(served: Served) -> None:
    scripted, client, clock = served
    scripted.then(429, limited((clock.now() + 5) * 1000))
    scripted.then(200)
    async with client.ladder(PROJECT) as ladder:
        await ladder.pause()
    assert len(scripted.asked) == 2


async def test_a_change_goes_on_to_its_end_when_its_caller_is_cancelled(served: Served) -> None:
    scripted, client, _ = served
    scripted.hold = asyncio.Event()
    async with client.ladder(PROJECT) as ladder:
        task = asyncio.create_task(ladder.pause())
        await scripted.arrived.wait()
        task.cancel()
        scripted.hold.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert scripted.answered == ["POST /v1/projects/prj_1/pause"]


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (401, None, CredentialError, "wrong, expired or revoked"),
        (403, {"error": {"code": "forbidden", "invalidToken": True}}, CredentialError, "wrong, expired"),
        (403, None, WrongTeamError, "not good for team team_1"),
        (403, "plain text", WrongTeamError, "not good for team team_1"),
        (402, None, PaymentError, "bill is paid"),
        (404, {"error": {"code": "not_found", "message": "No."}}, NotFoundError, "no such thing"),
        (410, None, NotFoundError, "no such thing"),
        (409, {"error": {"message": "in transfer"}}, VendorError, "conflict"),
        (400, ["odd"], VendorError, "refused"),
    ],
)
def test_each_refusal_is_a_sentence_with_a_way_on(
    status: int, body: Any, kind: type[VendorError], said: str
) -> None:
    error = sentence(status, body, "reading", "team_1")
    assert isinstance(error, kind) and said in error.what and error.next and error.status == status


async def test_a_refusal_without_any_body_is_told(served: Served) -> None:
    scripted, client, _ = served
    scripted.then(403)
    with pytest.raises(CredentialError, match="may not do this"):
        await client.user()


async def test_a_moved_path_is_tried_and_remembered(served: Served) -> None:
    scripted, client, _ = served
    listed = {"deployments": [], "pagination": {"count": 0, "next": None, "prev": None}}
    scripted.then(410)
    scripted.then(200, listed)
    scripted.then(200, listed)
    await client.rows(calls.DEPLOYMENTS, PROJECT)
    await client.rows(calls.DEPLOYMENTS, PROJECT)
    assert [one.split("?")[0] for one in scripted.asked] == [
        "GET /v7/deployments",
        "GET /v6/deployments",
        "GET /v6/deployments",
    ]


async def test_a_team_is_asked_for_by_its_id_and_a_stranger_is_told_which_teams_there_are(
    served: Served,
) -> None:
    scripted, client, _ = served
    team = {"id": "team_1", "slug": "shop", "name": "Shop"}
    scripted.then(200, {"teams": [team], "pagination": {"count": 1, "next": None, "prev": None}})
    scripted.then(404)
    assert await client.project("shop-web", "shop") is None
    assert scripted.asked[1] == "GET /v9/projects/shop-web?teamId=team_1"
    with pytest.raises(WrongTeamError, match="it sees shop"):
        await client.project("shop-web", "other")


async def test_a_token_that_may_not_list_teams_still_asks_by_the_teams_name(served: Served) -> None:
    scripted, client, _ = served
    scripted.then(403)
    scripted.then(404)
    assert await client.project("shop-web", "shop") is None
    assert scripted.asked[1] == "GET /v9/projects/shop-web?slug=shop"


@pytest.mark.parametrize("token", ["", "  ", "ein Wort", "vcp_ü"])
async def test_a_token_that_cannot_be_one_is_refused_before_anything_is_sent(token: str) -> None:
    async def give() -> str:
        return token

    client = VercelClient("http://127.0.0.1:9", give, LeapingClock())
    with pytest.raises(CredentialError, match="VERCEL_TOKEN"):
        await client.user()


# Values


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ({"key": "A", "type": "plain", "value": "x"}, "x"),
        ({"key": "A", "type": "encrypted", "value": "eyJ2IjoidjIi"}, None),
        ({"key": "A", "type": "encrypted", "value": "x", "decrypted": True}, "x"),
        ({"key": "A", "type": "sensitive", "value": "x", "decrypted": True}, None),
        ({"key": "A", "type": "secret", "value": "x"}, None),
    ],
)
def test_ciphertext_is_never_taken_for_a_value(row: dict[str, Any], value: str | None) -> None:
    found = variable(row)
    assert found.value == value and "eyJ" not in repr(found) and "'x'" not in repr(found)
