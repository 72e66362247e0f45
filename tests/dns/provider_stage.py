"""Each provider beside the stand-in of its API, over one zone: the same questions are put to all of them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.rehearsal.small_stage import example
from tests.rehearsal.stage_clock import WizardClock
from wizard.config import DnsProviderName
from wizard.dns.providers import DnsProvider
from wizard.dns.providers.lexicon import LexiconProvider
from wizard.dns.records import ChangeSet, RRset
from wizard.endpoints import Endpoints
from wizard.rehearsal.clock import ClockFile, StageClock
from wizard.rehearsal.dns.rows import Value, as_rows, values
from wizard.rehearsal.dns.standin import DnsStandin
from wizard.rehearsal.dns.state import Row
from wizard.rehearsal.faults import Faults
from wizard.rehearsal.hetzner.standin import HetznerStandin
from wizard.rehearsal.internet import Internet
from wizard.rehearsal.ledger import Ledger
from wizard.rehearsal.stage import Stage, StageLedger
from wizard.rehearsal.vercel.standin import VercelStandin
from wizard.secrets import FileSecrets
from wizard.world import World

ZONE = "shop.example"
WITH_AN_API = [name.value for name in DnsProviderName if name is not DnsProviderName.MANUAL]
ALL = [name.value for name in DnsProviderName]


@dataclass
class ProviderStage:
    """`writes` counts calls that changed something at the provider."""

    stage: Stage
    world: World
    provider: DnsProvider
    secrets: FileSecrets

    @property
    def zone(self) -> Any:
        return self.stage.dns.zone(ZONE)

    @property
    def writes(self) -> int:
        return sum(entry.act == "dns" for entry in self.stage.ledger.book.entries)

    def stands(self, label: str, kind: str) -> Row | None:
        found: Row | None = self.zone.get(label, kind)
        return found

    async def lose_answers(self) -> None:
        self.stage.faults = Faults("committed-then-lost", 7)

    @contextlib.asynccontextmanager
    async def hands(self, changes: ChangeSet) -> AsyncIterator[None]:
        """Where a person edits: somebody who makes these edits soon, one after the other."""
        if not self.provider.by_hand:
            yield
            return
        task = asyncio.create_task(self._type(changes))
        try:
            yield
        finally:
            await task

    async def _type(self, changes: ChangeSet) -> None:
        for change in changes.changes:
            await asyncio.sleep(0.05)
            label = "@" if change.name == ZONE else change.name.removesuffix(f".{ZONE}")
            if change.new is None:
                self.zone.delete(label, change.type)
            else:
                self.zone.put(label, change.type, change.new.ttl, change.new.values)


@contextlib.asynccontextmanager
async def provider_stage(
    name: str, folder: Path, edit: Callable[[Any], None] | None = None
) -> AsyncIterator[ProviderStage]:
    config = example()
    given = {"server": "198.51.100.53", "key_name": "wizard"} if name == "rfc2136" else {}
    given |= {"lexicon": "somewhere"} if name == "other" else {}
    config = replace(config, dns=replace(config.dns, provider=DnsProviderName(name), ttl=300, **given))
    clock = StageClock(ClockFile(folder / "clock", create=True), 1_790_000_000.0, 200.0)
    stage = Stage(
        config=config,
        clock=clock,
        random=random.Random(7),
        faults=Faults("none", 7),
        ledger=StageLedger(clock, Ledger()),
        internet=Internet(),
    )
    stage.dns = DnsStandin(stage, DnsStandin.begin(stage))
    stage.hetzner = HetznerStandin(stage, HetznerStandin.begin(stage))
    stage.vercel = VercelStandin(stage, VercelStandin.begin(stage))
    parts: tuple[Any, ...] = (stage.dns, stage.hetzner, stage.vercel)
    for part in parts:
        await part.start()
    if edit is not None:
        edit(stage.dns.zone(ZONE))
    secrets = FileSecrets(folder / "secrets.json")
    for part in parts:
        for key, value in part.secrets.items():
            await secrets.put(key, value)
    endpoints = stage.dns.endpoints(Endpoints(hetzner=stage.hetzner.url, vercel=stage.vercel.url))
    world = World(config, secrets, endpoints, WizardClock(clock))
    provider: DnsProvider = world.dns_provider
    if name == "other":
        provider = LexiconProvider(
            "somewhere", ZONE, secrets, FakeLexicon(stage).open, lambda: ["auth_token"]
        )
    try:
        yield ProviderStage(stage, world, provider, secrets)
    finally:
        await world.aclose()
        await stage.dns.stop()
        await stage.close()


@dataclass
class FakeLexicon:
    """An open client as lexicon gives one: one record at a time, one TTL for all of them."""

    stage: Stage
    ttl: int = 0

    @contextlib.contextmanager
    def open(self, ttl: int, given: dict[str, str]) -> Iterator[FakeLexicon]:
        self.ttl = ttl
        yield self

    @property
    def _rows(self) -> list[Value]:
        return values(self.stage.dns.zone(ZONE).all(), hidden=())

    def _keep(self, rows: list[Value]) -> bool:
        self.stage.dns.zone(ZONE).replace(as_rows(rows))
        self.stage.ledger.record("lexicon", "dns", ZONE)
        return True

    def list_records(self, rtype: str | None = None, name: str | None = None) -> list[dict[str, Any]]:
        return [
            {
                "id": one.id,
                "name": ZONE if one.name == "@" else f"{one.name}.{ZONE}",
                "type": one.type,
                "ttl": one.ttl,
                "content": one.value,
            }
            for one in self._rows
        ]

    def create_record(self, rtype: str, name: str, content: str) -> bool:
        label = "@" if name == ZONE else name.removesuffix(f".{ZONE}")
        value = f'"{content}"' if rtype == "TXT" else content
        return self._keep([*self._rows, Value("new", label, rtype, self.ttl, value)])

    def update_record(self, identifier: str | None, rtype: str, name: str, content: str) -> bool:
        value = f'"{content}"' if rtype == "TXT" else content
        return self._keep(
            [replace(one, value=value, ttl=self.ttl) if one.id == identifier else one for one in self._rows]
        )

    def delete_record(
        self, identifier: str | None, rtype: str | None, name: str | None, content: str | None
    ) -> bool:
        return self._keep([one for one in self._rows if one.id != identifier])


def address(name: str, value: str, ttl: int = 60) -> RRset:
    return RRset(name, "A", ttl, (value,))
