"""A zone that is edited by hand, in a rehearsal: somebody types what the question says, line by line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wizard.dns.providers.manual import ManualProvider, to_type
from wizard.dns.records import ChangeSet, RecordChange, RRset
from wizard.endpoints import SocketAddress
from wizard.rehearsal.clock import ask
from wizard.rehearsal.dns.state import Row

if TYPE_CHECKING:
    from wizard.engine.operator import Operator
    from wizard.engine.plan import Plan, Question
    from wizard.engine.step import Step
    from wizard.rehearsal.stage import Stage
    from wizard.world import World

_SECONDS_A_LINE = 20.0
_USUAL_TTL = 300
_WISH = re.compile(r"^Add this record to the zone: (?P<name>\S+) A (?P<address>\S+)$", re.MULTILINE)
_LINE = re.compile(
    r"^(?P<name>\S+)  (?P<type>[A-Z]+)  .*  →  (?:(?P<values>.+) \(TTL (?P<ttl>\d+)\)|delete it)$",
)


class TypedZone(ManualProvider):
    """The live provider, over a world in which nobody else is there to type."""

    def __init__(self, world: World, control: SocketAddress) -> None:
        super().__init__(world)
        self._control = control

    async def apply(self, changes: ChangeSet) -> None:
        await ask(self._control, "type", lines=list(to_type(changes.changes)))
        await super().apply(changes)


class WithHands:
    """A rehearsal's operator: what a question asks to be added to the zone is typed once it is answered."""

    def __init__(self, operator: Operator, control: SocketAddress) -> None:
        self._operator = operator
        self._control = control

    async def approve(self, step: Step[Any], plan: Plan) -> bool:
        return await self._operator.approve(step, plan)

    async def answer(self, step: Step[Any], question: Question) -> str | None:
        said = await self._operator.answer(step, question)
        wish = _WISH.search(question.text)
        if said is not None and wish is not None:
            new = RRset(wish["name"], "A", _USUAL_TTL, (wish["address"],))
            lines = to_type((RecordChange(wish["name"], "A", None, new),))
            await ask(self._control, "type", lines=list(lines))
        return said


class Typist:
    """The hand in the world: only what stands in a line is known to it, and one line is typed at a time."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._typing: asyncio.Task[object] | None = None

    def begin(self, lines: Sequence[str]) -> None:
        """After whatever is being typed: there is one hand."""
        self._typing = self._stage.spawn(self._type(lines, self._typing))

    async def _type(self, lines: Sequence[str], before: asyncio.Task[object] | None) -> None:
        if before is not None:
            await asyncio.wait((before,))
        zone = self._stage.dns.zone(self._stage.config.dns.zone)
        state = self._stage.dns.state.zones[self._stage.config.dns.zone]
        for line in lines:
            await self._stage.clock.sleep(_SECONDS_A_LINE)
            name, kind, row = typed(line)
            label = state.relative(name)
            if row is None:
                zone.delete(label, kind)
            else:
                zone.put(label, kind, row.ttl, row.values)
            self._stage.ledger.record("dns", "type", line)


def typed(line: str) -> tuple[str, str, Row | None]:
    """Name, type and what is to stand there; None where the record set is to go. Raises ValueError."""
    found = _LINE.match(line)
    if found is None:
        raise ValueError(f"nobody could type {line!r}")
    name, kind = found["name"], found["type"]
    if found["ttl"] is None:
        return name, kind, None
    end = "." if kind == "CNAME" else ""
    values = tuple(value.removesuffix(end) + end for value in found["values"].split(", "))
    return name, kind, Row(name, kind, int(found["ttl"]), values)
