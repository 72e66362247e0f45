"""The zone is looked at before anything: who serves it, what it holds, what would disturb the move."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.phases.cutover_stage import CutoverWorld, cutover_world
from tests.rehearsal.small_stage import example
from wizard.dns.leftovers import Kind, covering_wildcard, leftovers
from wizard.dns.records import RRset, ZoneSnapshot
from wizard.engine.plan import Ask
from wizard.phases.cutover.records import ZoneRecord
from wizard.phases.cutover.ttl import LowerTtl
from wizard.phases.prepare.dns_zone import BY_HAND, IN_THE_FLIP, DnsZone
from wizard.rehearsal.dns.state import Row

pytestmark = pytest.mark.timeout(60)


async def look(world: CutoverWorld) -> dict[str, str]:
    """Answer by default until nothing is asked; then what the checks saw, by name, with their states."""
    world.stage.visitors.rate = 0
    step = DnsZone(world.config)
    while isinstance((plan := await world.bench.plan(step)).hold, Ask):
        question = plan.hold.question
        world.bench.progress.answers[question.id] = question.default
    turn = await world.bench.drive(step)
    return {check.name: f"{check.state}: {check.evidence.seen}" for check in turn.checks}


async def test_the_whole_zone_is_kept_before_anything_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        seen = await look(world)

        assert all(text.startswith("passed") for text in seen.values()), seen
        kept = json.loads((tmp_path / "backups/dns-zone.json").read_text())
        assert {(one["name"], one["type"]) for one in kept["rrsets"]} >= {
            ("shop.example", "MX"),
            ("api.shop.example", "A"),
        }
        assert "$ORIGIN shop.example." in (tmp_path / "backups/dns-zone.txt").read_text()
        record = world.bench.context("prepare.dns_zone").saved.load("zone", ZoneRecord)
        assert record is not None and len(record.servers) == 3
        assert all(record.find(name, "A") for name in world.config.names)


async def test_a_second_look_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        await look(world)
        assert (await world.bench.plan(DnsZone(world.config))).empty


def leave(world: CutoverWorld, kind: str) -> None:
    rows: dict[str, tuple[str, str, tuple[str, ...]]] = {
        "ipv6": ("www", "AAAA", ("2001:db8::76",)),
        "hints": ("@", "HTTPS", ("1 . alpn=h3",)),
        "alias": ("www", "CNAME", ("cname.vercel-dns.com.",)),
    }
    name, of, values = rows[kind]
    if kind == "alias":
        world.zone.delete("www", "A")
    world.zone.put(name, of, 300, values)


@pytest.mark.parametrize(
    ("kind", "effect"),
    [("ipv6", "go on to the old place"), ("hints", "browsers would take"), ("alias", "no address can stand")],
)
async def test_each_leftover_is_asked_about_with_what_it_would_do(
    kind: str, effect: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        leave(world, kind)

        plan = await world.bench.plan(DnsZone(world.config))

        assert isinstance(plan.hold, Ask)
        question = plan.hold.question
        assert effect in question.text
        assert {choice.value for choice in question.choices} == {IN_THE_FLIP, BY_HAND}
        seen = await look(world)
        assert seen["leftovers"].startswith("passed") and effect in seen["leftovers"]


async def test_a_name_under_a_wildcard_gets_a_record_set_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(example(), dns=replace(example().dns, ttl=120))
    async with cutover_world(tmp_path, monkeypatch, config=config) as world:
        world.zone.put("*", "A", 120, ("198.51.100.20",))
        world.zone.delete("api", "A")
        seen = await look(world)
        assert "*.shop.example" in seen["leftovers"]

        turn = await world.bench.drive(LowerTtl(world.config))

        assert turn.done, turn.story
        assert world.zone.get("api", "A") == Row("api", "A", 60, ("198.51.100.20",))
        await world.bench.undo(LowerTtl(world.config))
        assert world.zone.get("api", "A") is None


async def test_a_mail_record_that_only_the_world_sees_would_be_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        state = world.stage.dns.state.zones["shop.example"]
        state.elsewhere = dict(state.rows)
        world.zone.delete("@", "MX")

        seen = await look(world)

        assert seen["mail"].startswith("failed") and "MX 10 mail.shop.example" in seen["mail"]


async def test_a_caa_record_that_forbids_us_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        world.zone.put("@", "CAA", 300, ('0 issue "pki.example"',))
        seen = await look(world)
        assert seen["caa"].startswith("failed") and "pki.example" in seen["caa"]


async def test_signatures_that_nobody_can_follow_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:

        async def signed(ctx: Any, name: str, kind: str) -> list[str]:
            return ["12345 13 2 00"] if kind == "DS" else []

        monkeypatch.setattr("wizard.phases.dns01.resolve", signed)
        step = DnsZone(world.config)
        from wizard.phases.prepare.dns_zone import delegation

        found = await delegation(world.bench.context(step), await world.bench.world.dns_provider.snapshot())

        assert found.signed and not found.keys
        assert any("SERVFAIL" in trouble for trouble in found.troubles)


def zone_of(*sets: RRset, proxied: tuple[str, ...] = ()) -> ZoneSnapshot:
    return ZoneSnapshot("b.example", sets, proxied=proxied)


def address(name: str) -> RRset:
    return RRset(name, "A", 60, ("192.0.2.1",))


def test_a_wildcard_covers_only_names_that_are_not_there() -> None:
    zone = zone_of(address("*.b.example"), address("www.b.example"), address("x.deep.b.example"))
    assert covering_wildcard(zone, "api.b.example") == "*.b.example"
    assert covering_wildcard(zone, "www.b.example") == ""
    assert covering_wildcard(zone, "deep.b.example") == ""
    assert covering_wildcard(zone, "y.deep.b.example") == ""
    assert covering_wildcard(zone, "y.www.b.example") == ""


def test_proxied_names_and_mail_that_could_vanish_are_found() -> None:
    zone = zone_of(
        address("b.example"),
        RRset("b.example", "MX", 60, ("10 mail.b.example",)),
        RRset("k1._domainkey.b.example", "CNAME", 60, ("dkim.example",)),
        proxied=("b.example",),
    )
    found = leftovers(zone, ("b.example",), leaving=True)
    assert [(one.kind, one.type) for one in found] == [
        (Kind.PROXIED, "A"),
        (Kind.MAIL, "MX"),
        (Kind.MAIL, "CNAME"),
    ]
    assert leftovers(zone, ("b.example",))[0].kind is Kind.PROXIED
