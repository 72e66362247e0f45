"""The door into the rehearsal: starts or finds the world's process and describes it as a `World`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from wizard.config import Config, DnsProviderName
from wizard.dns.view import Visitors
from wizard.endpoints import Endpoints, SocketAddress
from wizard.engine.operator import Operator
from wizard.errors import UsageError, WizardError
from wizard.net import GatewayNet
from wizard.rehearsal.clock import RehearsalClock, ask
from wizard.rehearsal.faults import PROFILES
from wizard.rehearsal.internet import OPERATOR_V4
from wizard.secrets import FileSecrets
from wizard.world import World

SPEED = 120.0
IDLE_LIMIT = 300.0
_PATIENCE = 40.0
_ATTACH_TRIES = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """How the world is to be. `idle_limit` is in real seconds without any wizard.

    `faults` None leaves a world that was begun as it is; a new one is without.
    """

    seed: int = 0
    faults: str | None = None
    speed: float = SPEED
    idle_limit: float = IDLE_LIMIT


@dataclass
class Door:
    """A world that runs, and its control."""

    world: World
    control: SocketAddress
    folder: Path

    def with_hands(self, operator: Operator) -> Operator:
        """Somebody who also types into the zone what a question asks for."""
        from wizard.rehearsal.dns.hand import WithHands

        return WithHands(operator, self.control)

    async def summary(self) -> dict[str, Any]:
        """Ledger and visitors: duplicates, visitors {requests, failed}, simulated_s."""
        return await ask(self.control, "summary")

    async def end(self) -> None:
        """Stop the world's process; its state stays in the folder."""
        with contextlib.suppress(WizardError):
            await ask(self.control, "stop")


def folder_of(progress: Path) -> Path:
    """Where the world of a progress file is kept: beside it."""
    return progress.with_suffix(".world")


@contextlib.asynccontextmanager
async def enter(config: Config, config_path: Path, progress: Path, wish: Wish) -> AsyncIterator[Door]:
    """The world for `progress`, started if it does not run. It goes on after we have left.

    Raises UsageError for an unknown fault profile or a configuration other than the world was made for.
    """
    if wish.faults is not None and wish.faults not in PROFILES:
        raise UsageError(
            f"There is no fault profile {wish.faults!r}",
            next=f"Choose one of: {', '.join(sorted(PROFILES))}.",
        )
    folder = folder_of(progress)
    folder.mkdir(parents=True, exist_ok=True)
    _keep_config(config_path, folder)
    described, attached = await _attached(folder, wish)
    control = SocketAddress("127.0.0.1", described["control"])
    endpoints = _endpoints(described["endpoints"])
    assert endpoints.gateway is not None
    world = World(
        config=config,
        secrets=FileSecrets(folder / "secrets.json"),
        endpoints=endpoints,
        clock=RehearsalClock(folder / "clock", control),
        net=GatewayNet(endpoints.gateway, OPERATOR_V4),
        traffic=partial(_visitors, control),
        live=False,
    )
    if config.dns.provider is DnsProviderName.MANUAL:
        from wizard.rehearsal.dns.hand import TypedZone

        world.dns_provider = TypedZone(world, control)
    try:
        yield Door(world, control, folder)
    finally:
        await world.aclose()
        attached.close()


async def _visitors(control: SocketAddress) -> Visitors:
    told: dict[str, Any] = await ask(control, "summary")
    return Visitors(**told["visitors"], failures=tuple(told["failures"]))


def _keep_config(config_path: Path, folder: Path) -> None:
    kept = folder / "config.toml"
    if not kept.exists():
        shutil.copyfile(config_path, kept)
    elif kept.read_bytes() != config_path.read_bytes():
        raise UsageError(
            "This rehearsal was begun with another configuration",
            next=f"Choose another --progress, or remove {folder.name} and the progress file to begin anew.",
        )


async def _attached(folder: Path, wish: Wish) -> tuple[dict[str, Any], asyncio.StreamWriter]:
    """A world that stays for as long as the connection is open. One that is about to end is let go."""
    for _ in range(_ATTACH_TRIES):
        described = await _as_wished(folder, wish) or await _start(folder, wish)
        with contextlib.suppress(OSError, ValueError):
            reader, writer = await asyncio.open_connection("127.0.0.1", described["control"])
            writer.write(b'{"command": "attach"}\n')
            if json.loads(await reader.readline()) == {}:
                return described, writer
            writer.close()
    raise WizardError(
        "The rehearsal's world ends as often as it is started",
        _last_line(folder / "world.log"),
        f"Look into {folder.name}/world.log.",
    )


async def _as_wished(folder: Path, wish: Wish) -> dict[str, Any] | None:
    """The world that runs; None when there is none, or when it was ended to begin again with other faults.

    Raises UsageError when others are in it.
    """
    described = await _running(folder)
    if described is None or wish.faults in (None, described["faults"]):
        return described
    control = SocketAddress("127.0.0.1", described["control"])
    if (await ask(control, "ping")).get("attached"):
        raise UsageError(
            f"The rehearsal's world runs with the faults {described['faults']!r}, and somebody is in it",
            next="Leave --faults away, or wait until the other wizard has ended.",
        )
    await ask(control, "stop")
    return None


async def _running(folder: Path) -> dict[str, Any] | None:
    try:
        described: dict[str, Any] = json.loads((folder / "world.json").read_text())
        os.kill(described["pid"], 0)
        answer = await ask(SocketAddress("127.0.0.1", described["control"]), "ping")
    except (OSError, ValueError, KeyError, WizardError):
        return None
    return described if answer.get("pid") == described["pid"] else None


async def _start(folder: Path, wish: Wish) -> dict[str, Any]:
    with (folder / "world.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "wizard.rehearsal",
            *(str(folder), str(wish.seed), wish.faults or "", str(wish.speed), str(wish.idle_limit)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            # A session of its own: a Ctrl-C or a kill that ends the wizard leaves the world alone.
            start_new_session=True,
        )
    assert process.stdout is not None
    said = asyncio.ensure_future(process.stdout.readline())
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and not (await asyncio.wait((said,), timeout=0.5))[0]:
        # Another wizard may have been quicker: then ours waits for a lock that stays held.
        if (other := await _running(folder)) is not None and other["pid"] != process.pid:
            process.kill()
            return other
    if said.done() and said.result().startswith(b"ready"):
        found: dict[str, Any] = json.loads((folder / "world.json").read_text())
        return found
    said.cancel()
    raise WizardError(
        "The rehearsal's world did not start",
        _last_line(folder / "world.log"),
        f"Look into {folder.name}/world.log.",
    )


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _endpoints(data: dict[str, Any]) -> Endpoints:
    import cattrs

    return cattrs.structure(data, Endpoints)
