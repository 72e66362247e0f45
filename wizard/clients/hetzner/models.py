"""What Hetzner has, as plain frozen data: nothing here asks the API when it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from ipaddress import ip_interface
from typing import Any

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Price:
    """A month, in the account's currency."""

    net: Decimal
    gross: Decimal

    def __add__(self, other: Price) -> Price:
        return Price(self.net + other.net, self.gross + other.gross)

    def share(self, percentage: Decimal) -> Price:
        return Price(self.net * percentage / 100, self.gross * percentage / 100)


FREE = Price(Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True)
class Offer:
    """A type at a location. `available` is Hetzner's advice, not a promise: the create call decides."""

    location: str
    available: bool
    unavailable_after: float | None
    price: Price | None


@dataclass(frozen=True, slots=True)
class ServerType:
    """`memory` and `disk` in GB; `architecture` is x86 or arm."""

    name: str
    cores: int
    memory: float
    disk: int
    architecture: str
    cpu: str
    deprecated: bool
    offers: tuple[Offer, ...]

    def offer(self, location: str) -> Offer | None:
        return next((offer for offer in self.offers if offer.location == location), None)

    def orderable(self, location: str, now: float) -> bool:
        """Listed there, said to be available, and not past its end (`now` is a moment)."""
        offer = self.offer(location)
        return (
            offer is not None
            and offer.available
            and (offer.unavailable_after is None or offer.unavailable_after > now)
        )


@dataclass(frozen=True, slots=True)
class Location:
    name: str
    city: str
    country: str
    network_zone: str


@dataclass(frozen=True, slots=True)
class Pricing:
    """`ipv4` by location; `backup_percentage` of the server's own price; `vat` in percent."""

    currency: str
    vat: Decimal
    backup_percentage: Decimal
    ipv4: Mapping[str, Price]


@dataclass(frozen=True, slots=True)
class SshKey:
    id: int
    name: str
    fingerprint: str
    """MD5, in colon form."""
    public_key: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PrimaryIp:
    """`assignee` is the id of the server that has it; `reverse` holds reverse names by address."""

    id: int
    name: str
    type: str
    ip: str
    location: str
    assignee: int | None
    auto_delete: bool
    protected: bool
    labels: Mapping[str, str]
    reverse: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return host_address(self.ip)


@dataclass(frozen=True, slots=True)
class CloudNetwork:
    id: int
    name: str
    range: str
    subnets: tuple[str, ...]
    servers: tuple[int, ...]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PlacementGroup:
    id: int
    name: str
    servers: tuple[int, ...]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """Of a Cloud Firewall; everything that no rule allows in is dropped. `port` "80" or "1024-5000"."""

    protocol: str
    port: str = ""
    sources: tuple[str, ...] = ()
    description: str = ""
    direction: str = "in"
    destinations: tuple[str, ...] = ()

    @property
    def body(self) -> dict[str, Any]:
        said: dict[str, Any] = {
            "direction": self.direction,
            "protocol": self.protocol,
            "description": self.description or None,
        }
        if self.port:
            said["port"] = self.port
        if self.direction == "in":
            said["source_ips"] = list(self.sources)
        else:
            said["destination_ips"] = list(self.destinations)
        return said

    def __str__(self) -> str:
        what = f"{self.protocol}{'/' + self.port if self.port else ''}"
        return f"{what} from {', '.join(self.sources) or 'nobody'}"


@dataclass(frozen=True, slots=True)
class Firewall:
    id: int
    name: str
    rules: tuple[Rule, ...]
    servers: tuple[int, ...]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CloudServer:
    """`ipv6` is the first address of its /64; `image` is the name of a system image."""

    id: int
    name: str
    status: str
    type: str
    location: str
    image: str
    ipv4: str
    ipv4_id: int | None
    ipv4_name: str
    """Reverse name of the address."""
    ipv6: str
    ipv6_id: int | None
    private_ip: str
    firewalls: tuple[int, ...]
    labels: Mapping[str, str]
    locked: bool
    protected: bool
    backups: bool
    created: float


@dataclass(frozen=True, slots=True)
class Zone:
    """`delegation` is valid, partially-valid, invalid, lame, unregistered or unknown."""

    id: int
    name: str
    mode: str
    ttl: int
    status: str
    registrar: str
    protected: bool
    delegation: str
    assigned: tuple[str, ...]
    delegated: tuple[str, ...]
    record_count: int


@dataclass(frozen=True, slots=True)
class Rrset:
    """`name` is relative, "@" at the top; `ttl` None means the zone's own."""

    name: str
    type: str
    ttl: int | None
    values: tuple[str, ...]
    comments: tuple[str, ...]
    protected: bool


def host_address(ip: str) -> str:
    """The address that a host has: of an IPv6 network its first one."""
    if "/" not in ip:
        return ip
    network = ip_interface(ip).network
    return str(network.network_address + 1)


