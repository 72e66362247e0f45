"""A zone that a person edits: its servers tell what stands, and which edits are still missing."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wizard.dns.providers.base import due, stands
from wizard.dns.records import ChangeSet, RecordChange, RRset, Standing, ZoneSnapshot, rrset, standing
from wizard.errors import UnreachableError, WizardError

if TYPE_CHECKING:
    from wizard.dns.authority import AuthoritativeServer
    from wizard.dns.providers.outside import Outside

_WATCH_AGAIN = 3.0
_PATIENCE = 1800.0
_AT_NAMES = ("A", "AAAA", "CNAME", "HTTPS", "SVCB")
_AT_TOP = ("NS", "MX", "TXT", "CAA")


class PartialEditError(WizardError):
    """Some edits are made and others are not; each of the missing ones is named."""


class ManualProvider:
    """Only what can be asked for is known: the names that move, the top of the zone and its wildcard."""

    name = "manual"
    min_ttl = 1
    atomic = False
    swaps = False
    implicit = False
    by_hand = True
    types = frozenset({*_AT_NAMES, *_AT_TOP, "SRV"})

    def __init__(self, world: Outside) -> None:
        self._world = world
        self._zone = world.config.dns.zone

    async def snapshot(self) -> ZoneSnapshot:
        """As every server serves it; where they differ, the values of the first that is not at the newest."""
        servers = await self._servers()
        wanted = [(name, kind) for name in self._world.config.names for kind in _AT_NAMES]
        wanted += [(self._zone, kind) for kind in _AT_TOP]
        wanted += [(f"_dmarc.{self._zone}", "TXT")]
        found = await asyncio.gather(*(self._slowest(servers, name, kind) for name, kind in wanted))
        wildcard = await self._wildcard(servers)
        return ZoneSnapshot(self._zone, tuple(one for one in (*found, *wildcard) if one is not None))

    async def apply(self, changes: ChangeSet) -> None:
        """Watch until every server shows all of them. Raises PartialEditError when some stay away."""
        world = self._world
        deadline, told = world.clock.now() + _PATIENCE, ""
        while True:
            live = await self.snapshot()
            left = due(changes, live)
            if not left:
                return
            if world.clock.now() > deadline:
                done = [one for one in changes.changes if one not in left]
                raise PartialEditError(
                    f"{len(left)} of {len(changes.changes)} edits are not seen yet",
                    "; ".join(missing(one, live.find(one.name, one.type)) for one in left)
                    + (f"; done: {', '.join(f'{one.name} {one.type}' for one in done)}" if done else ""),
                    "Make the missing edits where the zone is kept, then run again.",
                )
            state = "; ".join(to_type(left))
            if state != told:
                from wizard import voice

                voice.say(f"waiting for edits by hand: {state}")
                told = state
            await world.clock.sleep(_WATCH_AGAIN)

    async def revert(self, changes: ChangeSet) -> None:
        await self.apply(changes.inverse())

    async def set_txt(self, name: str, values: Sequence[str]) -> None:
        raise WizardError(
            f"{name} cannot be set: the zone {self._zone} is edited by hand",
            next="Use a DNS provider with an API for proofs that have to be there at once.",
        )

    async def remove_txt(self, name: str) -> None:
        """Nothing was set."""

    async def _servers(self) -> tuple[AuthoritativeServer, ...]:
        from wizard.dns.authority import servers_of

        found = await servers_of(self._world.dns, self._world.endpoints, self._zone)
        if not found:
            raise UnreachableError(
                f"The name servers of {self._zone} are not known", next="Look at the delegation of the zone."
            )
        return found

    async def _slowest(self, servers: Sequence[AuthoritativeServer], name: str, kind: str) -> RRset | None:
        """What is still served anywhere counts: an edit is seen when the last server shows it."""
        found = [await self._ask(server, name, kind) for server in servers]
        different = [one for one in found if one != found[0]]
        if not different:
            return found[0]
        serials = [await self._serial(server) for server in servers]
        return found[min(range(len(found)), key=lambda at: serials[at])]

    async def _ask(self, server: AuthoritativeServer, name: str, kind: str) -> RRset | None:
        reply = await self._world.dns.ask(server.at, name, kind, recursive=False)
        own = [record for record in reply.answers if record.name == name and record.type == kind]
        if not own:
            return None
        return rrset(name, kind, max(record.ttl for record in own), [record.value for record in own])

    async def _serial(self, server: AuthoritativeServer) -> int:
        reply = await self._world.dns.ask(server.at, self._zone, "SOA", recursive=False)
        soa = next((record.value for record in reply.answers if record.type == "SOA"), "")
        return int(soa.split()[2]) if len(soa.split()) > 2 else 0

    async def _wildcard(self, servers: Sequence[AuthoritativeServer]) -> list[RRset]:
        """A name that nobody chose is answered only if a wildcard is there."""
        name = f"{secrets.token_hex(8)}.{self._zone}"
        found = [await self._ask(servers[0], name, kind) for kind in ("A", "AAAA", "CNAME")]
        return [rrset(f"*.{self._zone}", one.type, one.ttl, one.values) for one in found if one is not None]


def to_type(changes: Sequence[RecordChange]) -> tuple[str, ...]:
    """One line a record set, before and after, in the order in which they are to be typed. Pure."""
    return tuple(
        f"{one.name}  {one.type}  {one.old or 'nothing'}  →  {one.new or 'delete it'}" for one in changes
    )


def missing(change: RecordChange, live: RRset | None) -> str:
    """One edit that is not made, or not wholly. Pure."""
    target = f"{change.name} {change.type}"
    if change.new is None:
        return f"{target} is still there ({live})"
    if live is None:
        return f"{target} is not there yet ({change.new} wanted)"
    if live.values == change.new.values and not stands(change, live):
        return f"the TTL of {target} is still {live.ttl} ({change.new.ttl} wanted)"
    state = "old" if standing(change, live) is Standing.OLD else "something else"
    return f"{target} is still {state} ({live}, {change.new} wanted)"
