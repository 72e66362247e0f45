"""Everything that we send to Vercel, and all that its stand-in answers, fits its description."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.contract.harness import Contract, ContractError, Exchange, recorded
from tests.rehearsal.vercel_stage import VercelWorld, vercel_world
from tests.shared import shared_dir
from wizard.clients.vercel import VercelClient, calls
from wizard.errors import CredentialError, WizardError
from wizard.rehearsal.vercel.state import EXPIRED_TOKEN, OTHER_TEAM_TOKEN, REHEARSAL_TOKEN

UNDOCUMENTED = {
    r"GET /v7/deployments": "the path of 2026; /v6 is described and tried after it",
    r"GET /v5/domains/[^/]+/records": "the path of 2026; /v4 is described and tried after it",
    r"GET /v1/global-config(/[^/]+/items)?": "the path of 2026; /v1/edge-config is described",
    r"GET /v8/certs": calls.CERTIFICATES.why,
    r"GET /v1/env(/[^/]+)?": calls.SHARED.why,
    r"GET /v1/bulk-redirects": calls.REDIRECTS.why,
    r"GET /v1/projects/[^/]+/routes": calls.ROUTES.why,
    r"GET /v1/security/firewall/config": calls.FIREWALL.why,
    r"GET /v1/storage/stores": calls.STORES.why,
    r"GET /v1/drains": calls.DRAINS.why,
    r"GET /v1/integrations/configurations": calls.INTEGRATIONS.why,
    r"GET /v1/query/web-analytics/visits/count": calls.VISITS.why,
    r"GET /v1/billing/charges": calls.CHARGES.why,
    r"(POST|DELETE) /v9/projects/[^/]+/link": "in the vendor's CLI only (vercel git connect, disconnect)",
}
"""Calls that the description does not hold, each with where it is known from."""
UNSAID = {
    (r"GET /v9/projects/[^/]+", 404): "what a deleted project answers; the description says 403 only",
    (r"DELETE /v9/projects/[^/]+", 404): "the same, when it is deleted again",
}


@cache
def contract() -> Contract:
    """The description with its alternatives as alternatives.

    They overlap (an answer with a value fits three of them), so that "exactly one" would refuse Vercel's own.
    """
    text = (shared_dir() / "vendor" / "vercel.json").read_text(encoding="utf-8")
    return Contract(json.loads(text.replace('"oneOf"', '"anyOf"')))


def documented(exchange: Exchange) -> bool:
    asked = f"{exchange.method} {urlsplit(exchange.url).path}"
    if any(re.fullmatch(pattern, asked) for pattern in UNDOCUMENTED):
        return False
    return not any(re.fullmatch(pattern, asked) and exchange.status == status for pattern, status in UNSAID)


async def look_at_everything(client: VercelClient) -> None:
    """Every read of the client once."""
    await client.user()
    assert await client.projects("shop")
    project = await client.project("shop-web", "shop")
    assert project is not None
    assert await client.project("nobody", "shop") is None
    assert await client.domains(project) and await client.aliases(project)
    assert (await client.domain_config("shop.example", project)).ipv4
    assert {one.name for one in await client.variables(project)} >= {"VITE_API_URL", "SESSION_SECRET"}
    assert await client.environments(project) == ("staging",)
    built = await client.built(project)
    assert built is not None and built.middleware and built.functions
    assert await client.redirects(project) and await client.routes(project)
    assert await client.firewall_rules(project) == 1
    moment = 1_790_000_000.0
    assert await client.visits(project, moment - 86_400, moment) == 0
    assert await client.account_domains(project)
    assert await client.zone_records("shop.example", project)
    assert await client.certificates(project)
    assert await client.edge_configs(project) and await client.stores(project)
    assert await client.rows(calls.EDGE_ITEMS, project, thing="ecfg_1")
    assert project.production is not None
    await client.rows(calls.FILES, project, thing=project.production.id)
    await client.rows(calls.DEPLOYMENTS, project, projectId=project.id, target="production")
    assert await client.webhooks(project) and await client.drains(project)
    assert await client.integrations(project)
    assert await client.token() is not None
    assert await client.bill(project, "2026-08-01T00:00:00Z", "2026-09-01T00:00:00Z")


async def walk_the_ladder(client: VercelClient) -> None:
    """Every change of the client once, with its way back."""
    project = await client.project("shop-web", "shop")
    assert project is not None and project.git is not None
    domains = await client.domains(project)
    async with client.ladder(project) as ladder:
        await ladder.disconnect_git()
        await ladder.connect_git("github", project.git.repository)
        await ladder.pause()
        await ladder.unpause()
        for domain in domains:
            await ladder.remove_domain(domain.name)
        await ladder.remove_domain("gone.example")
        for domain in sorted(domains, key=lambda one: one.redirect):
            await ladder.add_domain(domain)
        assert {one.name for one in await client.domains(project)} == {one.name for one in domains}
        await ladder.delete_project()
        await ladder.delete_project()
    assert await client.project("shop-web", "shop") is None


@pytest.fixture
async def exchanges(tmp_path: Path) -> AsyncIterator[tuple[str, list[Exchange]]]:
    async with vercel_world(tmp_path) as small, recorded(small.stage.vercel.url) as tape:
        small.enrich()
        small.stage.vercel.state.modern = True
        await using(small, tape.url, REHEARSAL_TOKEN, look_at_everything)
        await refused(small, tape.url)
        await using(small, tape.url, REHEARSAL_TOKEN, walk_the_ladder)
        yield tape.url, tape.exchanges


async def using(small: VercelWorld, url: str, token: str, use) -> None:  # type: ignore[no-untyped-def]
    async def give() -> str:
        return token

    client = VercelClient(url, give, small.world.clock)
    try:
        await use(client)
    finally:
        await client.aclose()


async def refused(small: VercelWorld, url: str) -> None:
    async def look(client: VercelClient) -> None:
        with pytest.raises(CredentialError):
            await client.project("shop-web", "shop")

    for token in (EXPIRED_TOKEN, OTHER_TEAM_TOKEN):
        await using(small, url, token, look)
    small.stage.vercel.state.soft_block = "UNPAID_INVOICE"

    async def pause(client: VercelClient) -> None:
        project = await client.project("shop-web", "shop")
        assert project is not None
        async with client.ladder(project) as ladder:
            with pytest.raises(WizardError, match="bill"):
                await ladder.pause()

    await using(small, url, REHEARSAL_TOKEN, pause)
    small.stage.vercel.state.soft_block = ""


async def test_all_that_is_described_fits_its_description(exchanges: tuple[str, list[Exchange]]) -> None:
    url, tape = exchanges
    described = [one for one in tape if documented(one)]
    contract().check_all(described, url)
    assert {one.status for one in described} >= {200, 204, 402, 403, 404}


async def test_every_call_that_is_not_described_is_on_the_list_and_each_line_of_it_is_needed(
    exchanges: tuple[str, list[Exchange]],
) -> None:
    _, tape = exchanges
    asked = {f"{one.method} {urlsplit(one.url).path}" for one in tape}
    unneeded = [p for p in UNDOCUMENTED if not any(re.fullmatch(p, one) for one in asked)]
    assert unneeded == []
    assert all(call.documented or call.why for call in calls.ALL)


async def test_the_paths_of_2025_are_tried_where_those_of_2026_are_not_there(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small, recorded(small.stage.vercel.url) as tape:
        small.enrich()
        small.stage.vercel.state.modern = False

        async def look(client: VercelClient) -> None:
            project = await client.project("shop-web", "shop")
            assert project is not None
            assert await client.zone_records("shop.example", project)
            assert await client.edge_configs(project)
            assert await client.rows(calls.DEPLOYMENTS, project, projectId=project.id)

        await using(small, tape.url, REHEARSAL_TOKEN, look)
        paths = [urlsplit(one.url).path for one in tape.exchanges if one.status == 200]
        assert {"/v4/domains/shop.example/records", "/v1/edge-config", "/v6/deployments"} <= set(paths)
        contract().check_all([one for one in tape.exchanges if documented(one)], tape.url)


async def test_a_wrong_request_and_a_wrong_answer_are_caught(exchanges: tuple[str, list[Exchange]]) -> None:
    url, tape = exchanges
    requests = answers = 0
    for exchange in filter(documented, tape):
        if exchange.method == "POST" and exchange.body:
            wrong = json.dumps({key: {"wrong": [1]} for key in json.loads(exchange.body)}).encode()
            with pytest.raises(ContractError):
                contract().check_request(dataclasses.replace(exchange, body=wrong), url)
            requests += 1
        if exchange.status == 200 and exchange.answer not in (b"", b"{}", b"[]"):
            said = json.loads(exchange.answer)
            spoiled = [5] if isinstance(said, list) else dict.fromkeys(said, 5)
            with pytest.raises(ContractError):
                contract().check_answer(
                    dataclasses.replace(exchange, answer=json.dumps(spoiled).encode()), url
                )
            answers += 1
    unsigned = dataclasses.replace(next(filter(documented, tape)), headers={})
    with pytest.raises(ContractError):
        contract().check_request(unsigned, url)
    assert requests >= 3 and answers >= 10
