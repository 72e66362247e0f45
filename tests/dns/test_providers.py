"""Every DNS provider keeps the same promises, each against a stand-in of its own API."""

from __future__ import annotations

import asyncio
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from tests.dns.provider_stage import ALL, WITH_AN_API, ZONE, FakeLexicon, address, provider_stage
from wizard.dns.providers.lexicon import LexiconProvider
from wizard.dns.providers.manual import PartialEditError
from wizard.dns.providers.rows import Row, edits, record_sets
from wizard.dns.records import ChangeSet, RecordChange, RRset, ThirdValueError, ZoneSnapshot, rrset
from wizard.errors import CredentialError, UnreachableError, UsageError, VendorError
from wizard.secrets import FileSecrets

pytestmark = pytest.mark.timeout(60)
NEW = "203.0.113.10"
every_provider = pytest.mark.parametrize("name", ALL)
every_api = pytest.mark.parametrize("name", WITH_AN_API)


def flip_of(snapshot: ZoneSnapshot) -> ChangeSet:
    """The top and www lead to the new place, in one set."""
    names = (ZONE, f"www.{ZONE}")
    olds = [snapshot.find(name, "A") for name in names]
    assert all(olds)
    changes = [
        RecordChange(name, "A", old, address(name, NEW)) for name, old in zip(names, olds, strict=True)
    ]
    return ChangeSet(ZONE, tuple(changes))


@every_provider
async def test_a_snapshot_holds_what_the_move_needs(name: str, tmp_path: Path) -> None:
    async with provider_stage(name, tmp_path) as it:
        snapshot = await it.provider.snapshot()

        assert snapshot.find(ZONE, "A") == RRset(ZONE, "A", 300, ("198.51.100.76",))
        assert snapshot.find(ZONE, "MX").values == (f"10 mail.{ZONE}",)  # type: ignore[union-attr]
        assert snapshot.find(ZONE, "TXT").values == ("v=spf1 -all",)  # type: ignore[union-attr]
        assert snapshot.find(ZONE, "NS") is not None


@every_provider
async def test_a_flip_and_its_way_back_leave_the_zone_as_it_was(name: str, tmp_path: Path) -> None:
    async with provider_stage(name, tmp_path) as it:
        before = await it.provider.snapshot()
        changes = flip_of(before)

        async with it.hands(changes):
            await it.provider.apply(changes)
        assert it.stands("@", "A").values == it.stands("www", "A").values == (NEW,)  # type: ignore[union-attr]
        assert it.stands("@", "A").ttl == 60  # type: ignore[union-attr]

        async with it.hands(changes.inverse()):
            await it.provider.revert(changes)
        assert set((await it.provider.snapshot()).rrsets) == set(before.rrsets)


@every_provider
async def test_what_stands_already_is_not_written_again(name: str, tmp_path: Path) -> None:
    async with provider_stage(name, tmp_path) as it:
        changes = flip_of(await it.provider.snapshot())
        async with it.hands(changes):
            await it.provider.apply(changes)
        writes = it.writes

        await it.provider.apply(changes)

        assert it.writes == writes


@every_provider
async def test_a_third_value_is_refused_before_anything_is_written(name: str, tmp_path: Path) -> None:
    async with provider_stage(name, tmp_path) as it:
        changes = flip_of(await it.provider.snapshot())
        it.zone.put("www", "A", 300, ("198.51.100.99",))
        writes = it.writes

        with pytest.raises(ThirdValueError, match="changed by somebody else"):
            await it.provider.apply(changes)

        assert it.writes == writes and it.stands("@", "A").values != (NEW,)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", [one for one in ALL if one != "other"])
async def test_a_leftover_goes_with_the_flip_and_comes_back(name: str, tmp_path: Path) -> None:
    def leave(zone: Any) -> None:
        zone.put("www", "AAAA", 300, ("2001:db8::76",))
        zone.put("www", "HTTPS", 300, ("1 . alpn=h3",))

    async with provider_stage(name, tmp_path, leave) as it:
        before = await it.provider.snapshot()
        host = f"www.{ZONE}"
        gone = [RecordChange(host, kind, before.find(host, kind)) for kind in ("AAAA", "HTTPS")]
        assert all(change.old for change in gone)
        changes = ChangeSet(ZONE, (*gone, *flip_of(before).of(host).changes))

        async with it.hands(changes):
            await it.provider.apply(changes)
        assert it.stands("www", "AAAA") is it.stands("www", "HTTPS") is None
        assert it.stands("www", "A").values == (NEW,)  # type: ignore[union-attr]

        async with it.hands(changes.inverse()):
            await it.provider.revert(changes)
        assert set((await it.provider.snapshot()).rrsets) == set(before.rrsets)


