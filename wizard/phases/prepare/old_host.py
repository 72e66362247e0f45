"""prepare.old_host: what runs on the machine of today, what holds state, and who decides about it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from wizard.config import Config
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Change, Failed, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.errors import WizardError
from wizard.phases.data.places import Box, boxes
from wizard.phases.hosts import old_host

_MOVED_ALREADY = re.compile(r"IMPORTED_TO_VAULT")
_DATABASE = re.compile(r"postgres|pgvector|timescale", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OldHostInventory:
    """Record "inventory": names only, no value of any variable.

    `undecided` are volumes with data that the configuration neither moves nor explains;
    `placeholders` are variables whose value lives in a vault only.
    """

    containers: tuple[str, ...]
    volumes: tuple[str, ...]
    variables: tuple[str, ...]
    undecided: tuple[str, ...]
    placeholders: tuple[str, ...]
    missing: tuple[str, ...]
    free_gib: int = 0


@dataclass(frozen=True, slots=True)
class OldHostFacts:
    inventory: OldHostInventory | None
    saved: OldHostInventory | None
    trouble: str = ""
    way_on: str = ""


class OldHostInventoryStep(Step[OldHostFacts]):
    id = "prepare.old_host"
    title = "Look at the old host"
    phase = Phase.PREPARE
    way_back = "The old host is only read; the inventory is a file in backups/."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config

    async def observe(self, ctx: Context) -> OldHostFacts:
        saved = ctx.saved.load("inventory", OldHostInventory)
        if self.config.old_host is None:
            return OldHostFacts(None, saved)
        try:
            return OldHostFacts(await _inventory(ctx, self.config), saved)
        except WizardError as error:
            return OldHostFacts(None, saved, error.what, error.next)

    def plan(self, facts: OldHostFacts) -> Plan:
        if facts.trouble:
            return Plan(hold=Failed(facts.trouble, (facts.way_on,) if facts.way_on else ()))
        if facts.inventory is None or facts.inventory == facts.saved:
            return Plan()
        found = facts.inventory
        notes = [f"volume {name} is not in [[volumes]]: it stays behind" for name in found.undecided]
        notes += [
            f"{name} has its value in the vault only: the vault must move" for name in found.placeholders
        ]
        change = Change(
            Kind.CREATE,
            "inventory",
            "backups/old-host.json",
            after=f"{len(found.containers)} containers, {len(found.volumes)} volumes, "
            f"{len(found.variables)} names of variables",
            payload=found,
        )
        return Plan((change,), tuple(notes))

    async def apply(self, change: Change, ctx: Context) -> None:
        ctx.backup("old-host.json", json.dumps(asdict(change.payload), indent=1))
        ctx.saved.save("inventory", change.payload)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        found = ctx.saved.load("inventory", OldHostInventory)
        if self.config.old_host is None or found is None:
            seen = "no [old_host]" if self.config.old_host is None else "no inventory yet"
            return [
                check(
                    "none",
                    "there is no old host to look at",
                    self.config.old_host is None,
                    seen=seen,
                    vantage="configuration",
                    at=ctx.now(),
                )
            ]
        now = ctx.now()
        left = ", ".join(found.undecided)
        return [
            check(
                "reached",
                "the old host lets us in and shows its containers",
                bool(found.containers),
                seen=", ".join(found.containers) or "no containers",
                vantage="old host",
                at=now,
                advice="Is Docker running there, and may this user ask it?",
            ),
            check(
                "configured",
                "every database and volume of the configuration is there",
                not found.missing,
                seen=f"missing: {', '.join(found.missing) or 'nothing'}",
                vantage="old host",
                at=now,
                advice="Correct [[databases]] and [[volumes]], or mark a volume as optional.",
            ),
            Check(
                "decided",
                "every volume with data is either moved or left behind knowingly",
                CheckState.WAIVED if found.undecided else CheckState.PASSED,
                Evidence(f"left behind: {left or 'nothing'}", "old host", now),
            ),
            check(
                "space",
                "the old host has room for a dump",
                found.free_gib >= 1,
                seen=f"{found.free_gib} GiB free",
                vantage="old host",
                at=now,
                advice="Free some space: nothing is moved from a full disk.",
            ),
        ]


async def _inventory(ctx: Context, config: Config) -> OldHostInventory:
    from wizard.clients import commands

    assert config.old_host is not None
    host = await old_host(ctx)
    found = await boxes(host)
    listed = (await host.run(commands.volumes())).stdout.splitlines()
    volumes = tuple(sorted(str(json.loads(row)["Name"]) for row in listed))
    text = await host.read(f"{config.old_host.directory}/.env") or ""
    pairs = re.findall(r"(?m)^(?:export )?([A-Za-z_][A-Za-z0-9_]*)=(.*)$", text)
    disk = (await host.run(commands.disk_free("/"))).stdout.splitlines()[1].split()
    known = {volume.name for volume in config.volumes} | _database_volumes(found)
    names = {box.name for box in found}
    missing = [f"container {db.container}" for db in config.databases if db.container not in names]
    missing += [f"volume {v.name}" for v in config.volumes if v.name not in volumes and not v.optional]
    return OldHostInventory(
        tuple(sorted(names)),
        volumes,
        tuple(name for name, _ in pairs),
        tuple(name for name in volumes if name not in known),
        tuple(name for name, value in pairs if _MOVED_ALREADY.search(value)),
        tuple(missing),
        int(disk[3]) >> 20,
    )


def _database_volumes(found: Sequence[Box]) -> set[str]:
    """Volumes under PostgreSQL servers: their content moves as dumps."""
    return {name for box in found if _DATABASE.search(box.image) for name in box.volumes}
