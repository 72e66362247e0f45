"""Everything that we send to Hetzner, and all that its stand-in answers, fits its description."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.harness import Contract, ContractError, Exchange, recorded
from tests.rehearsal.hetzner_stage import hetzner_world
from wizard.clients.hetzner import HetznerClient, NewServer
from wizard.clients.hetzner.errors import TakenError
from wizard.clients.hetzner.models import Rule
from wizard.clients.ssh import generate_key
from wizard.errors import WizardError
from wizard.rehearsal.hetzner.state import READ_ONLY_TOKEN, REHEARSAL_TOKEN

LABELS = {"managed-by": "dokploy-wizard", "migration": "shop"}
RULES = (Rule("tcp", "22", ("0.0.0.0/0", "::/0"), "SSH"), Rule("icmp", "", ("0.0.0.0/0", "::/0")))


async def use_everything(client: HetznerClient, zone: str) -> None:
    """Every method of the client once, refusals included."""
    await client.server_types()
    await client.pricing()
    await client.locations()
    key = await client.create_ssh_key("shop", generate_key()[1], LABELS)
    with pytest.raises(TakenError):
        await client.create_ssh_key("shop", generate_key()[1], LABELS)
    network = await client.create_network("shop", "172.31.0.0/16", "eu-central", LABELS)
    group = await client.create_placement_group("shop", LABELS)
    firewall = await client.create_firewall("shop-web", RULES, LABELS)
    v4 = await client.create_primary_ip("web-ipv4", "ipv4", "nbg1", LABELS)
    v6 = await client.create_primary_ip("web-ipv6", "ipv6", "nbg1", LABELS)
    server = await client.create_server(
        NewServer(
            "web",
            "cpx22",
            "nbg1",
            "ubuntu-24.04",
            (key.id,),
            LABELS,
            v4.id,
            v6.id,
            (firewall.id,),
            (network.id,),
            group.id,
            "#cloud-config\n",
        )
    )
    assert server.status == "running"
    await client.set_rules(firewall.id, RULES[:1])
    await client.remove_firewall(firewall.id, server.id)
    await client.apply_firewall(firewall.id, server.id)
    await client.label_server(server.id, {**LABELS, "role": "web"})
    await client.enable_backups(server.id, True)
    await client.enable_backups(server.id, False)
    await client.name_address(v4.id, v4.ip, "web.shop.example")
    await client.name_address(v6.id, v6.address, "web.shop.example")
    await client.protect_server(server.id, True)
    with pytest.raises(WizardError):
        await client.delete_server(server.id)
    await client.protect_server(server.id, False)
    await client.protect_primary_ip(v4.id, True)
    await client.protect_primary_ip(v4.id, False)
    for listing in (client.ssh_keys, client.networks, client.placement_groups, client.firewalls):
        assert await listing()
    assert await client.servers("migration=shop")
    assert await client.servers(name="web")
    assert await client.primary_ips("migration=shop")
    await client.delete_server(server.id)
    await client.delete_primary_ip(v4.id)
    await client.delete_primary_ip(v6.id)
    await client.delete_firewall(firewall.id)
    await client.delete_placement_group(group.id)
    await client.delete_network(network.id)
    await client.delete_ssh_key(key.id)
    assert await client.server(server.id) is None
    await use_zones(client, zone)


async def use_zones(client: HetznerClient, zone: str) -> None:
    zones = client.zones
    found = await zones.zone(zone)
    assert found is not None and found.delegation == "valid"
    assert await zones.zone("elsewhere.example") is None
    assert zone in await zones.export(zone)
    await zones.create(zone, "www", "A", ("203.0.113.10",), 300)
    await zones.set_records(zone, "www", "A", ("203.0.113.11", "203.0.113.12"))
    await zones.change_ttl(zone, "www", "A", 60)
    row = await zones.rrset(zone, "www", "A")
    assert row is not None and (row.ttl, row.values) == (60, ("203.0.113.11", "203.0.113.12"))
    assert await zones.rrset(zone, "@", "AAAA") is None
    assert {(row.name, row.type) for row in await zones.rrsets(zone)} >= {("@", "A"), ("www", "A")}
    await zones.delete(zone, "www", "A")


@pytest.fixture
async def exchanges(tmp_path: Path) -> AsyncIterator[tuple[str, list[Exchange]]]:
    async with hetzner_world(tmp_path) as small, recorded(small.stage.hetzner.url) as tape:
        for token in (REHEARSAL_TOKEN, READ_ONLY_TOKEN, "0" * 64):
            client = HetznerClient(tape.url, _giver(token), small.world.clock)
            try:
                if token == REHEARSAL_TOKEN:
                    await use_everything(client, "shop.example")
                else:
                    with pytest.raises(WizardError):
                        await client.create_network("other", "172.30.0.0/16", "eu-central", {})
            finally:
                await client.aclose()
        yield tape.url, tape.exchanges


async def test_all_that_is_said_fits_the_description(exchanges: tuple[str, list[Exchange]]) -> None:
    url, tape = exchanges
    Contract.of("hetzner").check_all(tape, url)
    assert {exchange.status for exchange in tape} >= {200, 201, 204, 401, 403, 404, 409, 423}


async def test_a_wrong_request_and_a_wrong_answer_of_each_change_are_caught(
    exchanges: tuple[str, list[Exchange]],
) -> None:
    url, tape = exchanges
    contract = Contract.of("hetzner")
    tried = 0
    for exchange in tape:
        if exchange.body and exchange.status == 201:
            spoiled = json.dumps({key: {"wrong": [1]} for key in json.loads(exchange.body)})
            with pytest.raises(ContractError):
                contract.check_request(dataclasses.replace(exchange, body=spoiled.encode()), url)
            tried += 1
        if exchange.answer and exchange.status in (200, 201):
            spoiled = json.dumps({key: _emptied(value) for key, value in json.loads(exchange.answer).items()})
            with pytest.raises(ContractError):
                contract.check_answer(dataclasses.replace(exchange, answer=spoiled.encode()), url)
    assert tried >= 15


def _emptied(value: object) -> object:
    """The same kind of thing with everything left out that it must have."""
    return {} if isinstance(value, dict) else [{}] if isinstance(value, list) else 5


def _giver(token: str):  # type: ignore[no-untyped-def]
    async def give() -> str:
        return token

    return give
