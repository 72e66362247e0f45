"""Typed records that steps save for undo and for later steps. Plain data, no secrets.

| record | saved by | name |
|---|---|---|
| ServerRecord | provision.<server>.server | server |
| BilledAddresses | provision.<server>.address, provision.<server>.server (the newer) | billed |
| HostKeyRecord | provision.<server>.login | host_key |
| PanelRecord | provision.<server>.account | panel |
| AppRecord | apps.<app>.create | app |
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """A new host as it was made or adopted. `ipv4`, `ipv6` are its public addresses ("" if none).

    `outside`: no machine of Hetzner Cloud; its `server_id` is 0.
    """

    name: str
    server_id: int
    type: str
    location: str
    ipv4: str
    ipv6: str = ""
    private_ip: str = ""
    adopted: bool = False
    outside: bool = False
    monthly_gross: str = ""
    currency: str = "EUR"


@dataclass(frozen=True, slots=True)
class AddressRecord:
    """A primary IP of ours: billed as long as it exists, with a server or without one."""

    name: str
    kind: str
    ip: str
    location: str
    monthly_gross: str = ""
    currency: str = "EUR"


@dataclass(frozen=True, slots=True)
class BilledAddresses:
    """All primary IPs that were made for a server and still stood at the moment `at`."""

    addresses: tuple[AddressRecord, ...]
    at: float


@dataclass(frozen=True, slots=True)
class HostKeyRecord:
    """The only host key that is accepted, as an OpenSSH public key line."""

    public_key: str
    port: int = 22
    user: str = "root"


@dataclass(frozen=True, slots=True)
class PanelRecord:
    """A panel that answers; its API key is the secret DOKPLOY_<SERVER>_API_KEY."""

    server: str
    version: str
    organization_id: str
    admin: str


@dataclass(frozen=True, slots=True)
class AppRecord:
    """An application or compose stack on a panel, under the names that the panel gave it.

    `id` is its applicationId or composeId. `made` tells whether we made it or adopted it.
    """

    app: str
    server: str
    project_id: str
    environment_id: str
    id: str
    app_name: str
    made: bool = True


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """Record "trial" of apps.<app>.trial: the generated name, saved before it is put on the panel."""

    host: str
