"""Each provider beside the stand-in of its API, over one zone: the same questions are put to all of them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.rehearsal.hosts_stage import LiveStageClock
from tests.rehearsal.small_stage import example
from wizard.config import DnsProviderName
from wizard.dns.providers import DnsProvider
from wizard.dns.records import ChangeSet, RRset
from wizard.endpoints import Endpoints
from wizard.rehearsal.clock import ClockFile, StageClock
from wizard.rehearsal.dns import DnsStandin
from wizard.rehearsal.dns_state import Row
from wizard.rehearsal.faults import Faults
from wizard.rehearsal.hetzner import HetznerStandin
from wizard.rehearsal.internet import Internet
from wizard.rehearsal.ledger import Ledger
from wizard.rehearsal.stage import Stage, StageLedger
from wizard.rehearsal.vercel import VercelStandin
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
    world = World(config, secrets, endpoints, LiveStageClock(clock))
    try:
        yield ProviderStage(stage, world, world.dns_provider, secrets)
    finally:
        await world.aclose()
        await stage.dns.stop()
        await stage.close()


def address(name: str, value: str, ttl: int = 60) -> RRset:
    return RRset(name, "A", ttl, (value,))
