"""`watch NAME TYPE --expect VALUE`: the propagation checker by itself; needs no configuration."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.commands.options import Options
from wizard.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from wizard.clock import Clock
    from wizard.dns.asking import Asker
    from wizard.dns.authority import AuthoritativeServer
    from wizard.dns.question import DnsClient
    from wizard.dns.resolvers import Vantage
    from wizard.dns.watch import Watch
    from wizard.dns.watch_target import Target
    from wizard.endpoints import Endpoints

_BOUT = 5.0
_PATIENCE = 2.0
_NAP = 30.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a host name")
    parser.add_argument("type", metavar="TYPE", type=str.upper, help="A, AAAA, CNAME, MX, TXT …")
    parser.add_argument(
        "--expect",
        action="append",
        required=True,
        metavar="VALUE",
        help="the value it is to get (repeatable: all of them; empty: it is to vanish)",
    )
    parser.add_argument(
        "--was",
        action="append",
        metavar="VALUE",
        help="the value it had (repeatable); without it, every other value counts as old",
    )
    parser.add_argument(
        "--resolver",
        action="append",
        default=[],
        metavar="ADDRESS[:PORT]",
        help="ask this resolver too (repeatable)",
    )
    parser.add_argument(
        "--resolvers", type=Path, metavar="FILE", help="ask those of a file too: addresses, or TOML"
    )
    parser.add_argument("--no-public", action="store_true", help="leave the packaged list out")
    parser.add_argument(
        "--authoritative",
        action="append",
        default=[],
        metavar="ADDRESS[:PORT]",
        help="an authoritative server (repeatable); otherwise they are found by the delegation",
    )
    parser.add_argument("--until-done", action="store_true", help="end when no cache can be old any more")


async def run(options: Options, arguments: argparse.Namespace) -> ExitCode:
    from wizard.commands.watch_lines import reader_for
    from wizard.dns.asking import Asker
    from wizard.dns.question import DnsClient

    target = _target(arguments)
    async with _outside(options) as (endpoints, clock, client):
        dns = client or DnsClient(clock)
        asker = Asker(dns, clock, endpoints.trust)
        watch = await _made(arguments, target, endpoints, clock, asker)
        reader = reader_for(options, watch)
        watch.listen(reader.heard)
        try:
            await watch.begin()
            reader.begun()
            return await _follow(watch, reader.settled, until_done=arguments.until_done)
        finally:
            reader.ended()
            await watch.aclose()
            if client is None:
                await dns.aclose()


async def _follow(watch: Watch, settled: Callable[[], None], *, until_done: bool) -> ExitCode:
    """To the end, or for as long as nobody interrupts."""
    said = False
    while True:
        moment = await watch.attend(patience=_PATIENCE, limit=_BOUT)
        if watch.done and not said:
            said = True
            settled()
            if until_done:
                return _code(watch)
        # Not `wait_until`: who only looks on must not make a rehearsal's time leap.
        await watch.clock.sleep(min(moment - watch.clock.now(), _NAP))


def _code(watch: Watch) -> ExitCode:
    """Failed when somebody says something else after all patience, or when nobody answered at all."""
    answered = any(cell.counted for cell in watch.cells) or watch.board.known
    return ExitCode.DONE if answered and not watch.odd else ExitCode.FAILED


def _target(arguments: argparse.Namespace) -> Target:
    from wizard.dns.watch_target import target
    from wizard.dns.wire import TYPES, BadMessageError, encode_name

    if arguments.type not in TYPES:
        raise UsageError(
            f"{arguments.type} is no type of record that can be watched",
            next=f"Choose one of: {', '.join(TYPES)}.",
        )
    name = arguments.name.rstrip(".").lower()
    try:
        if not name or ".." in name:
            raise BadMessageError(f"{arguments.name!r} is not a host name")
        encode_name(name)
    except (BadMessageError, UnicodeError) as error:
        raise UsageError(str(error), next="Write it in full, without a scheme: www.example.org.") from None
    new = tuple(value for value in arguments.expect if value)
    old = None if arguments.was is None else tuple(value for value in arguments.was if value)
    return target(name, arguments.type, new, old)


async def _made(
    arguments: argparse.Namespace, target: Target, endpoints: Endpoints, clock: Clock, asker: Asker
) -> Watch:
    from wizard.dns.watch import Watch

    vantages = _vantages(arguments, endpoints)
    servers = await _servers(arguments, target, endpoints, asker.dns)
    if not vantages and not servers:
        raise UsageError(
            "There is nobody to ask",
            "the packaged list is left out, and no other server was named",
            "Name one by --resolver or --resolvers.",
        )
    return Watch(asker, clock, (target,), vantages, servers)


def _vantages(arguments: argparse.Namespace, endpoints: Endpoints) -> tuple[Vantage, ...]:
    from wizard.dns.resolvers import from_file, given, of_endpoints, own, usable

    found = [given(text) for text in arguments.resolver]
    if arguments.resolvers is not None:
        found += usable(from_file(arguments.resolvers))
    if not arguments.no_public:
        found += [*own(endpoints), *of_endpoints(endpoints)]
    by_address = {(one.address, one.over_https): one for one in reversed(found)}
    return tuple(reversed(by_address.values()))


async def _servers(
    arguments: argparse.Namespace, target: Target, endpoints: Endpoints, client: DnsClient
) -> tuple[AuthoritativeServer, ...]:
    from wizard.dns.authority import given, servers_of, zone_of
    from wizard.dns.resolvers import socket_address

    if arguments.authoritative:
        return given([socket_address(text) for text in arguments.authoritative], "")
    if arguments.no_public and (arguments.resolver or arguments.resolvers) and endpoints.resolvers is None:
        # Resolvers of one's own alone: the world outside is left alone, too.
        return ()
    zone = await zone_of(client, endpoints, target.name)
    return await servers_of(client, endpoints, zone) if zone else ()


@contextlib.asynccontextmanager
async def _outside(options: Options) -> AsyncIterator[tuple[Endpoints, Clock, DnsClient | None]]:
    """The real world without any configuration, or the rehearsal's."""
    if options.rehearsal is None:
        from wizard.clock import LiveClock
        from wizard.endpoints import Endpoints

        yield Endpoints(), LiveClock(), None
        return
    from wizard.commands.place import beside

    async with beside(options) as world:
        yield world.endpoints, world.clock, world.dns
