"""The authoritative servers while a flip is watched: each address, its serial, its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from wizard.clock import Clock
from wizard.dns.asking import within
from wizard.dns.authority import AuthoritativeServer
from wizard.dns.question import DnsClient
from wizard.dns.view import AuthorityRow, Verdict
from wizard.dns.watch_target import Judgement, Target, judge
from wizard.errors import UnreachableError

_SPACED = 0.25
"""Seconds for each question of a round: nobody is asked more than four times a second."""
_SOONEST = 0.5
_CALM = 60.0
_SECONDS = 2.0


@dataclass(slots=True)
class ServerState:
    server: AuthoritativeServer
    serial: int | None = None
    said: tuple[Judgement, ...] = ()
    note: str = ""

    @property
    def behind(self) -> bool:
        """It answers, and not with the planned values."""
        return any(one.verdict not in (Verdict.NEW, Verdict.SILENT) for one in self.said)

    @property
    def answers(self) -> bool:
        return any(one.verdict is not Verdict.SILENT for one in self.said)


@dataclass(slots=True)
class Board:
    """`settled_at`: the moment when all that answer were first seen to have the planned values.

    `lagged`: one of them was seen without, so that a cache may have fetched an old value that late.
    """

    client: DnsClient
    clock: Clock
    targets: tuple[Target, ...]
    servers: list[ServerState] = field(default_factory=list)
    due: float = 0.0
    busy: bool = False
    looks: int = 0
    settled_at: float | None = None
    lagged: bool = False
    met: bool = False
    """One of them has answered at least once."""
    silences: int = 0
    """Rounds in a row in which nobody answered for one of the record sets."""
    old_ttl: int = 0
    new_ttl: int = 0
    """The longest TTLs that old and new answers came with; authoritative servers tell them whole."""

    @classmethod
    def of(
        cls,
        client: DnsClient,
        clock: Clock,
        targets: tuple[Target, ...],
        servers: Sequence[AuthoritativeServer],
    ) -> Board:
        return cls(client, clock, targets, [ServerState(server) for server in servers])

    async def look(self) -> list[tuple[ServerState, int]]:
        """Ask all of them everything; what changed, as server and index of the target."""
        asked = [self._ask(state) for state in self.servers]
        changed = [pair for pairs in await asyncio.gather(*asked) for pair in pairs]
        self.looks += 1
        self.met = self.met or self.known
        heard = all(self.verdicts(number) for number in range(len(self.targets)))
        self.silences = 0 if heard else self.silences + 1
        now = self.clock.now()
        if self.new:
            self.settled_at = now if self.settled_at is None else self.settled_at
        elif any(state.behind for state in self.servers):
            self.settled_at, self.lagged = None, True
        spaced = max(_SOONEST, _SPACED * (len(self.targets) + 1))
        self.due = now + (_CALM if self.new else spaced)
        return changed

    @property
    def known(self) -> bool:
        """At least one of them answers."""
        return any(state.answers for state in self.servers)

    @property
    def new(self) -> bool:
        """All answers are the planned values, and every record set was answered by somebody."""
        told = [self.verdicts(number) for number in range(len(self.targets))]
        return all(told) and all(one is Verdict.NEW for verdicts in told for one in verdicts)

    def verdicts(self, number: int) -> list[Verdict]:
        """What those say of one record set who answer at all."""
        said = [state.said[number].verdict for state in self.servers if state.said]
        return [verdict for verdict in said if verdict is not Verdict.SILENT]

    async def _ask(self, state: ServerState) -> list[tuple[ServerState, int]]:
        found, serial = await asyncio.gather(
            asyncio.gather(*(self._one(state, target) for target in self.targets)), self._serial(state)
        )
        before, state.said = state.said, tuple(found)
        state.serial = serial if serial is not None else state.serial
        self.old_ttl = max([self.old_ttl, *(one.ttl for one in found if one.verdict is Verdict.OLD)])
        self.new_ttl = max([self.new_ttl, *(one.ttl for one in found if one.verdict is Verdict.NEW)])
        state.note = next((one.problem for one in found if one.problem), "")
        return [
            (state, number)
            for number, said in enumerate(found)
            if not before or (before[number].verdict, before[number].values) != (said.verdict, said.values)
        ]

    async def _one(self, state: ServerState, target: Target) -> Judgement:
        limit = within(self.clock, _SECONDS)
        try:
            reply = await self.client.ask(
                state.server.at, target.name, target.type, recursive=False, timeout=limit
            )
        except UnreachableError:
            return Judgement(Verdict.SILENT, problem="does not answer")
        said = judge(reply, target)
        if said.verdict is not Verdict.SILENT and not reply.authoritative:
            why = "answers without authority: the zone is not there, or port 53 is intercepted"
            return Judgement(Verdict.SILENT, problem=why)
        return said

    async def _serial(self, state: ServerState) -> int | None:
        limit = within(self.clock, _SECONDS)
        name = state.server.zone or self.targets[0].name
        try:
            reply = await self.client.ask(state.server.at, name, "SOA", recursive=False, timeout=limit)
        except UnreachableError:
            return None
        records = (*reply.answers, *reply.authority)
        soa = next((record for record in records if record.type == "SOA"), None)
        return int(soa.value.split()[2]) if soa else None

    def rows(self) -> tuple[AuthorityRow, ...]:
        unasked = (Verdict.UNASKED,) * len(self.targets)
        highest = max((state.serial or 0 for state in self.servers), default=0)
        return tuple(
            AuthorityRow(
                state.server.name,
                state.server.address,
                state.serial,
                tuple(one.verdict for one in state.said) or unasked,
                state.note or ("behind the others" if state.serial and state.serial < highest else ""),
            )
            for state in self.servers
        )
