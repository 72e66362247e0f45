"""The watch by itself, over name servers and caches that behave and misbehave."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import pytest

from tests.dns.servers import reply, serve
from tests.dns.stage import DnsWorld, dns_world
from tests.rehearsal.stage_clock import WizardClock
from wizard.dns.asking import Asker
from wizard.dns.authority import AuthoritativeServer, servers_of, zone_of
from wizard.dns.question import DnsClient
from wizard.dns.records import ChangeSet, RecordChange, rrset
from wizard.dns.resolvers import of_endpoints
from wizard.dns.view import Verdict
from wizard.dns.watch import Heard, Told, Watch
from wizard.dns.watch_target import Flip, Target, judge, target, targets_of
from wizard.dns.wire import Reply, asked_part, parse, question

ZONE, NAME, OLD, NEW = "openmates.org", "www.openmates.org", "198.51.100.76", "203.0.113.99"


def watch_of(
    world: DnsWorld,
    client: DnsClient,
    *,
    targets: tuple[Target, ...] = (target(NAME, "A", (NEW,), (OLD,)),),
    servers: tuple[AuthoritativeServer, ...] = (),
    flip: Flip | None = None,
    only: slice = slice(None),
) -> Watch:
    clock = WizardClock(world.stage.clock)
    vantages = of_endpoints(world.endpoints)[only]
    return Watch(Asker(client, clock), clock, targets, vantages, servers, flip=flip)


async def to_the_end(watch: Watch) -> list[Heard | Told]:
    heard: list[Heard | Told] = []
    watch.listen(heard.append)
    await watch.begin()
    for _ in range(2000):
        moment = await watch.attend(patience=0.5, limit=5.0)
        if watch.done:
            break
        await watch.clock.wait_until(moment)
    assert watch.done
    await watch.aclose()
    return heard


def settle(world: DnsWorld, ttl: int = 60) -> None:
    """All caches hold the old record with the lowered TTL, at all ages."""
    world.dns.zone(ZONE).put("www", "A", ttl, (OLD,))
    for cache in world.dns.caches:
        for pool in cache.state.pools:
            pool.clear()


async def test_caches_are_left_alone_until_the_flip_and_asked_when_they_run_out(tmp_path: Path) -> None:
    """Given an authoritative server that is still old, each cache is asked once, and then at its end."""
    async with dns_world(tmp_path, speed=4.0) as world:
        settle(world)
        await world.dns.settle()
        client = DnsClient()
        servers = await servers_of(client, world.endpoints, ZONE)
        watch = watch_of(world, client, servers=servers, only=slice(1, 4))
        await watch.begin()
        await watch.attend(patience=0.1, limit=1.0)
        await watch.clock.wait_until(watch.clock.now() + 150.0)
        await watch.attend(patience=0.1, limit=1.0)
        before = [cell.queries for cell in watch.cells]

        assert before == [1, 1, 1]
        assert watch.ends_at is None and not watch.done

        world.dns.zone(ZONE).put("www", "A", 60, (NEW,))
        for _ in range(500):
            moment = await watch.attend(patience=0.5, limit=5.0)
            if watch.done:
                break
            await watch.clock.wait_until(moment)

        assert watch.done
        assert all(cell.verdict is Verdict.NEW for cell in watch.cells)
        assert all(cell.queries <= 6 for cell in watch.cells)
        await watch.aclose()
        await client.aclose()


async def test_several_caches_behind_an_address_are_told_apart(tmp_path: Path) -> None:
    """Given an address with four caches, done is not said before the last of them, whichever answers."""
    async with dns_world(tmp_path, speed=4.0) as world:
        settle(world)
        await world.dns.settle()
        client = DnsClient()
        world.dns.zone(ZONE).put("www", "A", 60, (NEW,))
        ends = [pool[NAME, "A"].expires for pool in world.dns.caches[0].state.pools]
        watch = watch_of(world, client, flip=Flip(world.dns.now(), 60.0), only=slice(0, 1))

        await to_the_end(watch)

        assert watch.clock.now() >= max(ends)
        assert 2 <= watch.cells[0].forecast.caches <= 4
        await client.aclose()


async def test_a_name_that_was_asked_too_early_is_waited_for(tmp_path: Path) -> None:
    """Given caches that remember that a name isn't there, its creation is foreseen by the negative TTL."""
    async with dns_world(tmp_path, speed=1.0) as world:
        client = DnsClient()
        early = await client.ask(world.dns.addresses["Berlin"], f"new.{ZONE}", "A")
        world.dns.zone(ZONE).put("new", "A", 60, (NEW,))
        at = world.dns.now()
        number = [cache.state.name for cache in world.dns.caches].index("Berlin")
        wanted = (target(f"new.{ZONE}", "A", (NEW,), ()),)
        watch = watch_of(world, client, targets=wanted, flip=Flip(at, 300.0), only=slice(number, number + 1))
        await watch.begin()
        await watch.attend(patience=0.1, limit=1.0)

        cell = watch.view().resolvers[0].cells[0]
        assert early.negative_ttl == 300
        assert cell.verdict is Verdict.OLD and cell.values == ()
        assert cell.expires is not None and at + 290 < cell.expires < at + 310
        await watch.aclose()
        await client.aclose()


