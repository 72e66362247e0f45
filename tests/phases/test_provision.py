"""provision against the rehearsal's Hetzner and hosts: choice, adoption, refusals, undo."""

from __future__ import annotations

import asyncio
import dataclasses
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.phases.context import Bench, Turn
from tests.rehearsal.hetzner_stage import HetznerWorld, hetzner_world
from tests.rehearsal.small_stage import example
from wizard.allow_me import allow_me
from wizard.clients.hetzner.models import ServerType
from wizard.config import Config
from wizard.engine.plan import Ask, Failed
from wizard.engine.step import Step
from wizard.errors import CredentialError, UsageError, VendorError, WizardError
from wizard.phases.firewall.cloud import CloudFirewall
from wizard.phases.hosts import host_key_secret
from wizard.phases.provision import naming
from wizard.phases.provision import steps as provision
from wizard.phases.provision.choice import rank
from wizard.phases.settle.protection import Protection
from wizard.records import HostKeyRecord, ServerRecord
from wizard.rehearsal.hetzner.state import EXPIRED_TOKEN, READ_ONLY_TOKEN, Document


def config(**server: Any) -> Config:
    base = example()
    wishes = {"types": ("cx23", "cpx22"), "locations": ("fsn1", "nbg1"), **server}
    return dataclasses.replace(base, servers=tuple(dataclasses.replace(s, **wishes) for s in base.servers))


def step(cfg: Config, name: str) -> Step[Any]:
    return next(one for one in provision.steps(cfg) if one.id == f"provision.{name}")


def bench(small: HetznerWorld, folder: Path) -> Bench:
    return Bench(small.world, folder)


async def drive(bench: Bench, cfg: Config, *names: str) -> Turn:
    """Each named step to its end; the last one's turn."""
    turn: Turn | None = None
    for name in names:
        turn = await bench.drive(step(cfg, name))
        assert turn.done, f"{name}: {turn.story}"
    assert turn is not None
    return turn


async def cloud_of(b: Bench, cfg: Config) -> CloudFirewall:
    """The step of the front end's Cloud Firewall, once its host lets us in."""
    await drive(b, cfg, *FRONTEND, "frontend.login")
    return CloudFirewall(cfg.server("frontend"), cfg)


SHARED = ("ssh_key", "network", "firewall")
FRONTEND = (*SHARED, "frontend.address", "frontend.server")


def standing(small: HetznerWorld, table: str) -> list[Document]:
    return list(getattr(small.stage.hetzner.state, table).values())


async def test_two_servers_are_made_protected_and_pinned_and_a_second_run_changes_nothing(
    tmp_path: Path,
) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        b = bench(small, tmp_path)
        await drive(b, cfg, *FRONTEND, "backend.address", "backend.server", "frontend.login")

        # then each has its own firewall, addresses that stay, and the first type that is there
        servers = standing(small, "servers")
        assert {row["name"]: (row["type"], row["location"]) for row in servers} == {
            "frontend": ("cx23", "nbg1"),
            "backend": ("cx23", "nbg1"),
        }
        host = small.stage.hosts.get("frontend")
        assert host is not None and host.cloud_rules is not None
        assert {rule.port for rule in host.cloud_rules} == {"22", "80", "443", ""}
        record = b.context("provision.frontend.server").saved.load("server", ServerRecord)
        assert record is not None and record.ipv4 == host.ipv4 and record.private_ip == host.private_ip
        assert b.context("provision.frontend.login").saved.load("host_key", HostKeyRecord) is not None
        assert await small.world.secrets.get(host_key_secret("frontend")) is None

        # and a second look finds nothing to do
        for name in (*FRONTEND, "backend.address", "backend.server"):
            assert (await b.plan(step(cfg, name))).empty, name
        assert small.stage.ledger.duplicates() == ()


async def test_all_machines_come_before_anything_is_installed() -> None:
    for one in provision.steps(config()):
        if one.id.endswith(".panel"):
            assert {"provision.frontend.server", "provision.backend.server"} <= set(one.needs)


async def test_the_plan_shows_type_place_price_and_the_next_choices(tmp_path: Path) -> None:
    cfg = config(types=("cx22", "cpx22"), backups=True)
    async with hetzner_world(tmp_path, config=cfg) as small:
        b = bench(small, tmp_path)
        await drive(b, cfg, *SHARED, "frontend.address")

        plan = await b.plan(step(cfg, "frontend.server"))

        create, backups, names = plan.changes
        assert "cx23 in nbg1" in create.after
        assert create.monthly is not None and create.monthly.amount.quantize(Decimal("0.01")) == Decimal(
            "6.53"
        )
        assert backups.monthly is not None
        assert names.after == "shop.example"
        assert any("cx22 is no longer sold: its successor cx23" in note for note in plan.notes)
        assert any("cx23 in fsn1 is sold out" in note for note in plan.notes)
        assert any("cpx22 in fsn1" in note and "against the wish" in note for note in plan.notes)


