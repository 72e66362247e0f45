"""Keys, addresses, networks, placement groups and Cloud Firewalls of the rehearsal's Hetzner."""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
from typing import TYPE_CHECKING

from aiohttp import web

from wizard.rehearsal.hetzner import catalogue
from wizard.rehearsal.hetzner.state import Document, Refused, Table, when
from wizard.rehearsal.hosts.state import CloudRule

if TYPE_CHECKING:
    from wizard.rehearsal.hetzner.standin import HetznerStandin

_MOST_RULES = 50


class Resources:
    """Handlers; the stand-in holds the state."""

    def __init__(self, standin: HetznerStandin) -> None:
        self.standin = standin
        self.state = standin.state

    def _record(self, act: str, kind: str, row: Document) -> None:
        self.standin.stage.ledger.record("hetzner", act, f"{kind} {row['name']}", str(row["id"]))

    def _new(self, table: Table, kind: str, document: Document) -> Document:
        row = {"id": self.state.number(), "created": when(self.standin.now()), **document}
        table[row["id"]] = row
        self._record("create", kind, row)
        return row

    def _drop(self, table: Table, kind: str, row: Document) -> web.Response:
        if row.get("protection", {}).get("delete"):
            raise Refused(423, "protected", f"{kind} is protected from deletion")
        del table[row["id"]]
        self._record("delete", kind, row)
        return web.Response(status=204)

    # SSH keys

    async def ssh_keys(self, request: web.Request) -> web.Response:
        return self.standin.listing(request, "ssh_keys", list(self.state.ssh_keys.values()))

    async def create_ssh_key(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.standin.free_name(self.state.ssh_keys, body["name"], "SSH key")
        fingerprint = _fingerprint(body["public_key"])
        if any(row["fingerprint"] == fingerprint for row in self.state.ssh_keys.values()):
            raise Refused(
                409,
                "uniqueness_error",
                "SSH key with the same fingerprint already exists",
                {"fields": [{"name": "public_key"}]},
            )
        row = self._new(
            self.state.ssh_keys,
            "ssh_key",
            {
                "name": body["name"],
                "fingerprint": fingerprint,
                "public_key": body["public_key"],
                "labels": body.get("labels", {}),
            },
        )
        return web.json_response({"ssh_key": row}, status=201)

    async def delete_ssh_key(self, request: web.Request) -> web.Response:
        return self._drop(self.state.ssh_keys, "ssh_key", self.standin.find(self.state.ssh_keys, request))

    # Primary IPs

    async def primary_ips(self, request: web.Request) -> web.Response:
        return self.standin.listing(request, "primary_ips", list(self.state.primary_ips.values()))

    async def create_primary_ip(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.standin.free_name(self.state.primary_ips, body["name"], "primary IP")
        row = self.new_address(
            body["name"],
            body["type"],
            body["location"],
            body.get("labels", {}),
            auto_delete=body.get("auto_delete", False),
        )
        return web.json_response({"primary_ip": row}, status=201)

    def new_address(
        self, name: str, kind: str, location: str, labels: dict[str, str], *, auto_delete: bool
    ) -> Document:
        place = catalogue.location(location)
        if place is None:
            raise Refused(422, "invalid_input", f"location {location} not found")
        if len(self.state.primary_ips) >= self.state.address_limit:
            raise Refused(
                403,
                "resource_limit_exceeded",
                "primary IP limit exceeded",
                {"limits": [{"name": "primary_ip_limit"}]},
            )
        ip = self._next_ip(kind, name)
        return self._new(
            self.state.primary_ips,
            "primary_ip",
            {
                "name": name,
                "type": kind,
                "ip": ip,
                "labels": labels,
                "protection": {"delete": False},
                "assignee_id": None,
                "assignee_type": "server",
                "auto_delete": auto_delete,
                "blocked": False,
                "dns_ptr": [] if kind == "ipv6" else [{"ip": ip, "dns_ptr": _default_name(ip)}],
                "location": place,
            },
        )

    def _next_ip(self, kind: str, name: str) -> str:
        """Each server's addresses have numbers of their own, so that it does not matter who asks first."""
        stage = self.standin.stage
        order = [f"-{server.name}-" in f"-{name}-" for server in stage.config.servers]
        whose = order.index(True) if True in order else len(order)
        nth = stage.ledger.count("hetzner", "given", f"{kind} {whose}")
        stage.ledger.record("hetzner", "given", f"{kind} {whose}")
        number = whose + nth * (len(order) + 1)
        if kind == "ipv6":
            return f"2001:db8:{number + 1:x}::/64"
        return f"203.0.113.{10 + number}"

    async def delete_primary_ip(self, request: web.Request) -> web.Response:
        row = self.standin.find(self.state.primary_ips, request)
        if row["assignee_id"] is not None:
            raise Refused(422, "must_be_unassigned", "primary IP must be unassigned")
        return self._drop(self.state.primary_ips, "primary_ip", row)

    async def protect_primary_ip(self, request: web.Request) -> web.Response:
        row = self.standin.find(self.state.primary_ips, request)
        row["protection"] = {"delete": bool((await request.json())["delete"])}
        return self._acted("change_protection", row, "primary_ip")

    async def name_primary_ip(self, request: web.Request) -> web.Response:
        row, body = self.standin.find(self.state.primary_ips, request), await request.json()
        if not _contains(row["ip"], body["ip"]):
            raise Refused(422, "ip_not_owned", "the IP is not part of this primary IP")
        others = [entry for entry in row["dns_ptr"] if entry["ip"] != body["ip"]]
        name = body["dns_ptr"] or ("" if row["type"] == "ipv6" else _default_name(body["ip"]))
        row["dns_ptr"] = [*others, *([{"ip": body["ip"], "dns_ptr": name}] if name else [])]
        return self._acted("change_dns_ptr", row, "primary_ip")

    def _acted(self, command: str, row: Document, kind: str) -> web.Response:
        return web.json_response({"action": self.standin.act(command, (row["id"], kind))}, status=201)

    # Networks

    async def networks(self, request: web.Request) -> web.Response:
        return self.standin.listing(request, "networks", list(self.state.networks.values()))

    async def create_network(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.standin.free_name(self.state.networks, body["name"], "network")
        whole = ipaddress.ip_network(body["ip_range"])
        if not whole.is_private:
            raise Refused(422, "invalid_input", "ip_range must be a private IPv4 network")
        subnets = [
            {
                "type": subnet["type"],
                "ip_range": subnet.get("ip_range", body["ip_range"]),
                "network_zone": subnet["network_zone"],
                "gateway": str(whole.network_address + 1),
                "vswitch_id": None,
            }
            for subnet in body.get("subnets", [])
        ]
        row = self._new(
            self.state.networks,
            "network",
            {
                "name": body["name"],
                "ip_range": body["ip_range"],
                "labels": body.get("labels", {}),
                "subnets": subnets,
                "routes": [],
                "servers": [],
                "load_balancers": [],
                "protection": {"delete": False},
                "expose_routes_to_vswitch": False,
            },
        )
        return web.json_response({"network": row}, status=201)

    async def delete_network(self, request: web.Request) -> web.Response:
        row = self.standin.find(self.state.networks, request)
        if row["servers"]:
            raise Refused(422, "resource_in_use", "network still has servers attached")
        return self._drop(self.state.networks, "network", row)

    # Placement groups

    async def placement_groups(self, request: web.Request) -> web.Response:
        return self.standin.listing(request, "placement_groups", list(self.state.placement_groups.values()))

    async def create_placement_group(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.standin.free_name(self.state.placement_groups, body["name"], "placement group")
        row = self._new(
            self.state.placement_groups,
            "placement_group",
            {"name": body["name"], "type": body["type"], "labels": body.get("labels", {}), "servers": []},
        )
        return web.json_response({"placement_group": row}, status=201)

    async def delete_placement_group(self, request: web.Request) -> web.Response:
        row = self.standin.find(self.state.placement_groups, request)
        return self._drop(self.state.placement_groups, "placement_group", row)

    # Cloud Firewalls

    async def firewalls(self, request: web.Request) -> web.Response:
        return self.standin.listing(request, "firewalls", list(self.state.firewalls.values()))

    async def create_firewall(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.standin.free_name(self.state.firewalls, body["name"], "firewall")
        row = self._new(
            self.state.firewalls,
            "firewall",
            {
                "name": body["name"],
                "labels": body.get("labels", {}),
                "rules": [_rule(rule) for rule in body.get("rules", [])],
                "applied_to": [],
            },
        )
        return web.json_response(
            {"firewall": row, "actions": [self.standin.act("set_firewall_rules", (row["id"], "firewall"))]},
            status=201,
        )

    async def set_rules(self, request: web.Request) -> web.Response:
        row, body = self.standin.find(self.state.firewalls, request), await request.json()
        if len(body["rules"]) > _MOST_RULES:
            raise Refused(422, "invalid_input", "too many rules")
        row["rules"] = [_rule(rule) for rule in body["rules"]]
        self.standin.stage.ledger.record("hetzner", "set_rules", f"firewall {row['name']}")
        actions = [self.standin.act("set_firewall_rules", (row["id"], "firewall"))]
        for number in applied_to(row):
            self.refresh(number)
            actions.append(self.standin.act("apply_firewall", (row["id"], "firewall"), (number, "server")))
        return web.json_response({"actions": actions}, status=201)

    async def apply_firewall(self, request: web.Request) -> web.Response:
        row, body = self.standin.find(self.state.firewalls, request), await request.json()
        wanted = [target["server"]["id"] for target in body["apply_to"]]
        if any(number in applied_to(row) for number in wanted):
            raise Refused(422, "firewall_already_applied", "firewall was already applied on resource")
        for number in wanted:
            self.attach(row, number)
        actions = [
            self.standin.act("apply_firewall", (row["id"], "firewall"), (number, "server"))
            for number in wanted
        ]
        return web.json_response({"actions": actions}, status=201)

    async def remove_firewall(self, request: web.Request) -> web.Response:
        row, body = self.standin.find(self.state.firewalls, request), await request.json()
        wanted = [target["server"]["id"] for target in body["remove_from"]]
        for number in wanted:
            self.detach(row, number)
        actions = [
            self.standin.act("remove_firewall", (row["id"], "firewall"), (number, "server"))
            for number in wanted
        ]
        return web.json_response({"actions": actions}, status=201)

    async def delete_firewall(self, request: web.Request) -> web.Response:
        row = self.standin.find(self.state.firewalls, request)
        if row["applied_to"]:
            raise Refused(422, "resource_in_use", "firewall is still in use")
        return self._drop(self.state.firewalls, "firewall", row)

    def attach(self, row: Document, server: int) -> None:
        if server not in self.state.servers:
            raise Refused(422, "firewall_resource_not_found", f"server {server} not found")
        row["applied_to"].append({"type": "server", "server": {"id": server}})
        self.refresh(server)

    def detach(self, row: Document, server: int) -> None:
        row["applied_to"] = [entry for entry in row["applied_to"] if entry["server"]["id"] != server]
        self.refresh(server)

    def refresh(self, server: int) -> None:
        """Bring the rules of all its firewalls to the host."""
        document = self.state.servers.get(server)
        host = self.standin.stage.hosts.get(document["name"]) if document else None
        if host is None:
            return
        mine = [row for row in self.state.firewalls.values() if server in applied_to(row)]
        rules = [rule for row in mine for rule in row["rules"] if rule["direction"] == "in"]
        host.cloud_rules = (
            tuple(
                CloudRule(rule["protocol"], rule["port"] or "", tuple(rule["source_ips"])) for rule in rules
            )
            if mine
            else None
        )


def applied_to(firewall: Document) -> list[int]:
    return [entry["server"]["id"] for entry in firewall["applied_to"]]


def _rule(data: Document) -> Document:
    if data["protocol"] in ("tcp", "udp") and not data.get("port"):
        raise Refused(422, "invalid_input", "port is required for tcp and udp rules")
    sources = data.get("source_ips", [])
    if data["direction"] == "in" and not sources:
        raise Refused(422, "invalid_input", "source_ips is required for inbound rules")
    for network in sources:
        ipaddress.ip_network(network)
    return {
        "direction": data["direction"],
        "protocol": data["protocol"],
        "port": data.get("port"),
        "source_ips": sources,
        "destination_ips": data.get("destination_ips", []),
        "description": data.get("description"),
    }


def _fingerprint(public_key: str) -> str:
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise Refused(422, "invalid_input", "public_key is not an SSH key") from error
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[start : start + 2] for start in range(0, 32, 2))


def _default_name(ip: str) -> str:
    return f"static.{'.'.join(reversed(ip.split('.')))}.clients.your-server.de"


def _contains(network: str, ip: str) -> bool:
    return ipaddress.ip_address(ip) in ipaddress.ip_network(network, strict=False)


def add_routes(standin: HetznerStandin, app: web.Application) -> None:
    it = Resources(standin)
    get, post, delete = app.router.add_get, app.router.add_post, app.router.add_delete
    get("/v1/ssh_keys", it.ssh_keys)
    post("/v1/ssh_keys", it.create_ssh_key)
    delete("/v1/ssh_keys/{id}", it.delete_ssh_key)
    get("/v1/primary_ips", it.primary_ips)
    post("/v1/primary_ips", it.create_primary_ip)
    delete("/v1/primary_ips/{id}", it.delete_primary_ip)
    post("/v1/primary_ips/{id}/actions/change_protection", it.protect_primary_ip)
    post("/v1/primary_ips/{id}/actions/change_dns_ptr", it.name_primary_ip)
    get("/v1/networks", it.networks)
    post("/v1/networks", it.create_network)
    delete("/v1/networks/{id}", it.delete_network)
    get("/v1/placement_groups", it.placement_groups)
    post("/v1/placement_groups", it.create_placement_group)
    delete("/v1/placement_groups/{id}", it.delete_placement_group)
    get("/v1/firewalls", it.firewalls)
    post("/v1/firewalls", it.create_firewall)
    delete("/v1/firewalls/{id}", it.delete_firewall)
    post("/v1/firewalls/{id}/actions/set_rules", it.set_rules)
    post("/v1/firewalls/{id}/actions/apply_to_resources", it.apply_firewall)
    post("/v1/firewalls/{id}/actions/remove_from_resources", it.remove_firewall)
