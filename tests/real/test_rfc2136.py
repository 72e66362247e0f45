"""Dynamic updates against bind's named and Knot DNS: taken as a whole, or refused as a whole."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.message
import pytest

from tests.real.dns_servers import KEY, KEY_NAME, Primary, knot, named
from wizard.dns.providers.rfc2136 import Rfc2136Provider
from wizard.dns.records import ChangeSet, RecordChange, RRset, ThirdValueError, rrset
from wizard.errors import CredentialError

pytestmark = [pytest.mark.real, pytest.mark.timeout(60)]
ZONE = "shop.test"
ROWS = (
    "@ IN A 192.0.2.10",
    "@ IN MX 10 mail.shop.test.",
    '@ IN TXT "v=spf1 -all"',
    "www IN CNAME cname.vercel-dns.com.",
    "api 60 IN A 192.0.2.20",
    "api 60 IN AAAA 2001:db8::20",
)
NEW = "203.0.113.10"
SERVERS: dict[str, Callable[..., Any]] = {"named": named, "knot": knot}
each = pytest.mark.parametrize("server", SERVERS)


@dataclass
class Scene:
    primary: Primary
    provider: Rfc2136Provider

    async def served(self, name: str, kind: str) -> set[str]:
        query = dns.message.make_query(name, kind)
        answer = await dns.asyncquery.udp(query, self.primary.at.host, port=self.primary.at.port, timeout=60)
        return {str(value) for one in answer.answer for value in one}

    async def serial(self) -> int:
        return int(next(iter(await self.served(ZONE, "SOA"))).split()[2])


@contextlib.asynccontextmanager
async def scene(
    server: str, folder: Path, secret: str = KEY, key_name: str = KEY_NAME
) -> AsyncIterator[Scene]:
    async def key() -> str:
        return secret

    async with SERVERS[server](folder, ZONE, ROWS, 60) as primary:
        yield Scene(primary, Rfc2136Provider(primary.at, ZONE, key_name, key))


@each
async def test_a_snapshot_is_the_whole_zone(server: str, tmp_path: Path) -> None:
    async with scene(server, tmp_path) as it:
        snapshot = await it.provider.snapshot()

        assert snapshot.find(ZONE, "MX") == RRset(ZONE, "MX", 60, ("10 mail.shop.test",))
        assert snapshot.find(ZONE, "TXT") == RRset(ZONE, "TXT", 60, ("v=spf1 -all",))
        assert snapshot.find(f"www.{ZONE}", "CNAME") == RRset(
            f"www.{ZONE}", "CNAME", 60, ("cname.vercel-dns.com",)
        )
        assert snapshot.find(f"api.{ZONE}", "AAAA") == RRset(f"api.{ZONE}", "AAAA", 60, ("2001:db8::20",))
        assert snapshot.text.startswith(f"$ORIGIN {ZONE}.\n") and "MX 10 mail" in snapshot.text


@each
async def test_a_flip_over_an_alias_and_ipv6_is_one_change_and_so_is_its_way_back(
    server: str, tmp_path: Path
) -> None:
    async with scene(server, tmp_path) as it:
        before = await it.provider.snapshot()
        www, api = f"www.{ZONE}", f"api.{ZONE}"
        changes = ChangeSet(
            ZONE,
            (
                RecordChange(ZONE, "A", before.find(ZONE, "A"), RRset(ZONE, "A", 30, (NEW,))),
                RecordChange(www, "A", None, RRset(www, "A", 30, (NEW,))),
                RecordChange(www, "CNAME", before.find(www, "CNAME")),
                RecordChange(api, "AAAA", before.find(api, "AAAA")),
            ),
        )
        serial = await it.serial()

        await it.provider.apply(changes)
        assert await it.serial() == serial + 1
        assert await it.served(www, "A") == await it.served(ZONE, "A") == {NEW}
        assert await it.served(api, "AAAA") == set()

        await it.provider.revert(changes)
        assert await it.serial() == serial + 2
        assert set((await it.provider.snapshot()).rrsets) == set(before.rrsets)


@each
async def test_a_change_in_between_makes_the_server_refuse_all_of_it(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else was faster, between our look and our message."""
    async with scene(server, tmp_path) as it:
        before = await it.provider.snapshot()
        api = f"api.{ZONE}"
        changes = ChangeSet(
            ZONE,
            (
                RecordChange(ZONE, "A", before.find(ZONE, "A"), RRset(ZONE, "A", 30, (NEW,))),
                RecordChange(api, "A", before.find(api, "A"), RRset(api, "A", 30, (NEW,))),
            ),
        )

        async def stale() -> Any:
            return before

        monkeypatch.setattr(it.provider, "snapshot", stale)
        await it.primary.put("api", "A", 60, "192.0.2.99")

        with pytest.raises(ThirdValueError):
            await it.provider.apply(changes)

        assert await it.served(ZONE, "A") == {"192.0.2.10"}
        assert await it.served(api, "A") == {"192.0.2.99"}


@each
async def test_proofs_are_set_and_taken_away(server: str, tmp_path: Path) -> None:
    async with scene(server, tmp_path) as it:
        name = f"_acme-challenge.{ZONE}"
        await it.provider.set_txt(name, ("first", "second"))
        assert (await it.provider.snapshot()).find(name, "TXT") == rrset(name, "TXT", 60, ("first", "second"))

        await it.provider.remove_txt(name)
        await it.provider.remove_txt(name)
        assert await it.served(name, "TXT") == set()


@each
@pytest.mark.parametrize(
    ("secret", "key_name"), [("d3Jvbmctc2VjcmV0LWhlcmU=", KEY_NAME), (KEY, "somebody-else")]
)
async def test_a_key_that_is_not_accepted_is_told(
    server: str, secret: str, key_name: str, tmp_path: Path
) -> None:
    async with scene(server, tmp_path, secret, key_name) as it:
        with pytest.raises(CredentialError, match="RFC2136_KEY") as reading:
            await it.provider.snapshot()
        with pytest.raises(CredentialError):
            await it.provider.set_txt(f"x.{ZONE}", ("y",))
        assert secret not in str(reading.value)