@pytest.mark.parametrize("name", ["cloudflare", "vercel", "rfc2136"])
async def test_an_alias_becomes_an_address_without_a_moment_of_nothing(name: str, tmp_path: Path) -> None:
    def lead(zone: Any) -> None:
        zone.delete("www", "A")
        zone.put("www", "CNAME", 300, ("cname.vercel-dns.com.",))

    async with provider_stage(name, tmp_path, lead) as it:
        assert it.provider.swaps
        host, writes = f"www.{ZONE}", it.writes
        alias = (await it.provider.snapshot()).find(host, "CNAME")
        changes = ChangeSet(
            ZONE, (RecordChange(host, "A", None, address(host, NEW)), RecordChange(host, "CNAME", alias))
        )

        await it.provider.apply(changes)
        assert it.stands("www", "CNAME") is None
        assert it.stands("www", "A").values == (NEW,)  # type: ignore[union-attr]
        assert it.writes == writes + 1

        await it.provider.revert(changes)
        assert it.stands("www", "A") is None
        assert it.stands("www", "CNAME").values == ("cname.vercel-dns.com.",)  # type: ignore[union-attr]
        assert it.writes == writes + 2


@every_api
async def test_the_whole_flip_is_one_call_or_one_a_record_set(name: str, tmp_path: Path) -> None:
    async with provider_stage(name, tmp_path) as it:
        lowered = await it.provider.snapshot()
        for one in ("@", "www"):
            it.zone.put(one, "A", 60, ("198.51.100.76",))
        lowered = await it.provider.snapshot()
        writes = it.writes

        await it.provider.apply(flip_of(lowered))

        assert it.writes - writes == (1 if it.provider.atomic else 2)


@every_api
async def test_ttls_are_lowered_without_touching_the_values(name: str, tmp_path: Path) -> None:
    async with provider_stage(name, tmp_path) as it:
        old = (await it.provider.snapshot()).find(f"api.{ZONE}", "A")
        assert old is not None
        new = RRset(old.name, "A", 60, old.values)

        await it.provider.apply(ChangeSet(ZONE, (RecordChange(old.name, "A", old, new),)))

        assert (await it.provider.snapshot()).find(f"api.{ZONE}", "A") == new


@every_api
async def test_proofs_of_two_values_are_set_and_taken_away(name: str, tmp_path: Path) -> None:
    async with provider_stage(name, tmp_path) as it:
        proof = f"_acme-challenge.{ZONE}"
        await it.provider.set_txt(proof, ("first", "second"))
        await it.provider.set_txt(proof, ("first", "second"))
        assert set(it.stands("_acme-challenge", "TXT").values) == {'"first"', '"second"'}  # type: ignore[union-attr]

        await it.provider.set_txt(proof, ("third",))
        assert it.stands("_acme-challenge", "TXT").values == ('"third"',)  # type: ignore[union-attr]

        await it.provider.remove_txt(proof)
        await it.provider.remove_txt(proof)
        assert it.stands("_acme-challenge", "TXT") is None


@pytest.mark.parametrize("name", ["hetzner", "cloudflare"])
async def test_an_answer_that_was_lost_is_no_answer_and_the_next_look_finds_it(
    name: str, tmp_path: Path
) -> None:
    async with provider_stage(name, tmp_path) as it:
        changes = flip_of(await it.provider.snapshot())
        await it.lose_answers()
        for _ in range(4):
            try:
                await it.provider.apply(changes)
                break
            except UnreachableError:
                continue
        assert it.stands("@", "A").values == it.stands("www", "A").values == (NEW,)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "secret"),
    [("cloudflare", "CLOUDFLARE_TOKEN"), ("vercel", "VERCEL_TOKEN"), ("rfc2136", "RFC2136_KEY")],
)
async def test_a_wrong_secret_is_told_by_its_name_and_never_shown(
    name: str, secret: str, tmp_path: Path
) -> None:
    async with provider_stage(name, tmp_path) as it:
        wrong = "d3Jvbmctc2VjcmV0LXRoYXQtbm9ib2R5LW1heS1zZWU="
        await it.secrets.put(secret, wrong)

        with pytest.raises(CredentialError) as caught:
            await it.provider.snapshot()

        assert secret in str(caught.value) and wrong not in str(caught.value)


@pytest.mark.parametrize("name", ["cloudflare", "vercel", "rfc2136"])
async def test_a_missing_secret_is_told_by_its_name(name: str, tmp_path: Path) -> None:
    async with provider_stage(name, tmp_path) as it:
        for secret in ("CLOUDFLARE_TOKEN", "VERCEL_TOKEN", "RFC2136_KEY"):
            await it.secrets.drop(secret)

        with pytest.raises(CredentialError, match=r"CLOUDFLARE_TOKEN|VERCEL_TOKEN|RFC2136_KEY"):
            await it.provider.snapshot()


