"""DNS zones at Hetzner. Names are relative ("@" at the top), lower case; TXT values are quoted."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from wizard.clients.hetzner import models
from wizard.clients.hetzner.errors import NotFoundError, TakenError
from wizard.clients.hetzner.models import Rrset, Zone
from wizard.clients.hetzner.transport import Transport


class HetznerZones:
    """All changes wait for their actions; `set_records` leaves the TTL alone."""

    def __init__(self, transport: Transport) -> None:
        self._api = transport

    async def zone(self, name: str) -> Zone | None:
        try:
            answer = await self._api.get(f"/zones/{quote(name)}", f"looking at zone {name}")
        except NotFoundError:
            return None
        return models.zone(answer["zone"])

    async def export(self, zone: str) -> str:
        """The whole zone as a zone file: the backup before any change."""
        answer = await self._api.get(f"/zones/{quote(zone)}/zonefile", f"exporting zone {zone}")
        return str(answer["zonefile"])

    async def rrsets(self, zone: str) -> tuple[Rrset, ...]:
        rows = await self._api.all(f"/zones/{quote(zone)}/rrsets", "rrsets", f"listing records of {zone}")
        return tuple(models.rrset(row) for row in rows)

    async def rrset(self, zone: str, name: str, kind: str) -> Rrset | None:
        try:
            answer = await self._api.get(_path(zone, name, kind), f"looking at {name} {kind} of {zone}")
        except NotFoundError:
            return None
        return models.rrset(answer["rrset"])

    async def create(
        self, zone: str, name: str, kind: str, values: Sequence[str], ttl: int | None = None
    ) -> None:
        """A new record set; if it exists meanwhile, its values and TTL are set."""
        body = {"name": name, "type": kind, "ttl": ttl, "records": [{"value": value} for value in values]}
        try:
            await self._api.change(
                "POST", f"/zones/{quote(zone)}/rrsets", f"creating {name} {kind} of {zone}", body
            )
        except TakenError:
            await self.set_records(zone, name, kind, values)
            await self.change_ttl(zone, name, kind, ttl)

    async def set_records(self, zone: str, name: str, kind: str, values: Sequence[str]) -> None:
        """Replace all values at once (1 to 50)."""
        await self._api.change(
            "POST",
            f"{_path(zone, name, kind)}/actions/set_records",
            f"setting {name} {kind} of {zone}",
            {"records": [{"value": value} for value in values]},
        )

    async def change_ttl(self, zone: str, name: str, kind: str, ttl: int | None) -> None:
        await self._api.change(
            "POST",
            f"{_path(zone, name, kind)}/actions/change_ttl",
            f"changing the TTL of {name} {kind} of {zone}",
            {"ttl": ttl},
        )

    async def delete(self, zone: str, name: str, kind: str) -> None:
        """No error if it is gone already."""
        try:
            await self._api.change("DELETE", _path(zone, name, kind), f"deleting {name} {kind} of {zone}")
        except NotFoundError:
            return


def _path(zone: str, name: str, kind: str) -> str:
    return f"/zones/{quote(zone)}/rrsets/{quote(name, safe='@*')}/{quote(kind)}"
