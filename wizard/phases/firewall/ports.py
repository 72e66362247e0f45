"""firewall.<server>.ports: who can reach which port, asked from everywhere we can stand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from wizard.checks import ports
from wizard.checks.ports import PortMatrix, Row, Standing, View
from wizard.config import Config, Server
from wizard.engine.check import Check, CheckState, Evidence
from wizard.engine.plan import Plan
from wizard.engine.step import Context, Phase, Step
from wizard.errors import UnreachableError
from wizard.net import Reach, probe
from wizard.phases.hosts import new_host, new_host_target, old_host, server_record
from wizard.records import ServerRecord

_SECONDS = 3
OPERATOR = "operator"
OLD = "old host"


class PortsClosed(Step[None]):
    phase = Phase.FIREWALL
    way_back = "Nothing is changed: connections are tried and closed again."

    def __init__(self, server: Server, config: Config) -> None:
        self.server = server
        self.id = f"firewall.{server.name}.ports"
        self.title = f"Ports of {server.name}, from every side"
        # Neighbours are vantages: their own firewalls must be in force before they are asked.
        self.needs = tuple(
            f"firewall.{other.name}.{layer}"
            for other in config.servers
            for layer in ("cloud", "host", "published")
        )

    async def observe(self, ctx: Context) -> None:
        return None

    def plan(self, facts: None) -> Plan:
        return Plan()

    async def verify(self, ctx: Context) -> Sequence[Check]:
        matrix = await matrix_of(ctx, self.server)
        ctx.detail("ports", matrix, keep=True)
        checks = [check for row in matrix.rows for check in _checks(matrix, row)]
        if not any(row.view.path == "IPv6" and row.can_see for row in matrix.rows) and self.server.ipv6:
            checks.append(
                Check(
                    "ipv6",
                    f"{self.server.name} was looked at over IPv6",
                    CheckState.WAIVED,
                    Evidence("no vantage has IPv6 that reaches it", OPERATOR, matrix.at),
                )
            )
        return checks


async def matrix_of(ctx: Context, server: Server) -> PortMatrix:
    """Ask from the operator, each other new host (public and private address) and the old host."""
    from wizard.clients.ssh_login import is_direct

    record = server_record(ctx, server.name)
    # Through a jump host it is the jump host that the panel's port is open to, not we.
    direct = is_direct(await new_host_target(ctx, server.name))
    standing = Standing.ADMIN if direct else Standing.WORLD
    asked = [_from_operator(ctx, server, view) for view in _views(OPERATOR, standing, record)]
    for other in ctx.config.servers:
        known = ctx.saved.load("server", ServerRecord, step=f"provision.{other.name}.server")
        if other.name != server.name and known is not None:
            apart = server.role == "backend" and other.role == "frontend"
            views = _views(
                other.name,
                Standing.APART if apart else Standing.WORLD,
                record,
                private=bool(known.private_ip),
                v6=bool(known.ipv6),
            )
            asked.append(_from_host(ctx, server, other.name, views))
    if ctx.config.old_host is not None:
        asked.append(_from_host(ctx, server, OLD, _views(OLD, Standing.WORLD, record)))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in asked]
    rows = tuple(row for task in tasks for row in task.result())
    return PortMatrix(server.name, ctx.now(), rows)


def _views(
    vantage: str, standing: Standing, record: ServerRecord, *, private: bool = False, v6: bool = True
) -> tuple[View, ...]:
    paths = [("IPv4", record.ipv4), ("IPv6", record.ipv6 if v6 else "")]
    paths.append(("private", record.private_ip if private else ""))
    return tuple(View(vantage, standing, address, path) for path, address in paths if address)


async def _from_operator(ctx: Context, server: Server, view: View) -> list[Row]:
    timeout = ctx.world.clock.real(_SECONDS)
    async with asyncio.TaskGroup() as group:
        tasks = {
            port: group.create_task(probe(ctx.world.net, view.address, port, timeout=timeout))
            for port in ports.ports(server.port)
        }
    return [_row(view, {port: task.result() for port, task in tasks.items()}, server)]


async def _from_host(ctx: Context, server: Server, vantage: str, views: Sequence[View]) -> list[Row]:
    from wizard.clients import commands

    targets = tuple((view.address, port) for view in views for port in ports.ports(server.port))
    try:
        host = await (old_host(ctx) if vantage == OLD else new_host(ctx, vantage))
        said = await host.run(commands.probe(_SECONDS, targets))
    except UnreachableError as error:
        # The other vantages are asked all the same; this one's answer stays unknown.
        return [replace(_row(view, {}, server), unreached=error.what) for view in views]
    seen = ports.read_probe(said.stdout)
    rows = []
    for view in views:
        found = {port: reach for (address, port), reach in seen.items() if address == view.address}
        rows.append(_row(view, found, server))
    return rows


def _row(view: View, seen: dict[int, Reach], server: Server) -> Row:
    return ports.judge(view, seen, ssh=server.port, panel_closed=server.panel_for_nobody)


def _checks(matrix: PortMatrix, row: Row) -> list[Check]:
    """One about the panel's port and one about all others, for each view that can see at all."""
    view = row.view
    where = f"{view.vantage} over {view.path}" if view.path != "private" else f"{view.vantage}, privately"
    name = f"{view.vantage.replace(' ', '_')}.{view.path.lower()}"
    if not row.can_see and view.path == "IPv6" and not row.unreached:
        # A vantage without IPv6 sees nothing; the others are asked instead.
        return []
    seen = ", ".join(f"{cell.port} {cell.seen}" for cell in row.cells)
    panel = next(cell for cell in row.cells if cell.name == "panel")
    others = [cell for cell in row.wrong if cell is not panel]
    may = "open to" if panel.expected is ports.Expected.OPEN else "closed to"
    if row.unreached:
        evidence = Evidence(row.unreached, view.vantage, matrix.at)
        question = f"from {where} exactly the ports of {matrix.host} answer that should"
        advice = f"See why {view.vantage} can't be reached over SSH, then run this step again."
        return [Check(f"ports.{name}", question, CheckState.UNKNOWN, evidence, advice)]
    advice = "A timeout proves nothing without an answer beside it: see why port 443 does not answer."
    control = next(f"{cell.port} {cell.seen}" for cell in row.cells if cell.control)
    return [
        Check(
            f"port_3000.{name}",
            f"port 3000 of {matrix.host} is {may} {where}",
            _state(row, panel.right),
            Evidence(f"{view.address} 3000 {panel.seen}; beside it {control}", view.vantage, matrix.at),
            "" if panel.right and row.can_see else advice if panel.right else "Run firewall steps again.",
        ),
        Check(
            f"ports.{name}",
            f"from {where} exactly the ports of {matrix.host} answer that should",
            _state(row, not others),
            Evidence(f"{view.address}: {seen}", view.vantage, matrix.at),
            "; ".join(f"port {c.port} is {c.seen}, expected {c.expected}" for c in others)
            or ("" if row.can_see else advice),
        ),
    ]


def _state(row: Row, right: bool) -> CheckState:
    if not right:
        return CheckState.FAILED
    return CheckState.PASSED if row.can_see else CheckState.UNKNOWN
