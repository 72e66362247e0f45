"""Who serves the visitors, by the proxies' own logs: counted once each, and unknown without a log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.phases.cutover_stage import OLD, cutover_world
from wizard.phases.cutover import traffic
from wizard.phases.cutover.traffic import ACCESS_LOG, caddy_visits, traefik_visits, traffic_of

API = "api.shop.example"


def caddy(at: float, name: str = API, status: int = 200) -> str:
    asked = {"remote_ip": "192.0.2.9", "host": name, "method": "GET", "uri": "/"}
    return json.dumps({"level": "info", "ts": at, "logger": "http.log.access.log0", "request": asked,
                       "status": status, "size": 3})  # fmt: skip


def traefik(at: str, name: str = API, status: int = 200, client: str = "192.0.2.7") -> str:
    return json.dumps({"ClientHost": client, "RequestHost": name, "DownstreamStatus": status,
                       "StartUTC": at, "entryPointName": "websecure"})  # fmt: skip


@dataclass
class Said:
    stdout: str = ""
    stderr: str = ""
    ok: bool = True


@dataclass
class Host:
    """Answers as docker and tail do."""

    log: Said

    async def run(self, command: Any, *, check: bool = True) -> Said:
        assert command.repeatable and not check and "2000" in command.argv
        assert command.argv[0] == "docker" or command.argv[-1] == ACCESS_LOG
        return self.log


def test_only_requests_count_among_what_a_proxy_logs() -> None:
    log = "\n".join(
        (
            "plain words",
            '{"level":"info","logger":"tls","msg":"{"}',
            caddy(5.0, f"{API}:443"),
            "{torn",
            '{"a":' + "[" * 9999,
        )
    )

    assert [(one.at, one.name, one.status, one.client) for one in caddy_visits(log)] == [
        (5.0, API, 200, "192.0.2.9")
    ]
    (one,) = traefik_visits("\n".join((traefik("2026-09-21T14:13:20.123456789Z"), "[]", '{"a":1}')))
    assert (one.at, one.name, one.client) == (1790000000.0, API, "192.0.2.7")


async def test_a_visit_that_the_old_host_sent_on_is_counted_there_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        ctx = world.bench.context("cutover.watch")
        now = ctx.now()
        stamp = "2999-01-01T00:00:00Z"
        before = Host(Said(stderr="\n".join((caddy(now), caddy(now - 9999.0), caddy(now, status=502)))))
        after = Host(Said("\n".join((traefik(stamp), traefik(stamp), traefik(stamp, client=OLD)))))
        _lead(monkeypatch, before, after)
        look = traffic_of(ctx)

        found = await look()

        assert found is not None
        assert (found.requests, found.failed, found.new_share) == (4, 1, 0.5)


@pytest.mark.parametrize("missing", ["old", "new"])
async def test_without_a_log_the_share_is_unknown(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cutover_world(tmp_path, monkeypatch) as world:
        ctx = world.bench.context("cutover.watch")
        before = Host(Said(stderr="started" if missing == "old" else caddy(ctx.now())))
        _lead(monkeypatch, before, Host(Said(ok=missing != "new")))

        assert await traffic_of(ctx)() is None


def _lead(patch: pytest.MonkeyPatch, before: Host, after: Host) -> None:
    async def old(ctx: Any) -> Host:
        return before

    async def new(ctx: Any, server: str) -> Host:
        return after

    patch.setattr(traffic, "old_host", old)
    patch.setattr(traffic, "new_host", new)