def moment(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None


def _price(data: Answer) -> Price:
    return Price(Decimal(data["net"]), Decimal(data["gross"]))


def server_type(data: Answer) -> ServerType:
    prices = {row["location"]: _price(row["price_monthly"]) for row in data["prices"]}
    listed = data.get("locations")
    if listed is None:
        # Older answers say nothing of availability: what has a price is offered there.
        listed = [{"name": name, "available": True, "deprecation": None} for name in prices]
    return ServerType(
        name=data["name"],
        cores=int(data["cores"]),
        memory=float(data["memory"]),
        disk=int(data["disk"]),
        architecture=data["architecture"],
        cpu=data["cpu_type"],
        deprecated=bool(data.get("deprecation")),
        offers=tuple(
            Offer(
                row["name"],
                bool(row.get("available", True)),
                moment((row.get("deprecation") or data.get("deprecation") or {}).get("unavailable_after")),
                prices.get(row["name"]),
            )
            for row in listed
        ),
    )


def location(data: Answer) -> Location:
    return Location(data["name"], data["city"], data["country"], data["network_zone"])


def pricing(data: Answer) -> Pricing:
    ipv4 = [row for rows in data["primary_ips"] if rows["type"] == "ipv4" for row in rows["prices"]]
    return Pricing(
        currency=data["currency"],
        vat=Decimal(data["vat_rate"]),
        backup_percentage=Decimal(data["server_backup"]["percentage"]),
        ipv4={row["location"]: _price(row["price_monthly"]) for row in ipv4},
    )


def ssh_key(data: Answer) -> SshKey:
    return SshKey(data["id"], data["name"], data["fingerprint"], data["public_key"], data["labels"])


def primary_ip(data: Answer) -> PrimaryIp:
    return PrimaryIp(
        id=data["id"],
        name=data["name"],
        type=data["type"],
        ip=data["ip"],
        location=data["location"]["name"],
        assignee=data["assignee_id"],
        auto_delete=data["auto_delete"],
        protected=data["protection"]["delete"],
        labels=data["labels"],
        reverse={row["ip"]: row["dns_ptr"] for row in data["dns_ptr"]},
    )


def network(data: Answer) -> CloudNetwork:
    return CloudNetwork(
        id=data["id"],
        name=data["name"],
        range=data["ip_range"],
        subnets=tuple(row["ip_range"] for row in data["subnets"]),
        servers=tuple(data["servers"]),
        labels=data["labels"],
    )


def placement_group(data: Answer) -> PlacementGroup:
    return PlacementGroup(data["id"], data["name"], tuple(data["servers"]), data["labels"])


def rule(data: Answer) -> Rule:
    return Rule(
        protocol=data["protocol"],
        port=data.get("port") or "",
        sources=tuple(data.get("source_ips") or ()),
        description=data.get("description") or "",
        direction=data["direction"],
        destinations=tuple(data.get("destination_ips") or ()),
    )


def firewall(data: Answer) -> Firewall:
    applied = [row["server"]["id"] for row in data["applied_to"] if row["type"] == "server"]
    return Firewall(
        id=data["id"],
        name=data["name"],
        rules=tuple(rule(row) for row in data["rules"]),
        servers=tuple(applied),
        labels=data.get("labels") or {},
    )


def server(data: Answer) -> CloudServer:
    public = data["public_net"]
    ipv4, ipv6 = public["ipv4"] or {}, public["ipv6"] or {}
    private = data["private_net"]
    return CloudServer(
        id=data["id"],
        name=data["name"],
        status=data["status"],
        type=data["server_type"]["name"],
        location=data["location"]["name"],
        image=(data["image"] or {}).get("name") or "",
        ipv4=ipv4.get("ip", ""),
        ipv4_id=ipv4.get("id"),
        ipv4_name=ipv4.get("dns_ptr") or "",
        ipv6=host_address(ipv6["ip"]) if ipv6 else "",
        ipv6_id=ipv6.get("id"),
        private_ip=private[0]["ip"] if private else "",
        firewalls=tuple(row["id"] for row in public.get("firewalls", ())),
        labels=data["labels"],
        locked=data["locked"],
        protected=data["protection"]["delete"],
        backups=bool(data["backup_window"]),
        created=moment(data["created"]) or 0.0,
    )


def zone(data: Answer) -> Zone:
    nameservers = data["authoritative_nameservers"]
    return Zone(
        id=data["id"],
        name=data["name"],
        mode=data["mode"],
        ttl=data["ttl"],
        status=data["status"],
        registrar=data["registrar"],
        protected=data["protection"]["delete"],
        delegation=nameservers.get("delegation_status", "unknown"),
        assigned=tuple(nameservers["assigned"]),
        delegated=tuple(nameservers["delegated"]),
        record_count=data["record_count"],
    )


def rrset(data: Answer) -> Rrset:
    return Rrset(
        name=data["name"],
        type=data["type"],
        ttl=data["ttl"],
        values=tuple(row["value"] for row in data["records"]),
        comments=tuple(row.get("comment") or "" for row in data["records"]),
        protected=data["protection"]["change"],
    )
