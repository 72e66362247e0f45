"""Cloudflare's API over the stage's zone: what it lists, what it refuses, and its batch."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from aiohttp import web

from wizard.rehearsal.dns.rows import Value, as_rows, clash, values

if TYPE_CHECKING:
    from wizard.rehearsal.dns.standin import DnsStandin, Zone

Document = dict[str, Any]

TOKEN = "rehearsalCloudflareToken0123456789abcdef"
ZONE_ID = "0d9f4e1c5b6a47d88e2f3c4b5a697887"
_MOST = 200


class Refused(Exception):
    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class CloudflareStandin:
    """`url` is its base address once started. `changes` counts calls that change something."""

    def __init__(self, dns: DnsStandin) -> None:
        self.dns = dns
        self.url = ""
        self.changes = 0
        self.proxied: set[str] = set()

    async def start(self) -> None:
        app = web.Application(middlewares=[self._guard])
        base = "/client/v4/zones"
        app.router.add_get(base, self._zones)
        app.router.add_get(f"{base}/{ZONE_ID}/dns_records", self._records)
        app.router.add_get(f"{base}/{ZONE_ID}/dns_records/export", self._export)
        app.router.add_post(f"{base}/{ZONE_ID}/dns_records/batch", self._batch)
        self.url = f"http://{await self.dns.stage.serve(app, 'cloudflare')}/client/v4"

    @property
    def _zone_name(self) -> str:
        return self.dns.stage.config.dns.zone

    @property
    def _zone(self) -> Zone:
        return self.dns.zone(self._zone_name)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            if request.headers.get("Authorization", "") != f"Bearer {TOKEN}":
                raise Refused(403, 10000, "Authentication error")
            answer: web.StreamResponse = await handler(request)
            if request.method != "GET":
                self.dns.maybe_lose(request)
            return answer
        except Refused as refusal:
            errors = [{"code": refusal.code, "message": str(refusal)}]
            body = {"success": False, "errors": errors, "messages": [], "result": None}
            return web.json_response(body, status=refusal.status)

    async def _zones(self, request: web.Request) -> web.Response:
        wanted = request.query.get("name", self._zone_name)
        zone = {
            "id": ZONE_ID,
            "name": self._zone_name,
            "status": "active",
            "name_servers": list(self.dns.servers),
        }
        return _answer([zone] if wanted == self._zone_name else [])

    async def _records(self, request: web.Request) -> web.Response:
        found = [self._show(one) for one in values(self._zone.all())]
        page, size = int(request.query.get("page", 1)), int(request.query.get("per_page", 100))
        pages = max(1, -(-len(found) // size))
        info = {"page": page, "per_page": size, "total_pages": pages, "total_count": len(found)}
        return _answer(found[(page - 1) * size : page * size], info)

    async def _export(self, request: web.Request) -> web.Response:
        lines = [
            f"{self._absolute(v.name)}.\t{v.ttl}\tIN\t{v.type}\t{v.value}" for v in values(self._zone.all())
        ]
        return web.Response(text="\n".join(lines) + "\n", content_type="text/plain")

    async def _batch(self, request: web.Request) -> web.Response:
        """Deletes, patches, puts, posts: all of them or none."""
        body = await request.json()
        if sum(len(body.get(verb, [])) for verb in ("deletes", "patches", "puts", "posts")) > _MOST:
            raise Refused(400, 81058, f"A batch holds {_MOST} changes at most")
        left = {one.id: one for one in values(self._zone.all())}
        for item in body.get("deletes", []):
            if left.pop(item["id"], None) is None:
                raise Refused(404, 81044, "Record does not exist.")
        for item in body.get("patches", []):
            before = left.get(item["id"])
            if before is None:
                raise Refused(404, 81044, "Record does not exist.")
            told = {"type": before.type, **item}
            changed = {"value": _value(told)} if "content" in item or "data" in item else {}
            left[item["id"]] = dataclasses.replace(before, ttl=_ttl(item.get("ttl", before.ttl)), **changed)
        for number, item in enumerate(body.get("posts", [])):
            name, kind = self._relative(item["name"]), item["type"]
            if clash(left.values(), name, kind):
                raise Refused(400, 81053, "An A, AAAA, or CNAME record with that host already exists.")
            fresh = Value(f"new{number}", name, kind, _ttl(item.get("ttl", 1)), _value(item))
            if any((one.name, one.type, one.value) == (name, kind, fresh.value) for one in left.values()):
                raise Refused(400, 81058, "An identical record already exists.")
            left[fresh.id] = fresh
        kept = [row for row in self._zone.all() if row.name == "@" and row.type == "NS"]
        self._zone.replace({**{(row.name, row.type): row for row in kept}, **as_rows(left.values())})
        self.changes += 1
        self.dns.stage.ledger.record("cloudflare", "dns", self._zone_name, "batch")
        return _answer({"deletes": [], "patches": [], "puts": [], "posts": []})

    def _show(self, one: Value) -> Document:
        shown: Document = {"content": one.value.rstrip(".") if one.type in ("CNAME", "NS") else one.value}
        if one.type == "MX":
            number, _, host = one.value.partition(" ")
            shown = {"content": host.rstrip("."), "priority": int(number)}
        name = self._absolute(one.name)
        proxied = name in self.proxied
        return {
            "id": one.id,
            "name": name,
            "type": one.type,
            "ttl": 1 if proxied else one.ttl,
            "proxied": proxied,
            "proxiable": one.type in ("A", "AAAA", "CNAME"),
            "comment": None,
            "tags": [],
            **shown,
        }

    def _absolute(self, label: str) -> str:
        return self._zone_name if label == "@" else f"{label}.{self._zone_name}"

    def _relative(self, name: str) -> str:
        return "@" if name == self._zone_name else name.removesuffix(f".{self._zone_name}")


def _value(item: Document) -> str:
    """Content or parts as a zone file has them."""
    kind, data = item["type"], item.get("data")
    if data and kind in ("HTTPS", "SVCB"):
        return f"{data['priority']} {data['target']} {data['value']}".strip()
    if data and kind == "CAA":
        return f'{data["flags"]} {data["tag"]} "{data["value"]}"'
    if data and kind == "SRV":
        return f"{data['priority']} {data['weight']} {data['port']} {data['target']}."
    if kind == "MX":
        return f"{item['priority']} {item['content']}."
    if kind in ("CNAME", "NS"):
        return f"{item['content'].rstrip('.')}."
    return str(item["content"])


def _ttl(ttl: int) -> int:
    if ttl == 1:
        return 300
    if not 60 <= ttl <= 86400:
        raise Refused(400, 9021, "Invalid TTL. Must be between 60 and 86,400 seconds, or 1 for automatic.")
    return ttl


def _answer(result: Any, info: Document | None = None) -> web.Response:
    body: Document = {"success": True, "errors": [], "messages": [], "result": result}
    return web.json_response({**body, "result_info": info} if info else body)
