"""What a flip refuses, each with its reason, and that nothing is changed then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.phases.cutover_stage import NEW_API, SIXES, CutoverWorld, cutover_world
from tests.rehearsal.small_stage import example
from wizard.config import Config, DnsProviderName
from wizard.engine.check import CheckState
from wizard.engine.plan import Ask, Failed, Plan, Refusal, Wait
from wizard.errors import UnreachableError
from wizard.phases.cutover import steps as cutover
from wizard.phases.cutover.certificates import CertificatesStep
from wizard.phases.cutover.flip import FlipStep
from wizard.phases.cutover.go_list import _quiet
from wizard.phases.cutover.preflight import Preflight
from wizard.phases.cutover.records import FlipRecord, TtlRecord
from wizard.phases.cutover.ttl import LowerTtl
from wizard.phases.data.finish import StartOnMoved
from wizard.phases.prepare.dns_zone import BY_HAND, IN_THE_FLIP, DnsZone
from wizard.rehearsal.dns.state import Row

pytestmark = pytest.mark.timeout(120)


def quick(**changes: Any) -> Config:
    """A zone with a short TTL: the wait for it is not what is tested here."""
    config = example()
    return replace(config, dns=replace(config.dns, ttl=120), **changes)


async def prepared(world: CutoverWorld, answers: dict[str, str] | None = None) -> FlipStep:
    """Everything before the flip is done."""
    world.stage.visitors.rate = 0
    for step in (DnsZone(world.config), *cutover.steps(world.config)):
        if isinstance(step, FlipStep):
            return step
        turn = await world.bench.drive(step, answers)
        assert turn.done, f"{step.id}: {turn.story}"
    raise AssertionError("there is no flip")


async def at_the_flip(world: CutoverWorld, step: FlipStep) -> Plan:
    """The flip's plan once the quiet window is over."""
    plan = await world.bench.plan(step)
    if isinstance(plan.hold, Wait):
        await world.bench.world.clock.wait_until(plan.hold.until)
        plan = await world.bench.plan(step)
    return plan


def leftover_ipv6(world: CutoverWorld) -> None:
    world.zone.put("www", "AAAA", 60, ("2001:db8::76",))


def alias_in_the_way(world: CutoverWorld) -> None:
    world.zone.delete("www", "A")
    world.zone.put("www", "CNAME", 60, ("cname.vercel-dns.com.",))


def hints_left(world: CutoverWorld) -> None:
    world.zone.put("@", "HTTPS", 60, ("1 . alpn=h3 ipv4hint=198.51.100.76",))


def third_value(world: CutoverWorld) -> None:
    world.zone.put("api", "A", 60, ("198.51.100.99",))


def not_ready(world: CutoverWorld) -> None:
    world.stage.fronts.of("backend").unroute("api.shop.example")


def delegated_elsewhere(world: CutoverWorld) -> None:
    zone = world.stage.dns.state.zones["shop.example"]
    zone.elsewhere = {**zone.rows, ("api", "A"): Row("api", "A", 60, ("198.51.100.21",))}


@pytest.mark.parametrize(
    ("disturb", "refusal", "words"),
    [
        (leftover_ipv6, Refusal.NOT_READY, ("www.shop.example AAAA", "IPv6", "old place")),
        (alias_in_the_way, Refusal.NOT_READY, ("www.shop.example CNAME", "alias in the way")),
        (hints_left, Refusal.NOT_READY, ("shop.example HTTPS", "browsers")),
        (third_value, Refusal.THIRD_VALUE, ("api.shop.example A", "198.51.100.99", "neither")),
        (not_ready, Refusal.NOT_READY, ("no-go", NEW_API, "ready for api.shop.example")),
        (delegated_elsewhere, Refusal.NOT_READY, ("no-go", "api.shop.example", "198.51.100.21")),
    ],
)
async def test_the_flip_refuses_with_the_reason_and_changes_nothing(
    disturb: Callable[[CutoverWorld], None],
    refusal: Refusal,
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with cutover_world(tmp_path, monkeypatch, config=quick()) as world:
        step = await prepared(world)
        disturb(world)
        before = world.zone.all()

        plan = await at_the_flip(world, step)

        assert isinstance(plan.hold, Failed) and plan.changes == ()
        assert plan.hold.refusal is refusal and plan.hold.ways
        assert all(word in plan.hold.why for word in words), plan.hold.why
        assert world.zone.all() == before
        assert world.bench.context(step).saved.load("flip", FlipRecord) is None


async def test_more_changes_than_a_sane_share_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = quick(cutover=replace(example().cutover, max_changes=2))
    async with cutover_world(tmp_path, monkeypatch, config=config) as world:
        plan = await at_the_flip(world, await prepared(world))

        assert isinstance(plan.hold, Failed) and plan.hold.refusal is Refusal.TOO_MANY
        assert "3 record sets, more than 2" in plan.hold.why


async def test_a_zone_that_is_delegated_elsewhere_is_found_long_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, config=quick()) as world:
        zone = world.stage.dns.state.zones["shop.example"]
        zone.elsewhere = {
            **zone.rows,
            ("@", "NS"): Row("@", "NS", 3600, tuple(f"{name}." for name in _names(world)[:1])),
        }
        zone.rows = {**zone.rows, ("@", "NS"): Row("@", "NS", 3600, ("ns1.elsewhere.example.",))}

        turn = await world.bench.drive(DnsZone(world.config))

        bad = {check.name: check for check in turn.checks if not check.ok}
        assert set(bad) == {"delegated"}
        assert "edits there would change nothing" in bad["delegated"].evidence.seen


