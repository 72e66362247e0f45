"""The /zones part of the rehearsal's Hetzner: edits what the rehearsal's name servers answer."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from aiohttp import web

from wizard.rehearsal.hetzner.state import Document, Refused, when

if TYPE_CHECKING:
    from wizard.rehearsal.hetzner.standin import HetznerStandin

_TYPES = frozenset(
    {"A", "AAAA", "CAA", "CNAME", "DS", "HINFO", "HTTPS", "MX"}
    | {"NS", "PTR", "RP", "SOA", "SRV", "SVCB", "TLSA", "TXT"}
)
_MOST_VALUES = 50
_LEAST_TTL = 60
_UPDATING = 1.0


class Zones:
    """Records live in the stage's DNS; comments and protection of record sets are kept here."""

    def __init__(self, standin: HetznerStandin) -> None:
        self.standin = standin

    def _zone(self, request: web.Request) -> tuple[str, Any]:
        wanted = request.match_info["zone"]
        for name in self._names():
            if wanted in (name, str(_zone_id(name))):
                return name, self.standin.stage.dns.zone(name)
        raise Refused(404, "not_found", f"zone '{wanted}' not found")

    def _names(self) -> tuple[str, ...]:
        """The zones of this project: the configuration's, where Hetzner is its provider."""
        dns = self.standin.stage.config.dns
        return (dns.zone,) if dns.provider == "hetzner" else ()

    def _show_zone(self, name: str, zone: Any) -> Document:
        nameservers = list(_values(zone, "@", "NS"))
        updating = self.standin.locked(_zone_id(name), "zone")
        return {
            "id": _zone_id(name),
            "name": name,
            "created": when(1_750_000_000.0),
            "mode": "primary",
            "primary_nameservers": [],
            "authoritative_nameservers": {
                "assigned": nameservers,
                "delegated": nameservers,
                "delegation_last_check": when(self.standin.now()),
                "delegation_status": "valid" if nameservers else "unregistered",
            },
            "ttl": self.standin.stage.config.dns.ttl,
            "status": "updating" if updating else "ok",
            "record_count": sum(len(values) for _, _, _, values in _rows(zone)),
            "registrar": "other",
            "protection": {"delete": False},
            "labels": {},
        }

    async def list(self, request: web.Request) -> web.Response:
        dns = self.standin.stage.dns
        rows = [self._show_zone(name, dns.zone(name)) for name in self._names()]
        return self.standin.listing(request, "zones", rows)

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response({"zone": self._show_zone(*self._zone(request))})

    async def zonefile(self, request: web.Request) -> web.Response:
        name, zone = self._zone(request)
        lines = [f"$ORIGIN {name}.", f"$TTL {self.standin.stage.config.dns.ttl}"]
        lines += [
            f"{label}\t{ttl}\tIN\t{kind}\t{value}"
            for label, kind, ttl, values in _rows(zone)
            for value in values
        ]
        return web.json_response({"zonefile": "\n".join(lines) + "\n"})

    async def rrsets(self, request: web.Request) -> web.Response:
        name, zone = self._zone(request)
        kinds = set(request.query.getall("type", []))
        rows = [
            _show(name, label, kind, ttl, values)
            for label, kind, ttl, values in _rows(zone)
            if not kinds or kind in kinds
        ]
        return self.standin.listing(request, "rrsets", rows)

    async def rrset(self, request: web.Request) -> web.Response:
        name, zone = self._zone(request)
        label, kind, ttl, values = self._existing(request, zone)
        return web.json_response({"rrset": _show(name, label, kind, ttl, values)})

    async def create(self, request: web.Request) -> web.Response:
        name, zone = self._zone(request)
        body = await request.json()
        label, kind = _label(body["name"]), body["type"]
        values, ttl = _checked(kind, body["records"]), _ttl(body.get("ttl"))
        if _row(zone, label, kind) is not None:
            raise Refused(409, "uniqueness_error", f"rrset {label} {kind} already exists")
        self._put(zone, label, kind, ttl, values)
        self._maybe_lost(request)
        answer = {"rrset": _show(name, label, kind, ttl, values), "action": self._acted("create_rrset", name)}
        return web.json_response(answer, status=201)

    async def delete(self, request: web.Request) -> web.Response:
        name, zone = self._zone(request)
        label, kind, _, _ = self._existing(request, zone)
        zone.delete(label, kind)
        self.standin.stage.ledger.record("hetzner", "dns", f"{label} {kind}", "deleted")
        self._maybe_lost(request)
        return web.json_response({"action": self._acted("delete_rrset", name)}, status=201)

    async def act(self, request: web.Request) -> web.Response:
        name, zone = self._zone(request)
        label, kind, before, values = self._existing(request, zone)
        ttl: int | None = before
        body, command = await request.json(), request.match_info["action"]
        match command:
            case "set_records":
                values = _checked(kind, body["records"])
            case "change_ttl":
                ttl = _ttl(body["ttl"])
            case _:
                raise Refused(404, "not_found", f"there is no action {command}")
        self._put(zone, label, kind, ttl, values)
        self._maybe_lost(request)
        return web.json_response({"action": self._acted(f"{command}_rrset", name)}, status=201)

    def _maybe_lost(self, request: web.Request) -> None:
        """It was committed, but nobody hears of it."""
        self.standin.stage.dns.maybe_lose(request)

    def _put(self, zone: Any, label: str, kind: str, ttl: int | None, values: tuple[str, ...]) -> None:
        zone.put(label, kind, ttl or self.standin.stage.config.dns.ttl, values)
        self.standin.stage.ledger.record("hetzner", "dns", f"{label} {kind}", ", ".join(values))

    def _acted(self, command: str, name: str) -> Document:
        return self.standin.act(command, (_zone_id(name), "zone"), seconds=_UPDATING)

    @staticmethod
    def _existing(request: web.Request, zone: Any) -> tuple[str, str, int, tuple[str, ...]]:
        label, kind = _label(request.match_info["name"]), request.match_info["type"]
        found = _row(zone, label, kind)
        if found is None:
            raise Refused(404, "not_found", f"rrset {label} {kind} not found")
        return found


