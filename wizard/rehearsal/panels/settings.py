"""Settings of the panel itself: its domain, its proxy's files, certificates, containers, people."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from wizard.rehearsal.fronts.front import PANEL
from wizard.rehearsal.hosts.state import Container
from wizard.rehearsal.panels import account as panels_account
from wizard.rehearsal.panels.procedures import chosen, complain, mutation, query
from wizard.rehearsal.panels.state import Row

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel


@query("settings.health")
def health(panel: Panel, given: Row) -> Row:
    return {"status": "ok"}


@query("settings.getDokployVersion")
def version(panel: Panel, given: Row) -> str:
    return panel.state.version


@query("settings.getIp")
def address(panel: Panel, given: Row) -> str:
    return panel.host.ipv4


@query("settings.isCloud")
def is_cloud(panel: Panel, given: Row) -> bool:
    return False


@query("settings.getWebServerSettings")
def web_server(panel: Panel, given: Row) -> Row:
    return _own(panel)


def _own(panel: Panel) -> Row:
    return {
        "host": None,
        "https": False,
        "certificateType": "none",
        "letsEncryptEmail": None,
        "serverIp": panel.host.ipv4,
        **panel.state.settings,
    }


@mutation("settings.assignDomainServer", "host certificateType")
def assign_domain(panel: Panel, given: Row) -> Row:
    """The panel's own domain; an empty one takes it away."""
    if given["certificateType"] not in ("letsencrypt", "none", "custom"):
        raise complain("certificateType", "Invalid option")
    before = panel.state.settings.get("host")
    if before and before != given["host"]:
        panel.front.unroute(before)
    panel.state.settings = chosen(given, "host", "certificateType", "letsEncryptEmail", "https")
    if given["host"]:
        panel.front.route(given["host"], PANEL, "", bool(given.get("https")), given["certificateType"])
    return _own(panel)


@query("settings.readTraefikFile", "path")
def read_file(panel: Panel, given: Row) -> str | None:
    return panel.front.read_file(given["path"]) or panel.state.files.get(given["path"])


@mutation("settings.updateTraefikFile", "path traefikConfig")
def write_file(panel: Panel, given: Row) -> bool:
    panel.state.files[given["path"]] = given["traefikConfig"]
    panel.front.write_file(given["path"], given["traefikConfig"])
    return True


@mutation("settings.reloadTraefik")
def reload(panel: Panel, given: Row) -> bool:
    panel.front.reload()
    panel.record("reload", f"{panel.name} traefik")
    return True


@mutation("settings.updateBuildsConcurrency", "buildsConcurrency")
def concurrency(panel: Panel, given: Row) -> bool:
    panel.state.settings["buildsConcurrency"] = given["buildsConcurrency"]
    return True


@query("certificates.all")
def certificates(panel: Panel, given: Row) -> list[Row]:
    return list(panel.table("certificate").values())


@query("certificates.one", "certificateId")
def certificate(panel: Panel, given: Row) -> Row:
    return panel.find("certificate", given["certificateId"])


@mutation("certificates.create", "name certificateData privateKey organizationId")
def create_certificate(panel: Panel, given: Row) -> Row:
    """Any text is taken; the proxy only logs what it can't read."""
    row = chosen(given, "name", "certificateData", "privateKey", "autoRenew", "organizationId")
    row["certificatePath"] = f"certificate-{panel.suffix()}"
    made = panel.add("certificate", row, thing=f"certificate {given['name']}")
    panel.front.add_certificate(given["certificateData"], given["privateKey"])
    return made


@mutation("certificates.remove", "certificateId")
def remove_certificate(panel: Panel, given: Row) -> bool:
    row = panel.table("certificate").pop(panel.find("certificate", given["certificateId"])["certificateId"])
    panel.front.remove_certificate(row["certificateData"])
    panel.record("delete", f"{panel.name} certificate {row['name']}")
    return True


@query("organization.all")
def organizations(panel: Panel, given: Row) -> list[Row]:
    return [panel.state.organization] if panel.state.organization else []


@query("organization.active")
def organization(panel: Panel, given: Row) -> Row | None:
    return panel.state.organization or None


@query("user.get")
def person(panel: Panel, given: Row) -> Row:
    who = panel.state.person
    assert who is not None
    keys = [panels_account.shown_key(key) for key in panel.state.keys.values()]
    return {
        "role": "owner",
        "organizationId": panel.state.organization["id"],
        "userId": who.id,
        "user": {"id": who.id, "email": who.email, "firstName": who.name, "apiKeys": keys},
    }


@mutation("user.createApiKey", "name metadata")
def create_key(panel: Panel, given: Row) -> Row:
    if not isinstance(given["metadata"], dict) or not given["metadata"].get("organizationId"):
        raise complain("metadata", "Invalid input: expected string, received undefined")
    return panels_account.create_key(panel, given)


@mutation("user.deleteApiKey", "apiKeyId")
def delete_key(panel: Panel, given: Row) -> bool:
    panels_account.delete_key(panel, given["apiKeyId"])
    return True


def container_id(name: str) -> str:
    """The first letters of a container's id, as `docker ps` shows them."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def _shown(box: Container) -> Row:
    health = f" ({box.health})" if box.health else ""
    status = f"Up 2 minutes{health}" if box.state == "running" else "Exited (0) 1 minute ago"
    return {"containerId": container_id(box.name), "name": box.name, "state": box.state, "status": status}


@query("docker.getContainersByAppNameMatch", "appName")
def containers_of(panel: Panel, given: Row) -> list[Row]:
    wanted = given["appName"]
    return [_shown(box) for box in panel.docker.containers.values() if wanted in (box.project, *_stem(box))]


@query("docker.getServiceContainersByAppName", "appName")
def tasks_of(panel: Panel, given: Row) -> list[Row]:
    return [_shown(box) for box in panel.docker.containers.values() if given["appName"] in _stem(box)]


@query("docker.getContainers")
def containers(panel: Panel, given: Row) -> list[Row]:
    return [{**_shown(box), "image": box.image} for box in panel.docker.containers.values()]


def _stem(box: Container) -> tuple[str, ...]:
    return (box.name.partition(".")[0],) if "." in box.name else ()
