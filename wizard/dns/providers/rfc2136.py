"""Zones by dynamic update (RFC 2136): one signed message a change set, taken only if the old values stand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from wizard.dns.providers.base import PROOF_TTL, deletions_first, due
from wizard.dns.records import ChangeSet, RecordChange, RRset, ThirdValueError, ZoneSnapshot, rrset
from wizard.endpoints import SocketAddress
from wizard.errors import CredentialError, UnreachableError, VendorError

if TYPE_CHECKING:
    import dns.message
    import dns.tsig
    import dns.update
    import dns.zone

SECRET = "RFC2136_KEY"
_SECONDS = 15.0
_TARGETS = frozenset({"CNAME", "NS", "MX", "PTR", "SRV"})
_ALGORITHM = "hmac-sha256"


class Rfc2136Provider:
    """`key_name` names the TSIG key, its algorithm after a colon where it isn't hmac-sha256."""

    name = "rfc2136"
    min_ttl = 1
    atomic = True
    swaps = True
    implicit = False
    by_hand = False
    types = frozenset({"A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NS", "SRV", "SVCB", "TLSA", "TXT"})

    def __init__(
        self, server: SocketAddress, zone: str, key_name: str, secret: Callable[[], Awaitable[str | None]]
    ) -> None:
        self._server = server
        self._zone = zone
        self._key_name, _, algorithm = key_name.partition(":")
        self._algorithm = algorithm or _ALGORITHM
        self._secret = secret

    async def snapshot(self) -> ZoneSnapshot:
        """By a zone transfer: it holds everything. Raises CredentialError when the key may not."""
        zone = await self._transfer()
        found: list[RRset] = []
        for name, node in zone.nodes.items():
            absolute = name.derelativize(zone.origin or name).to_text(omit_final_dot=True)
            for rdataset in node.rdatasets:
                kind = str(rdataset.rdtype.name)
                values = tuple(_text(value, zone) for value in rdataset)
                if kind not in ("SOA", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM"):
                    found.append(rrset(absolute, kind, rdataset.ttl, values))
        return ZoneSnapshot(self._zone, tuple(found), f"$ORIGIN {self._zone}.\n{zone.to_text()}")

    async def apply(self, changes: ChangeSet) -> None:
        live = await self.snapshot()
        left = due(changes, live)
        if left:
            await self._send(await self._update(left, live), f"changing {', '.join(changes.names)}")

    async def revert(self, changes: ChangeSet) -> None:
        await self.apply(changes.inverse())

    async def set_txt(self, name: str, values: Sequence[str]) -> None:
        update = await self._begin()
        update.delete(self._absolute(name), "TXT")
        for value in values:
            update.add(self._absolute(name), PROOF_TTL, "TXT", f'"{value}"')
        await self._send(update, f"setting {name} TXT")

    async def remove_txt(self, name: str) -> None:
        update = await self._begin()
        update.delete(self._absolute(name), "TXT")
        await self._send(update, f"deleting {name} TXT")

    async def _update(self, left: Sequence[RecordChange], live: ZoneSnapshot) -> dns.update.UpdateMessage:
        """Deletions come first: an address that is added beside an alias would be ignored silently."""
        update = await self._begin()
        for one in left:
            name, now = self._absolute(one.name), live.find(one.name, one.type)
            if now is None:
                update.absent(name, one.type)
            else:
                update.present(name, one.type, *(_wire(one.type, value) for value in now.values))
        for one in deletions_first(ChangeSet(self._zone, tuple(left))):
            name = self._absolute(one.name)
            update.delete(name, one.type)
            for value in one.new.values if one.new else ():
                assert one.new is not None
                update.add(name, one.new.ttl, one.type, _wire(one.type, value))
        return update

    async def _begin(self) -> dns.update.UpdateMessage:
        import dns.update

        return dns.update.UpdateMessage(self._zone, keyring=await self._keyring())

    def _absolute(self, name: str) -> str:
        return f"{name}."

    async def _keyring(self) -> dict[Any, dns.tsig.Key]:
        import binascii

        import dns.exception
        import dns.name
        import dns.tsig

        text = (await self._secret() or "").strip()
        if not text:
            raise CredentialError(
                f"There is no key for {self._server}", next=f"Set {SECRET} to the TSIG key (base64)."
            )
        try:
            name = dns.name.from_text(self._key_name)
            return {name: dns.tsig.Key(name, text, f"{self._algorithm}.")}
        except (binascii.Error, ValueError, dns.exception.DNSException) as error:
            raise CredentialError(
                "The TSIG key could not be read", type(error).__name__, f"Set {SECRET} to the key in base64."
            ) from error

    async def _send(self, update: dns.update.UpdateMessage, doing: str) -> None:
        """Sent once, and finished even if we are cancelled. UnreachableError when its end is unknown."""
        import dns.asyncquery
        import dns.exception
        import dns.rcode

        work = dns.asyncquery.tcp(update, self._server.host, timeout=_SECONDS, port=self._server.port)
        try:
            answer = await asyncio.shield(asyncio.ensure_future(work))
        except (dns.exception.DNSException, OSError, EOFError) as error:
            raise self._trouble(error, doing) from error
        code = answer.rcode()
        if code in (dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN):
            raise ThirdValueError(
                f"{self._zone} was changed by somebody else at this very moment",
                f"the server refused {doing}: {dns.rcode.to_text(code)}; nothing was changed",
                "Run again: the values are read anew.",
            )
        if code != dns.rcode.NOERROR:
            raise self._refused(dns.rcode.to_text(code), doing)

    async def _transfer(self) -> dns.zone.Zone:
        import dns.asyncquery
        import dns.exception
        import dns.query
        import dns.xfr
        import dns.zone

        zone = dns.zone.Zone(self._zone)
        query, _ = dns.xfr.make_query(zone, keyring=await self._keyring())
        doing = f"reading zone {self._zone}"
        try:
            await dns.asyncquery.inbound_xfr(
                self._server.host,
                zone,
                query,
                port=self._server.port,
                timeout=_SECONDS,
                lifetime=_SECONDS,
                udp_mode=dns.query.UDPMode.NEVER,
            )
        except (dns.exception.DNSException, OSError, EOFError) as error:
            raise self._trouble(error, doing) from error
        return zone

    def _trouble(self, error: BaseException, doing: str) -> VendorError | UnreachableError:
        import dns.query
        import dns.tsig
        import dns.xfr

        if isinstance(error, dns.tsig.PeerError | dns.tsig.BadSignature | dns.tsig.BadKey | dns.tsig.BadTime):
            return CredentialError(
                f"{self._server} does not accept the key for {doing}",
                type(error).__name__,
                f"Compare dns.key_name and {SECRET} with the server's key, and both clocks.",
            )
        if isinstance(error, dns.xfr.TransferError):
            return self._refused(str(error), doing)
        return UnreachableError(
            f"{self._server} does not answer", f"while {doing}: {type(error).__name__}", "Check the network."
        )

    def _refused(self, why: str, doing: str) -> CredentialError:
        return CredentialError(
            f"{self._server} refused {doing}",
            why,
            f"Let the key {self._key_name} update and transfer {self._zone} (allow-update, allow-transfer), "
            f"and compare {SECRET} with the server's key.",
        )


def _text(value: Any, zone: dns.zone.Zone) -> str:
    """Targets in full: the transfer gives them relative to the zone."""
    return str(value.to_text(origin=zone.origin, relativize=False))


def _wire(kind: str, value: str) -> str:
    """Canonical text as dnspython reads it: targets end with a dot."""
    if kind in _TARGETS:
        return f"{value}."
    return '"' + value.replace('"', '\\"') + '"' if kind == "TXT" else value
