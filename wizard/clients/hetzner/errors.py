"""What Hetzner's refusals mean, as sentences with ways on. Branches on `code`, never on the HTTP status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wizard.errors import CredentialError, VendorError, WizardError
from wizard.redact import redact

CONSOLE = "https://console.hetzner.com"


class CapacityError(VendorError):
    """This type can't be had at this place now: another choice may."""


class LimitError(VendorError):
    """The account may hold no more of a thing."""


class TakenError(VendorError):
    """A name or a key exists already: adopt it if it is ours."""


class PlacementError(VendorError):
    """The placement group can't be kept; it can be done without."""


class ProtectedError(VendorError):
    """Protected from deletion or change by its owner."""


class NotFoundError(VendorError):
    """There is no such thing."""


class DeprecatedError(VendorError):
    """A type or a call that is no longer offered."""


class ReadOnlyTokenError(CredentialError):
    """The token may look, but not touch."""


_TOKEN_PAGE = f"Make a token with Read & Write under Security → API tokens ({CONSOLE}), set HCLOUD_TOKEN."

_SENTENCES: Mapping[str, tuple[type[VendorError], str, str]] = {
    "unauthorized": (
        CredentialError,
        "Hetzner does not accept the token: it is wrong, expired or revoked",
        _TOKEN_PAGE,
    ),
    "token_readonly": (ReadOnlyTokenError, "The Hetzner token may only read", _TOKEN_PAGE),
    "forbidden": (CredentialError, "The Hetzner token may not do this", _TOKEN_PAGE),
    "resource_limit_exceeded": (
        LimitError,
        "The Hetzner account has reached a limit",
        f"Ask for a higher one at {CONSOLE}/limits, or delete what is no longer needed; then run again.",
    ),
    "resource_unavailable": (
        CapacityError,
        "Hetzner has no free machine of this type there now",
        "Add another type or location to the server's wishes, or try later.",
    ),
    "placement_error": (
        PlacementError,
        "Hetzner can't place this server apart from the others",
        "Try later, or set placement_group = false under [network].",
    ),
    "uniqueness_error": (
        TakenError,
        "Hetzner has a thing of this name already",
        "Rename or delete the other one in the console, or rename ours in the configuration.",
    ),
    "invalid_server_type": (
        DeprecatedError,
        "Hetzner does not sell this server type",
        "Choose another type in the configuration.",
    ),
    "deprecated_api_endpoint": (
        DeprecatedError,
        "Hetzner has retired the call that was used",
        "Update dokploy-wizard.",
    ),
    "protected": (
        ProtectedError,
        "It is protected from deletion",
        "Take the protection off first (undo settle.protection).",
    ),
    "not_found": (NotFoundError, "Hetzner has no such thing", "It may have been deleted: run again."),
    "must_be_unassigned": (
        VendorError,
        "The address still belongs to a server",
        "Delete or detach the server first.",
    ),
    "primary_ip_assigned": (
        VendorError,
        "The address belongs to another server",
        "Detach it in the console, or let the wizard make a new one.",
    ),
    "resource_in_use": (VendorError, "It is still in use", "Take away what uses it first, then run again."),
    "networks_overlap": (
        VendorError,
        "The private network overlaps another",
        "Choose another range under [network].",
    ),
    "incorrect_zone_mode": (
        VendorError,
        "This DNS zone is a secondary: its records are kept elsewhere",
        "Name the provider that holds the primary under [dns].",
    ),
    "maintenance": (VendorError, "Hetzner is in maintenance", "Run again later: it goes on from here."),
}

_CAPACITY = re.compile(
    r"error during placement|server location disabled|unable to provision servers|no capacity"
    r"|(currently|temporarily|is) (unavailable|not available)|unavailable in (this|the) location"
    r"|unsupported location for server type|insufficient (capacity|resources)|out of stock|sold out"
)
"""What Hetzner has been seen to say when it has no machine: its words change, its codes too."""
_ORDERING = "creating server"

UNKNOWN_OUTCOME = frozenset(
    {"server_error", "service_error", "unavailable", "timeout", "bad_gateway", "500", "502", "503", "504"}
)
"""The call may have taken effect all the same: look before doing it again."""

NOT_DONE = frozenset({"locked", "conflict", "rate_limit_exceeded"})
"""Refused for now, certainly without effect: safe to repeat."""


def sentence(
    code: str, message: str, doing: str, details: Any = None, correlation: str | None = None
) -> WizardError:
    """The error of `code` while `doing` something ("creating server frontend")."""
    known = _SENTENCES.get(code)
    lower = message.lower()
    if code not in _SENTENCES or code == "placement_error":
        if doing.startswith(_ORDERING) and _CAPACITY.search(lower):
            known, code = _SENTENCES["resource_unavailable"], "resource_unavailable"
        elif "deprecated" in lower or "could not find server type" in lower:
            known = _SENTENCES["invalid_server_type"]
    kind, what, next_ = known or (VendorError, "Hetzner refused", "Read the message, then run again.")
    said = [f"while {doing}: {message} ({code})"]
    if limits := _names(details, "limits"):
        said.append(f"limit: {limits}")
    if fields := _names(details, "fields"):
        said.append(f"field: {fields}")
    if correlation:
        said.append(f"for Hetzner's support: correlation id {correlation}")
    return kind(what, redact("; ".join(said)), next_, code=code)


def _names(details: Any, key: str) -> str:
    rows = details.get(key) if isinstance(details, dict) else None
    return ", ".join(str(row.get("name", "")) for row in rows) if isinstance(rows, list) else ""