async def test_no_capacity_leads_to_the_next_choice_and_leaves_no_address_behind(tmp_path: Path) -> None:
    cfg = config(types=("cx23", "cpx12", "cpx22"), locations=("nbg1", "fsn1"))
    async with hetzner_world(tmp_path, config=cfg, faults="no-capacity") as small:
        b = bench(small, tmp_path)

        await drive(b, cfg, *FRONTEND)

        (server,) = standing(small, "servers")
        assert (server["type"], server["location"]) == ("cpx22", "nbg1")
        assert {ip["location"]["name"] for ip in standing(small, "primary_ips")} == {"nbg1"}
        assert all(ip["assignee_id"] == server["id"] for ip in standing(small, "primary_ips"))
        assert sum("can't be had" in line for line in b.lines) == 3
        assert any("Next choice: " in line and "a month" in line for line in b.lines)


async def test_when_nothing_can_be_had_it_ends_with_what_was_tried(tmp_path: Path) -> None:
    cfg = config(types=("cpx22",), locations=("nbg1",))
    async with hetzner_world(tmp_path, config=cfg) as small:
        b = bench(small, tmp_path)
        await drive(b, cfg, *SHARED, "frontend.address")
        small.stage.hetzner.state.scarce |= {("cpx22", "nbg1")}

        # Hetzner's list is cached, so the create call is what tells
        with pytest.raises(VendorError, match="tried: cpx22 in nbg1"):
            await b.drive(step(cfg, "frontend.server"))

        assert standing(small, "servers") == []


async def test_an_answer_that_was_lost_is_found_again_not_repeated(tmp_path: Path) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg, faults="flaky") as small:
        b = bench(small, tmp_path)
        for name in FRONTEND:
            for _ in range(4):
                try:
                    turn = await b.drive(step(cfg, name))
                except WizardError:
                    continue
                assert turn.done, turn.story
                break
            else:
                raise AssertionError(f"{name} never ended")
        assert small.stage.faults.played
        assert [row["name"] for row in standing(small, "servers")] == ["frontend"]
        assert small.stage.ledger.duplicates() == ()


async def test_somebody_elses_server_of_that_name_is_a_question(tmp_path: Path) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        b = bench(small, tmp_path)
        await drive(b, cfg, *SHARED, "frontend.address")
        from wizard.rehearsal.hetzner.servers import Servers

        foreign = {"name": "frontend", "server_type": "cpx22", "location": "nbg1", "image": "ubuntu-24.04"}
        Servers(small.stage.hetzner).new(foreign)

        asked = await b.drive(step(cfg, "frontend.server"))
        assert isinstance(asked.hold, Ask) and {c.value for c in asked.hold.question.choices} == {
            "adopt",
            "stop",
        }

        stopped = await b.drive(step(cfg, "frontend.server"), {asked.hold.question.id: "stop"})
        assert isinstance(stopped.hold, Failed)
        assert len(standing(small, "servers")) == 1


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "no Hetzner token"),
        (READ_ONLY_TOKEN, "may only read"),
        (EXPIRED_TOKEN, "does not accept"),
        ("abc…", "characters"),
    ],
)
async def test_a_token_that_will_not_do_is_a_sentence_and_changes_nothing(
    tmp_path: Path, token: str, said: str
) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg, token=token) as small:
        with pytest.raises(CredentialError, match=said):
            await bench(small, tmp_path).drive(step(cfg, "ssh_key"))
        assert small.stage.ledger.count("hetzner") == 0


async def test_a_server_limit_ends_with_the_limits_name_and_a_way_on(tmp_path: Path) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg, faults="server-limit") as small:
        b = bench(small, tmp_path)
        await drive(b, cfg, *SHARED, "frontend.address")
        with pytest.raises(VendorError, match="limit") as caught:
            await b.drive(step(cfg, "frontend.server"))
        assert "correlation id" in caught.value.why and "limits" in caught.value.next


async def test_undo_takes_everything_back_in_reverse_and_asks_for_names(tmp_path: Path) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        b = bench(small, tmp_path)
        await drive(b, cfg, *FRONTEND)
        confirms = []
        for name in reversed(FRONTEND):
            plan = await b.undo(step(cfg, name))
            assert plan.changes, name
            confirms += [change.confirm for change in plan.changes if change.confirm]
        assert "frontend" in confirms
        for table in ("servers", "primary_ips", "firewalls", "networks", "placement_groups", "ssh_keys"):
            assert standing(small, table) == [], table


async def test_a_protected_server_is_not_undone_until_protection_is(tmp_path: Path) -> None:
    cfg = config()
    cfg = dataclasses.replace(cfg, servers=cfg.servers[:1])
    async with hetzner_world(tmp_path, config=cfg) as small:
        b = bench(small, tmp_path)
        await drive(b, cfg, *FRONTEND)
        assert (await b.drive(Protection(cfg))).done
        assert (await b.plan(Protection(cfg))).empty
        held = await b.undo(step(cfg, "frontend.server"))
        assert isinstance(held.hold, Failed)
        await b.undo(Protection(cfg))
        assert (await b.undo(step(cfg, "frontend.server"))).hold is None
        assert standing(small, "servers") == []


