"""What the rehearsal's Hetzner sells. Sizes are the vendor's; prices are of the rehearsal, near to life."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

VAT = Decimal("19.00")
CURRENCY = "EUR"
BACKUP_PERCENTAGE = "20.0000000000"
IPV4_NET = Decimal("0.50")

LOCATIONS: tuple[tuple[int, str, str, str, str, float, float], ...] = (
    (1, "fsn1", "Falkenstein", "DE", "eu-central", 50.47612, 12.370071),
    (2, "nbg1", "Nuremberg", "DE", "eu-central", 49.452102, 11.076665),
    (3, "hel1", "Helsinki", "FI", "eu-central", 60.169855, 24.938379),
    (4, "ash", "Ashburn, VA", "US", "us-east", 39.045821, -77.487073),
)

TYPES: tuple[tuple[int, str, int, int, int, str, str], ...] = (
    (22, "cpx12", 1, 2, 40, "x86", "11.49"),
    (23, "cpx22", 2, 4, 80, "x86", "19.49"),
    (24, "cpx32", 4, 8, 160, "x86", "34.99"),
    (25, "cpx42", 8, 16, 320, "x86", "64.99"),
    (26, "cpx52", 12, 24, 480, "x86", "89.99"),
    (45, "cax11", 2, 4, 40, "arm", "5.99"),
    (93, "cax21", 4, 8, 80, "arm", "10.49"),
    (94, "cax31", 8, 16, 160, "arm", "20.99"),
    (114, "cx23", 2, 4, 40, "x86", "5.49"),
    (115, "cx33", 4, 8, 80, "x86", "8.49"),
    (116, "cx43", 8, 16, 160, "x86", "15.99"),
    (117, "cx53", 16, 32, 320, "x86", "29.49"),
    (96, "ccx13", 2, 8, 80, "x86", "24.99"),
)
"""Id, name, cores, memory (GB), disk (GB), architecture, net price of a month. CX22, CX32, CX42 are gone."""

SCARCE: frozenset[tuple[str, str]] = frozenset(
    (name, place) for name in ("cx23", "cx33", "cx43", "cx53", "cax11") for place in ("fsn1", "ash")
)
"""Types that Hetzner lists without having them there."""

IMAGES: tuple[tuple[int, str, str, str, str], ...] = (
    (161547269, "ubuntu-24.04", "ubuntu", "24.04", "x86"),
    (161547270, "ubuntu-24.04", "ubuntu", "24.04", "arm"),
    (67794396, "ubuntu-22.04", "ubuntu", "22.04", "x86"),
    (114690387, "debian-12", "debian", "12", "x86"),
)


def price(net: Decimal) -> dict[str, str]:
    return {"net": f"{net:.10f}", "gross": f"{net * (100 + VAT) / 100:.10f}"}


def locations() -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "name": name,
            "description": f"{city} DC Park",
            "country": country,
            "city": city,
            "latitude": latitude,
            "longitude": longitude,
            "network_zone": zone,
        }
        for number, name, city, country, zone, latitude, longitude in LOCATIONS
    ]


def location(name: str) -> dict[str, Any] | None:
    return next((row for row in locations() if row["name"] == name), None)


def _prices(net: Decimal) -> list[dict[str, Any]]:
    return [
        {
            "location": name,
            "price_hourly": price(net / 624),
            "price_monthly": price(net),
            "included_traffic": 21990232555520,
            "price_per_tb_traffic": price(Decimal(1)),
        }
        for _, name, *_ in LOCATIONS
    ]


def server_types(scarce: frozenset[tuple[str, str]] = SCARCE) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "name": name,
            "description": name.upper(),
            "category": "Shared vCPU" if not name.startswith("ccx") else "Dedicated vCPU",
            "cores": cores,
            "memory": memory,
            "disk": disk,
            "deprecated": False,
            "deprecation": None,
            "prices": _prices(Decimal(net)),
            "storage_type": "local",
            "cpu_type": "dedicated" if name.startswith("ccx") else "shared",
            "architecture": architecture,
            "locations": [
                {
                    "id": place_id,
                    "name": place,
                    "deprecation": None,
                    "available": (name, place) not in scarce,
                    "recommended": (name, place) not in scarce,
                }
                for place_id, place, *_ in LOCATIONS
            ],
        }
        for number, name, cores, memory, disk, architecture, net in TYPES
    ]


def server_type(name: str, scarce: frozenset[tuple[str, str]] = SCARCE) -> dict[str, Any] | None:
    return next((row for row in server_types(scarce) if row["name"] == name), None)


def images() -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "type": "system",
            "status": "available",
            "name": name,
            "description": f"{flavour.title()} {version}",
            "image_size": None,
            "disk_size": 5,
            "created": "2024-04-25T12:00:00+00:00",
            "created_from": None,
            "bound_to": None,
            "os_flavor": flavour,
            "os_version": version,
            "rapid_deploy": True,
            "protection": {"delete": False},
            "deprecated": None,
            "labels": {},
            "deleted": None,
            "architecture": architecture,
        }
        for number, name, flavour, version, architecture in IMAGES
    ]


def image(name: str, architecture: str) -> dict[str, Any] | None:
    return next(
        (row for row in images() if row["name"] == name and row["architecture"] == architecture), None
    )


def pricing() -> dict[str, Any]:
    ipv4 = [
        {"location": name, "price_hourly": price(IPV4_NET / 624), "price_monthly": price(IPV4_NET)}
        for _, name, *_ in LOCATIONS
    ]
    ipv6 = [
        {"location": name, "price_hourly": price(Decimal(0)), "price_monthly": price(Decimal(0))}
        for _, name, *_ in LOCATIONS
    ]
    floating = {"price_monthly": price(Decimal("3.00"))}
    return {
        "currency": CURRENCY,
        "vat_rate": f"{VAT:.10f}",
        "image": {"price_per_gb_month": price(Decimal("0.0110"))},
        "floating_ip": floating,
        "floating_ips": [{"type": "ipv4", "prices": [{"location": "fsn1", **floating}]}],
        "primary_ips": [{"type": "ipv4", "prices": ipv4}, {"type": "ipv6", "prices": ipv6}],
        "server_types": [
            {"id": row["id"], "name": row["name"], "prices": row["prices"]} for row in server_types()
        ],
        "load_balancer_types": [],
        "volume": {"price_per_gb_month": price(Decimal("0.0440"))},
        "server_backup": {"percentage": BACKUP_PERCENTAGE},
    }
