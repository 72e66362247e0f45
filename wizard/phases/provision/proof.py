"""What proves a server: the questions of provision.<server>.server, each with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.phases.provision.shared import HETZNER
from wizard.records import ServerRecord

if TYPE_CHECKING:
    from wizard.clients.hetzner.models import CloudServer, Firewall

BOOT_LIMIT = 300.0
"""Seconds after which a machine that does not run is one that never will."""


def absent(name: str, at: float) -> Check:
    evidence = Evidence("no such server", HETZNER, at)
    return Check("running", f"{name} runs", CheckState.FAILED, evidence, "Run again.")


def running(name: str, found: CloudServer, at: float) -> Check:
    """Pending while it may still be starting."""
    question, evidence = f"{name} runs", Evidence(found.status, HETZNER, at)
    if found.status == "running" and not found.locked:
        return Check("running", question, CheckState.PASSED, evidence)
    if found.status in ("initializing", "starting", "running") and at - found.created < BOOT_LIMIT:
        return Check("running", question, CheckState.PENDING, evidence, again=at + 3.0)
    advice = "Run again: what never came to life is made anew. Otherwise look at it in the Hetzner console."
    return Check("running", question, CheckState.FAILED, evidence, advice)


def addresses(record: ServerRecord, found: CloudServer, at: float) -> Check:
    seen = ", ".join(filter(None, (found.ipv4, found.ipv6, found.private_ip)))
    return check(
        "addresses",
        f"{record.name} has the addresses that were written down",
        (found.ipv4, found.ipv6) == (record.ipv4, record.ipv6) and bool(found.ipv4),
        seen=seen or "none",
        vantage=HETZNER,
        at=at,
        advice="Its addresses were changed: undo this step and run it again.",
    )


def guarded(name: str, found: CloudServer, firewall: Firewall | None, at: float) -> Check:
    return check(
        "firewall",
        f"the Cloud Firewall is attached to {name}",
        firewall is not None and firewall.id in found.firewalls,
        seen=f"{len(found.firewalls)} attached: {firewall.name if firewall else 'not ours'}",
        vantage=HETZNER,
        at=at,
        advice="Attach it in the console, or undo this step and run it again.",
    )


def named(name: str, wished: str, unnamed: Sequence[str], at: float) -> Check:
    return check(
        "reverse_dns",
        f"the addresses of {name} carry the reverse name {wished}",
        not unnamed,
        seen=f"not so: {', '.join(unnamed)}" if unnamed else wished,
        vantage=HETZNER,
        at=at,
        advice="Run again.",
    )


def backed_up(name: str, found: CloudServer, at: float) -> Check:
    return check(
        "backups",
        f"backups of {name} are on",
        found.backups,
        seen="on" if found.backups else "off",
        vantage=HETZNER,
        at=at,
        advice="Run again.",
    )