async def test_answers_that_changed_something_are_told_with_their_numbers(tmp_path: Path) -> None:
    """Each event has the world's time, this machine's, and how many questions the cache had so far."""
    async with dns_world(tmp_path, speed=4.0) as world:
        settle(world)
        await world.dns.settle()
        client = DnsClient()
        world.dns.zone(ZONE).put("www", "A", 60, (NEW,))
        watch = watch_of(world, client, flip=Flip(world.dns.now(), 60.0), only=slice(1, 3))

        heard = await to_the_end(watch)

        answers = [event for event in heard if isinstance(event, Heard)]
        assert all(a.monotonic <= b.monotonic for a, b in pairwise(answers))
        assert all(a.at <= b.at for a, b in pairwise(answers))
        assert sum(event.changed for event in answers) >= 2
        await client.aclose()


async def test_ttls_that_are_rewritten_are_named(tmp_path: Path) -> None:
    """Given a cache that keeps every record at least 90 s, its row says so and its end is foreseen."""
    async with dns_world(tmp_path, speed=1.0) as world:
        client = DnsClient()
        settle(world)
        await client.ask(world.dns.addresses[world.dns.caches[11].state.name], NAME, "A")
        world.dns.zone(ZONE).put("www", "A", 60, (NEW,))
        old = RecordChange(NAME, "A", rrset(NAME, "A", 60, (OLD,)), rrset(NAME, "A", 60, (NEW,)))
        wanted = targets_of(ChangeSet(ZONE, (old,)))
        watch = watch_of(world, client, targets=wanted, flip=Flip(world.dns.now(), 60.0), only=slice(11, 12))
        await watch.begin()
        await watch.attend(patience=0.1, limit=1.0)

        row = watch.view().resolvers[0]
        assert "rewrites TTLs: keeps" in row.note
        assert (row.cells[0].expires or 0) > world.dns.now() + 60.0
        await watch.aclose()
        await client.aclose()


async def test_ttls_that_are_cut_are_named(tmp_path: Path) -> None:
    """Given a cache that keeps no record longer than 40 s, its row says so when it fetches the new one."""
    async with dns_world(tmp_path, speed=4.0) as world:
        client = DnsClient()
        settle(world)
        await client.ask(world.dns.addresses[world.dns.caches[4].state.name], NAME, "A")
        world.dns.zone(ZONE).put("www", "A", 60, (NEW,))
        old = RecordChange(NAME, "A", rrset(NAME, "A", 60, (OLD,)), rrset(NAME, "A", 60, (NEW,)))
        wanted = targets_of(ChangeSet(ZONE, (old,)))
        flip = Flip(world.dns.now(), 60.0)
        watch = watch_of(world, client, targets=wanted, flip=flip, only=slice(4, 5))

        await to_the_end(watch)

        assert "lets go of records after 40 s" in watch.view().resolvers[0].note
        await client.aclose()


async def test_silence_holds_nothing_up_and_is_no_success(tmp_path: Path) -> None:
    """Given an address where nobody answers, the watch ends, and the resolver counts as silent."""
    _, deaf = await serve(lambda query: [])
    async with dns_world(tmp_path, speed=600.0) as world:
        from wizard.dns.resolvers import given

        client, clock = DnsClient(), WizardClock(world.stage.clock)
        wanted = (target(NAME, "A", (NEW,), (OLD,)),)
        watch = Watch(
            Asker(client, clock), clock, wanted, (given(str(deaf)),), flip=Flip(world.dns.now(), 60.0)
        )

        await to_the_end(watch)

        view = watch.view()
        assert view.resolvers[0].cells[0].verdict is Verdict.SILENT
        assert view.share == 0.0
        assert "does not answer" in view.resolvers[0].note
        await client.aclose()