def _names(world: CutoverWorld) -> list[str]:
    from wizard.rehearsal.dns.standin import SERVERS

    return list(SERVERS)


async def test_a_leftover_is_asked_about_and_moves_with_the_flip_and_comes_back_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, config=quick()) as world:
        leftover_ipv6(world)
        asked = await world.bench.plan(DnsZone(world.config))
        assert isinstance(asked.hold, Ask) and asked.hold.question.default == IN_THE_FLIP
        answers = {asked.hold.question.id: IN_THE_FLIP}
        step = await prepared(world, answers)

        turn = await world.bench.drive(step)
        assert turn.done, turn.story
        assert world.zone.get("www", "AAAA").values == (SIXES["frontend"],)

        await world.bench.undo(step)
        assert world.zone.get("www", "AAAA").values == ("2001:db8::76",)


async def test_an_alias_is_led_to_a_sibling_where_one_call_cannot_replace_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, config=quick()) as world:
        world.zone.delete("www", "A")
        world.zone.put("www", "CNAME", 120, ("cname.vercel-dns.com.",))
        asked = await world.bench.plan(DnsZone(world.config))
        assert isinstance(asked.hold, Ask)
        step = await prepared(world, {asked.hold.question.id: IN_THE_FLIP})

        turn = await world.bench.drive(step)

        assert turn.done, turn.story
        assert world.zone.get("www", "CNAME").values == ("shop.example.",)
        assert await world.now_reads("www.shop.example") == ["203.0.113.10"]


async def test_an_alias_that_the_operator_keeps_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, config=quick()) as world:
        world.zone.delete("www", "A")
        world.zone.put("www", "CNAME", 120, ("shop.example.",))
        asked = await world.bench.plan(DnsZone(world.config))
        assert isinstance(asked.hold, Ask)
        answers = {asked.hold.question.id: BY_HAND}
        world.stage.visitors.rate = 0
        await world.bench.drive(DnsZone(world.config), answers)

        turn = await world.bench.drive(Preflight(world.config))

        bad = {check.name: check.evidence.seen for check in turn.checks if not check.ok}
        assert set(bad) == {"clear"} and "www.shop.example CNAME" in bad["clear"]


async def test_a_flip_without_lowered_ttls_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, config=quick()) as world:
        world.stage.visitors.rate = 0
        for step in (DnsZone(world.config), Preflight(world.config), CertificatesStep(world.config)):
            assert (await world.bench.drive(step)).done

        plan = await world.bench.plan(FlipStep(world.config))

        assert isinstance(plan.hold, Failed) and "TTLs were not lowered" in plan.hold.why


@pytest.mark.parametrize(("lowered", "over"), [
    (None, False),
    (TtlRecord((), 300), False),
    (TtlRecord((), 300, at=10_000.0), False),
    (TtlRecord((), 300, at=9_000.0), True),
])  # fmt: skip
def test_no_cache_is_quiet_before_the_ttls_are_lowered_everywhere(
    lowered: TtlRecord | None, over: bool
) -> None:
    """Given a change of TTLs that was begun and that no server shows yet, nothing has run out."""
    ctx: Any = SimpleNamespace(now=lambda: 10_100.0, config=quick())
    assert (_quiet(ctx, lowered).state is CheckState.PASSED) is over


