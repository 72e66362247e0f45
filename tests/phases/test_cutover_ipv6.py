"""IPv6 goes along where it was proven, and is taken away where it was not; both families come back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from asyncssh import ConnectionLost, SSHClientConnection

from tests.phases.cutover_stage import EDGE, NEW_API, OLD, SIXES, CutoverWorld, cutover_world
from tests.phases.test_cutover import go_through
from tests.rehearsal.small_stage import example
from wizard.checks.http import HttpClient, HttpProblem
from wizard.clients.ssh import HostClient, LoginError
from wizard.config import Config
from wizard.dns.records import ZoneSnapshot, rrset
from wizard.dns.view import CertificateRow, HttpRow, WatchView
from wizard.dns.watch_target import targets_of
from wizard.engine.check import CheckState
from wizard.errors import UnreachableError, WizardError
from wizard.net import LiveNet
from wizard.phases.cutover.changes import Hands, Six, intended
from wizard.phases.cutover.flip import FlipStep
from wizard.phases.cutover.go_list import FRESH
from wizard.phases.cutover.ipv6 import Through, proofs
from wizard.phases.cutover.records import FlipRecord, ZoneRecord
from wizard.phases.cutover.watch_probes import probes
from wizard.phases.prepare.dns_zone import IN_THE_FLIP

pytestmark = pytest.mark.timeout(300)
OLD6, EDGE6 = "2001:db8:100::20", "2001:db8:100::76"
API, WWW = "api.shop.example", "www.shop.example"


def quick() -> Config:
    config = example()
    return replace(config, dns=replace(config.dns, ttl=120))


def dual(world: CutoverWorld) -> None:
    """The old places have IPv6, and visitors who have it prefer it."""
    for label, address, at in (("api", OLD6, OLD), ("www", EDGE6, EDGE)):
        world.zone.put(label, "AAAA", 120, (address,))
        machine = world.stage.internet.machine(at)
        assert machine is not None
        world.stage.internet.attach(address, machine)


class Deaf:
    """A machine on whose address nothing listens."""

    name = "deaf"

    def __init__(self, host: Any) -> None:
        self.host = host

    def admits(self, source: str, address: str, port: int) -> Any:
        return self.host.admits(source, address, port)

    def listener(self, address: str, port: int) -> Any:
        return None


async def looked_at(world: CutoverWorld) -> tuple[tuple[CertificateRow, ...], tuple[HttpRow, ...]]:
    """What the watch's probes see now."""
    ctx = world.bench.context("cutover.watch")
    flip = ctx.saved.load("flip", FlipRecord, step="cutover.flip")
    assert flip is not None
    look = probes(ctx, targets_of(flip.changes))
    assert look.certificates is not None and look.http is not None
    return await look.certificates(), await look.http()


async def test_both_families_move_and_come_back_and_nobody_notices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, config=quick()) as world:
        dual(world)
        await go_through(world)

        assert await world.now_reads(API, "AAAA") == [SIXES["backend"]]
        assert await world.now_reads(WWW, "AAAA") == [SIXES["frontend"]]
        assert await world.now_reads("shop.example", "AAAA") == []
        views: list[WatchView] = world.bench.details("watch")
        assert {(one.name, one.type) for one in views[-1].asked} >= {(API, "A"), (API, "AAAA")}
        certificates, pages = await looked_at(world)
        assert {row.address for row in certificates if row.trusted} >= {*SIXES.values(), NEW_API}
        assert any(row.name.endswith("by IPv6") and row.same for row in pages)
        assert world.failures == ()

        await world.bench.undo(FlipStep(world.config))

        assert await world.now_reads(API, "AAAA") == [OLD6]
        assert await world.now_reads(WWW, "AAAA") == [EDGE6]
        assert world.failures == ()


async def test_without_ipv6_here_another_host_sees_the_new_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, config=quick(), six=False) as world:
        dual(world)
        await go_through(world)

        assert await world.now_reads(API, "AAAA") == [SIXES["backend"]]
        certificates, _ = await looked_at(world)
        assert any(row.trusted and row.note == "seen from frontend" for row in certificates)
        assert world.failures == ()


async def test_a_proof_from_another_host_leaves_no_door_open_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors: list[int] = []
    forward = SSHClientConnection.forward_local_port

    async def noted(self: SSHClientConnection, *where: Any, **more: Any) -> Any:
        listener = await forward(self, *where, **more)
        doors.append(listener.get_port())
        return listener

    async with cutover_world(tmp_path, monkeypatch, config=quick(), six=False) as world:
        dual(world)
        await go_through_until_the_flip(world)
        monkeypatch.setattr(SSHClientConnection, "forward_local_port", noted)

        found = await proofs(world.bench.context("cutover.flip"), [API])

        assert found[API].proven and found[API].vantage == "frontend" and doors
        for port in doors:
            with pytest.raises(ConnectionRefusedError):
                await LiveNet().connect("127.0.0.1", port)


