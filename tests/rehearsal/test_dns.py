"""The rehearsal's caches behave as real ones do."""

from __future__ import annotations

from pathlib import Path

from tests.dns.stage import dns_world
from wizard.dns.question import DnsClient

NAME = "openmates.org"


async def test_a_cache_keeps_the_old_value_until_its_ttl_has_run_out(tmp_path: Path) -> None:
    """Given a warm cache, when the record changes, the old answer stays with a falling TTL, then goes."""
    async with dns_world(tmp_path) as world:
        client, cache = DnsClient(), world.dns.addresses["Berlin"]
        before = await client.ask(cache, NAME, "A")
        world.dns.zone(NAME).put("@", "A", 60, ("203.0.113.9",))

        during = await client.ask(cache, NAME, "A")
        await world.stage.clock.leap(world.dns.now() + (before.ttl("A") or 0) + 1)
        after = await client.ask(cache, NAME, "A")

        assert during.values("A") == before.values("A") == ("198.51.100.76",)
        assert (during.ttl("A") or 0) <= (before.ttl("A") or 0)
        assert after.values("A") == ("203.0.113.9",)
        await client.aclose()


async def test_absence_is_remembered(tmp_path: Path) -> None:
    """Given a name that was asked for too early, its creation is not seen before the negative answer ends."""
    async with dns_world(tmp_path) as world:
        client, cache = DnsClient(), world.dns.addresses["Tokyo"]
        early = await client.ask(cache, f"new.{NAME}", "A")
        world.dns.zone(NAME).put("new", "A", 60, ("203.0.113.9",))

        still = await client.ask(cache, f"new.{NAME}", "A")
        await world.stage.clock.leap(world.dns.now() + 301)
        later = await client.ask(cache, f"new.{NAME}", "A")

        assert early.values("A") == still.values("A") == ()
        assert later.values("A") == ("203.0.113.9",)
        await client.aclose()


async def test_a_lagging_server_serves_what_was(tmp_path: Path) -> None:
    async with dns_world(tmp_path, faults="lagging-nameserver") as world:
        world.dns.zone(NAME).put("@", "A", 60, ("203.0.113.9",))
        client = DnsClient()

        answers = [
            await client.ask(world.endpoints.nameserver(f"203.0.113.24{n}"), NAME, "A", recursive=False)
            for n in (1, 2, 3)
        ]

        assert [answer.values("A") for answer in answers] == [
            ("203.0.113.9",), ("203.0.113.9",), ("198.51.100.76",),
        ]  # fmt: skip
        await client.aclose()
