"""Zones at Vercel: one row a value, changed under its id, so that nothing is missing for a moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from wizard.clock import Clock
from wizard.dns.leftovers import ALIASES
from wizard.dns.providers.api import Document, JsonApi, Vendor
from wizard.dns.providers.base import PROOF_TTL, due
from wizard.dns.providers.rows import Row, edits, record_sets
from wizard.dns.records import ChangeSet, RecordChange, RRset, ZoneSnapshot, rrset
from wizard.errors import VendorError

_PER_PAGE = 100
_PAGES = 100
_SYSTEM = "system"
_DEFAULT_TTL = 60
_SERVERS = ("ns1.vercel-dns.com", "ns2.vercel-dns.com")


def _why(found: Any) -> str:
    problem = found.get("error") if isinstance(found, dict) else None
    return f"{problem.get('message', '')} ({problem.get('code', '')})" if isinstance(problem, dict) else ""


VENDOR = Vendor("Vercel", "VERCEL_TOKEN", "the scope of the team that has the domain", _why)


class VercelProvider:
    """`team`: a team's slug or id, "" for the person's own domains."""

    name = "vercel"
    min_ttl = 60
    atomic = False
    swaps = True
    implicit = True
    by_hand = False
    types = frozenset({"A", "AAAA", "ALIAS", "CAA", "CNAME", "HTTPS", "MX", "NS", "SRV", "TXT"})

    def __init__(
        self,
        url: str,
        token: Callable[[], Awaitable[str | None]],
        clock: Clock,
        zone: str,
        team: str = "",
    ) -> None:
        self._api = JsonApi(VENDOR, url, token, clock)
        self._zone = zone
        self._scope = {"teamId" if team.startswith("team_") else "slug": team} if team else {}

    async def aclose(self) -> None:
        await self._api.aclose()

    async def snapshot(self) -> ZoneSnapshot:
        """Rows that Vercel makes by itself are left out: they give way to any of ours."""
        rows = await self._rows()
        servers = rrset(self._zone, "NS", 86400, _SERVERS)
        given = tuple(one for one in record_sets(rows) if (one.name, one.type) != (self._zone, "NS"))
        return ZoneSnapshot(self._zone, (servers, *given))

    async def apply(self, changes: ChangeSet) -> None:
        live = await self.snapshot()
        left = due(changes, live)
        for gone, come in _swaps(left):
            await self._swap(gone, come)
        live = await self.snapshot() if _swaps(left) else live
        for one in due(changes, live):
            await self._set(one.name, one.type, one.new)

    async def revert(self, changes: ChangeSet) -> None:
        await self.apply(changes.inverse())

    async def set_txt(self, name: str, values: Sequence[str]) -> None:
        await self._set(name, "TXT", rrset(name, "TXT", PROOF_TTL, tuple(values)))

    async def remove_txt(self, name: str) -> None:
        await self._set(name, "TXT", None)

    async def _swap(self, gone: RecordChange, come: RecordChange) -> None:
        """One row takes another type and value at once; further values follow by `_set`."""
        assert come.new is not None
        row = next(one for one in await self._rows() if (one.name, one.type) == (gone.name, gone.type))
        body = {"type": come.type, "ttl": come.new.ttl, **content(come.type, come.new.values[0])}
        await self._api.change("PATCH", self._scoped(f"/v1/domains/records/{row.id}"), _doing(row), body)

    async def _set(self, name: str, kind: str, new: RRset | None) -> None:
        own = [row for row in await self._rows() if (row.name, row.type) == (name, kind)]
        needed = edits(own, new)
        for row in needed.change:
            body = {"ttl": row.ttl, **content(kind, row.value)}
            await self._api.change("PATCH", self._scoped(f"/v1/domains/records/{row.id}"), _doing(row), body)
        for value in needed.add:
            assert new is not None
            body = {"name": self._relative(name), "type": kind, "ttl": new.ttl, **content(kind, value)}
            path = self._scoped(f"/v2/domains/{quote(self._zone)}/records")
            await self._api.change("POST", path, f"creating {name} {kind}", body)
        for identity in needed.delete:
            path = self._scoped(f"/v2/domains/{quote(self._zone)}/records/{identity}")
            await self._api.change("DELETE", path, f"deleting {name} {kind}")

    def _scoped(self, path: str) -> str:
        query = "&".join(f"{key}={quote(value)}" for key, value in self._scope.items())
        return f"{path}?{query}" if query else path

    async def _rows(self) -> list[Row]:
        found: list[Row] = []
        asked = {**self._scope, "limit": str(_PER_PAGE)}
        for _ in range(_PAGES):
            answer = await self._list(asked)
            found += [self._row(one) for one in answer["records"] if one.get("creator") != _SYSTEM]
            following = (answer.get("pagination") or {}).get("next")
            if following is None:
                return found
            asked = {**asked, "until": str(following)}
        raise VendorError("Vercel's list of records has no end", self._zone, "Report this as a fault.")

    async def _list(self, asked: Mapping[str, str]) -> Any:
        """By the newest path, or the older one where that is gone."""
        doing = f"listing records of {self._zone}"
        try:
            return await self._api.get(f"/v5/domains/{quote(self._zone)}/records", doing, asked)
        except VendorError as error:
            if error.status not in (404, 410):
                raise
        return await self._api.get(f"/v4/domains/{quote(self._zone)}/records", doing, asked)

    def _row(self, one: Document) -> Row:
        label, kind, value = str(one.get("name") or ""), str(one["type"]), str(one.get("value") or "")
        name = f"{label}.{self._zone}" if label and label != "@" else self._zone
        priority = one.get("mxPriority", one.get("priority"))
        if kind == "MX":
            value = f"{priority or 0} {value}"
        return Row(str(one["id"]), name.lower(), kind, int(one.get("ttl") or _DEFAULT_TTL), value)

    def _relative(self, name: str) -> str:
        return "" if name == self._zone else name.removesuffix(f".{self._zone}")


def _swaps(changes: Sequence[RecordChange]) -> list[tuple[RecordChange, RecordChange]]:
    """Aliases that give way to an address at the same name, or the reverse."""
    pairs: list[tuple[RecordChange, RecordChange]] = []
    for gone in (one for one in changes if one.new is None):
        here = [one for one in changes if one.name == gone.name and one.old is None and one.new]
        alias = [one for one in here if (one.type in ALIASES) != (gone.type in ALIASES)]
        if alias and (gone.type in ALIASES or gone.type == "A"):
            pairs.append((gone, alias[0]))
    return pairs


def _doing(row: Row) -> str:
    return f"changing {row.name} {row.type}"


def content(kind: str, value: str) -> Document:
    """A value in canonical text as Vercel wants it."""
    words = value.split()
    if kind == "MX":
        return {"value": words[1], "mxPriority": int(words[0])}
    if kind == "HTTPS":
        parts: Document = {"priority": int(words[0]), "target": words[1]}
        return {"https": {**parts, "params": " ".join(words[2:])} if words[2:] else parts}
    if kind == "SRV":
        names = ("priority", "weight", "port")
        return {"srv": {**dict(zip(names, map(int, words[:3]), strict=True)), "target": words[3]}}
    return {"value": value}