async def test_names_that_cloudflare_answers_itself_are_told(tmp_path: Path) -> None:
    async with provider_stage("cloudflare", tmp_path) as it:
        assert it.stage.dns.cloudflare is not None
        it.stage.dns.cloudflare.proxied.add(f"www.{ZONE}")
        assert (await it.provider.snapshot()).proxied == (f"www.{ZONE}",)


async def test_edits_by_hand_that_are_missing_are_named(tmp_path: Path) -> None:
    async with provider_stage("manual", tmp_path) as it:
        it.zone.put("www", "AAAA", 300, ("2001:db8::76",))
        before = await it.provider.snapshot()
        host = f"www.{ZONE}"
        changes = ChangeSet(
            ZONE, (*flip_of(before).changes, RecordChange(host, "AAAA", before.find(host, "AAAA")))
        )
        it.zone.put("www", "A", 300, (NEW,))
        work = asyncio.create_task(it.provider.apply(changes))
        await asyncio.sleep(0.2)
        await it.stage.clock.leap(it.stage.clock.now() + 2000.0)

        with pytest.raises(PartialEditError) as caught:
            await work

        assert f"{ZONE} A is still old" in caught.value.why
        assert f"{host} AAAA is still there" in caught.value.why
        assert f"done: {host} A" in caught.value.why


async def test_an_edit_by_hand_counts_when_the_last_server_shows_it(tmp_path: Path) -> None:
    async with provider_stage("manual", tmp_path) as it:
        it.stage.dns.state.lagging = "203.0.113.243"
        changes = flip_of(await it.provider.snapshot())
        began = it.stage.clock.now()
        async with it.hands(changes):
            await it.provider.apply(changes)
        assert it.stage.clock.now() - began >= 30.0


async def test_what_a_library_says_it_did_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with provider_stage("other", tmp_path) as it:
        changes = flip_of(await it.provider.snapshot())
        monkeypatch.setattr(FakeLexicon, "update_record", lambda *_: True)
        with pytest.raises(VendorError, match="did not make every change"):
            await it.provider.apply(changes)


async def test_what_a_library_raises_becomes_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AuthenticationError(Exception):
        """As lexicon has one."""

    def refuse(*_: object) -> None:
        raise AuthenticationError("No domain found")

    async with provider_stage("other", tmp_path) as it:
        monkeypatch.setattr(FakeLexicon, "list_records", refuse)
        with pytest.raises(CredentialError, match="LEXICON_SOMEWHERE_"):
            await it.provider.snapshot()


def test_lexicon_tells_which_options_a_provider_takes() -> None:
    pytest.importorskip("lexicon")
    provider = LexiconProvider("gandi", ZONE, FileSecrets(Path("unused")))
    assert "auth_token" in provider._known_options()
    with pytest.raises(UsageError, match="dns-lexicon"):
        LexiconProvider("no-such-place", ZONE, FileSecrets(Path("unused")))._known_options()


def test_the_library_is_told_the_zone_and_the_ttl_and_fetches_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interfaces = pytest.importorskip("lexicon.interfaces")

    class Provider(interfaces.Provider):  # type: ignore[misc, name-defined]
        """One of lexicon's, as it sees its settings."""

        @staticmethod
        def get_nameservers() -> list[str]:
            return []

        @staticmethod
        def configure_parser(parser: object) -> None: ...

        def authenticate(self) -> None: ...
        def cleanup(self) -> None: ...
        def create_record(self, rtype: str, name: str, content: str) -> bool: ...
        def list_records(self, rtype: str = "", name: str = "", content: str = "") -> list[object]:
            return [self.domain, self._get_lexicon_option("ttl"), self._get_provider_option("auth_token")]

        def update_record(self, *_: object) -> bool: ...
        def delete_record(self, *_: object) -> bool: ...
        def _request(self, *_: object) -> None: ...

    name = "lexicon._private.providers.somewhere"
    monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(Provider=Provider))
    provider = LexiconProvider("somewhere", "shop.co.example", FileSecrets(Path("unused")))

    with provider._client(60, {"auth_token": "t"}) as api:
        assert api.list_records() == ["shop.co.example", 60, "t"]  # type: ignore[comparison-overlap]


def test_a_value_that_must_go_becomes_one_that_must_come() -> None:
    rows = [Row("1", "a.b", "A", 300, "192.0.2.1"), Row("2", "a.b", "A", 300, "192.0.2.2")]
    found = edits(rows, rrset("a.b", "A", 60, ("192.0.2.2", "192.0.2.3")))
    assert [(row.id, row.value, row.ttl) for row in found.change] == [
        ("2", "192.0.2.2", 60),
        ("1", "192.0.2.3", 60),
    ]
    assert found.delete == () and found.add == ()


def test_rows_of_one_name_and_type_are_one_record_set() -> None:
    rows = [Row("1", "A.b", "TXT", 300, '"x"'), Row("2", "A.b", "TXT", 60, '"y"')]
    assert record_sets(rows) == (RRset("a.b", "TXT", 60, ("x", "y")),)
