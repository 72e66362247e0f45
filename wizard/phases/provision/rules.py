"""The rules of a Cloud Firewall: the document's, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wizard.clients.hetzner.models import Rule

EVERYWHERE = ("0.0.0.0/0", "::/0")
PANEL_PORT = 3000
PANEL = "panel, operator only"


def public_rules() -> tuple[Rule, ...]:
    """SSH, HTTP, HTTPS (TCP and QUIC) and ping, from everywhere."""
    from wizard.clients.hetzner.models import Rule

    return (
        Rule("tcp", "22", EVERYWHERE, "SSH"),
        Rule("tcp", "80", EVERYWHERE, "HTTP"),
        Rule("tcp", "443", EVERYWHERE, "HTTPS"),
        Rule("udp", "443", EVERYWHERE, "HTTPS over QUIC"),
        Rule("icmp", "", EVERYWHERE, "ping"),
    )


def panel_rule(addresses: Sequence[str]) -> Rule:
    """The panel's port for these addresses only."""
    from wizard.clients.hetzner.models import Rule

    return Rule("tcp", str(PANEL_PORT), tuple(sorted(map(single, addresses))), PANEL)


def wished_rules(addresses: Sequence[str], *, panel: bool = True) -> tuple[Rule, ...]:
    """All rules; the panel's port is left out when `panel` is False or nobody is known to need it."""
    extra = (panel_rule(addresses),) if panel and addresses else ()
    return (*public_rules(), *extra)


def single(address: str) -> str:
    """``203.0.113.5/32`` or ``2001:db8::1/128``; a network stays as it is."""
    if "/" in address:
        return address
    parsed = ip_address(address)
    return f"{parsed}/{parsed.max_prefixlen}"


def told(rules: Sequence[Rule]) -> str:
    return "; ".join(str(rule) for rule in rules) or "nothing is let in"


def same(one: Sequence[Rule], other: Sequence[Rule]) -> bool:
    """Whether they allow the same, in whatever order and words."""
    return {_essence(rule) for rule in one} == {_essence(rule) for rule in other}


def _essence(rule: Rule) -> tuple[str, str, str, frozenset[str], frozenset[str]]:
    return rule.direction, rule.protocol, rule.port, frozenset(rule.sources), frozenset(rule.destinations)