@pytest.mark.parametrize("lost", [
    UnreachableError("frontend does not answer SSH"),
    LoginError("frontend does not let root in"),
    ConnectionLost("cut off"),
])  # fmt: skip
async def test_a_host_that_is_lost_on_the_way_ends_a_look_and_not_the_watch(lost: Exception) -> None:
    """Given a seat at another host, its loss is what a socket's would be: the page does not answer."""

    class Lost:
        name = "frontend"
        door = HostClient.door

        async def connect(self) -> Any:
            if isinstance(lost, WizardError):
                raise lost
            return self

        async def forward_local_port(self, *_: Any) -> Any:
            raise lost

    http = HttpClient(Through(cast(Any, Lost())))
    with pytest.raises(HttpProblem):
        await http.get(f"https://{API}/", SIXES["backend"])
    await http.aclose()


async def test_where_nobody_has_ipv6_the_old_record_goes_and_the_plan_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, config=quick(), six=False) as world:
        dual(world)
        for name in SIXES:
            host = world.stage.hosts.get(name)
            assert host is not None
            host.state.ipv6 = ""
        await go_through(world)

        assert await world.now_reads(API, "AAAA") == []
        assert world.failures == ()


async def test_a_new_place_that_refuses_ipv6_does_not_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a host that answers over IPv4 alone, the leftover is a deletion, and the list says so."""

    async with cutover_world(tmp_path, monkeypatch, config=quick()) as world:
        dual(world)
        world.stage.internet.attach(SIXES["backend"], Deaf(world.stage.hosts.get("backend")))
        step = FlipStep(world.config)
        await go_through_until_the_flip(world)

        facts = await step.observe(world.bench.context(step))

        assert facts.go is not None
        told = {one.name: one for one in facts.go.lines if one.name.endswith("ready6")}
        assert told[f"{API}.ready6"].state is CheckState.WAIVED
        assert "refused" in told[f"{API}.ready6"].evidence.seen
        assert "taken away rather than moved" in told[f"{API}.ready6"].evidence.seen
        assert told[f"{WWW}.ready6"].state is CheckState.PASSED
        plan = step.plan(facts)
        api = next(one for one in plan.changes if one.target == f"{API} AAAA")
        assert plan.hold is None and api.after == "nothing"


async def test_ipv6_that_went_away_before_a_late_approval_is_not_led_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, config=quick()) as world:
        dual(world)
        await go_through_until_the_flip(world)
        step = FlipStep(world.config)
        ctx = world.bench.context(step)
        plan = step.plan(await step.observe(ctx))
        assert any(one.target == f"{API} AAAA" and SIXES["backend"] in one.after for one in plan.changes)
        world.stage.internet.attach(SIXES["backend"], Deaf(world.stage.hosts.get("backend")))
        await world.bench.world.clock.wait_until(ctx.now() + FRESH + 1)

        with pytest.raises(WizardError) as refused:
            await step.apply(plan.changes[0], ctx)

        assert "something else by now" in refused.value.what and f"{API} AAAA" in refused.value.why
        assert await world.now_reads(API, "AAAA") == [OLD6]
        assert ctx.saved.load("flip", FlipRecord) is None


async def go_through_until_the_flip(world: CutoverWorld) -> None:
    from tests.phases.test_cutover_refusals import at_the_flip, prepared

    names = ("api", "www")
    answers = {f"prepare.dns_zone/ipv6/{name}.shop.example/AAAA": IN_THE_FLIP for name in names}
    await at_the_flip(world, await prepared(world, answers))


def test_an_address_of_the_new_place_is_no_third_value() -> None:
    """Given a zone in which somebody set the planned AAAA already, nothing is refused and nothing changed."""
    config = quick()
    record = rrset(API, "AAAA", 60, (SIXES["backend"].upper(),))
    snapshot = ZoneSnapshot("shop.example", (rrset(API, "A", 60, (OLD,)), record))
    before = ZoneRecord("shop.example", (snapshot.rrsets[0], rrset(API, "AAAA", 60, (OLD6,))), (), "", 0.0)
    targets = dict.fromkeys(config.names, NEW_API)
    six = Six({API: SIXES["backend"]}, {API: SIXES["backend"]})
    answers = {f"prepare.dns_zone/ipv6/{API}/AAAA": IN_THE_FLIP}

    found = intended(config, snapshot, targets, before, answers, Hands(True, 60), six)

    assert found.third == () and found.troubles == ()
    assert not [one for one in found.changes.changes if one.type == "AAAA"]
