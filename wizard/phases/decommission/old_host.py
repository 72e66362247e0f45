"""decommission.old_host: the last stop of what ran by hand. Nothing is deleted: data stays on its disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wizard.config import Config
from wizard.engine.check import Check, check
from wizard.engine.plan import Change, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.phases.data.freeze import Stopped
from wizard.phases.data.places import Box, boxes
from wizard.phases.hosts import old_host


@dataclass(frozen=True, slots=True)
class LastStop:
    """What ran before, to be started again by undo."""

    stopped: tuple[Stopped, ...] = ()


class StopOldHost(Step[tuple[Box, ...]]):
    """Facts: containers that still run, or would start again by themselves."""

    id = "decommission.old_host"
    title = "Stop the old host's containers"
    phase = Phase.DECOMMISSION
    needs = ("decommission.soak",)
    way_back = (
        "Undo starts them again with the data of the freeze; writes since then are on the new side only."
    )
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def _wanted(self) -> bool:
        return self.config.old_host is not None and self.config.decommission.stop_old_host

    async def observe(self, ctx: Context) -> tuple[Box, ...]:
        if not self._wanted:
            return ()
        return tuple(
            box for box in await boxes(await old_host(ctx)) if box.running or box.restart not in ("no", "")
        )

    def plan(self, facts: tuple[Box, ...]) -> Plan:
        if not facts:
            return Plan()
        change = Change(
            Kind.UPDATE,
            "stop",
            "containers on the old host",
            before=f"running: {', '.join(box.name for box in facts if box.running) or 'none'}",
            after="stopped, and not started again by themselves; volumes stay",
            way_back="undo starts them again",
            confirm="old host",
            payload=facts,
        )
        notes = (
            "Delete the machine yourself when you are sure: the wizard never deletes what it did not make.",
        )
        return Plan((change,), notes)

    async def apply(self, change: Change, ctx: Context) -> None:
        from wizard.clients import commands

        host = await old_host(ctx)
        if change.key == "start":
            for box in change.payload:
                await host.run(commands.docker("update", f"--restart={box.restart or 'no'}", box.name))
            await host.run(commands.docker("start", *(box.name for box in change.payload)), timeout=300)
            return
        found: tuple[Box, ...] = change.payload
        known = ctx.saved.load("last_stop", LastStop) or LastStop()
        names = {box.name for box in known.stopped}
        more = tuple(Stopped(box.name, box.restart) for box in found if box.running and box.name not in names)
        ctx.saved.save("last_stop", LastStop((*known.stopped, *more)))
        await host.run(commands.docker("update", "--restart=no", *(box.name for box in found)))
        if running := [box.name for box in found if box.running]:
            await host.run(commands.docker("stop", "--time", "60", *running), timeout=600)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        if not self._wanted:
            return [
                check(
                    "kept",
                    "the old host is left as it is",
                    True,
                    seen="stop_old_host is off, or there is no old host",
                    vantage="configuration",
                    at=ctx.now(),
                )
            ]
        left = await self.observe(ctx)
        return [
            check(
                "stopped",
                "nothing runs on the old host, nor would after a restart",
                not left,
                seen=", ".join(f"{box.name} {box.state}, restart {box.restart}" for box in left) or "nothing",
                vantage="old host",
                at=ctx.now(),
                advice="Run this step again.",
            )
        ]

    async def undo(self, ctx: Context) -> Plan:
        known = ctx.saved.load("last_stop", LastStop)
        if known is None or not known.stopped:
            return Plan()
        names = ", ".join(box.name for box in known.stopped)
        return Plan(
            (
                Change(
                    Kind.UPDATE, "start", f"containers {names}", "stopped", "running", payload=known.stopped
                ),
            )
        )