async def test_a_server_without_authority_is_not_believed(tmp_path: Path) -> None:
    """Given a name server whose answer has no AA bit, as an interceptor's, it counts as silent."""
    _, at = await serve(lambda query: [reply(query, NEW)])
    async with dns_world(tmp_path, speed=120.0) as world:
        client = DnsClient()
        servers = (AuthoritativeServer("ns.test", at.host, at, ZONE),)
        watch = watch_of(world, client, servers=servers, only=slice(1, 2))
        await watch.begin()

        row = watch.view().authorities[0]
        assert row.verdicts == (Verdict.SILENT,)
        assert "without authority" in row.note
        assert not watch.board.new
        await watch.aclose()
        await client.aclose()


async def test_the_zone_is_found_without_asking_for_the_name(tmp_path: Path) -> None:
    """Given a name that isn't there yet, finding its zone leaves no trace of it in the finder's questions."""
    async with dns_world(tmp_path) as world:
        client = DnsClient()

        assert await zone_of(client, world.endpoints, f"not.yet.{ZONE}") == ZONE
        assert await zone_of(client, world.endpoints, ZONE) == ZONE
        asked = {name for name, _, _ in client._queries if name.startswith("not.")}
        assert {kind for name, kind, recursive in client._queries if name in asked and recursive} == set()
        await client.aclose()


def change(
    kind: str, old: tuple[str, ...] | None, new: tuple[str, ...] | None, ttl: int = 60
) -> RecordChange:
    return RecordChange(
        NAME,
        kind,
        rrset(NAME, kind, ttl, old) if old else None,
        rrset(NAME, kind, ttl, new) if new else None,
    )


def test_an_alias_that_gives_way_to_addresses_is_asked_by_address() -> None:
    """Given CNAME → A and AAAA, both addresses are asked, and the alias in an answer is the old value."""
    changes = ChangeSet(
        ZONE,
        (
            change("CNAME", ("cname.edge.test",), None, 300),
            change("A", None, (NEW,)),
            change("AAAA", None, ("2001:db8::1",)),
        ),
    )

    found = targets_of(changes)

    assert [(one.type, one.old_alias, one.old_ttl) for one in found] == [
        ("A", "cname.edge.test", 300),
        ("AAAA", "cname.edge.test", 300),
    ]


def test_the_link_that_changes_tells_the_end() -> None:
    """Given a chain whose links have different TTLs, it is the alias's that counts, not the address's."""
    wanted = targets_of(
        ChangeSet(ZONE, (change("CNAME", ("cname.edge.test",), None), change("A", None, (NEW,))))
    )
    asked = asked_part(question(NAME, "A"))
    alias = b"\x05cname\x04edge\x04test\0"
    records = b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 297, len(alias)) + alias
    records += alias + struct.pack("!HHIH", 1, 1, 57, 4) + bytes((198, 51, 100, 76))
    message = struct.pack("!HHHHHH", 1, 0x8180, 1, 2, 0, 0) + asked + records

    said = judge(parse(message), wanted[0])

    assert said.verdict is Verdict.OLD
    assert said.values == ("cname.edge.test",)
    assert said.ttl == 297


def test_a_change_of_ttl_alone_is_not_watched() -> None:
    same = RecordChange(NAME, "A", rrset(NAME, "A", 3600, (OLD,)), rrset(NAME, "A", 60, (OLD,)))

    assert targets_of(ChangeSet(ZONE, (same,))) == ()


@pytest.mark.parametrize(
    ("rcode", "verdict"), [(0, Verdict.OLD), (3, Verdict.OLD), (2, Verdict.SILENT), (5, Verdict.SILENT)]
)
def test_failures_are_silence_and_never_an_absence(rcode: int, verdict: Verdict) -> None:
    """Given an AAAA that is to vanish, and one that is to come: SERVFAIL tells nothing of either."""
    empty = Reply(rcode, False, False, True, False, ())

    assert judge(empty, target(NAME, "AAAA", ("2001:db8::1",), ())).verdict is verdict
    gone = judge(empty, target(NAME, "AAAA", (), ("2001:db8::1",)))
    assert gone.verdict is (Verdict.NEW if verdict is Verdict.OLD else Verdict.SILENT)


def test_values_are_compared_in_one_spelling() -> None:
    wanted = target(f"{NAME.upper()}.", "AAAA", ("2001:0DB8::0001",), None)

    assert wanted.name == NAME and wanted.new == ("2001:db8::1",)


def test_nothing_is_predicted_without_a_flip() -> None:
    from wizard.dns.watch_view import predict

    assert predict([], 0.0, 0.0, None) == ()
