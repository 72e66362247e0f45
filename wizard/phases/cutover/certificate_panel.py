"""Certificates and domains on a panel: what is there, and the few calls that change it.

The proxy's store (acme.json) is read at its start only, so putting a certificate there restarts it: done
while nobody visits the host yet. The panel's answers hold private keys: only digests leave this module.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.engine.step import Context
from wizard.errors import WizardError
from wizard.records import AppRecord, PanelRecord

if TYPE_CHECKING:
    from wizard.config import App
    from wizard.phases.cutover.certificate_records import CertificateRecord

STORE = "/etc/dokploy/traefik/dynamic/acme.json"
RESOLVER = "letsencrypt"


@dataclass(frozen=True, slots=True)
class DomainView:
    """`certificate` is the panel's word: none, letsencrypt or custom."""

    id: str
    host: str
    https: bool
    certificate: str


@dataclass(frozen=True, slots=True)
class PanelView:
    """`uploaded` leads from a leaf's SHA-256 to the certificate's id; `stored` are leaves in the store."""

    uploaded: dict[str, str]
    stored: frozenset[str]
    domains: tuple[DomainView, ...]


def leaf_digest(chain_pem: str) -> str:
    """SHA-256 of the first certificate in hex; "" when the text holds none."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        leaf = x509.load_pem_x509_certificate(chain_pem.encode())
    except ValueError:
        return ""
    return hashlib.sha256(leaf.public_bytes(Encoding.DER)).hexdigest()


def store_with(text: str, names: tuple[str, ...], chain_pem: str, key_pem: str) -> str:
    """The proxy's store with this certificate in place of any other for its main name. Pure.

    Raises WizardError when the text is not a store: it is never overwritten blindly.
    """
    try:
        store: dict[str, Any] = json.loads(text) if text.strip() else {}
        resolver = store.setdefault(RESOLVER, {"Account": None, "Certificates": None})
        kept = [item for item in resolver.get("Certificates") or [] if item["domain"]["main"] != names[0]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WizardError(
            "The proxy's certificate store is not readable",
            f"{STORE} holds something else than expected",
            "Look at it on the host; it is left as it is.",
        ) from error
    domain: dict[str, Any] = {"main": names[0]}
    if names[1:]:
        domain["sans"] = list(names[1:])
    fresh = {
        "domain": domain,
        "certificate": base64.b64encode(chain_pem.encode()).decode(),
        "key": base64.b64encode(key_pem.encode()).decode(),
        "Store": "default",
    }
    resolver["Certificates"] = [*kept, fresh]
    return json.dumps(store, indent=2)


def stored_leaves(text: str) -> frozenset[str]:
    """Digests of the leaves in a store; none when it is empty or not readable."""
    try:
        resolvers = json.loads(text).values() if text.strip() else ()
        found = [item for resolver in resolvers for item in resolver.get("Certificates") or []]
        digests = {leaf_digest(base64.b64decode(item["certificate"]).decode()) for item in found}
    except (ValueError, TypeError, KeyError, AttributeError):
        return frozenset()
    return frozenset(digests - {""})


async def calls(ctx: Context, server: str) -> Any:
    """The panel's client: `get(procedure, **parameters)` and `post(procedure, body)`."""
    from wizard.phases.panels import panel

    return await panel(ctx, server)


async def look_at(ctx: Context, server: str) -> PanelView:
    """What the panel of a server has for certificates and for our apps' domains."""
    client = await calls(ctx, server)
    certificates = await client.get("certificates.all")
    domains = [view for app in ctx.config.apps_on(server) for view in await _domains(ctx, client, app.name)]
    return PanelView(
        uploaded={
            digest: str(item["certificateId"])
            for item in certificates
            if (digest := leaf_digest(str(item.get("certificateData") or "")))
        },
        stored=stored_leaves(await _read_store(client)),
        domains=tuple(domains),
    )


async def _read_store(client: Any) -> str:
    text = await client.get("settings.readTraefikFile", path=STORE)
    return text if isinstance(text, str) else ""


def _record(ctx: Context, app: str) -> AppRecord:
    record = ctx.saved.load("app", AppRecord, step=f"apps.{app}.create")
    if record is None:
        raise WizardError(f"{app} is not on its panel yet", next=f"Run apps.{app}.create first.")
    return record


def _owner(ctx: Context, app: App) -> dict[str, Any]:
    from wizard.config import AppKind

    record = _record(ctx, app.name)
    if app.kind is AppKind.COMPOSE:
        return {"composeId": record.id, "serviceName": app.service, "domainType": "compose"}
    return {"applicationId": record.id, "domainType": "application"}


