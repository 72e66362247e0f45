"""Where visitors are served while the world follows, as far as the proxies' own access logs tell.

Caddy on the old host logs requests where its site says `log`; Traefik on a new one where the panel's requests
are switched on. Without both nothing is known, and nothing is guessed. What Vercel serves it does not tell.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.engine.step import Context
from wizard.errors import WizardError
from wizard.phases.hosts import new_host, old_host

if TYPE_CHECKING:
    from wizard.dns.view import Visitors
    from wizard.dns.watch_probes import Traffic

ACCESS_LOG = "/etc/dokploy/traefik/dynamic/access.log"
_LINES = 2000
"""At most so many lines of a log are read at a time: a busy site is a sample."""
_FIRST_LOOK = 60.0


@dataclass(frozen=True, slots=True)
class Visit:
    """One line of an access log. `client` is who connected, "" where the log does not say."""

    at: float
    name: str
    status: int
    client: str = ""


@dataclass(slots=True)
class _Tally:
    since: float
    old: int = 0
    new: int = 0
    failed: int = 0


def caddy_visits(log: str) -> tuple[Visit, ...]:
    """Requests that Caddy logged as JSON, among whatever else it says."""
    return tuple(
        Visit(float(row["ts"]), _bare(asked.get("host")), int(row["status"]), str(asked.get("remote_ip", "")))
        for row in _rows(log)
        if str(row.get("logger", "")).startswith("http.log.access")
        and isinstance(asked := row.get("request"), dict)
        and isinstance(row.get("status"), int)
        and isinstance(row.get("ts"), int | float)
    )


def traefik_visits(log: str) -> tuple[Visit, ...]:
    """Requests of Traefik's access log in JSON."""
    return tuple(
        Visit(at, _bare(row.get("RequestHost")), int(row["DownstreamStatus"]), str(row.get("ClientHost", "")))
        for row in _rows(log)
        if isinstance(row.get("DownstreamStatus"), int)
        and (at := _moment(str(row.get("StartUTC") or row.get("time") or ""))) is not None
    )


def _rows(log: str) -> Iterator[dict[str, Any]]:
    for line in log.splitlines():
        start = line.find("{")
        try:
            row = json.loads(line[start:]) if start >= 0 else None
        except (ValueError, RecursionError):
            # Whoever visits has a hand in what is logged.
            continue
        if isinstance(row, dict):
            yield row


def _bare(host: object) -> str:
    return str(host or "").partition(":")[0].lower()


def _moment(text: str) -> float | None:
    try:
        return dt.datetime.fromisoformat(text[:19] + "+00:00").timestamp()
    except ValueError:
        return None


def traffic_of(ctx: Context) -> Traffic:
    """Whoever counts the visitors already, or the hosts' logs: what came since the last look is added."""
    if ctx.world.traffic is not None:
        return ctx.world.traffic
    tally = _Tally(ctx.now() - _FIRST_LOOK)

    async def look() -> Visitors | None:
        try:
            return await _look(ctx, tally)
        except WizardError:
            return None

    return look


async def _look(ctx: Context, tally: _Tally) -> Visitors | None:
    from wizard.dns.view import Visitors

    if ctx.config.old_host is None:
        return None
    now = ctx.now()
    before = await _at_the_old(ctx)
    names = {one.name for one in before} & set(ctx.config.names)
    if not names:
        return None
    servers = tuple(dict.fromkeys(ctx.config.app_of(name).server for name in sorted(names)))
    after = await asyncio.gather(*(_at_a_new(ctx, server) for server in servers))
    if any(one is None for one in after):
        return None
    sent_on = ctx.config.old_host.address
    old = _fresh(before, names, tally.since)
    new = [v for group in after for v in _fresh(group or (), names, tally.since) if v.client != sent_on]
    tally.since, tally.old, tally.new = now, tally.old + len(old), tally.new + len(new)
    tally.failed += sum(visit.status >= 500 for visit in (*old, *new))
    total = tally.old + tally.new
    return Visitors(total, tally.failed, (), tally.new / total if total else None)


def _fresh(visits: Sequence[Visit], names: set[str], since: float) -> list[Visit]:
    return [visit for visit in visits if visit.name in names and visit.at >= since]


async def _at_the_old(ctx: Context) -> tuple[Visit, ...]:
    """None of them where its proxy does not log requests, or runs without a container."""
    from wizard.clients import commands

    assert ctx.config.old_host is not None
    host = await old_host(ctx)
    words = ("logs", "--tail", str(_LINES), ctx.config.old_host.proxy_service)
    said = await host.run(commands.docker(*words), check=False)
    return caddy_visits(f"{said.stdout}\n{said.stderr}")


async def _at_a_new(ctx: Context, server: str) -> tuple[Visit, ...] | None:
    """None without a log: that is not the same as no visitors."""
    from wizard.clients import commands

    host = await new_host(ctx, server)
    said = await host.run(commands.look("tail", "-n", str(_LINES), "--", ACCESS_LOG), check=False)
    return traefik_visits(said.stdout) if said.ok else None
