"""Zones at Hetzner: values are set in one call a record set, the TTL in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wizard.dns.providers.base import PROOF_TTL, due
from wizard.dns.records import ChangeSet, RecordChange, ZoneSnapshot, rrset
from wizard.errors import VendorError

if TYPE_CHECKING:
    from wizard.clients.hetzner import HetznerClient

_ALIASES = frozenset({"CNAME", "NS", "PTR", "MX", "SRV"})


class HetznerProvider:
    name = "hetzner"
    min_ttl = 60
    atomic = False
    swaps = False
    implicit = False
    by_hand = False
    types = frozenset({"A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NS", "SRV", "SVCB", "TLSA", "TXT"})

    def __init__(self, client: HetznerClient, zone: str) -> None:
        self._zones = client.zones
        self._zone = zone

    async def snapshot(self) -> ZoneSnapshot:
        """Raises VendorError when the zone is not in this project."""
        zone = await self._zones.zone(self._zone)
        if zone is None:
            raise VendorError(
                f"There is no zone {self._zone} in this Hetzner project",
                "the token belongs to another project, or the zone was never made",
                "Make the zone in the console, or set dns.provider to where it is.",
                code="not_found",
            )
        rows = await self._zones.rrsets(self._zone)
        found = (
            rrset(
                self._absolute(row.name),
                row.type,
                row.ttl if row.ttl is not None else zone.ttl,
                tuple(self._read(row.type, value) for value in row.values),
            )
            for row in rows
        )
        return ZoneSnapshot(self._zone, tuple(found), await self._zones.export(self._zone))

    async def apply(self, changes: ChangeSet) -> None:
        live = await self.snapshot()
        for change in due(changes, live):
            await self._change(change, live)

    async def revert(self, changes: ChangeSet) -> None:
        await self.apply(changes.inverse())

    async def set_txt(self, name: str, values: Sequence[str]) -> None:
        label, quoted = self._relative(name), tuple(f'"{value}"' for value in values)
        existing = await self._zones.rrset(self._zone, label, "TXT")
        if existing is None:
            await self._zones.create(self._zone, label, "TXT", quoted, PROOF_TTL)
        elif set(existing.values) != set(quoted):
            await self._zones.set_records(self._zone, label, "TXT", quoted)

    async def remove_txt(self, name: str) -> None:
        await self._zones.delete(self._zone, self._relative(name), "TXT")

    async def _change(self, change: RecordChange, live: ZoneSnapshot) -> None:
        label, existing = self._relative(change.name), live.find(change.name, change.type)
        if change.new is None:
            await self._zones.delete(self._zone, label, change.type)
            return
        values = tuple(self._write(change.type, value) for value in change.new.values)
        if existing is None:
            await self._zones.create(self._zone, label, change.type, values, change.new.ttl)
            return
        if existing.values != change.new.values:
            await self._zones.set_records(self._zone, label, change.type, values)
        if existing.ttl != change.new.ttl:
            await self._zones.change_ttl(self._zone, label, change.type, change.new.ttl)

    def _absolute(self, label: str) -> str:
        return self._zone if label == "@" else f"{label}.{self._zone}"

    def _relative(self, name: str) -> str:
        return "@" if name == self._zone else name.removesuffix(f".{self._zone}")

    def _read(self, kind: str, value: str) -> str:
        """A target without a last dot is relative to the zone."""
        if kind in _ALIASES and not value.endswith("."):
            return f"{value}.{self._zone}"
        return value

    @staticmethod
    def _write(kind: str, value: str) -> str:
        if kind in _ALIASES:
            return f"{value}."
        return f'"{value}"' if kind == "TXT" else value