async def _domains(ctx: Context, client: Any, app_name: str) -> list[DomainView]:
    app = ctx.config.app(app_name)
    owner = _owner(ctx, app)
    if "composeId" in owner:
        found = await client.get("domain.byComposeId", composeId=owner["composeId"])
    else:
        found = await client.get("domain.byApplicationId", applicationId=owner["applicationId"])
    return [
        DomainView(
            id=str(item["domainId"]),
            host=str(item["host"]),
            https=bool(item.get("https")),
            certificate=str(item.get("certificateType") or "none"),
        )
        for item in found
    ]


async def domains_of(ctx: Context, app: App) -> list[DomainView]:
    """The domains of one app on its panel, trials included."""
    return await _domains(ctx, await calls(ctx, app.server), app.name)


async def log_of(ctx: Context, app: App, lines: int = 200) -> str:
    """The last lines that the app's containers wrote."""
    client = await calls(ctx, app.server)
    owner = _owner(ctx, app)
    if "applicationId" in owner:
        text = await client.get("application.readLogs", applicationId=owner["applicationId"], tail=lines)
        return text if isinstance(text, str) else ""
    found = await client.get("docker.getContainersByAppNameMatch", appName=_record(ctx, app.name).app_name)
    texts = [
        await client.get(
            "compose.readLogs", composeId=owner["composeId"], containerId=item["containerId"], tail=lines
        )
        for item in found
        if app.service in str(item.get("name", ""))
    ]
    return "\n".join(text for text in texts if isinstance(text, str))


async def upload(ctx: Context, server: str, name: str, record: CertificateRecord, key_pem: str) -> str:
    """Give the panel a certificate, unless it has it; returns its id there."""
    known = (await look_at(ctx, server)).uploaded.get(record.sha256)
    if known:
        return known
    panel_record = ctx.saved.load("panel", PanelRecord, step=f"provision.{server}.account")
    if panel_record is None:
        raise WizardError(
            f"The panel of {server} has no account yet", next=f"Run provision.{server}.account."
        )
    client = await calls(ctx, server)
    body = {
        "name": name,
        "certificateData": record.chain_pem,
        "privateKey": key_pem,
        "autoRenew": False,
        "organizationId": panel_record.organization_id,
    }
    await client.post("certificates.create", body)
    return (await look_at(ctx, server)).uploaded.get(record.sha256, "")


async def remove(ctx: Context, server: str, certificate_id: str) -> None:
    """Take an uploaded certificate away; nothing happens when it is gone."""
    if certificate_id in (await look_at(ctx, server)).uploaded.values():
        await (await calls(ctx, server)).post("certificates.remove", {"certificateId": certificate_id})


async def store(ctx: Context, server: str, names: tuple[str, ...], chain_pem: str, key_pem: str) -> None:
    """Put a certificate into the proxy's store and restart the proxy, unless it is there."""
    client = await calls(ctx, server)
    text = await _read_store(client)
    if leaf_digest(chain_pem) in stored_leaves(text):
        return
    body = {"path": STORE, "traefikConfig": store_with(text, names, chain_pem, key_pem)}
    await client.post("settings.updateTraefikFile", body)
    await client.post("settings.reloadTraefik", {})


async def serve(ctx: Context, app: App, host: str, certificate: str) -> bool:
    """Lead `host` to the app over HTTPS with this kind of certificate. True when the domain is new."""
    client = await calls(ctx, app.server)
    known = next((item for item in await _domains(ctx, client, app.name) if item.host == host), None)
    wish = {
        "host": host,
        "path": "/",
        "port": app.port,
        "https": True,
        "certificateType": certificate,
    }
    if known is None:
        await client.post("domain.create", {**wish, **_owner(ctx, app)})
        return True
    if not known.https or known.certificate != certificate:
        await client.post("domain.update", {**wish, **_service(ctx, app), "domainId": known.id})
    return False


def _service(ctx: Context, app: App) -> dict[str, Any]:
    owner = _owner(ctx, app)
    return {key: owner[key] for key in ("serviceName", "domainType") if key in owner}


async def unserve(ctx: Context, app: App, host: str) -> None:
    """Take a domain off the app; nothing happens when it is gone."""
    client = await calls(ctx, app.server)
    for item in await _domains(ctx, client, app.name):
        if item.host == host:
            await client.post("domain.delete", {"domainId": item.id})
