"""Zones at Cloudflare: a change set is one batch, which its database takes as a whole or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

from wizard.clock import Clock
from wizard.dns.providers.api import Document, JsonApi, Vendor
from wizard.dns.providers.base import PROOF_TTL, due
from wizard.dns.providers.rows import Edits, Row, edits, record_sets
from wizard.dns.records import ChangeSet, RRset, ZoneSnapshot, rrset
from wizard.errors import VendorError

_AUTOMATIC = 1
_AUTOMATIC_TTL = 300
"""What a record with the TTL "automatic" is served with."""
_PER_PAGE = 500
_TARGETS = frozenset({"CNAME", "NS", "MX", "PTR"})


def _why(found: Any) -> str:
    problems = found.get("errors") if isinstance(found, dict) else None
    return "; ".join(f"{one.get('message', '')} ({one.get('code', '')})" for one in problems or ())


VENDOR = Vendor("Cloudflare", "CLOUDFLARE_TOKEN", "the permission DNS: Edit for the zone", _why)


class CloudflareProvider:
    name = "cloudflare"
    min_ttl = 60
    atomic = True
    swaps = True
    implicit = False
    by_hand = False
    types = frozenset({"A", "AAAA", "CAA", "CNAME", "HTTPS", "MX", "NS", "SRV", "SVCB", "TLSA", "TXT"})

    def __init__(self, url: str, token: Callable[[], Awaitable[str | None]], clock: Clock, zone: str) -> None:
        self._api = JsonApi(VENDOR, url, token, clock)
        self._zone = zone
        self._id = ""
        self._servers: tuple[str, ...] = ()

    async def aclose(self) -> None:
        await self._api.aclose()

    async def snapshot(self) -> ZoneSnapshot:
        """Raises VendorError when the token sees no such zone."""
        documents = await self._documents()
        rows = [_row(one) for one in documents]
        text = await self._api.get(f"{await self._path()}/export", f"exporting zone {self._zone}")
        servers = rrset(self._zone, "NS", 86400, self._servers)
        return ZoneSnapshot(
            self._zone,
            (servers, *record_sets(rows)),
            text if isinstance(text, str) else "",
            proxied=tuple(dict.fromkeys(str(one["name"]) for one in documents if one.get("proxied"))),
        )

    async def apply(self, changes: ChangeSet) -> None:
        live = await self.snapshot()
        wanted = [(one.name, one.type, one.new) for one in due(changes, live)]
        await self._set(wanted, f"changing {', '.join(changes.names)}")

    async def revert(self, changes: ChangeSet) -> None:
        await self.apply(changes.inverse())

    async def set_txt(self, name: str, values: Sequence[str]) -> None:
        await self._set([(name, "TXT", rrset(name, "TXT", PROOF_TTL, tuple(values)))], f"setting {name} TXT")

    async def remove_txt(self, name: str) -> None:
        await self._set([(name, "TXT", None)], f"deleting {name} TXT")

    async def _set(self, wanted: Sequence[tuple[str, str, RRset | None]], doing: str) -> None:
        rows = [_row(one) for one in await self._documents()]
        batch: dict[str, list[Document]] = {"deletes": [], "patches": [], "posts": []}
        for name, kind, new in wanted:
            own = [row for row in rows if (row.name, row.type) == (name, kind)]
            _add(batch, name, kind, new, edits(own, new))
        body = {verb: documents for verb, documents in batch.items() if documents}
        if body:
            await self._api.change("POST", f"{await self._path()}/batch", doing, body)

    async def _documents(self) -> list[Document]:
        found: list[Document] = []
        path, page = await self._path(), 1
        while True:
            params = {"page": str(page), "per_page": str(_PER_PAGE)}
            answer = await self._api.get(path, f"listing records of {self._zone}", params)
            found += answer["result"]
            if page >= int((answer.get("result_info") or {}).get("total_pages") or 1):
                return found
            page += 1

    async def _path(self) -> str:
        if not self._id:
            answer = await self._api.get("/zones", f"looking for zone {self._zone}", {"name": self._zone})
            zone = next((one for one in answer["result"] if one["name"] == self._zone), None)
            if zone is None:
                raise VendorError(
                    f"The Cloudflare token sees no zone {self._zone}",
                    "it belongs to another account, or is limited to other zones",
                    f"Make a token for this zone and set {VENDOR.secret}.",
                    code="not_found",
                )
            self._id, self._servers = str(zone["id"]), tuple(zone.get("name_servers") or ())
        return f"/zones/{quote(self._id)}/dns_records"


def _row(one: Document) -> Row:
    ttl = int(one["ttl"])
    value = str(one.get("content", ""))
    if one["type"] == "MX":
        value = f"{one.get('priority', 0)} {value}"
    return Row(
        str(one["id"]),
        str(one["name"]).lower(),
        str(one["type"]),
        _AUTOMATIC_TTL if ttl == _AUTOMATIC else ttl,
        value,
    )


def _add(batch: dict[str, list[Document]], name: str, kind: str, new: RRset | None, needed: Edits) -> None:
    batch["deletes"] += [{"id": one} for one in needed.delete]
    batch["patches"] += [{"id": one.id, "ttl": one.ttl, **content(kind, one.value)} for one in needed.change]
    if new is not None:
        batch["posts"] += [
            {"name": name, "type": kind, "ttl": new.ttl, **content(kind, value)} for value in needed.add
        ]


def content(kind: str, value: str) -> Document:
    """A value in canonical text as Cloudflare wants it: some types are told in parts."""
    words = value.split()
    if kind == "MX":
        return {"priority": int(words[0]), "content": words[1]}
    if kind == "TXT":
        return {"content": f'"{value}"'}
    if kind in ("HTTPS", "SVCB"):
        return {"data": {"priority": int(words[0]), "target": words[1], "value": " ".join(words[2:])}}
    if kind == "CAA":
        return {"data": {"flags": int(words[0]), "tag": words[1], "value": words[2].strip('"')}}
    if kind == "SRV":
        names = ("priority", "weight", "port")
        numbers = dict(zip(names, map(int, words[:3]), strict=True))
        return {"data": {**numbers, "target": words[3].rstrip(".")}}
    return {"content": value.rstrip(".") if kind in _TARGETS else value}
