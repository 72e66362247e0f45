"""A primary server of the stage's zone that takes signed updates (RFC 2136) and zone transfers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import struct
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update

from wizard.rehearsal.dns.state import Row

if TYPE_CHECKING:
    from wizard.endpoints import SocketAddress
    from wizard.rehearsal.dns.standin import DnsStandin, Zone

KEY = base64.b64encode(hashlib.sha256(b"rehearsal").digest()).decode()
_Rows = dict[tuple[str, str], Row]


class UpdateServer:
    """Over TCP, as updates should be."""

    def __init__(self, standin: DnsStandin) -> None:
        self.standin = standin
        self.server: asyncio.Server | None = None

    async def start(self) -> SocketAddress:
        from wizard.endpoints import SocketAddress

        self.server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        return SocketAddress("127.0.0.1", int(self.server.sockets[0].getsockname()[1]))

    @property
    def _zone_name(self) -> str:
        return self.standin.stage.config.dns.zone

    @property
    def _zone(self) -> Zone:
        return self.standin.zone(self._zone_name)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, dns.exception.DNSException, TimeoutError):
            async with asyncio.timeout(5):
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                wire = self._answer(await reader.readexactly(length))
                writer.write(struct.pack("!H", len(wire)) + wire)
                await writer.drain()
        writer.close()

    def _answer(self, data: bytes) -> bytes:
        name = dns.name.from_text(self.standin.stage.config.dns.key_name.partition(":")[0] or "wizard")
        keyring = {name: dns.tsig.Key(name, KEY, "hmac-sha256.")}
        try:
            message = dns.message.from_wire(data, keyring=keyring)
        except (dns.message.UnknownTSIGKey, dns.tsig.BadSignature):
            return _refusal(data, dns.rcode.NOTAUTH)
        reply = dns.message.make_response(message)
        if not message.had_tsig:
            reply.set_rcode(dns.rcode.REFUSED)
        elif isinstance(message, dns.update.UpdateMessage):
            reply.set_rcode(self._update(message))
        elif message.question and message.question[0].rdtype == dns.rdatatype.AXFR:
            reply.flags |= dns.flags.AA
            self._transfer(reply)
        return reply.to_wire(max_size=65535)

    def _transfer(self, reply: dns.message.Message) -> None:
        soa = self.standin.soa_row(self._zone_name)
        rows = [soa, *self._zone.all(), soa]
        for at, row in enumerate(rows):
            name = self.standin.state.zones[self._zone_name].absolute(row.name if row is not soa else "@")
            found = dns.rrset.from_text(f"{name}.", row.ttl, "IN", row.type, *self._full(row))
            # Equal record sets would be put together: the last SOA has to stand at the end.
            reply.answer.append(found) if at else reply.answer.insert(0, found)

    def _full(self, row: Row) -> tuple[str, ...]:
        return row.values

    def _update(self, message: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        rows: _Rows = {(row.name, row.type): row for row in self._zone.all()}
        for wanted in message.prerequisite:
            key = (self._label(wanted.name), dns.rdatatype.to_text(wanted.rdtype))
            if wanted.rdclass == dns.rdataclass.NONE or wanted.deleting == dns.rdataclass.NONE:
                if key in rows:
                    return dns.rcode.YXRRSET
            elif key not in rows or (len(wanted) and not _same(rows[key], wanted)):
                return dns.rcode.NXRRSET
        for change in message.update:
            self._one(rows, change)
        self._zone.replace(rows)
        self.standin.stage.ledger.record("rfc2136", "dns", self._zone_name, "update")
        return dns.rcode.NOERROR

    def _one(self, rows: _Rows, change: dns.rrset.RRset) -> None:
        label, kind = self._label(change.name), dns.rdatatype.to_text(change.rdtype)
        if change.deleting == dns.rdataclass.ANY:
            for key in [key for key in rows if key[0] == label and kind in (key[1], "ANY")]:
                if key != ("@", "NS"):
                    del rows[key]
            return
        alias = any(name == label and (of == "CNAME") != (kind == "CNAME") for name, of in rows)
        if alias:
            # Silently, as the real servers do.
            return
        before = rows.get((label, kind))
        values = (*(before.values if before else ()), *(str(value) for value in change))
        rows[label, kind] = Row(label, kind, change.ttl, tuple(dict.fromkeys(values)))

    def _label(self, name: dns.name.Name) -> str:
        absolute = name.derelativize(dns.name.from_text(self._zone_name))
        text = absolute.to_text(omit_final_dot=True).lower()
        return self.standin.state.zones[self._zone_name].relative(text)


def _same(row: Row, wanted: dns.rrset.RRset) -> bool:
    mine = dns.rrset.from_text(wanted.name, row.ttl, "IN", row.type, *row.values)
    return {value.to_digestable(dns.name.root) for value in mine} == {
        value.to_digestable(dns.name.root) for value in wanted
    }


def _refusal(data: bytes, code: int) -> bytes:
    """An unsigned refusal with the question: the key is not known here, or signs badly."""
    asked = dns.message.from_wire(data, question_only=True, keyring=False)
    reply = dns.message.Message(asked.id)
    reply.flags = dns.flags.Flag(dns.opcode.to_flags(asked.opcode()) | dns.flags.QR | code)
    reply.question = asked.question
    return reply.to_wire()
