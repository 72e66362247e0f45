"""Hetzner Cloud: servers and what belongs to them, Cloud Firewalls, DNS zones (`zones`).

Every method is one question or one change; changes wait for Hetzner's actions to end. Errors are those of
`wizard.clients.hetzner.errors`, with UnreachableError when it is not known whether a change took effect.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wizard.clients.hetzner import models
from wizard.clients.hetzner.errors import NotFoundError
from wizard.clients.hetzner.models import (
    CloudNetwork,
    CloudServer,
    Firewall,
    Location,
    PlacementGroup,
    Pricing,
    PrimaryIp,
    Rule,
    ServerType,
    SshKey,
)
from wizard.clients.hetzner.transport import Budget, Transport
from wizard.clients.hetzner.zones import HetznerZones
from wizard.clock import Clock
from wizard.errors import VendorError

__all__ = ["HetznerClient", "NewServer"]


@dataclass(frozen=True, slots=True)
class NewServer:
    """What a server is made of. `user_data` holds its first host key: never shown."""

    name: str
    type: str
    location: str
    image: str
    ssh_keys: tuple[int, ...]
    labels: Mapping[str, str]
    ipv4: int | None
    ipv6: int | None
    firewalls: tuple[int, ...] = ()
    networks: tuple[int, ...] = ()
    placement_group: int | None = None
    user_data: str = field(default="", repr=False)

    @property
    def body(self) -> dict[str, Any]:
        said: dict[str, Any] = {
            "name": self.name,
            "server_type": self.type,
            "location": self.location,
            "image": self.image,
            "ssh_keys": [str(key) for key in self.ssh_keys],
            "labels": dict(self.labels),
            "public_net": {
                "enable_ipv4": self.ipv4 is not None,
                "enable_ipv6": self.ipv6 is not None,
                "ipv4": self.ipv4,
                "ipv6": self.ipv6,
            },
            "firewalls": [{"firewall": number} for number in self.firewalls],
            "networks": list(self.networks),
            "start_after_create": True,
        }
        if self.placement_group is not None:
            said["placement_group"] = self.placement_group
        if self.user_data:
            said["user_data"] = self.user_data
        return said


class HetznerClient:
    """One for a run. What does not change during a run (types, prices, locations) is asked once."""

    def __init__(self, url: str, token: Callable[[], Awaitable[str | None]], clock: Clock) -> None:
        self._api = Transport(url, token, clock)
        self.zones = HetznerZones(self._api)
        self._types: tuple[ServerType, ...] | None = None
        self._pricing: Pricing | None = None
        self._locations: tuple[Location, ...] | None = None

    @property
    def budget(self) -> Budget | None:
        """Requests that are left, as of the last answer."""
        return self._api.budget

    async def aclose(self) -> None:
        await self._api.aclose()

    # What is offered

    async def server_types(self, *, fresh: bool = False) -> tuple[ServerType, ...]:
        if self._types is None or fresh:
            rows = await self._api.all("/server_types", "server_types", "reading the server types")
            self._types = tuple(models.server_type(row) for row in rows)
        return self._types

    async def pricing(self) -> Pricing:
        if self._pricing is None:
            answer = await self._api.get("/pricing", "reading the prices")
            self._pricing = models.pricing(answer["pricing"])
        return self._pricing

    async def locations(self) -> tuple[Location, ...]:
        if self._locations is None:
            rows = await self._api.all("/locations", "locations", "reading the locations")
            self._locations = tuple(models.location(row) for row in rows)
        return self._locations

    async def may_write(self) -> bool:
        """Whether the token may change things: asked with an SSH key that is none, so nothing is made.

        Who may write is refused for the key, who may only read for the token.
        """
        body = {"name": "dokploy-wizard-asks", "public_key": "no key"}
        try:
            await self._api.change("POST", "/ssh_keys", "asking what the token may do", body)
        except VendorError as error:
            if error.code in ("token_readonly", "forbidden"):
                return False
            if error.code != "invalid_input":
                raise
        return True

    # SSH keys

    async def ssh_keys(self) -> tuple[SshKey, ...]:
        rows = await self._api.all("/ssh_keys", "ssh_keys", "listing SSH keys")
        return tuple(models.ssh_key(row) for row in rows)

    async def create_ssh_key(self, name: str, public_key: str, labels: Mapping[str, str]) -> SshKey:
        answer = await self._api.change(
            "POST",
            "/ssh_keys",
            f"adding SSH key {name}",
            {"name": name, "public_key": public_key, "labels": dict(labels)},
        )
        return models.ssh_key(answer["ssh_key"])

    async def delete_ssh_key(self, key: int) -> None:
        await self._delete(f"/ssh_keys/{key}", "deleting an SSH key")

    # Addresses

    async def primary_ips(self, selector: str = "") -> tuple[PrimaryIp, ...]:
        rows = await self._list("/primary_ips", "primary_ips", selector)
        return tuple(models.primary_ip(row) for row in rows)

    async def create_primary_ip(
        self, name: str, kind: str, location: str, labels: Mapping[str, str]
    ) -> PrimaryIp:
        """`kind` is ipv4 or ipv6. It stays when its server goes."""
        body = {
            "name": name,
            "type": kind,
            "location": location,
            "assignee_type": "server",
            "auto_delete": False,
            "labels": dict(labels),
        }
        answer = await self._api.change("POST", "/primary_ips", f"creating address {name}", body)
        return models.primary_ip(answer["primary_ip"])

    async def delete_primary_ip(self, address: int) -> None:
        await self._delete(f"/primary_ips/{address}", "deleting an address")

    async def protect_primary_ip(self, address: int, protected: bool) -> None:
        await self._act(f"/primary_ips/{address}", "change_protection", {"delete": protected})

    async def name_address(self, address: int, ip: str, name: str | None) -> None:
        """Set the reverse name of a primary IP's address; None brings back Hetzner's own."""
        await self._act(f"/primary_ips/{address}", "change_dns_ptr", {"ip": ip, "dns_ptr": name})

    # Network and placement

    async def networks(self) -> tuple[CloudNetwork, ...]:
        return tuple(models.network(row) for row in await self._list("/networks", "networks"))

    async def create_network(
        self, name: str, ip_range: str, zone: str, labels: Mapping[str, str]
    ) -> CloudNetwork:
        body = {
            "name": name,
            "ip_range": ip_range,
            "labels": dict(labels),
            "subnets": [{"type": "cloud", "network_zone": zone, "ip_range": ip_range}],
        }
        answer = await self._api.change("POST", "/networks", f"creating network {name}", body)
        return models.network(answer["network"])

    async def delete_network(self, network: int) -> None:
        await self._delete(f"/networks/{network}", "deleting a network")

    async def placement_groups(self) -> tuple[PlacementGroup, ...]:
        rows = await self._list("/placement_groups", "placement_groups")
        return tuple(models.placement_group(row) for row in rows)

    async def create_placement_group(self, name: str, labels: Mapping[str, str]) -> PlacementGroup:
        answer = await self._api.change(
            "POST",
            "/placement_groups",
            f"creating placement group {name}",
            {"name": name, "type": "spread", "labels": dict(labels)},
        )
        return models.placement_group(answer["placement_group"])

    async def delete_placement_group(self, group: int) -> None:
        await self._delete(f"/placement_groups/{group}", "deleting a placement group")

    # Cloud Firewalls

    async def firewalls(self, selector: str = "") -> tuple[Firewall, ...]:
        return tuple(models.firewall(row) for row in await self._list("/firewalls", "firewalls", selector))

    async def create_firewall(self, name: str, rules: Sequence[Rule], labels: Mapping[str, str]) -> Firewall:
        answer = await self._api.change(
            "POST",
            "/firewalls",
            f"creating Cloud Firewall {name}",
            {"name": name, "labels": dict(labels), "rules": [rule.body for rule in rules]},
        )
        return models.firewall(answer["firewall"])

    async def set_rules(self, firewall: int, rules: Sequence[Rule]) -> None:
        """Replace all rules in one call."""
        await self._act(f"/firewalls/{firewall}", "set_rules", {"rules": [rule.body for rule in rules]})

    async def apply_firewall(self, firewall: int, server: int) -> None:
        body = {"apply_to": [{"type": "server", "server": {"id": server}}]}
        await self._act(f"/firewalls/{firewall}", "apply_to_resources", body)

    async def remove_firewall(self, firewall: int, server: int) -> None:
        body = {"remove_from": [{"type": "server", "server": {"id": server}}]}
        await self._act(f"/firewalls/{firewall}", "remove_from_resources", body)

    async def delete_firewall(self, firewall: int) -> None:
        await self._delete(f"/firewalls/{firewall}", "deleting a Cloud Firewall")

    # Servers

    async def servers(self, selector: str = "", *, name: str = "") -> tuple[CloudServer, ...]:
        params = {"label_selector": selector} if selector else {"name": name} if name else {}
        rows = await self._api.all("/servers", "servers", "listing servers", params)
        return tuple(models.server(row) for row in rows)

    async def server(self, number: int) -> CloudServer | None:
        try:
            answer = await self._api.get(f"/servers/{number}", "looking at a server")
        except NotFoundError:
            return None
        return models.server(answer["server"])

    async def create_server(self, wish: NewServer) -> CloudServer:
        """Returns when Hetzner's actions have ended: it has booted, but cloud-init may still work.

        Raises CapacityError, LimitError, TakenError, PlacementError, DeprecatedError.
        """
        answer = await self._api.change("POST", "/servers", f"creating server {wish.name}", wish.body)
        made = await self.server(int(answer["server"]["id"]))
        return made or models.server(answer["server"])

    async def label_server(self, number: int, labels: Mapping[str, str]) -> None:
        """Replaces the whole set of labels."""
        await self._api.change("PUT", f"/servers/{number}", "labelling a server", {"labels": dict(labels)})

    async def protect_server(self, number: int, protected: bool) -> None:
        await self._act(
            f"/servers/{number}", "change_protection", {"delete": protected, "rebuild": protected}
        )

    async def enable_backups(self, number: int, enabled: bool) -> None:
        await self._act(f"/servers/{number}", "enable_backup" if enabled else "disable_backup", None)

    async def delete_server(self, number: int) -> None:
        await self._delete(f"/servers/{number}", "deleting a server")

    async def _list(self, path: str, key: str, selector: str = "") -> list[dict[str, Any]]:
        params = {"label_selector": selector} if selector else {}
        return await self._api.all(path, key, f"listing {key.replace('_', ' ')}", params)

    async def _act(self, path: str, action: str, body: dict[str, Any] | None) -> None:
        words = action.replace("_", " ")
        await self._api.change("POST", f"{path}/actions/{action}", words, body)

    async def _delete(self, path: str, doing: str) -> None:
        """No error if it is gone already."""
        try:
            await self._api.change("DELETE", path, doing)
        except NotFoundError:
            return
