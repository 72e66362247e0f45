"""Domains, mounts and patches of applications and stacks."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from wizard.rehearsal.panels.procedures import chosen, complain, mutation, query
from wizard.rehearsal.panels.state import Row, bad

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

_HOST = re.compile(r"(?i)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_CERTIFICATES = ("none", "letsencrypt", "custom")
_FIELDS = (
    "host", "path", "port", "https", "certificateType", "serviceName", "domainType", "customCertResolver",
    "internalPath", "stripPath", "middlewares", "customEntrypoint", "forwardAuthEnabled",
)  # fmt: skip
_DEFAULTS: Row = {
    "path": "/",
    "port": 3000,
    "https": False,
    "certificateType": "none",
    "serviceName": None,
    "domainType": "application",
    "customCertResolver": None,
    "internalPath": "/",
    "stripPath": False,
    "middlewares": [],
}


@mutation("domain.create", "host")
def create(panel: Panel, given: Row) -> Row:
    _check(given)
    owners = chosen(given, "applicationId", "composeId")
    if owners.get("applicationId"):
        panel.find("application", owners["applicationId"], "Application")
    elif owners.get("composeId"):
        panel.find("compose", owners["composeId"], "Compose")
        if not given.get("serviceName"):
            raise bad("Service name is required when using a compose")
    else:
        raise bad("An application or a compose is required")
    row = {
        **_DEFAULTS,
        **owners,
        **chosen(given, *_FIELDS),
        "uniqueConfigKey": len(panel.table("domain")) + 1,
    }
    owner = owners.get("applicationId") or owners.get("composeId")
    made = panel.add("domain", row, thing=f"domain {given['host']} of {owner}")
    _apply(panel, made)
    return made


def _check(given: Row) -> None:
    host = str(given.get("host") or "")
    if not _HOST.fullmatch(host):
        raise complain("host", "Invalid hostname")
    if given.get("certificateType", "none") not in _CERTIFICATES:
        raise complain("certificateType", "Invalid option")
    if given.get("certificateType") == "custom" and not given.get("customCertResolver"):
        raise complain("customCertResolver", "Required")


def _apply(panel: Panel, domain: Row) -> None:
    """An application's domain counts at once; a stack's are labels, and count from its next deployment."""
    key = domain.get("applicationId")
    if not key:
        return
    app = panel.app_of(panel.table("application")[key])
    if app is not None:
        panel.front.route(domain["host"], app.name, "", bool(domain["https"]), str(domain["certificateType"]))


@mutation("domain.update", "host domainId")
def update(panel: Panel, given: Row) -> Row:
    _check(given)
    domain = panel.find("domain", given["domainId"])
    if domain.get("applicationId") and given["host"] != domain["host"]:
        panel.front.unroute(domain["host"])
    domain.update(chosen(given, *_FIELDS))
    _apply(panel, domain)
    return domain


@mutation("domain.delete", "domainId")
def delete(panel: Panel, given: Row) -> Row:
    domain = panel.table("domain").pop(panel.find("domain", given["domainId"])["domainId"])
    twins = panel.rows("domain", host=domain["host"], applicationId=domain.get("applicationId"))
    if domain.get("applicationId") and not twins:
        panel.front.unroute(domain["host"])
    owner = domain.get("applicationId") or domain.get("composeId")
    panel.record("delete", f"{panel.name} domain {domain['host']} of {owner}")
    return domain


@query("domain.one", "domainId")
def one(panel: Panel, given: Row) -> Row:
    return panel.find("domain", given["domainId"])


@query("domain.byApplicationId", "applicationId")
def of_application(panel: Panel, given: Row) -> list[Row]:
    panel.find("application", given["applicationId"], "Application")
    return panel.rows("domain", applicationId=given["applicationId"])


@query("domain.byComposeId", "composeId")
def of_compose(panel: Panel, given: Row) -> list[Row]:
    panel.find("compose", given["composeId"], "Compose")
    return panel.rows("domain", composeId=given["composeId"])


@mutation("domain.generateDomain", "appName")
def generate(panel: Panel, given: Row) -> str:
    base = re.sub(r"[^a-z0-9-]", "-", str(given["appName"]).lower()).strip("-")
    tail = hashlib.sha256(f"{panel.stage.faults.seed}/{base}".encode()).hexdigest()[:6]
    return f"{base}-{tail}-{panel.host.ipv4.replace('.', '-')}.sslip.io"


@mutation("domain.validateDomain", "domain")
async def validate_domain(panel: Panel, given: Row) -> Row:
    """By the panel's own resolver."""
    addresses = panel.stage.dns.lookup(str(given["domain"]), "A")
    expected = given.get("serverIp") or panel.host.ipv4
    if not addresses:
        return {"isValid": False, "error": f"queryA ENOTFOUND {given['domain']}"}
    found = {"resolvedIp": ", ".join(addresses)}
    if expected not in addresses:
        error = f"Domain resolves to {', '.join(addresses)} but should point to {expected}"
        return {"isValid": False, "error": error, **found}
    return {"isValid": True, **found}


