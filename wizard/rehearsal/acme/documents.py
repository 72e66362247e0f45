"""Orders, authorizations and challenges as the authority shows them (RFC 8555 §7.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wizard.clock import moment_text
from wizard.rehearsal.acme.state import Authorization, Challenge, Order

Url = Callable[[str], str]
"""The whole address of a path of the authority."""


def order(item: Order, url: Url) -> dict[str, Any]:
    document: dict[str, Any] = {
        "status": item.status,
        "expires": moment_text(item.expires),
        "identifiers": [{"type": "dns", "value": name} for name in item.names],
        "authorizations": [url(f"authz/{key}") for key in item.authorizations],
        "finalize": url(f"order/{item.id}/finalize"),
    }
    if item.certificate:
        document["certificate"] = url(f"certificate/{item.certificate}")
    if item.problem:
        document["error"] = item.problem
    return document


def authorization(item: Authorization, url: Url) -> dict[str, Any]:
    document: dict[str, Any] = {
        "identifier": {"type": "dns", "value": item.name},
        "status": item.status,
        "expires": moment_text(item.expires),
        "challenges": [challenge(item, one, url) for one in item.challenges],
    }
    if item.wildcard:
        document["wildcard"] = True
    return document


def challenge(item: Authorization, one: Challenge, url: Url) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": one.type,
        "url": url(f"challenge/{item.id}/{one.id}"),
        "token": one.token,
        "status": one.status,
    }
    if one.validated:
        document["validated"] = moment_text(one.validated)
    if one.problem:
        document["error"] = one.problem
    return document
