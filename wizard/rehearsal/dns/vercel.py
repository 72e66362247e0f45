"""The records of Vercel's API over the stage's zone, where the zone is kept at Vercel."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from aiohttp import web

from wizard.config import DnsProviderName
from wizard.rehearsal.dns.rows import Value, as_rows, clash, values
from wizard.rehearsal.vercel.state import Refused

if TYPE_CHECKING:
    from wizard.rehearsal.dns.standin import Zone
    from wizard.rehearsal.vercel.standin import VercelStandin

Document = dict[str, Any]


class Records:
    """Names are relative, "" at the top."""

    def __init__(self, vercel: VercelStandin) -> None:
        self.vercel = vercel

    @property
    def _zone(self) -> Zone:
        stage = self.vercel.stage
        return stage.dns.zone(stage.config.dns.zone)

    def all(self) -> list[Document]:
        """As the list shows them, the newest first."""
        return [_show(one) for one in values(self._zone.all())]

    async def create(self, request: web.Request) -> web.Response:
        body = await request.json()
        name, kind = body["name"] or "@", body["type"]
        known = values(self._zone.all())
        if clash(known, name, kind):
            raise Refused(409, "record_conflict", f"A conflicting record for {name} already exists.")
        fresh = Value("new", name, kind, _ttl(body.get("ttl", 60)), _value(body))
        self._keep([*known, fresh])
        return web.json_response({"uid": "rec_" + _id_of(self._zone, fresh)})

    async def update(self, request: web.Request) -> web.Response:
        body, wanted = await request.json(), request.match_info["record"].removeprefix("rec_")
        known = values(self._zone.all())
        before = next((one for one in known if one.id == wanted), None)
        if before is None:
            raise Refused(404, "not_found", "The record was not found.")
        kind = body.get("type", before.type)
        others = [one for one in known if one is not before]
        if kind != before.type and clash(others, before.name, kind):
            raise Refused(409, "record_conflict", f"A conflicting record for {before.name} already exists.")
        value = _value({"type": kind, **body}) if {"value", "https", "srv"} & set(body) else before.value
        changed = dataclasses.replace(before, type=kind, ttl=_ttl(body.get("ttl", before.ttl)), value=value)
        self._keep([changed if one is before else one for one in known])
        return web.json_response({"id": f"rec_{wanted}", "type": "record"})

    async def delete(self, request: web.Request) -> web.Response:
        wanted = request.match_info["record"].removeprefix("rec_")
        known = values(self._zone.all())
        left = [one for one in known if one.id != wanted]
        if len(left) == len(known):
            raise Refused(404, "not_found", "The record was not found.")
        self._keep(left)
        return web.json_response({})

    def _keep(self, left: list[Value]) -> None:
        stage = self.vercel.stage
        top = {(row.name, row.type): row for row in self._zone.all() if row.name == "@" and row.type == "NS"}
        self._zone.replace({**top, **as_rows(left)})
        stage.ledger.record("vercel", "dns", stage.config.dns.zone)


def _show(one: Value) -> Document:
    value, more = one.value, {}
    if one.type == "MX":
        number, _, value = one.value.partition(" ")
        more = {"mxPriority": int(number)}
    if one.type == "TXT":
        value = value.strip('"')
    return {
        "id": f"rec_{one.id}",
        "slug": f"record-{one.id[:8]}",
        "name": "" if one.name == "@" else one.name,
        "type": one.type,
        "value": value.rstrip(".") if one.type in ("MX", "CNAME", "ALIAS") else value,
        "ttl": one.ttl,
        "creator": "usr_rehearsal",
        "created": 1_750_000_000_000,
        "createdAt": 1_750_000_000_000,
        "updated": None,
        "updatedAt": None,
        **more,
    }


def _value(body: Document) -> str:
    kind = body["type"]
    if kind == "HTTPS":
        part = body["https"]
        return f"{part['priority']} {part['target']} {part.get('params', '')}".strip()
    if kind == "MX":
        return f"{int(body['mxPriority'])} {body['value'].rstrip('.')}."
    if kind in ("CNAME", "ALIAS", "NS"):
        return f"{body['value'].rstrip('.')}."
    return f'"{body["value"]}"' if kind == "TXT" else str(body["value"])


def _ttl(ttl: int) -> int:
    if not 60 <= ttl <= 2147483647:
        raise Refused(400, "bad_request", "Invalid request: `ttl` should be >= 60.")
    return ttl


def _id_of(zone: Zone, fresh: Value) -> str:
    return next(
        one.id
        for one in values(zone.all())
        if (one.name, one.type, one.value) == (fresh.name, fresh.type, fresh.value)
    )


def records(vercel: VercelStandin, zone: str) -> list[Document]:
    """The zone that is served, if it is kept here; else what the account has of a zone that sleeps."""
    dns = vercel.stage.config.dns
    if dns.provider is DnsProviderName.VERCEL and zone == dns.zone:
        return Records(vercel).all()
    return vercel.state.records.get(zone, [])


def add_routes(vercel: VercelStandin, app: web.Application) -> None:
    it = Records(vercel)
    app.router.add_post("/v2/domains/{domain}/records", it.create)
    app.router.add_patch("/v1/domains/records/{record}", it.update)
    app.router.add_delete("/v2/domains/{domain}/records/{record}", it.delete)
