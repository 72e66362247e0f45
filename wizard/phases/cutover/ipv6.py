"""IPv6 of the new place: led to only after somebody who has IPv6 was answered there.

The operator asks first, then each other host of ours, from its own network through SSH. Nobody with IPv6
means not known, and then an old AAAA record is taken away rather than moved: its visitors have IPv4 too.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wizard.engine.check import Check, CheckState, Evidence
from wizard.engine.step import Context
from wizard.errors import WizardError
from wizard.net import LiveNet, Net, Reach
from wizard.phases.hosts import OLD_HOST, new_host, old_host, server_record
from wizard.records import ServerRecord

if TYPE_CHECKING:
    from asyncssh import SSHClientConnection, SSHListener

    from wizard.checks.http import HttpClient
    from wizard.clients.ssh import HostClient
    from wizard.dns.records import ZoneSnapshot

_SECONDS = 3
_HTTPS = 443
_OPERATOR = "operator"
_MOVED, _TAKEN = "the old AAAA record moves there", "the old AAAA record is taken away rather than moved"
NO_SEAT = "not seen: nobody here has IPv6"


@dataclass(frozen=True, slots=True)
class Six:
    """`address` of the new place ("" if it has none). `reached` None: nobody who has IPv6 could ask."""

    address: str
    reached: bool | None
    seen: str
    vantage: str

    @property
    def proven(self) -> bool:
        return bool(self.address) and self.reached is True


@dataclass(frozen=True, slots=True)
class Through:
    """Connections from another host's own network, by ports of ours that stand until `close`, or as long as
    SSH to it."""

    host: HostClient
    _doors: dict[tuple[SSHClientConnection, str, int], SSHListener] = field(default_factory=dict)

    async def connect(self, address: str, port: int, *, timeout: float = 10.0) -> socket.socket:
        """Like a socket's: SSH that is gone is an OSError, a refusal over there an end of the stream here."""
        try:
            connection = await self.host.connect()
            door = (connection, address, port)
            if door not in self._doors:
                self._doors[door] = await self.host.door(*door)
        except WizardError as error:
            raise ConnectionError(f"no way through {self.host.name}: {error}") from error
        return await LiveNet().connect("127.0.0.1", self._doors[door].get_port(), timeout=timeout)

    def close(self) -> None:
        for listener in self._doors.values():
            listener.close()
        self._doors.clear()


@dataclass(frozen=True, slots=True)
class Seat:
    """A place from which an address is seen. `told`: from where, if not from here."""

    net: Net
    http: HttpClient
    told: str = ""


@dataclass(slots=True)
class Seats:
    """For each address the first place that gets through to it, found once. IPv4 is seen from here."""

    ctx: Context
    _kept: dict[str, Seat] = field(default_factory=dict)

    async def at(self, address: str) -> Seat | None:
        """None while nobody gets through over IPv6."""
        world = self.ctx.world
        if ":" not in address:
            return Seat(world.net, world.http)
        if address not in self._kept:
            found = await self._found(address)
            if found is None:
                return None
            self._kept[address] = found
        return self._kept[address]

    async def _found(self, address: str) -> Seat | None:
        from wizard.checks.http import HttpClient

        world = self.ctx.world
        if (await _reach_from_here(self.ctx, address))[0] in (Reach.OPEN, Reach.REFUSED):
            return Seat(world.net, world.http)
        for other in _others(self.ctx):
            try:
                host, reach = await _reach_from(self.ctx, other, address)
            except WizardError:
                continue
            if reach is Reach.OPEN:
                net = Through(host)
                return Seat(net, HttpClient(net, world.endpoints.trust), f"seen from {other}")
        return None


def wanted(names: Sequence[str], snapshot: ZoneSnapshot) -> tuple[str, ...]:
    """Names that have an IPv6 address today."""
    return tuple(name for name in names if snapshot.find(name, "AAAA") is not None)


def addresses(ctx: Context) -> dict[str, str]:
    """The IPv6 address of the new place of every name that moves, "" where its server has none."""
    return {name: server_record(ctx, app.server).ipv6 for app in ctx.config.apps for name in app.domains}


async def proofs(ctx: Context, names: Sequence[str]) -> dict[str, Six]:
    """For each of `names`: whether its page was answered over IPv6 at its new place, and to whom."""
    return {name: await _proof(ctx, name) for name in names}


async def _proof(ctx: Context, name: str) -> Six:
    app = ctx.config.app_of(name)
    address = server_record(ctx, app.server).ipv6
    if not address:
        return Six("", False, f"{app.server} has no IPv6 address", "progress file")
    told: list[str] = []
    for vantage in (_OPERATOR, *_others(ctx, app.server)):
        seen = await _asked(ctx, name, address, vantage)
        if seen.reached is not None:
            return seen
        told.append(f"{vantage}: {seen.seen}")
    return Six(address, None, "; ".join(told), "nobody with IPv6")


