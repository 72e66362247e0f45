"""What a watch looks at beside DNS, given as callables: certificates, HTTP at old and new, visitors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from wizard.dns.view import CertificateRow, HttpRow, Visitors

_EVERY = 60.0

Certificates = Callable[[], Awaitable[tuple[CertificateRow, ...]]]
Http = Callable[[], Awaitable[tuple[HttpRow, ...]]]
Traffic = Callable[[], Awaitable[Visitors | None]]


@dataclass(slots=True)
class Probes:
    """Each is asked once a minute of the world's time; None is left out."""

    certificates: Certificates | None = None
    http: Http | None = None
    traffic: Traffic | None = None
    due: float = 0.0
    busy: bool = False
    certificate_rows: tuple[CertificateRow, ...] = ()
    http_rows: tuple[HttpRow, ...] = ()
    visitors: Visitors | None = None

    @property
    def any(self) -> bool:
        return any((self.certificates, self.http, self.traffic))

    async def look(self, now: float) -> None:
        self.busy = True
        try:
            await asyncio.gather(self._certificates(), self._http(), self._traffic())
        finally:
            self.busy, self.due = False, now + _EVERY

    async def _certificates(self) -> None:
        if self.certificates is not None:
            self.certificate_rows = await self.certificates()

    async def _http(self) -> None:
        if self.http is not None:
            self.http_rows = await self.http()

    async def _traffic(self) -> None:
        if self.traffic is not None:
            self.visitors = await self.traffic()