def _rows(zone: Any) -> list[tuple[str, str, int, tuple[str, ...]]]:
    return [(row.name, row.type, row.ttl, tuple(row.values)) for row in zone.all()]


def _row(zone: Any, label: str, kind: str) -> tuple[str, str, int, tuple[str, ...]] | None:
    found = zone.get(label, kind)
    return None if found is None else (label, kind, found.ttl, tuple(found.values))


def _values(zone: Any, label: str, kind: str) -> tuple[str, ...]:
    found = _row(zone, label, kind)
    return found[3] if found else ()


def _show(zone: str, label: str, kind: str, ttl: int | None, values: tuple[str, ...]) -> Document:
    return {
        "id": f"{label}/{kind}",
        "name": label,
        "type": kind,
        "ttl": ttl,
        "labels": {},
        "protection": {"change": kind == "SOA"},
        "records": [{"value": value, "comment": ""} for value in values],
        "zone": _zone_id(zone),
    }


def _label(name: str) -> str:
    if name != name.lower() or name.endswith("."):
        raise Refused(422, "invalid_input", "name must be lower case and relative to the zone")
    return name


def _ttl(ttl: int | None) -> int | None:
    if ttl is not None and not _LEAST_TTL <= ttl <= 2147483647:
        raise Refused(422, "invalid_input", "ttl must be between 60 and 2147483647")
    return ttl


def _checked(kind: str, records: list[Document]) -> tuple[str, ...]:
    values = tuple(str(record["value"]) for record in records)
    if kind not in _TYPES:
        raise Refused(422, "invalid_input", f"type {kind} is not supported")
    if not 1 <= len(values) <= _MOST_VALUES:
        raise Refused(422, "invalid_input", "records must have 1 to 50 entries")
    if kind == "TXT" and not all(value.startswith('"') and value.endswith('"') for value in values):
        raise Refused(422, "invalid_input", "TXT values must be quoted")
    return values


def _zone_id(name: str) -> int:
    return 500_000 + zlib.crc32(name.encode()) % 400_000


def add_routes(standin: HetznerStandin, app: web.Application) -> None:
    it = Zones(standin)
    get, post = app.router.add_get, app.router.add_post
    get("/v1/zones", it.list)
    get("/v1/zones/{zone}", it.get)
    get("/v1/zones/{zone}/zonefile", it.zonefile)
    get("/v1/zones/{zone}/rrsets", it.rrsets)
    post("/v1/zones/{zone}/rrsets", it.create)
    get("/v1/zones/{zone}/rrsets/{name}/{type}", it.rrset)
    app.router.add_delete("/v1/zones/{zone}/rrsets/{name}/{type}", it.delete)
    post("/v1/zones/{zone}/rrsets/{name}/{type}/actions/{action}", it.act)
