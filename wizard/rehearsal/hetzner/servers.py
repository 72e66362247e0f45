"""Servers of the rehearsal's Hetzner: how they come to life, what refuses them, how they end."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from aiohttp import web

from wizard.rehearsal.hetzner import catalogue
from wizard.rehearsal.hetzner.resources import Resources, applied_to
from wizard.rehearsal.hetzner.state import PLAYING, Document, Refused, when

if TYPE_CHECKING:
    from wizard.rehearsal.hetzner.standin import HetznerStandin

_INITIALISING, _BOOTING = 6.0, 18.0
_MOST_USER_DATA = 32 * 1024
_MOST_IN_GROUP = 10
_HOST_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9.-]{0,61}[a-zA-Z0-9])?")


class Servers:
    def __init__(self, standin: HetznerStandin) -> None:
        self.standin = standin
        self.state = standin.state
        self.resources = Resources(standin)

    def show(self, row: Document) -> Document:
        """As the API shows it now: state by age, lock by actions, addresses and firewalls by their owners."""
        standin = self.standin
        age = standin.now() - row["made"]
        unborn = age < _INITIALISING or row.get("stillborn", False)
        status = "initializing" if unborn else "starting" if age < _BOOTING else "running"
        ips = {ip["type"]: ip for ip in self.state.primary_ips.values() if ip["assignee_id"] == row["id"]}
        type_ = catalogue.server_type(row["type"], self.state.scarce)
        assert type_ is not None
        return {
            "id": row["id"],
            "name": row["name"],
            "status": status,
            "created": when(row["made"]),
            "public_net": {
                "ipv4": _public(ips.get("ipv4")),
                "ipv6": _public(ips.get("ipv6")),
                "floating_ips": [],
                "firewalls": [
                    {"id": firewall["id"], "status": "applied"}
                    for firewall in self.state.firewalls.values()
                    if row["id"] in applied_to(firewall)
                ],
            },
            "private_net": row["private_net"],
            "server_type": type_,
            "location": catalogue.location(row["location"]),
            "image": catalogue.image(row["image"], type_["architecture"]),
            "iso": None,
            "rescue_enabled": False,
            "locked": standin.locked(row["id"]),
            "backup_window": row["backup_window"],
            "outgoing_traffic": 0,
            "ingoing_traffic": 0,
            "included_traffic": 21990232555520,
            "protection": row["protection"],
            "labels": row["labels"],
            "volumes": [],
            "load_balancers": [],
            "primary_disk_size": type_["disk"],
            "placement_group": self.state.placement_groups.get(row["group"]),
        }

    async def list(self, request: web.Request) -> web.Response:
        rows = [self.show(row) for row in self.state.servers.values()]
        return self.standin.listing(request, "servers", rows)

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response({"server": self.show(self.standin.find(self.state.servers, request))})

    async def create(self, request: web.Request) -> web.Response:
        body = await request.json()
        self._refuse(body)
        row = self.new(body)
        if PLAYING.get() == "creation_fails":
            return self._stillborn(row)
        created = self.standin.act("create_server", (row["id"], "server"), seconds=_BOOTING)
        started = self.standin.act("start_server", (row["id"], "server"), seconds=_BOOTING)
        return web.json_response(
            {
                "server": self.show(row),
                "action": created,
                "next_actions": [started],
                "root_password": None if body.get("ssh_keys") else "a-password-sent-by-mail",
            },
            status=201,
        )

    def _stillborn(self, row: Document) -> web.Response:
        """Accepted, and given up a moment later: the machine stays in the project and never starts."""
        row["stillborn"] = True
        refusal = self.standin.no_capacity()
        error = ("resource_unavailable", refusal.message)
        action = self.standin.act("create_server", (row["id"], "server"), seconds=_INITIALISING, error=error)
        document: Document = {
            "server": self.show(row),
            "action": action,
            "next_actions": [],
            "root_password": None,
        }
        return web.json_response(document, status=201)

    def _refuse(self, body: Document) -> None:
        if not _HOST_NAME.fullmatch(body["name"]):
            raise Refused(422, "invalid_input", "name must be a valid hostname")
        type_ = catalogue.server_type(body["server_type"], self.state.scarce)
        if type_ is None:
            raise Refused(422, "invalid_server_type", f"Could not find server type '{body['server_type']}'")
        if catalogue.location(body["location"]) is None:
            raise Refused(422, "invalid_input", f"location {body['location']} not found")
        if catalogue.image(body["image"], type_["architecture"]) is None:
            raise Refused(422, "invalid_input", f"image {body['image']} not found")
        if len(str(body.get("user_data", "")).encode()) > _MOST_USER_DATA:
            raise Refused(422, "invalid_input", "user_data must not exceed 32 KiB")
        known = {str(number) for number in self.state.ssh_keys} | {
            row["name"] for row in self.state.ssh_keys.values()
        }
        if not {str(key) for key in body.get("ssh_keys", [])} <= known:
            raise Refused(422, "invalid_input", "an SSH key was not found")
        self.standin.free_name(self.state.servers, body["name"], "server")
        if len(self.state.servers) >= self.state.server_limit:
            raise Refused(
                403,
                "resource_limit_exceeded",
                "server limit exceeded",
                {"limits": [{"name": "server_limit"}]},
            )
        self._refuse_addresses(body)
        group = self.state.placement_groups.get(body.get("placement_group", 0))
        if group is not None and len(group["servers"]) >= _MOST_IN_GROUP:
            raise Refused(412, "placement_error", "the placement group is full")
        if (body["server_type"], body["location"]) in self.state.scarce:
            raise self.standin.no_capacity()

    def _refuse_addresses(self, body: Document) -> None:
        for kind in ("ipv4", "ipv6"):
            number = body.get("public_net", {}).get(kind)
            if number is None:
                continue
            ip = self.state.primary_ips.get(number)
            if ip is None or ip["type"] != kind:
                raise Refused(404, "not_found", f"primary IP {number} not found")
            if ip["assignee_id"] is not None:
                raise Refused(422, "primary_ip_assigned", "primary IP is already assigned")
            if ip["location"]["name"] != body["location"]:
                raise Refused(422, "invalid_input", "primary IP is in another location")

    def new(self, body: Document) -> Document:
        """Put a server into the project and boot its machine."""
        row: Document = {
            "id": self.state.number(),
            "name": body["name"],
            "made": self.standin.now(),
            "type": body["server_type"],
            "location": body["location"],
            "image": body["image"],
            "labels": body.get("labels", {}),
            "protection": {"delete": False, "rebuild": False},
            "backup_window": None,
            "private_net": [],
            "group": body.get("placement_group"),
        }
        self.state.servers[row["id"]] = row
        self.standin.stage.ledger.record("hetzner", "create", f"server {row['name']}", row["type"])
        public = body.get("public_net", {})
        addresses = {
            kind: self._address(row, kind, public.get(kind))
            for kind in ("ipv4", "ipv6")
            if public.get(f"enable_{kind}", True)
        }
        for number in body.get("networks", []):
            self._join(row, self.state.networks[number])
        if row["group"] is not None:
            self.state.placement_groups[row["group"]]["servers"].append(row["id"])
        self._boot(row, addresses, body)
        for entry in body.get("firewalls", []):
            self.resources.attach(self.state.firewalls[entry["firewall"]], row["id"])
        return row

    def _address(self, row: Document, kind: str, number: int | None) -> str:
        ip = (
            self.state.primary_ips[number]
            if number is not None
            else self.resources.new_address(
                f"{row['name']}-{kind}-auto", kind, row["location"], {}, auto_delete=True
            )
        )
        ip["assignee_id"] = row["id"]
        text: str = ip["ip"]
        return str(ipaddress.ip_network(text)[1]) if "/" in text else text

    def _join(self, row: Document, network: Document) -> str:
        taken = {
            entry["ip"]
            for server in self.state.servers.values()
            for entry in server["private_net"]
            if entry["network"] == network["id"]
        }
        hosts = ipaddress.ip_network(network["ip_range"]).hosts()
        next(hosts)
        ip = next(str(host) for host in hosts if str(host) not in taken)
        mac = f"86:00:00:{row['id'] >> 16 & 255:02x}:{row['id'] >> 8 & 255:02x}:{row['id'] & 255:02x}"
        row["private_net"].append({"network": network["id"], "ip": ip, "alias_ips": [], "mac_address": mac})
        network["servers"].append(row["id"])
        return ip

    def _boot(self, row: Document, addresses: dict[str, str], body: Document) -> None:
        type_ = catalogue.server_type(row["type"], self.state.scarce)
        assert type_ is not None
        keys = {str(key) for key in body.get("ssh_keys", [])}
        self.standin.stage.hosts.boot(
            name=row["name"],
            ipv4=addresses.get("ipv4", ""),
            ipv6=addresses.get("ipv6", ""),
            private_ip=row["private_net"][0]["ip"] if row["private_net"] else "",
            user_data=body.get("user_data", ""),
            authorized_keys=[
                key["public_key"]
                for key in self.state.ssh_keys.values()
                if str(key["id"]) in keys or key["name"] in keys
            ],
            memory_mb=type_["memory"] * 1024,
            cpus=type_["cores"],
            disk_gb=type_["disk"],
        )

    async def update(self, request: web.Request) -> web.Response:
        row, body = self.standin.find(self.state.servers, request), await request.json()
        if "labels" in body:
            row["labels"] = body["labels"]
        return web.json_response({"server": self.show(row)})

    async def delete(self, request: web.Request) -> web.Response:
        row = self._unlocked(request)
        if row["protection"]["delete"]:
            raise Refused(423, "protected", "server is protected from deletion")
        number = row["id"]
        for firewall in self.state.firewalls.values():
            self.resources.detach(firewall, number)
        for ip in list(self.state.primary_ips.values()):
            if ip["assignee_id"] == number:
                ip["assignee_id"] = None
                if ip["auto_delete"]:
                    del self.state.primary_ips[ip["id"]]
                    self.standin.stage.ledger.record("hetzner", "delete", f"primary_ip {ip['name']}")
        for holder in (*self.state.networks.values(), *self.state.placement_groups.values()):
            holder["servers"] = [other for other in holder["servers"] if other != number]
        del self.state.servers[number]
        self.standin.stage.ledger.record("hetzner", "delete", f"server {row['name']}")
        self.standin.stage.hosts.remove(row["name"])
        return web.json_response({"action": self.standin.act("delete_server", (number, "server"))})

    async def act(self, request: web.Request) -> web.Response:
        row, command = self._unlocked(request), request.match_info["action"]
        body = await request.json() if request.can_read_body else {}
        match command:
            case "change_protection":
                row["protection"] = {**row["protection"], **body}
            case "enable_backup":
                row["backup_window"] = "22-02"
            case "disable_backup":
                row["backup_window"] = None
            case "attach_to_network":
                ip = self._join(row, self.state.networks[body["network"]])
                self.standin.stage.hosts.set_private_ip(row["name"], ip)
            case _:
                raise Refused(404, "not_found", f"there is no action {command}")
        return web.json_response({"action": self.standin.act(command, (row["id"], "server"))}, status=201)

    def _unlocked(self, request: web.Request) -> Document:
        row = self.standin.find(self.state.servers, request)
        if self.standin.locked(row["id"]):
            raise Refused(423, "locked", "server is locked by another action")
        return row


def _public(ip: Document | None) -> Document | None:
    if ip is None:
        return None
    names = ip["dns_ptr"]
    if ip["type"] == "ipv4":
        return {"id": ip["id"], "ip": ip["ip"], "blocked": False, "dns_ptr": names[0]["dns_ptr"]}
    return {"id": ip["id"], "ip": ip["ip"], "blocked": False, "dns_ptr": names}


def add_routes(standin: HetznerStandin, app: web.Application) -> None:
    it = Servers(standin)
    app.router.add_get("/v1/servers", it.list)
    app.router.add_post("/v1/servers", it.create)
    app.router.add_get("/v1/servers/{id}", it.get)
    app.router.add_put("/v1/servers/{id}", it.update)
    app.router.add_delete("/v1/servers/{id}", it.delete)
    app.router.add_post("/v1/servers/{id}/actions/{action}", it.act)