async def test_a_way_back_over_a_third_value_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, config=quick()) as world:
        step = await prepared(world)
        assert (await world.bench.drive(step)).done
        third_value(world)

        plan = await step.undo(world.bench.context(step))

        assert isinstance(plan.hold, Failed) and plan.hold.refusal is Refusal.THIRD_VALUE
        assert "198.51.100.99" in plan.hold.why


def by_hand(**cutover: Any) -> Config:
    config = quick(cutover=replace(example().cutover, **cutover))
    return replace(config, dns=replace(config.dns, provider=DnsProviderName.MANUAL))


async def test_a_gap_under_hsts_needs_the_zone_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = by_hand(allow_certificate_gap=True)
    async with cutover_world(tmp_path, monkeypatch, config=config) as world:
        world.stage.visitors.rate = 0

        plan = await world.bench.plan(CertificatesStep(config))

        assert isinstance(plan.hold, Ask) and plan.hold.question.typed == "shop.example"
        assert "Strict-Transport-Security: max-age=63072000" in plan.hold.question.text
        world.bench.progress.answers[plan.hold.question.id] = "shop.example"
        assert (await world.bench.plan(CertificatesStep(config))).hold is None


async def test_without_proofs_and_without_leave_for_a_gap_nothing_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = by_hand()
    async with cutover_world(tmp_path, monkeypatch, config=config) as world:
        world.stage.visitors.rate = 0

        plan = await world.bench.plan(CertificatesStep(config))

        assert isinstance(plan.hold, Failed) and plan.hold.refusal is Refusal.NOT_READY
        assert "edited by hand" in plan.hold.why


async def test_a_person_gets_the_exact_lines_to_type_and_the_servers_are_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = by_hand(allow_certificate_gap=True)
    async with cutover_world(tmp_path, monkeypatch, config=config) as world:
        world.stage.visitors.rate = 0
        await world.bench.drive(DnsZone(config))
        step = LowerTtl(config)

        plan = await world.bench.plan(step)

        assert isinstance(plan.hold, Ask) and not plan.hold.question.default
        text = plan.hold.question.text
        assert "www.shop.example  A  198.51.100.76 (TTL 120)  →  198.51.100.76 (TTL 60)" in text

        async def type_them() -> None:
            await asyncio.sleep(0.2)
            for label, value in (("@", "198.51.100.76"), ("www", "198.51.100.76"), ("api", "198.51.100.20")):
                world.zone.put(label, "A", 60, (value,))
                await asyncio.sleep(0.1)

        hands = asyncio.create_task(type_them())
        turn = await world.bench.drive(step, {plan.hold.question.id: "begin"})
        await hands
        assert turn.done, turn.story


async def test_a_flip_that_was_only_written_down_is_asked_about_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the record was saved and before the first change, and started again the next day."""
    async with cutover_world(tmp_path, monkeypatch, config=quick()) as world:
        step = await prepared(world)
        plan = await at_the_flip(world, step)
        provider = type(world.bench.world.dns_provider)

        async def die(*_: Any) -> None:
            raise RuntimeError("killed")

        with monkeypatch.context() as patch, pytest.raises(RuntimeError):
            patch.setattr(provider, "apply", die)
            await step.apply(plan.changes[0], world.bench.context(step))
        written = world.bench.context(step).saved.load("flip", FlipRecord)
        assert written is not None and not written.sealed
        not_ready(world)

        refused = await world.bench.plan(step)

        assert isinstance(refused.hold, Failed) and "no-go" in refused.hold.why


async def test_a_flip_that_was_cut_in_the_middle_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch, config=quick()) as world:
        step = await prepared(world)
        plan = await at_the_flip(world, step)
        await step.apply(plan.changes[0], world.bench.context(step))
        written = world.bench.context(step).saved.load("flip", FlipRecord)

        turn = await world.bench.drive(step)

        assert turn.done, turn.story
        assert [change.key for change in turn.applied] == [change.key for change in plan.changes[1:]]
        sealed = world.bench.context(step).saved.load("flip", FlipRecord)
        assert written is not None and sealed is not None and sealed.sealed
        assert sealed.started == written.started and sealed.changes == written.changes


async def test_a_lost_connection_says_nothing_about_the_moved_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the engine's to ask again, not a no-go."""

    async def cut(*_: Any) -> None:
        raise UnreachableError("The connection to backend was lost")

    monkeypatch.setattr(StartOnMoved, "verify", cut)
    nothing: Any = None
    with pytest.raises(UnreachableError):
        await Preflight(quick())._data(nothing)
