"""What stands beside the addresses in a zone and would disturb a move: found beforehand. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from wizard.dns.records import RRset, ZoneSnapshot

ALIASES = ("CNAME", "ALIAS", "ANAME")
HINTS = ("HTTPS", "SVCB")
_MAIL_NAMES = ("_dmarc", "_domainkey", "_mta-sts", "_smtp._tls")


class Kind(StrEnum):
    IPV6 = "ipv6"
    HINTS = "hints"
    ALIAS = "alias"
    WILDCARD = "wildcard"
    PROXIED = "proxied"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Leftover:
    """`effect`: what it would do to the move. `seen` is the record set as it stands."""

    kind: Kind
    name: str
    type: str
    seen: str
    effect: str

    @property
    def key(self) -> str:
        """Stable over runs: answers are kept under it."""
        return f"{self.kind}/{self.name}/{self.type}"

    def __str__(self) -> str:
        return f"{self.name} {self.type} {self.seen}: {self.effect}"


def covering_wildcard(snapshot: ZoneSnapshot, name: str) -> str:
    """The wildcard that answers for a name that isn't there (RFC 4592); "" when none does."""
    if snapshot.at(name) or any(one.name.endswith(f".{name}") for one in snapshot.rrsets):
        return ""
    names = {one.name for one in snapshot.rrsets}
    parent = name
    while parent != snapshot.zone and "." in parent:
        parent = parent.partition(".")[2]
        if f"*.{parent}" in names:
            return f"*.{parent}"
        if parent in names or any(known.endswith(f".{parent}") for known in names if parent != snapshot.zone):
            return ""
    return ""


def leftovers(snapshot: ZoneSnapshot, names: Sequence[str], *, leaving: bool = False) -> tuple[Leftover, ...]:
    """Everything at the moving `names` that a change of their addresses alone would not take along.

    `leaving`: the zone may disappear with the platform that is left, and its mail records with it.
    """
    found: list[Leftover] = []
    for name in names:
        for one in snapshot.at(name):
            found += _beside(snapshot, one)
        wildcard = covering_wildcard(snapshot, name)
        if wildcard:
            effect = f"it answers for {name}, which gets a record set of its own before the move"
            found.append(Leftover(Kind.WILDCARD, name, "A", wildcard, effect))
        if name in snapshot.proxied:
            effect = "the provider answers with its own addresses, so nobody can see the records flip"
            found.append(Leftover(Kind.PROXIED, name, "A", "proxied", effect))
    return (*found, *(_mail(snapshot) if leaving else ()))


def _beside(snapshot: ZoneSnapshot, one: RRset) -> list[Leftover]:
    if one.type == "AAAA":
        effect = "visitors with IPv6 would go on to the old place after the flip"
        return [Leftover(Kind.IPV6, one.name, one.type, str(one), effect)]
    if one.type in HINTS:
        effect = "browsers would take addresses and protocols from it instead of from the new records"
        return [Leftover(Kind.HINTS, one.name, one.type, str(one), effect)]
    if one.type in ALIASES:
        where = "at the top of the zone" if one.name == snapshot.zone else "in the way"
        effect = f"an alias {where}: no address can stand beside it"
        return [Leftover(Kind.ALIAS, one.name, one.type, str(one), effect)]
    return []


def _mail(snapshot: ZoneSnapshot) -> list[Leftover]:
    effect = "mail would stop if the domain were removed there: it must stay, or be copied first"
    return [Leftover(Kind.MAIL, one.name, one.type, str(one), effect) for one in mail_records(snapshot)]


def mail_records(snapshot: ZoneSnapshot) -> tuple[RRset, ...]:
    """MX, SPF, DKIM, DMARC and what belongs to them."""
    return tuple(one for one in snapshot.rrsets if _is_mail(one))


def _is_mail(one: RRset) -> bool:
    if one.type == "MX":
        return True
    if one.type not in ("TXT", "CNAME"):
        return False
    return any(part in one.name for part in _MAIL_NAMES) or any("v=spf1" in value for value in one.values)