async def test_the_cloud_firewall_opens_the_panel_for_the_operator_alone(
    tmp_path: Path,
) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        b = bench(small, tmp_path)
        cloud = await cloud_of(b, cfg)

        turn = await b.drive(cloud)

        assert turn.done, turn.story
        host = small.stage.hosts.get("frontend")
        assert host is not None and host.cloud_rules is not None
        panel = [rule.sources for rule in host.cloud_rules if rule.port == "3000"]
        assert panel == [("192.0.2.10/32",)]
        await b.undo(cloud)
        assert host.cloud_rules and all(rule.port != "3000" for rule in host.cloud_rules)


async def test_rules_that_lock_us_out_are_put_back_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        b = bench(small, tmp_path)
        cloud = await cloud_of(b, cfg)
        no_ssh = tuple(rule for rule in cloud._wished(()) if rule.port != "22")
        monkeypatch.setattr(cloud, "_wished", lambda operator: no_ssh)

        with pytest.raises(WizardError, match="the old ones are back"):
            await b.drive(cloud)

        host = small.stage.hosts.get("frontend")
        assert host is not None and host.cloud_rules
        assert any(rule.port == "22" for rule in host.cloud_rules)


async def test_allow_me_lets_a_new_address_in_by_the_api_alone(tmp_path: Path) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        b = bench(small, tmp_path)
        await drive(b, cfg, *FRONTEND)
        small.stage.hosts.remove("frontend")

        done = await allow_me(small.world, cfg, b.progress, ("198.51.100.99",))
        again = await allow_me(small.world, cfg, b.progress, ("198.51.100.99",))

        assert {one.changed for one in done} == {True} and {one.changed for one in again} == {False}
        sources = {
            source
            for firewall in standing(small, "firewalls")
            for rule in firewall["rules"]
            if rule["port"] == "3000"
            for source in rule["source_ips"]
        }
        assert sources == {"198.51.100.99/32"}
        with pytest.raises(UsageError, match="everybody"):
            await allow_me(small.world, cfg, b.progress, ("0.0.0.0/0",))


async def test_a_cancelled_creation_is_finished_first(tmp_path: Path) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        b = bench(small, tmp_path)
        await drive(b, cfg, *SHARED, "frontend.address")
        task = asyncio.create_task(
            small.world.hetzner.create_network("other", "10.9.0.0/16", "eu-central", {})
        )
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert "other" in {row["name"] for row in standing(small, "networks")}


async def test_ranking_is_empty_when_nothing_is_sold(tmp_path: Path) -> None:
    cfg = config(types=("zz99",))
    async with hetzner_world(tmp_path, config=cfg) as small:
        types = await small.world.hetzner.server_types()
        pricing = await small.world.hetzner.pricing()
        found = rank(cfg.servers[0], types, pricing, small.world.clock.now())
        assert found.choices == () and "zz99" in found.notes[0]


def test_label_values_are_what_hetzner_takes() -> None:
    assert naming.label_value("Open Mates/α") == "Open-Mates"
    assert len(naming.label_value("x" * 80)) == 63


async def test_with_ssh_dead_the_cloud_firewall_says_so_and_its_undo_needs_the_api_alone(
    tmp_path: Path,
) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        b = bench(small, tmp_path)
        cloud = await cloud_of(b, cfg)
        assert (await b.drive(cloud)).done
        host = small.stage.hosts.get("frontend")
        assert host is not None
        host.state.running = False

        held = (await b.plan(cloud)).hold
        assert isinstance(held, Failed) and "undo firewall.frontend.cloud" in held.ways[0]
        await b.undo(cloud)

        (firewall,) = (f for f in standing(small, "firewalls") if f["name"].endswith("frontend"))
        assert {rule["port"] for rule in firewall["rules"]} == {"22", "80", "443", None}


async def test_a_type_that_is_listed_but_ended_has_a_named_successor(tmp_path: Path) -> None:
    cfg = config(types=("cpx22",))
    async with hetzner_world(tmp_path, config=cfg) as small:
        types = await small.world.hetzner.server_types()
        pricing = await small.world.hetzner.pricing()
        now = small.world.clock.now()

        def ending(at: float) -> tuple[ServerType, ...]:
            """As Hetzner lists a type that it takes away: everywhere, at a moment."""
            return tuple(
                dataclasses.replace(
                    one,
                    offers=tuple(dataclasses.replace(offer, unavailable_after=at) for offer in one.offers),
                )
                if one.name == "cpx22"
                else one
                for one in types
            )

        ended = rank(cfg.servers[0], ending(now - 1), pricing, now)
        announced = rank(cfg.servers[0], ending(now + 86_400), pricing, now)

        assert {choice.type for choice in ended.choices} == {"cx33"}
        assert any("its successor" in note for note in ended.notes)
        assert announced.choices[0].type == "cpx22"
        assert any("being withdrawn" in note for note in announced.notes)
