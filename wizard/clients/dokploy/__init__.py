"""A panel's API (Dokploy v0.30), reached through SSH on its host.

`get` asks and may be repeated; `post` changes and is sent once: an answer that was lost, or a failure inside
the panel, is an UnreachableError, and the caller looks before it tries again, because nothing at a panel is
unique. A deployment that was accepted is only queued.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wizard.clients.dokploy.account import Door
from wizard.clients.dokploy.errors import (
    TRIED_VERSION,
    MissingError,
    RefusedError,
    TroubleError,
    note_secrets,
    problem,
)
from wizard.clients.dokploy.wire import Answer, Wire
from wizard.errors import CredentialError

if TYPE_CHECKING:
    from wizard.clients.ssh import SshClients, Target
    from wizard.clock import Clock

__all__ = [
    "TRIED_VERSION",
    "DokployClient",
    "DokployClients",
    "Door",
    "MissingError",
    "RefusedError",
    "TroubleError",
]


class DokployClient:
    """One panel, by one API key."""

    def __init__(self, wire: Wire, key: str) -> None:
        self._wire = wire
        self._key = key
        self._worked = False

    @property
    def name(self) -> str:
        """The server that the panel runs on."""
        return self._wire.host.name

    async def get(self, procedure: str, **parameters: Any) -> Any:
        """Ask, e.g. ``get("deployment.all", applicationId=…)``; repeated while trouble may pass.

        Returns JSON, text, or None for an empty body. Parameters that are None are left out.
        Raises CredentialError, MissingError, RefusedError, VendorError, UnreachableError.
        """
        asked = {name: _text(value) for name, value in parameters.items() if value is not None}
        answer = await self._wire.read(f"/api/{procedure}", headers=self._headers(), parameters=asked)
        return self._value(answer, procedure, asked, reading=True)

    async def post(
        self, procedure: str, body: Mapping[str, Any] | None = None, *, timeout: float = 60.0
    ) -> Any:
        """Change, once. `timeout` is in real seconds.

        Raises CredentialError, MissingError, RefusedError when it was refused; UnreachableError when it is
        not known whether it took effect.
        """
        sent = dict(body or {})
        answer = await self._wire.request(
            "POST", f"/api/{procedure}", headers=self._headers(), body=sent, timeout=timeout
        )
        return self._value(answer, procedure, sent, reading=False)

    def _headers(self) -> dict[str, str]:
        if not self._key:
            raise CredentialError(
                f"There is no API key for the panel of {self.name}",
                next=f"Run provision.{self.name}.account.",
            )
        return {"x-api-key": self._key}

    def _value(self, answer: Answer, procedure: str, sent: Any, *, reading: bool) -> Any:
        if not answer.ok:
            raise problem(
                self.name,
                procedure,
                answer.status,
                answer.text,
                sent,
                reading=reading,
                worked=self._worked,
            )
        self._worked = True
        value = answer.value()
        note_secrets(value)
        return value


class DokployClients:
    """Panels by how their hosts are reached. One client for each way and key, kept open.

    `domain` "" leads to the panel's published port, else to that name at the host's proxy, both through SSH.
    """

    def __init__(self, ssh: SshClients, clock: Clock, trust: str = "") -> None:
        self._ssh = ssh
        self._clock = clock
        self._trust = trust
        self._wires: dict[tuple[Target, str], Wire] = {}
        self._clients: dict[tuple[Target, str, str], DokployClient] = {}

    def at(self, target: Target, key: str, domain: str = "") -> DokployClient:
        """The panel of a host, by an API key."""
        if (target, key, domain) not in self._clients:
            self._clients[target, key, domain] = DokployClient(self._wire(target, domain), key)
        return self._clients[target, key, domain]

    def door(self, target: Target, domain: str = "") -> Door:
        """What a panel shows to somebody without a key: health, pages, sign-up and sign-in."""
        return Door(self._wire(target, domain))

    def _wire(self, target: Target, domain: str) -> Wire:
        if (target, domain) not in self._wires:
            self._wires[target, domain] = Wire(self._ssh.host(target), self._clock, domain, self._trust)
        return self._wires[target, domain]

    async def aclose(self) -> None:
        for wire in self._wires.values():
            await wire.aclose()
        self._wires.clear()
        self._clients.clear()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
