"""The resolvers that a watch asks: the packaged list, a file of the operator's, addresses by themselves."""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from wizard.dns.authority import has_ipv6, is_public, system_resolvers
from wizard.endpoints import Endpoints, Resolver, SocketAddress
from wizard.errors import UsageError

_KEYS = frozenset({"name", "place", "ipv4", "ipv6", "doh", "plain", "anycast", "filtered"})
_PORT = 53


@dataclass(frozen=True, slots=True)
class Vantage:
    """One way to ask one resolver: over UDP (and TCP where it must), or over HTTPS at `doh`.

    `anycast`: several caches are to be expected behind the address. `listed`: somebody else runs it, so
    that it is tested before it is counted.
    """

    name: str
    address: SocketAddress
    over_https: bool = False
    doh: str = ""
    place: str = ""
    anycast: bool = False
    filtered: bool = False
    listed: bool = True

    @property
    def way(self) -> str:
        family = "IPv6" if ":" in self.address.host else "IPv4"
        return f"doh {family}" if self.over_https else f"udp {family}"

    @property
    def shown(self) -> str:
        return self.address.host if self.address.port == _PORT else str(self.address)

    @property
    def public(self) -> bool:
        """Asked at the real port of a public address."""
        return not self.over_https and self.address.port == _PORT and is_public(self.address.host)

    @property
    def by_https(self) -> Vantage:
        """The same resolver over HTTPS; only where it has an address for that."""
        return replace(self, over_https=True)


@cache
def packaged() -> tuple[Vantage, ...]:
    """The list that comes with the program, without regard to what works here."""
    text = resources.files("wizard.dns").joinpath("resolvers.toml").read_text(encoding="utf-8")
    return parse(text, "resolvers.toml")


def from_file(path: Path) -> tuple[Vantage, ...]:
    """Resolvers of a file: in the form of the packaged list, or one ADDRESS[:PORT] [NAME] a line.

    Raises UsageError with the line or the entry that cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read", str(error), "Name a text file by --resolvers.") from None
    return parse(text, str(path)) if "[[" in text else _from_lines(text, str(path))


def _from_lines(text: str, source: str) -> tuple[Vantage, ...]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split(None, 1)
        if words:
            try:
                found.append(replace(given(words[0]), name=words[1].strip() if words[1:] else words[0]))
            except UsageError as error:
                raise UsageError(f"{source}, line {number}: {error.what}", error.why, error.next) from None
    return tuple(found)


def parse(text: str, source: str) -> tuple[Vantage, ...]:
    """The packaged form. Raises UsageError for what it does not hold."""
    try:
        rows: list[dict[str, Any]] = tomllib.loads(text).get("resolvers", [])
        return tuple(vantage for row in rows for vantage in _vantages(row))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{source} is no list of resolvers",
            str(error).strip("'"),
            "Each [[resolvers]] needs a name and ipv4 or ipv6 addresses; see wizard/dns/resolvers.toml.",
        ) from None


def _vantages(row: dict[str, Any]) -> Iterable[Vantage]:
    unknown = set(row) - _KEYS
    if unknown:
        raise ValueError(f"unknown key {', '.join(sorted(unknown))} in {row.get('name', 'an entry')}")
    name, doh = str(row["name"]), str(row.get("doh", ""))
    plain = bool(row.get("plain", True))
    if not plain and not doh:
        raise ValueError(f"{name} has neither port 53 nor doh")
    hosts = [*row.get("ipv4", ()), *row.get("ipv6", ())]
    for number, host in enumerate(hosts if plain else hosts[:1]):
        yield Vantage(
            name if number == 0 else f"{name} {number + 1}",
            SocketAddress(str(ipaddress.ip_address(host)), _PORT),
            not plain,
            doh,
            str(row.get("place", "")),
            bool(row.get("anycast", False)),
            bool(row.get("filtered", False)),
        )


def given(text: str) -> Vantage:
    """A resolver that somebody named by ADDRESS[:PORT]; asked as it is."""
    address = socket_address(text)
    return Vantage(text, address, listed=False)


def socket_address(text: str) -> SocketAddress:
    """ADDRESS, ADDRESS:PORT, or [IPv6]:PORT. Raises UsageError."""
    host, port = text, str(_PORT)
    if text.startswith("["):
        host, closed, port = text[1:].partition("]")
        port = port.removeprefix(":") or str(_PORT) if closed else ""
    elif text.count(":") == 1:
        host, port = text.split(":")
    try:
        number = int(port)
        if not 0 < number < 65536:
            raise ValueError(port)
        return SocketAddress(str(ipaddress.ip_address(host)), number)
    except ValueError:
        raise UsageError(
            f"{text!r} is no address of a server",
            "an IP address is needed, with a port if it isn't 53",
            "Write it as 192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:5353.",
        ) from None


def of_endpoints(endpoints: Endpoints) -> tuple[Vantage, ...]:
    """Those that the world names instead of the packaged list, or of that list what is usable here."""
    if endpoints.resolvers is not None:
        return tuple(_of(resolver) for resolver in endpoints.resolvers)
    return usable(packaged())


def _of(resolver: Resolver) -> Vantage:
    return Vantage(
        resolver.name,
        resolver.address,
        doh=resolver.doh,
        place=resolver.region,
        filtered=resolver.filtered,
    )


def usable(found: Iterable[Vantage]) -> tuple[Vantage, ...]:
    """Without those over IPv6 where this machine has none."""
    six = has_ipv6()
    return tuple(one for one in found if six or ":" not in one.address.host)


def own(endpoints: Endpoints) -> tuple[Vantage, ...]:
    """The resolvers of this machine: what the operator's own browser sees."""
    if endpoints.resolvers is not None:
        return ()
    return tuple(Vantage("this machine's resolver", at, listed=False) for at in system_resolvers()[:1])
