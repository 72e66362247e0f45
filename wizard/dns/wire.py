"""DNS messages as bytes: questions built once, answers read without more work than a watch needs."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, replace
from enum import IntEnum

from wizard.errors import WizardError

TYPES = {
    "A": 1,
    "NS": 2,
    "CNAME": 5,
    "SOA": 6,
    "PTR": 12,
    "MX": 15,
    "TXT": 16,
    "AAAA": 28,
    "SRV": 33,
    "DS": 43,
    "DNSKEY": 48,
    "TLSA": 52,
    "SVCB": 64,
    "HTTPS": 65,
    "CAA": 257,
}
_NAMES = {number: name for name, number in TYPES.items()}
_OPT = 41
_PAYLOAD = 1232
_HEADER = struct.Struct("!HHHHHH")
_FIXED = struct.Struct("!HHIH")
_JUMPS = 64


class Rcode(IntEnum):
    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5


class BadMessageError(WizardError):
    """Bytes that are not a DNS message."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of an answer; `value` in canonical text (see `canonical`), `ttl` in seconds."""

    name: str
    type: str
    ttl: int
    value: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `negative_ttl`: how long its absence may be remembered (RFC 2308), None without SOA."""

    rcode: int
    authoritative: bool
    truncated: bool
    recursion: bool
    authentic: bool
    answers: tuple[Record, ...]
    authority: tuple[Record, ...] = ()
    negative_ttl: int | None = None

    def values(self, kind: str) -> tuple[str, ...]:
        """Values of one type, sorted; those at the end of an alias chain included."""
        return tuple(sorted(record.value for record in self.answers if record.type == kind))

    def ttl(self, kind: str) -> int | None:
        """Remaining TTL of the records of one type; None when there are none."""
        return min((record.ttl for record in self.answers if record.type == kind), default=None)


def encode_name(name: str) -> bytes:
    """Uncompressed wire form. Raises BadMessageError for a label that no name can have."""
    parts = [label.encode("idna" if not label.isascii() else "ascii") for label in name.split(".") if label]
    if any(len(part) > 63 for part in parts) or sum(map(len, parts)) + len(parts) > 254:
        raise BadMessageError(f"{name} is not a host name", "it is too long")
    return b"".join(bytes((len(part),)) + part for part in parts) + b"\0"


def question(name: str, kind: str, *, recursive: bool = True, dnssec: bool = False) -> bytes:
    """A whole query with id 0: patch the first two bytes. EDNS 1232, AD wanted."""
    flags = 0x0020 | (0x0100 if recursive else 0)
    opt = b"\0" + _FIXED.pack(_OPT, _PAYLOAD, 0x8000 if dnssec else 0, 0)
    asked = encode_name(name) + struct.pack("!HH", TYPES[kind], 1)
    return _HEADER.pack(0, flags, 1, 0, 0, 1) + asked + opt


def asked_part(query: bytes) -> bytes:
    """The question section of a query that `question` built: an answer must echo it."""
    end = 12
    while query[end]:
        end += 1 + query[end]
    return query[12 : end + 5]


def same_question(asked: bytes, answer: bytes) -> bool:
    """Case is not compared: some resolvers lower it."""
    echoed = answer[12 : 12 + len(asked)]
    return echoed == asked or echoed.lower() == asked.lower()


def parse(data: bytes) -> Reply:
    """Read an answer. Raises BadMessageError when it is malformed."""
    try:
        return _parse(data)
    except (struct.error, IndexError, ValueError) as error:
        raise BadMessageError("A DNS answer is malformed", type(error).__name__) from error


def aged(reply: Reply, seconds: int) -> Reply:
    """An answer that lay `seconds` in a cache on the way (RFC 8484 §5.1): that much less is left."""
    if not seconds:
        return reply
    answers = tuple(replace(record, ttl=max(0, record.ttl - seconds)) for record in reply.answers)
    negative = None if reply.negative_ttl is None else max(0, reply.negative_ttl - seconds)
    return replace(reply, answers=answers, negative_ttl=negative)


def _parse(data: bytes) -> Reply:
    _, flags, questions, answers, authorities, _ = _HEADER.unpack_from(data)
    at = 12
    for _ in range(questions):
        _, at = _name(data, at)
        at += 4
    found: list[Record] = []
    authority: list[Record] = []
    for number in range(answers + authorities):
        record, at = _record(data, at)
        if record is not None:
            (found if number < answers else authority).append(record)
    return Reply(
        flags & 0xF,
        bool(flags & 0x0400),
        bool(flags & 0x0200),
        bool(flags & 0x0080),
        bool(flags & 0x0020),
        tuple(found),
        tuple(authority),
        _negative(authority),
    )


def _negative(authority: list[Record]) -> int | None:
    soa = next((record for record in authority if record.type == "SOA"), None)
    return min(soa.ttl, int(soa.value.split()[-1])) if soa else None


def _record(data: bytes, at: int) -> tuple[Record | None, int]:
    name, at = _name(data, at)
    kind, _, ttl, length = _FIXED.unpack_from(data, at)
    at += _FIXED.size
    if at + length > len(data):
        raise ValueError("cut off")
    known = _NAMES.get(kind)
    if known is None:
        return None, at + length
    return Record(name, known, ttl, _value(known, data, at, length)), at + length


def _value(kind: str, data: bytes, at: int, length: int) -> str:
    if kind == "A":
        return socket.inet_ntop(socket.AF_INET, data[at : at + length])
    if kind == "AAAA":
        return socket.inet_ntop(socket.AF_INET6, data[at : at + length])
    if kind in ("CNAME", "NS", "PTR"):
        return _name(data, at)[0]
    if kind == "MX":
        return f"{struct.unpack_from('!H', data, at)[0]} {_name(data, at + 2)[0]}"
    if kind == "TXT":
        return _strings(data[at : at + length])
    if kind == "SOA":
        first, at = _name(data, at)
        second, at = _name(data, at)
        return " ".join((first, second, *map(str, struct.unpack_from("!IIIII", data, at))))
    return _rare(kind, data, at, length)


def _strings(data: bytes) -> str:
    parts, at = [], 0
    while at < len(data):
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(parts).decode("utf-8", "replace")


def _rare(kind: str, data: bytes, at: int, length: int) -> str:
    """Types that a flip seldom meets: a library knows their text form."""
    import dns.exception
    import dns.rdata

    try:
        return dns.rdata.from_wire("IN", kind, data, at, length).to_text()
    except dns.exception.DNSException as error:
        raise ValueError(str(error)) from error


def _name(data: bytes, at: int) -> tuple[str, int]:
    """A possibly compressed name in lower case without the last dot, and where the next thing begins."""
    labels: list[str] = []
    end = -1
    for _ in range(_JUMPS):
        length = data[at]
        if length >= 0xC0:
            if end < 0:
                end = at + 2
            at = (length & 0x3F) << 8 | data[at + 1]
        elif length == 0:
            return ".".join(labels), (at + 1 if end < 0 else end)
        else:
            labels.append(data[at + 1 : at + 1 + length].decode("latin-1").lower())
            at += 1 + length
    raise ValueError("endless name")


def canonical(kind: str, value: str) -> str:
    """One spelling for a value, so that two can be compared: lower case, no last dot, no quotes."""
    text = value.strip()
    if kind == "A":
        return text
    if kind == "AAAA":
        try:
            return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text))
        except OSError:
            return text.lower()
    if kind in ("CNAME", "NS", "PTR"):
        return text.rstrip(".").lower()
    if kind == "MX":
        number, _, host = text.partition(" ")
        return f"{number} {host.strip().rstrip('.').lower()}"
    if kind == "TXT" and text.startswith('"') and text.endswith('"'):
        return "".join(part for part in text.split('"')[1::2])
    return text
