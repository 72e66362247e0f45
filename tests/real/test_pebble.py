"""The ACME client against Let's Encrypt's own test authority."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from tests.clients.test_acme import MemorySecrets
from tests.real.acme_servers import Pebble, pebble
from wizard.checks.tls import alternative_names
from wizard.clients.acme import AcmeClient, AcmeOrder, AcmeRefusal, new_key
from wizard.clock import LiveClock

pytestmark = pytest.mark.real
NAMES = ("shop.example.test", "*.shop.example.test")


def client_of(authority: Pebble, secrets: MemorySecrets) -> AcmeClient:
    return AcmeClient(
        authority.directory,
        secrets=secrets,
        clock=LiveClock(),
        email="admin@example.test",
        trust=authority.trust,
    )


async def publish(authority: Pebble, order: AcmeOrder) -> None:
    for record in order.records:
        for value in record.values:
            await authority.set_txt(record.name, value)


@pytest.mark.parametrize("reject_nonces", [0, 15])
async def test_a_name_and_its_wildcard_are_certified(tmp_path: Path, reject_nonces: int) -> None:
    async with pebble(tmp_path, reject_nonces=reject_nonces) as authority:
        client, key = client_of(authority, MemorySecrets()), new_key()

        order = await client.order(NAMES, key)
        await publish(authority, order)
        chain = x509.load_pem_x509_certificates((await client.complete(order, key)).encode())

        assert set(alternative_names(chain[0])) == set(NAMES)
        root = x509.load_pem_x509_certificate((await authority.root()).encode())
        chain[-1].verify_directly_issued_by(root)
        await client.aclose()


async def test_an_order_goes_on_with_another_client_and_ends_in_the_same_certificate(tmp_path: Path) -> None:
    async with pebble(tmp_path) as authority:
        secrets, key = MemorySecrets(), new_key()
        first = client_of(authority, secrets)
        order = await first.order(NAMES, key)
        await first.aclose()
        await publish(authority, order)

        second = client_of(authority, secrets)
        chain = await second.complete(order, key)

        assert await second.complete(order, key) == chain
        await second.aclose()


async def test_a_wrong_value_is_refused_with_its_name(tmp_path: Path) -> None:
    async with pebble(tmp_path) as authority:
        client, key = client_of(authority, MemorySecrets()), new_key()
        order = await client.order(NAMES[:1], key)
        await authority.set_txt("_acme-challenge.shop.example.test", "wrong")

        with pytest.raises(AcmeRefusal) as caught:
            await client.complete(order, key)

        assert caught.value.code == "unauthorized" and caught.value.names == NAMES[:1]
        await client.aclose()
