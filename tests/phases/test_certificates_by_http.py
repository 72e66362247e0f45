"""Where the zone can't hold a proof, the old host's own proxy answers the certificate authority."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.phases.cutover_stage import NEW_API, cutover_world
from tests.rehearsal.small_stage import example
from wizard.checks.tls import look
from wizard.clients import caddyfile
from wizard.config import Config, DnsProviderName
from wizard.engine.check import CheckState
from wizard.engine.plan import Failed
from wizard.phases.cutover.certificates import CertificatesStep
from wizard.phases.cutover.old_proxy import OldProxy, proxy_of
from wizard.phases.cutover.preflight import Preflight

API = "api.shop.example"


def by_hand() -> Config:
    """Only what the old host serves: a platform's pages could not be proved this way."""
    config = example()
    return replace(
        config,
        dns=replace(config.dns, provider=DnsProviderName.MANUAL, ttl=120),
        apps=tuple(app for app in config.apps if app.name == "api"),
        vercel=(),
    )


async def text_of(world: Any) -> str:
    old = world.config.old_host
    assert old is not None
    _, place = await proxy_of(world.bench.context("cutover.old_proxy"), old)
    return str(place.text)


async def test_the_old_host_answers_for_names_that_lead_there_and_the_flip_has_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = by_hand()
    async with cutover_world(tmp_path, monkeypatch, config=config) as world:
        before = await text_of(world)
        certificates = next(
            one
            for one in await Preflight(config).verify(world.bench.context("cutover.preflight"))
            if one.name == "certificates"
        )

        turn = await world.bench.drive(CertificatesStep(config))

        assert certificates.state is CheckState.PASSED and "old host's proxy" in certificates.evidence.seen
        assert turn.done, turn.story
        assert (
            await look(world.bench.world.net, API, NEW_API, trust=world.bench.world.endpoints.trust)
        ).trusted
        assert caddyfile.served(await text_of(world)) == caddyfile.served(before)
        assert "acme-challenge" not in await text_of(world), "the proof is taken away again"
        assert world.stage.ledger.count("acme", "validation failed") == 0
        assert (await world.bench.drive(OldProxy(config))).done
        assert world.failures == ()


async def test_a_name_that_leads_elsewhere_is_told_and_nothing_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = by_hand()
    async with cutover_world(tmp_path, monkeypatch, config=config) as world:
        world.stage.visitors.rate = 0
        world.zone.put("api", "A", 60, ("198.51.100.99",))

        plan = await world.bench.plan(CertificatesStep(config))

        assert isinstance(plan.hold, Failed) and f"{API} do not lead to the old host" in plan.hold.why
        assert world.stage.ledger.count("acme") == 0


SITES = f"""{{
\temail ops@shop.example
}}

# kept
{API} {{
\treverse_proxy api:8000
}}
"""


def test_what_answers_the_authority_leaves_everything_else_letter_for_letter() -> None:
    pages = {API: {"/.well-known/acme-challenge/abc": "abc.def"}}

    proving = caddyfile.proving(SITES, pages)

    assert proving.startswith(SITES) and f"http://{API} {{" in proving
    assert 'respond "abc.def" 200' in proving and "redir https://{host}{uri} 308" in proving
    assert caddyfile.proving(proving, pages) == proving, "a second time changes nothing"
    assert caddyfile.without_proofs(proving) == SITES
    assert caddyfile.served(proving) == (API,)


def test_a_file_of_one_site_without_braces_gets_them() -> None:
    proving = caddyfile.proving(f"{API}\nreverse_proxy api:8000\n", {API: {"/x": "y"}})

    assert proving.startswith(f"{API} {{\nreverse_proxy api:8000\n}}\n\nhttp://{API} {{")
    assert caddyfile.served(caddyfile.without_proofs(proving)) == (API,)


def test_a_domain_with_a_site_of_its_own_for_plain_http_is_left_alone() -> None:
    with pytest.raises(ValueError, match=API):
        caddyfile.proving(f"{SITES}\nhttp://{API} {{\n\trespond hello\n}}\n", {API: {"/x": "y"}})
