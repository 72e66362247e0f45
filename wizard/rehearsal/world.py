"""The whole world in one process: it is put together here, kept on disk, and ended when nobody needs it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from wizard.config import Config
from wizard.endpoints import Endpoints, SocketAddress
from wizard.rehearsal import state as states
from wizard.rehearsal.clock import ClockFile, StageClock
from wizard.rehearsal.control import Control
from wizard.rehearsal.dns.hand import Typist
from wizard.rehearsal.faults import Faults
from wizard.rehearsal.internet import Internet
from wizard.rehearsal.ledger import MADE
from wizard.rehearsal.stage import Stage, StageLedger

PARTS: tuple[tuple[str, str, str], ...] = (
    ("sites", "wizard.rehearsal.sites", "Sites"),
    ("dns", "wizard.rehearsal.dns.standin", "DnsStandin"),
    ("acme", "wizard.rehearsal.acme.standin", "AcmeStandin"),
    ("fronts", "wizard.rehearsal.fronts.standin", "Fronts"),
    ("hosts", "wizard.rehearsal.hosts.standin", "Hosts"),
    ("panels", "wizard.rehearsal.panels.standin", "Panels"),
    ("hetzner", "wizard.rehearsal.hetzner.standin", "HetznerStandin"),
    ("git", "wizard.rehearsal.git.standin", "GitStandin"),
    ("vercel", "wizard.rehearsal.vercel.standin", "VercelStandin"),
    ("visitors", "wizard.rehearsal.visitors", "Visitors"),
)
"""In the order in which they start: each may use those before it at once, the others later."""

START = 1_790_000_000.0
"""2026-09-21: a fixed beginning, so that a seed gives the same rehearsal on any day."""
_SAVE_EVERY = 1.0
_OTHER_ENDS_WITHIN = 20.0


class RehearsalWorld:
    """Lives in `folder`: clock, state, endpoints of the running process.

    `faults` "" leaves them as they were, at first none.
    """

    def __init__(self, folder: Path, config: Config, *, seed: int, faults: str, speed: float) -> None:
        self.folder = folder
        self.config = config
        folder.mkdir(parents=True, exist_ok=True)
        kept = states.load(folder / "state")
        self.fresh = kept is None
        self.state = kept or states.WorldState(
            seed, START, random.Random(seed), Faults(faults or "none", seed)
        )
        if faults and faults != self.state.faults.profile:
            self.state.faults = Faults(faults, self.state.seed)
        self.clock = StageClock(ClockFile(folder / "clock", create=True), self.state.now, speed)
        self.stage = Stage(
            config=config,
            clock=self.clock,
            random=self.state.dice,
            faults=self.state.faults,
            ledger=StageLedger(self.clock, self.state.ledger),
            internet=Internet(),
            ports=self.state.ports,
        )
        self.control = Control(
            {
                "ping": self._ping,
                "leap": self._leap,
                "summary": self._summary,
                "stop": self._stop,
                "type": self._type,
            }
        )
        self.typist = Typist(self.stage)
        self._ended = asyncio.Event()

    async def start(self) -> None:
        gateway = await self.stage.internet.start(self.state.ports.get("gateway", 0))
        self.state.ports["gateway"] = gateway.port
        for name, module, class_name in PARTS:
            make = getattr(import_module(module), class_name)
            part = make(self.stage, self.state.parts.get(name) or make.begin(self.stage))
            self.state.parts[name] = part.state
            setattr(self.stage, name, part)
        for name, _, _ in PARTS:
            await getattr(self.stage, name).start()
        if self.fresh:
            for name, _, _ in PARTS:
                settle = getattr(getattr(self.stage, name), "settle", None)
                if settle is not None:
                    await settle()
        control = await self.control.start(self.state.ports.get("control", 0))
        self.state.ports["control"] = control.port
        self._write_secrets()
        self.save()
        self._announce(gateway.port, control.port)

    def _endpoints(self, gateway: int) -> Endpoints:
        trust = self.folder / "authorities.pem"
        trust.write_text(self.stage.acme.root_pem)
        known_hosts = self.folder / "known_hosts"
        known_hosts.write_text(self.stage.hosts.known_hosts)
        stage = self.stage
        return stage.dns.endpoints(
            Endpoints(
                hetzner=stage.hetzner.url,
                vercel=stage.vercel.url,
                github=stage.git.github_url,
                gitlab=stage.git.gitlab_url,
                acme=stage.acme.directory_url,
                acme_staging=stage.acme.staging_url,
                gateway=SocketAddress("127.0.0.1", gateway),
                trust=str(trust),
                known_hosts=str(known_hosts),
            )
        )

    def _announce(self, gateway: int, control: int) -> None:
        described = {
            "pid": os.getpid(),
            "control": control,
            "seed": self.state.seed,
            "faults": self.state.faults.profile,
            "endpoints": asdict(self._endpoints(gateway)),
        }
        temporary = self.folder / "world.new"
        temporary.write_text(json.dumps(described, indent=1))
        temporary.replace(self.folder / "world.json")

    def _write_secrets(self) -> None:
        """Tokens of the rehearsal, where the wizard's own secrets will be too."""
        path = self.folder / "secrets.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        for name, _, _ in PARTS:
            known = {**getattr(getattr(self.stage, name), "secrets", {}), **known}
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(known, file, indent=1)

    def save(self) -> None:
        self.state.now = self.clock.now()
        states.save(self.state, self.folder / "state")

    async def live(self, idle_limit: float) -> None:
        """Until told to stop, or until no wizard was attached for `idle_limit` real seconds."""
        while not self._ended.is_set() and self.control.idle < idle_limit:
            try:
                async with asyncio.timeout(_SAVE_EVERY):
                    await self._ended.wait()
            except TimeoutError:
                self.save()
        self.end()

    async def close(self) -> None:
        self.control.close()
        for name, _, _ in reversed(PARTS):
            await getattr(self.stage, name).stop()
        await self.stage.close()
        self.save()
        (self.folder / "world.json").unlink(missing_ok=True)

    def end(self) -> None:
        self.control.ending = True
        self._ended.set()

    async def _ping(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"pid": os.getpid(), "now": self.clock.now(), "attached": self.control.attached}

    async def _leap(self, request: dict[str, Any]) -> dict[str, Any]:
        await self.clock.leap(float(request["until"]))
        return {"now": self.clock.now()}

    async def _type(self, request: dict[str, Any]) -> dict[str, Any]:
        self.typist.begin([str(line) for line in request["lines"]])
        return {}

    async def _stop(self, request: dict[str, Any]) -> dict[str, Any]:
        self.end()
        return {}

    async def _summary(self, request: dict[str, Any]) -> dict[str, Any]:
        ledger = self.state.ledger
        visitors = self.stage.visitors
        return {
            "duplicates": list(ledger.duplicates()),
            "created": ledger.count(act=MADE),
            "standing": list(ledger.standing()),
            "visitors": {"requests": visitors.requests, "failed": visitors.failed},
            "failures": list(visitors.failures)[:20],
            "simulated_s": round(self.clock.now() - START, 1),
            "seed": self.state.seed,
            "faults": self.state.faults.profile,
        }


async def serve(folder: Path, *, seed: int, faults: str, speed: float, idle_limit: float) -> None:
    """The process's whole life. One that still ends in this folder is waited for."""
    import signal

    from filelock import FileLock

    from wizard import configfile

    # The system frees it with the process, however that ends.
    lock = FileLock(folder / "world.lock")
    lock.acquire(timeout=_OTHER_ENDS_WITHIN)
    config = configfile.load(folder / "config.toml")
    world = RehearsalWorld(folder, config, seed=seed, faults=faults, speed=speed)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, world.end)
    began = time.monotonic()
    await world.start()
    print(f"ready after {time.monotonic() - began:.2f} s", flush=True)
    try:
        await world.live(idle_limit)
    finally:
        await world.close()
