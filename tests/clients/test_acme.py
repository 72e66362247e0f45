"""The ACME client against the rehearsal's authority, which verifies every signature."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.rehearsal.small_stage import SmallWorld, small_world
from tests.rehearsal.stage_clock import WizardClock
from wizard.checks.tls import alternative_names
from wizard.clients.acme import ACCOUNT_KEY, AcmeClient, AcmeOrder, AcmeRefusal, new_key
from wizard.errors import UnreachableError

NAMES = ("shop.example", "*.shop.example")


class MemorySecrets:
    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def get(self, name: str) -> str | None:
        return self.kept.get(name)

    async def put(self, name: str, value: str) -> None:
        self.kept[name] = value

    async def drop(self, name: str) -> None:
        self.kept.pop(name, None)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SmallWorld]:
    async with small_world(tmp_path) as world:
        yield world


def client_of(world: SmallWorld, secrets: MemorySecrets, *, staging: bool = False) -> AcmeClient:
    acme = world.stage.acme
    return AcmeClient(
        acme.staging_url if staging else acme.directory_url,
        secrets=secrets,
        clock=WizardClock(world.stage.clock),
        email="admin@shop.example",
    )


def publish(world: SmallWorld, order: AcmeOrder) -> None:
    for record in order.records:
        world.names.records[(record.name, "TXT")] = record.values


async def test_a_certificate_for_a_name_and_its_wildcard(world: SmallWorld) -> None:
    client, key = client_of(world, MemorySecrets()), new_key()

    order = await client.order(NAMES, key)
    publish(world, order)
    chain = await client.complete(order, key)

    assert [record.name for record in order.records] == ["_acme-challenge.shop.example"]
    assert len(order.records[0].values) == 2
    leaf, intermediate = x509.load_pem_x509_certificates(chain.encode())
    assert set(alternative_names(leaf)) == set(NAMES)
    leaf.verify_directly_issued_by(intermediate)
    root = x509.load_pem_x509_certificate(world.stage.acme.root_pem.encode())
    intermediate.verify_directly_issued_by(root)
    await client.aclose()


async def test_the_staging_directory_issues_what_nobody_trusts(world: SmallWorld) -> None:
    client, key = client_of(world, MemorySecrets(), staging=True), new_key()

    order = await client.order(NAMES[:1], key)
    publish(world, order)
    _, intermediate = x509.load_pem_x509_certificates((await client.complete(order, key)).encode())

    assert "STAGING" in intermediate.subject.rfc4514_string()
    assert world.stage.acme.state.production.issued == []
    await client.aclose()


async def test_an_order_is_picked_up_by_another_client_without_being_made_again(world: SmallWorld) -> None:
    secrets, key = MemorySecrets(), new_key()
    first = client_of(world, secrets)
    order = await first.order(NAMES[:1], key)
    publish(world, order)
    await first.aclose()

    second = client_of(world, secrets)
    chain = await second.complete(order, key)
    again = await second.complete(order, key)

    assert chain == again
    assert world.stage.ledger.count("acme", "order") == 1
    assert world.stage.ledger.count("acme", "issue") == 1
    assert world.stage.ledger.count("acme", "create") == 1, "one account for one key"
    await second.aclose()


async def test_a_wrong_record_is_refused_with_the_name_and_counted(world: SmallWorld) -> None:
    client, key = client_of(world, MemorySecrets()), new_key()
    order = await client.order(NAMES[:1], key)
    world.names.records[("_acme-challenge.shop.example", "TXT")] = ("not-it",)

    with pytest.raises(AcmeRefusal) as caught:
        await client.complete(order, key)

    assert caught.value.code == "unauthorized" and caught.value.names == ("shop.example",)
    assert caught.value.counts and "not-it" in caught.value.why
    await client.aclose()


async def test_the_authority_limits_failures(world: SmallWorld) -> None:
    client, key = client_of(world, MemorySecrets()), new_key()
    for _ in range(5):
        order = await client.order(NAMES[:1], key)
        with pytest.raises(AcmeRefusal):
            await client.complete(order, key)

    with pytest.raises(AcmeRefusal) as caught:
        await client.order(NAMES[:1], key)

    assert caught.value.code == "rateLimited" and not caught.value.counts
    await client.aclose()


async def test_caa_that_names_another_authority_is_respected(world: SmallWorld) -> None:
    client, key = client_of(world, MemorySecrets()), new_key()
    world.names.records[("shop.example", "CAA")] = ('0 issue "other-ca.example"',)
    order = await client.order(NAMES[:1], key)
    publish(world, order)

    with pytest.raises(AcmeRefusal) as caught:
        await client.complete(order, key)

    assert caught.value.code == "caa"
    await client.aclose()


async def test_bad_nonces_are_asked_again(tmp_path: Path) -> None:
    async with small_world(tmp_path, faults="storm") as world:
        client, key = client_of(world, MemorySecrets()), new_key()
        for _ in range(3):
            order = await client.order(NAMES, key)
            publish(world, order)
            assert await client.complete(order, key)
        assert sum(world.stage.faults.played.values()) > 0
        await client.aclose()


async def test_a_refusal_at_the_end_can_be_tried_again(tmp_path: Path) -> None:
    async with small_world(tmp_path, faults="acme-refuses-twice") as world:
        client, key = client_of(world, MemorySecrets()), new_key()
        for _ in range(2):
            order = await client.order(NAMES[:1], key)
            publish(world, order)
            with pytest.raises(AcmeRefusal) as caught:
                await client.complete(order, key)
            assert caught.value.code == "serverInternal" and not caught.value.counts

        order = await client.order(NAMES[:1], key)
        assert order.records == (), "the proof of before is still good"
        assert await client.complete(order, key)
        await client.aclose()


async def test_a_request_with_a_forged_signature_or_another_address_is_refused(world: SmallWorld) -> None:
    import aiohttp

    secrets = MemorySecrets()
    client = client_of(world, secrets)
    await client.order(NAMES[:1], new_key())
    base = world.stage.acme.directory_url.removesuffix("/directory")
    import base64
    import json

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    async with aiohttp.ClientSession() as session:
        async with session.head(f"{base}/new-nonce") as answer:
            nonce = answer.headers["Replay-Nonce"]
        account = next(iter(world.stage.acme.state.production.accounts))
        header = {
            "alg": "ES256",
            "nonce": nonce,
            "url": f"{base}/new-order",
            "kid": f"{base}/account/{account}",
        }
        forged = {"protected": part(header), "payload": part({"identifiers": []}), "signature": "A" * 86}
        async with session.post(
            f"{base}/new-order", data=json.dumps(forged), headers={"Content-Type": "application/jose+json"}
        ) as answer:
            document = await answer.json(content_type="application/problem+json")
            assert answer.status == 400 and document["type"].endswith(":malformed")
        async with session.post(
            f"{base}/new-order", data=json.dumps(forged), headers={"Content-Type": "application/jose+json"}
        ) as answer:
            document = await answer.json(content_type="application/problem+json")
            assert document["type"].endswith(":badNonce"), "a nonce is good for one request"
    await client.aclose()


async def test_an_authority_that_is_away_is_said_so() -> None:
    class NoTime:
        def now(self) -> float:
            return 0.0

        async def sleep(self, seconds: float) -> None: ...

        async def wait_until(self, moment: float) -> None: ...

        def real(self, seconds: float) -> float:
            return seconds

    secrets = MemorySecrets()
    client = AcmeClient("http://127.0.0.1:9/directory", secrets=secrets, clock=NoTime(), email="a@b.example")

    with pytest.raises(UnreachableError):
        await client.order(NAMES, new_key())

    assert ACCOUNT_KEY in secrets.kept
    await client.aclose()
