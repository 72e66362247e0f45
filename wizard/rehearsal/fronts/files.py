"""Routes in files of the proxy's folder on its host, read at each request, as the proxy watches it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from wizard.rehearsal.fronts.front import Front

FOLDER = "/etc/dokploy/traefik/dynamic/"
_HOST = re.compile(r"Host\(`([^`]+)`\)")
_PREFIX = re.compile(r"PathPrefix\(`([^`]+)`\)")


@dataclass(frozen=True, slots=True)
class FileRoute:
    """`service` is the address that requests are sent to; `certified`: a certificate is ordered for it."""

    host: str
    prefix: str
    service: str
    secure: bool
    certified: bool


def routes(front: Front) -> Iterator[FileRoute]:
    """Files that are no YAML, or no such file's YAML, are passed over: the proxy only logs them."""
    hosts = getattr(front.stage, "hosts", None)
    host = hosts.get(front.name) if hosts is not None else None
    if host is None:
        return
    for path, file in sorted(host.state.files.items()):
        if path.startswith(FOLDER) and path.endswith((".yml", ".yaml")):
            yield from _parsed(file.content)


@lru_cache(maxsize=32)
def _parsed(content: bytes) -> tuple[FileRoute, ...]:
    try:
        return tuple(_routes(yaml.safe_load(content) or {}))
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, IndexError):
        return ()


def _routes(text: dict[str, Any]) -> Iterator[FileRoute]:
    http = text.get("http") or {}
    services = http.get("services") or {}
    for router in (http.get("routers") or {}).values():
        server = services[router["service"]]["loadBalancer"]["servers"][0]["url"]
        prefix = _PREFIX.search(router["rule"])
        for name in _HOST.findall(router["rule"]):
            tls = router.get("tls") or {}
            yield FileRoute(
                name.lower(),
                prefix[1] if prefix else "/",
                server,
                "websecure" in (router.get("entryPoints") or ["websecure"]),
                tls.get("certResolver") == "letsencrypt",
            )


def to_panel(front: Front, host: str, path: str, scheme: str) -> bool:
    """Whether a file leads this request to the panel."""
    return any(
        route.host == host
        and path.startswith(route.prefix)
        and route.secure is (scheme == "https")
        and route.service == "http://dokploy:3000"
        for route in routes(front)
    )


def certified_names(front: Front) -> set[str]:
    return {route.host for route in routes(front) if route.certified}