_MOUNTS = ("type", "mountPath", "content", "filePath", "hostPath", "volumeName")


@mutation("mounts.create", "type mountPath serviceId")
def create_mount(panel: Panel, given: Row) -> Row:
    if given["type"] not in ("bind", "volume", "file"):
        raise complain("type", "Invalid option")
    kind = given.get("serviceType") or "application"
    panel.find(kind, given["serviceId"])
    row = {**dict.fromkeys(_MOUNTS), **chosen(given, *_MOUNTS), "serviceType": kind}
    return panel.add("mount", {**row, "serviceId": given["serviceId"], f"{kind}Id": given["serviceId"]})


@query("mounts.listByServiceId", "serviceType serviceId")
def mounts_of(panel: Panel, given: Row) -> list[Row]:
    return panel.rows("mount", serviceType=given["serviceType"], serviceId=given["serviceId"])


@query("mounts.one", "mountId")
def one_mount(panel: Panel, given: Row) -> Row:
    return panel.find("mount", given["mountId"])


@mutation("mounts.update", "mountId")
def update_mount(panel: Panel, given: Row) -> Row:
    mount = panel.find("mount", given["mountId"])
    mount.update(chosen(given, *_MOUNTS))
    return mount


@mutation("mounts.remove", "mountId")
def remove_mount(panel: Panel, given: Row) -> Row:
    return panel.table("mount").pop(panel.find("mount", given["mountId"])["mountId"])


@mutation("patch.create", "filePath content?")
def create_patch(panel: Panel, given: Row) -> Row:
    owners = chosen(given, "applicationId", "composeId")
    if owners.get("applicationId"):
        panel.find("application", owners["applicationId"], "Application")
    elif owners.get("composeId"):
        panel.find("compose", owners["composeId"], "Compose")
    else:
        raise bad("Either applicationId or composeId must be provided")
    row = {
        **owners,
        "filePath": given["filePath"],
        "type": given.get("type") or "update",
        "content": given.get("content") or "",
        "enabled": given.get("enabled", True),
    }
    owner = owners.get("applicationId") or owners.get("composeId")
    return panel.add("patch", row, thing=f"patch {given['filePath']} of {owner}")


@query("patch.byEntityId", "id type")
def patches(panel: Panel, given: Row) -> list[Row]:
    return panel.rows("patch", **{f"{given['type']}Id": given["id"]})


@query("patch.one", "patchId")
def one_patch(panel: Panel, given: Row) -> Row:
    return panel.find("patch", given["patchId"])


@mutation("patch.update", "patchId")
def update_patch(panel: Panel, given: Row) -> Row:
    patch = panel.find("patch", given["patchId"])
    patch.update(chosen(given, "filePath", "content", "type", "enabled"))
    return patch


@mutation("patch.delete", "patchId")
def delete_patch(panel: Panel, given: Row) -> bool:
    patch = panel.table("patch").pop(panel.find("patch", given["patchId"])["patchId"])
    owner = patch.get("applicationId") or patch.get("composeId")
    panel.record("delete", f"{panel.name} patch {patch['filePath']} of {owner}")
    return True
