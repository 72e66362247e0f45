"""Zones at any provider that dns-lexicon knows (the optional extra ``lexicon``).

The library blocks, changes one record at a time, has one TTL for all it does and guesses the zone's name: so
it works in a thread with a limit, by the records' own ids, with a client for each TTL, on the zone that the
configuration names, and every change is read back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from wizard.dns.providers.base import PROOF_TTL, due, stands
from wizard.dns.providers.rows import Row, edits, record_sets
from wizard.dns.records import ChangeSet, RecordChange, RRset, ZoneSnapshot, rrset
from wizard.errors import CredentialError, UnreachableError, UsageError, VendorError, WizardError
from wizard.redact import redact

if TYPE_CHECKING:
    from wizard.secrets import Secrets

_SECONDS = 90.0
_DEFAULT_TTL = 3600
Answer = TypeVar("Answer")


class Operations(Protocol):
    """What an open lexicon client offers."""

    def list_records(self, rtype: str | None = None, name: str | None = None) -> list[dict[str, Any]]: ...

    def create_record(self, rtype: str, name: str, content: str) -> bool: ...

    def update_record(self, identifier: str | None, rtype: str, name: str, content: str) -> bool: ...

    def delete_record(
        self, identifier: str | None, rtype: str | None, name: str | None, content: str | None
    ) -> bool: ...


Opener = Callable[[int, dict[str, str]], AbstractContextManager[Operations]]


class LexiconProvider:
    """`service` is the provider's name in lexicon; its options are secrets ``LEXICON_<SERVICE>_<OPTION>``."""

    min_ttl = 60
    atomic = False
    swaps = False
    implicit = False
    by_hand = False
    types = frozenset({"A", "AAAA", "CNAME", "TXT"})

    def __init__(
        self,
        service: str,
        zone: str,
        secrets: Secrets,
        opener: Opener | None = None,
        options: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        self.name = service
        self._zone = zone
        self._secrets = secrets
        self._open = opener or self._client
        self._options = options or self._known_options

    async def snapshot(self) -> ZoneSnapshot:
        return ZoneSnapshot(self._zone, record_sets(await self._rows()))

    async def apply(self, changes: ChangeSet) -> None:
        for one in changes.changes:
            if one.type not in self.types:
                raise VendorError(
                    f"{one.name} {one.type} cannot be changed at {self.name}",
                    f"lexicon handles {', '.join(sorted(self.types))}",
                    "Change it by hand, then run again.",
                )
        for one in due(changes, await self.snapshot()):
            await self._set(one.name, one.type, one.new)
        await self._read_back(changes)

    async def revert(self, changes: ChangeSet) -> None:
        await self.apply(changes.inverse())

    async def set_txt(self, name: str, values: Sequence[str]) -> None:
        await self._set(name, "TXT", rrset(name, "TXT", PROOF_TTL, tuple(values)))

    async def remove_txt(self, name: str) -> None:
        await self._set(name, "TXT", None)

    async def _read_back(self, changes: ChangeSet) -> None:
        """The library says True for much that did not happen."""
        live = await self.snapshot()
        bad: list[RecordChange] = [
            one for one in changes.changes if not stands(one, live.find(one.name, one.type))
        ]
        if bad:
            one = bad[0]
            stood = live.find(one.name, one.type) or "gone"
            raise VendorError(
                f"{self.name} did not make every change",
                f"{one.name} {one.type} is {stood}, not {one.new or 'gone'}",
                "Make the change by hand, then run again.",
            )

    async def _set(self, name: str, kind: str, new: RRset | None) -> None:
        own = [row for row in await self._rows() if (row.name, row.type) == (name, kind)]
        needed = edits(own, new)
        values = {row.id: row.value for row in own}

        def work(api: Operations) -> None:
            # What must come is there before anything goes.
            for row in needed.change:
                api.update_record(row.id or None, kind, name, row.value)
            for value in needed.add:
                api.create_record(kind, name, value)
            for identity in needed.delete:
                api.delete_record(identity or None, kind, name, values[identity])

        if needed.change or needed.add or needed.delete:
            await self._do(work, new.ttl if new else _DEFAULT_TTL, f"changing {name} {kind}")

    async def _rows(self) -> list[Row]:
        found = await self._do(lambda api: api.list_records(), _DEFAULT_TTL, f"listing {self._zone}")
        return [self._row(one) for one in found]

    def _row(self, one: dict[str, Any]) -> Row:
        name, kind = str(one["name"]).rstrip(".").lower(), str(one["type"]).upper()
        if name in ("", "@"):
            name = self._zone
        if name != self._zone and not name.endswith(f".{self._zone}"):
            name = f"{name}.{self._zone}"
        value = str(one.get("content", ""))
        return Row(str(one.get("id") or ""), name, kind, int(one.get("ttl") or _DEFAULT_TTL), value)

    async def _do(self, work: Callable[[Operations], Answer], ttl: int, doing: str) -> Answer:
        given = await self._given()

        def whole() -> Answer:
            with self._open(ttl, given) as api:
                return work(api)

        task = asyncio.ensure_future(asyncio.to_thread(whole))
        try:
            return await asyncio.wait_for(asyncio.shield(task), _SECONDS)
        except TimeoutError as error:
            raise UnreachableError(f"{self.name} does not answer", f"while {doing}") from error
        except WizardError:
            raise
        except Exception as error:
            raise self._trouble(error, doing) from error

    def _trouble(self, error: Exception, doing: str) -> WizardError:
        """The library raises whatever its providers raise: told apart by name, shown without secrets."""
        kind, why = type(error).__name__, redact(f"{type(error).__name__}: {error}"[:300])
        if isinstance(error, OSError):
            # requests' errors are OSErrors, too.
            return UnreachableError(f"{self.name} does not answer", f"while {doing}: {kind}")
        if kind == "AuthenticationError" or "401" in why or "403" in why:
            return CredentialError(
                f"{self.name} does not accept the credentials",
                why,
                f"Set the secrets {self._secret('<OPTION>')} as lexicon's documentation of it says.",
            )
        return VendorError(f"{self.name} refused {doing}", why)

    def _secret(self, option: str) -> str:
        return f"LEXICON_{self.name.upper().replace('-', '_')}_{option.upper()}"

    async def _given(self) -> dict[str, str]:
        pairs = [(option, await self._secrets.get(self._secret(option))) for option in self._options()]
        return {option: value for option, value in pairs if value}

    def _known_options(self) -> Sequence[str]:
        """The options that lexicon's module for this provider takes."""
        import argparse

        parser = argparse.ArgumentParser(add_help=False)
        self._module().Provider.configure_parser(parser)
        return [action.dest for action in parser._actions]

    def _module(self) -> Any:
        """Raises UsageError without the library, or for a provider that it does not know."""
        from importlib import import_module

        try:
            return import_module(f"lexicon._private.providers.{self.name.replace('-', '_')}")
        except ImportError as error:
            raise UsageError(
                f"Zones at {self.name} cannot be edited",
                "dns-lexicon is not installed, or does not know that provider",
                "Install the extra: pip install 'dokploy-wizard[lexicon]', and check dns.lexicon.",
            ) from error

    @contextlib.contextmanager
    def _client(self, ttl: int, given: dict[str, str]) -> Iterator[Operations]:
        """The library's own client would guess the zone from a list that it fetches: it is told instead."""
        from importlib import import_module

        configs: Any = import_module("lexicon.config")
        settings = {"provider_name": self.name, "domain": self._zone, "ttl": ttl, self.name: given}
        provider = self._module().Provider(configs.ConfigResolver().with_dict(settings))
        provider.authenticate()
        try:
            yield provider
        finally:
            provider.cleanup()