async def _asked(ctx: Context, name: str, address: str, vantage: str) -> Six:
    """A refusal came from over there; silence may be this place's own lack of IPv6, and is no verdict."""
    try:
        if vantage == _OPERATOR:
            reach, told = await _reach_from_here(ctx, address)
            way = None
        else:
            host, reach = await _reach_from(ctx, vantage, address)
            way, told = Through(host), f"port {_HTTPS} {reach}"
    except WizardError as error:
        return Six(address, None, str(error), vantage)
    if reach is not Reach.OPEN:
        return Six(address, False if reach is Reach.REFUSED else None, told, vantage)
    try:
        return await _page(ctx, name, address, vantage, way or ctx.world.net)
    finally:
        if way is not None:
            way.close()


async def _page(ctx: Context, name: str, address: str, vantage: str, net: Net) -> Six:
    from wizard.checks.http import HttpClient
    from wizard.phases.cutover.ready import page_at

    http = HttpClient(net, ctx.world.endpoints.trust)
    try:
        passed, seen = await page_at(ctx, http, name, address)
    except WizardError as error:
        return Six(address, None, str(error), vantage)
    finally:
        await http.aclose()
    return Six(address, passed, seen, vantage)


async def _reach_from_here(ctx: Context, address: str) -> tuple[Reach, str]:
    try:
        sock = await ctx.world.net.connect(address, _HTTPS, timeout=ctx.world.clock.real(_SECONDS))
    except ConnectionRefusedError:
        return Reach.REFUSED, f"port {_HTTPS} refused"
    except TimeoutError:
        return Reach.FILTERED, "nothing came back"
    except OSError as error:
        return Reach.FILTERED, f"no way out over IPv6 ({error.strerror or error})"
    sock.close()
    return Reach.OPEN, "open"


async def _reach_from(ctx: Context, other: str, address: str) -> tuple[HostClient, Reach]:
    """Raises WizardError when that host can't be asked."""
    from wizard.checks import ports
    from wizard.clients import commands

    host = await (old_host(ctx) if other == OLD_HOST else new_host(ctx, other))
    said = await host.run(commands.probe(_SECONDS, ((address, _HTTPS),)))
    return host, ports.read_probe(said.stdout).get((address, _HTTPS), Reach.FILTERED)


def _others(ctx: Context, server: str = "") -> tuple[str, ...]:
    """Hosts of ours that may have IPv6, the new ones first; `server` would only ask itself."""
    found = [one.name for one in ctx.config.servers if one.name != server and _has_six(ctx, one.name)]
    return (*found, *((OLD_HOST,) if ctx.config.old_host is not None else ()))


def _has_six(ctx: Context, server: str) -> bool:
    record = ctx.saved.load("server", ServerRecord, step=f"provision.{server}.server")
    return record is not None and bool(record.ipv6)


def checks(ctx: Context, found: Mapping[str, Six]) -> list[Check]:
    """What becomes of each old AAAA record. Neither outcome holds the flip up: IPv4 serves everybody."""
    return [_check(ctx, name, six) for name, six in found.items()]


def _check(ctx: Context, name: str, six: Six) -> Check:
    question = f"{six.address or 'the new place'} is ready for {name} over IPv6"
    vantage = f"{six.vantage}, at {six.address}" if six.address else six.vantage
    if six.proven:
        seen = Evidence(f"{six.seen}: {_MOVED}", vantage, ctx.now())
        return Check(f"{name}.ready6", question, CheckState.PASSED, seen)
    word = "not proven" if six.reached is None else "not reached"
    seen = Evidence(f"{word} ({six.seen}): {_TAKEN}", vantage, ctx.now())
    advice = "Run from a place with IPv6 to have it moved; visitors come over IPv4 meanwhile."
    return Check(f"{name}.ready6", question, CheckState.WAIVED, seen, advice)


async def still_serves(ctx: Context, names: Sequence[str]) -> list[Check]:
    """After the move: every name that was given an IPv6 address is answered over it."""
    found: list[Check] = []
    for name, six in (await proofs(ctx, names)).items():
        state = {True: CheckState.PASSED, False: CheckState.FAILED, None: CheckState.UNKNOWN}[six.reached]
        evidence = Evidence(six.seen, f"{six.vantage}, at {six.address}", ctx.now())
        advice = f"Take the AAAA record of {name} away at the provider until it is: IPv4 serves everybody."
        question = f"https://{name}{ctx.config.app_of(name).health} answers 200 over IPv6"
        found.append(Check(f"{name}.answers6", question, state, evidence, "" if six.reached else advice))
    return found
