"""A stage with name servers and caches alone."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from wizard.configfile import example
from wizard.endpoints import Endpoints
from wizard.rehearsal.clock import ClockFile, StageClock
from wizard.rehearsal.dns.standin import DnsStandin
from wizard.rehearsal.faults import Faults
from wizard.rehearsal.internet import Internet
from wizard.rehearsal.ledger import Ledger
from wizard.rehearsal.stage import Stage, StageLedger


@dataclass
class DnsWorld:
    stage: Stage
    dns: DnsStandin
    endpoints: Endpoints


@contextlib.asynccontextmanager
async def dns_world(folder: Path, *, speed: float = 60.0, faults: str = "none") -> AsyncIterator[DnsWorld]:
    clock = StageClock(ClockFile(folder / "clock", create=True), 1_790_000_000.0, speed)
    stage = Stage(
        config=example(),
        clock=clock,
        random=random.Random(7),
        faults=Faults(faults, 7),
        ledger=StageLedger(clock, Ledger()),
        internet=Internet(),
    )
    stage.dns = DnsStandin(stage, DnsStandin.begin(stage))
    await stage.dns.start()
    await stage.dns.settle()
    try:
        yield DnsWorld(stage, stage.dns, stage.dns.endpoints(Endpoints()))
    finally:
        await stage.dns.stop()
