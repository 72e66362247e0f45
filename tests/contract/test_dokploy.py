"""Everything that we send to a panel, and all that its stand-in answers, fits the panel's own description.

The description says less than a real panel does, so it is amended by what was seen: a success may have any
body (the description allows none), a refused field is told in `data`, a 401 has no code, and anything may be
missing. Accounts, webhooks and patches are not described at all.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import wizard.phases
from tests.contract.dokploy_fields import table
from tests.contract.harness import Contract, ContractError, Exchange, recorded
from tests.rehearsal.panels_stage import EMAIL, PASSWORD, PanelWorld, Shop, panel_world
from tests.shared import shared_dir
from wizard.clients.dokploy import DokployClient, Door
from wizard.clients.dokploy.wire import Wire
from wizard.clients.ssh import generate_key
from wizard.errors import WizardError
from wizard.rehearsal.panels.http import application
from wizard.rehearsal.panels.procedures import PROCEDURES, fields, load, validate
from wizard.rehearsal.panels.state import Refused

UNDESCRIBED = ("patch.", "auth/", "deploy/")
EVENTS = (
    "appBuildError", "databaseBackup", "dokployBackup", "volumeBackup", "dokployRestart", "appDeploy",
    "dockerCleanup", "serverThreshold",
)  # fmt: skip


@cache
def description() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_dir() / "vendor" / "dokploy.json").read_text())
    return found


@cache
def contract() -> Contract:
    amended = copy.deepcopy(description())
    errors = amended["components"]["schemas"]
    errors["error.BAD_REQUEST"]["properties"]["data"] = {"type": "object"}
    errors["error.UNAUTHORIZED"]["required"] = ["message"]
    missing = {"$ref": "#/components/schemas/error.NOT_FOUND"}
    for methods in amended["paths"].values():
        for operation in methods.values():
            answers = operation["responses"]
            answers["200"] = {"description": "anything"}
            answers.setdefault(
                "404", {"description": "gone", "content": {"application/json": {"schema": missing}}}
            )
    return Contract(amended)


def operation(name: str) -> tuple[str, dict[str, Any]] | None:
    """(method, its description) of a procedure."""
    methods = description()["paths"].get(f"/{name}")
    return next(iter(methods.items())) if methods else None


def body_of(name: str) -> dict[str, Any]:
    found = operation(name)
    assert found is not None
    content = found[1].get("requestBody", {}).get("content", {})
    schema: dict[str, Any] = content.get("application/json", {}).get("schema", {})
    return schema


@dataclass
class Loopback:
    """A host whose panel is reached without SSH, through the recording proxy."""

    port: int
    name: str = "backend"

    async def forward(self, port: int) -> int:
        assert port == 3000
        return self.port


async def use_everything(world: PanelWorld, shop: Shop, client: DokployClient, door: Door) -> None:
    """What the steps ask for, once each, refusals included."""
    assert await door.healthy() and await door.has_admin()
    session = await door.sign_in(EMAIL, PASSWORD)
    assert session is not None
    organization = await session.organization()
    made = await session.create_key("another", organization)
    assert made.id in await session.key_ids("another")
    await session.delete_key(made.id)
    for asked in (
        "settings.health", "settings.getDokployVersion", "settings.getWebServerSettings", "organization.all",
        "user.get", "project.all", "certificates.all", "sshKey.all", "registry.all", "notification.all",
        "destination.all", "docker.getContainers", "deployment.queueList",
    ):  # fmt: skip
        await client.get(asked)
    await use_apps(shop, client)
    await use_surroundings(client, organization, shop)
    for wrong in ("application.one", "compose.one"):
        with pytest.raises(WizardError):
            await client.get(wrong, **{wrong.partition(".")[0] + "Id": "nobody"})
    with pytest.raises(WizardError):
        await client.post("project.create", {})
    with pytest.raises(WizardError):
        await client.get("application.one")


async def use_apps(shop: Shop, client: DokployClient) -> None:
    shop = dataclasses.replace(shop, client=client)
    stack, app = await shop.stack(), await shop.application()
    await client.post("domain.create", {"host": "shop.example", "applicationId": app["applicationId"]})
    domain = {
        "host": "api.shop.example", "composeId": stack["composeId"], "serviceName": "api", "path": "/",
        "domainType": "compose", "port": 8000, "https": True, "certificateType": "none",
    }  # fmt: skip
    made = await client.post("domain.create", domain)
    kept = {name: value for name, value in domain.items() if name != "composeId"}
    await client.post("domain.update", {**kept, "domainId": made["domainId"]})
    with pytest.raises(WizardError):
        await client.post("domain.create", {**domain, "host": "not_a.host"})
    await client.get("domain.byComposeId", composeId=stack["composeId"])
    await client.post("domain.generateDomain", {"appName": stack["appName"]})
    environment = {"applicationId": app["applicationId"], "env": "A=1", "buildArgs": "B=2"}
    await client.post(
        "application.saveEnvironment", {**environment, "buildSecrets": "", "createEnvFile": True}
    )
    assert (await shop.deploy(stack))["status"] == "done"
    for asked in ("compose.one", "compose.getDefaultCommand", "compose.getConvertedCompose"):
        await client.get(asked, composeId=stack["composeId"])
    await client.get("compose.loadServices", composeId=stack["composeId"])
    with pytest.raises(WizardError):
        await client.get("application.readLogs", applicationId=app["applicationId"], tail=50)
    found = await client.get("docker.getContainersByAppNameMatch", appName=stack["appName"])
    await client.get(
        "compose.readLogs", composeId=stack["composeId"], containerId=found[0]["containerId"], tail=50
    )
    schedule = {
        "name": "clear", "cronExpression": "0 0 31 2 *", "command": "redis-cli PING",
        "scheduleType": "compose", "composeId": stack["composeId"], "serviceName": "cache",
        "shellType": "sh", "enabled": False,
    }  # fmt: skip
    made = await client.post("schedule.create", schedule)
    await client.post("schedule.runManually", {"scheduleId": made["scheduleId"]})
    await client.get("schedule.list", id=stack["composeId"], scheduleType="compose")
    await client.get("deployment.allByType", id=made["scheduleId"], type="schedule")
    await client.post("schedule.delete", {"scheduleId": made["scheduleId"]})
    await client.post("compose.stop", {"composeId": stack["composeId"]})
    await client.post("application.delete", {"applicationId": app["applicationId"]})
    await client.post("compose.delete", {"composeId": stack["composeId"], "deleteVolumes": False})


async def use_surroundings(client: DokployClient, organization: str, shop: Shop) -> None:
    private, public = generate_key()
    key = {"name": "shop", "privateKey": private, "publicKey": public, "organizationId": organization}
    await client.post("sshKey.create", key)
    certificate = {"name": "x", "certificateData": "x", "privateKey": "x", "organizationId": organization}
    made = await client.post("certificates.create", {**certificate, "autoRenew": False})
    await client.post("certificates.remove", {"certificateId": made["certificateId"]})
    events = {"name": "alerts", **dict.fromkeys(EVENTS, True)}
    hook = {"webhookUrl": "https://hooks.slack.com/services/T/B/abcdefgh", "channel": "#alerts"}
    await client.post("notification.createSlack", {**events, **hook})
    await client.post("notification.testSlackConnection", hook)
    mail = {
        "smtpServer": "mail.example", "smtpPort": 587, "username": "u", "password": "a-password",
        "fromAddress": "a@shop.example", "toAddresses": ["b@shop.example"],
    }  # fmt: skip
    await client.post("notification.createEmail", {**events, **mail})
    await client.post("notification.testEmailConnection", mail)
    target = {
        "name": "s3", "provider": "Other", "accessKey": "a-key", "bucket": "b", "region": "r",
        "endpoint": "https://s3.example", "secretAccessKey": "a-secret", "additionalFlags": [],
    }  # fmt: skip
    await client.post("destination.testConnection", target)
    with pytest.raises(WizardError):
        await client.post("destination.testConnection", {**target, "bucket": ""})
    made = await client.post("destination.create", target)
    volume = {
        "name": "vault", "volumeName": "shop-vault", "prefix": "vault", "serviceType": "compose",
        "composeId": None, "serviceName": "vault", "turnOff": True, "cronExpression": "0 3 * * *",
        "keepLatestCount": 14, "enabled": True, "destinationId": made["destinationId"],
    }  # fmt: skip
    made = await client.post("volumeBackups.create", volume)
    await client.post("volumeBackups.runManually", {"volumeBackupId": made["volumeBackupId"]})
    path = "/etc/dokploy/traefik/dynamic/acme.json"
    await client.get("settings.readTraefikFile", path=path)
    await client.post("settings.updateTraefikFile", {"path": path, "traefikConfig": "{}"})
    await client.post("settings.reloadTraefik", {})
    name = {"host": "panel.shop.example", "certificateType": "none", "letsEncryptEmail": EMAIL, "https": True}
    await client.post("settings.assignDomainServer", name)


@pytest.fixture
async def exchanges(tmp_path: Path) -> AsyncIterator[tuple[str, list[Exchange]]]:
    async with panel_world(tmp_path) as world:
        shop = await Shop.on(world)
        address = await world.stage.serve(application(shop.panel))
        async with recorded(f"http://{address}/api") as tape:
            host: Any = Loopback(urlsplit(tape.url).port or 0)
            wire = Wire(host, world.small.world.clock)
            organization = shop.panel.state.organization["id"]
            body = {"name": "t", "metadata": {"organizationId": organization}, "rateLimitEnabled": False}
            key = (await shop.client.post("user.createApiKey", body))["key"]
            await use_everything(world, shop, DokployClient(wire, key), Door(wire))
            with pytest.raises(WizardError):
                await DokployClient(wire, "no-key-at-all").get("project.all")
            await wire.aclose()
            yield tape.url, [one for one in tape.exchanges if described(one)]


def described(exchange: Exchange) -> bool:
    path = urlsplit(exchange.url).path
    inside = path.startswith("/api/") and path != "/api/health"
    return inside and not path.removeprefix("/api/").startswith(UNDESCRIBED)


def wrong(tape: list[Exchange]) -> list[Exchange]:
    """Requests that were meant to be refused for a field that is not there."""
    return [one for one in tape if one.status == 400 and b"received undefined" in one.answer]


async def test_all_that_is_said_fits_the_description(exchanges: tuple[str, list[Exchange]]) -> None:
    url, tape = exchanges
    contract().check_all([one for one in tape if one not in wrong(tape)], url)
    for exchange in wrong(tape):
        contract().check_answer(exchange, url)
        with pytest.raises(ContractError):
            contract().check_request(exchange, url)
    assert {exchange.status for exchange in tape} >= {200, 400, 401, 404, 500}
    assert len({urlsplit(exchange.url).path for exchange in tape}) >= 50


async def test_every_field_that_we_send_is_known_there(exchanges: tuple[str, list[Exchange]]) -> None:
    """An unknown field is dropped without a word, so it would be a wish that nobody hears."""
    for exchange in exchanges[1]:
        name = urlsplit(exchange.url).path.removeprefix("/api/")
        sent = json.loads(exchange.body) if exchange.body else {}
        assert set(sent) <= set(body_of(name).get("properties", {})), name


async def test_a_request_without_one_of_its_required_fields_is_caught_here_and_refused_there(
    exchanges: tuple[str, list[Exchange]],
) -> None:
    url, tape = exchanges
    tried = 0
    for exchange in tape:
        name = urlsplit(exchange.url).path.removeprefix("/api/")
        sent = json.loads(exchange.body) if exchange.body else {}
        for field in body_of(name).get("required", []):
            if field in sent:
                spoiled = {key: value for key, value in sent.items() if key != field}
                with pytest.raises(ContractError):
                    contract().check_request(
                        dataclasses.replace(exchange, body=json.dumps(spoiled).encode()), url
                    )
                tried += 1
    assert tried >= 100


async def test_a_wrong_error_body_is_caught(exchanges: tuple[str, list[Exchange]]) -> None:
    url, tape = exchanges
    refused = [exchange for exchange in tape if exchange.status >= 400]
    assert refused
    for exchange in refused:
        with pytest.raises(ContractError):
            contract().check_answer(dataclasses.replace(exchange, answer=b'{"error": "no"}'), url)


def registered() -> list[str]:
    load()
    return sorted(PROCEDURES)


@pytest.mark.parametrize("name", registered())
def test_the_stand_in_insists_on_what_the_description_requires(name: str) -> None:
    if name.startswith(UNDESCRIBED):
        pytest.skip("a real panel has it, its description does not")
    found, ours = operation(name), PROCEDURES[name]
    assert found is not None, "there is no such procedure"
    method, told = found
    assert (method == "get") is ours.reads
    if ours.reads:
        parameters = {one["name"] for one in told.get("parameters", ()) if one.get("required")}
        assert set(ours.required) == parameters
        return
    schema = body_of(name)
    assert set(ours.required) == set(schema.get("required", []))
    assert ours.nullable == {one for one in ours.required if _nullable(schema["properties"][one])}


def test_the_stand_in_knows_the_kind_of_every_field() -> None:
    """If this fails, write the file anew as dokploy_fields says."""
    assert fields() == table(description())
    assert len(fields()) >= 70


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("project.create", "name", 5),
        ("project.create", "name", ""),
        ("domain.create", "port", "8000"),
        ("domain.create", "https", "true"),
        ("compose.create", "composeType", "swarm"),
        ("application.saveGitProvider", "watchPaths", "src"),
        ("notification.createEmail", "smtpPort", "587"),
        ("schedule.create", "enabled", None),
        ("user.createApiKey", "metadata", "organization"),
    ],
)
def test_a_field_of_a_wrong_kind_is_refused(name: str, field: str, value: Any) -> None:
    procedure = PROCEDURES[name]
    with pytest.raises(Refused) as refused:
        validate(procedure, {**dict.fromkeys(procedure.required, "x"), field: value})
    assert field in (refused.value.fields or {})


def _nullable(schema: dict[str, Any]) -> bool:
    return schema == {} or schema.get("type") == "null" or any(map(_nullable, schema.get("anyOf", ())))


def calls_of_steps() -> Iterator[tuple[str, str]]:
    """(get or post, procedure) wherever a step names one."""
    folder = Path(wizard.phases.__path__[0])
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("get", "post")
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and isinstance(node.args[0].value, str)
                and node.args[0].value.count(".") == 1
                and node.args[0].value.partition(".")[0] in ROUTERS
            ):
                yield node.func.attr, node.args[0].value


ROUTERS = {name.partition(".")[0] for name in registered()}


@pytest.mark.parametrize("call", sorted(set(calls_of_steps())), ids=lambda call: call[1])
def test_every_procedure_that_a_step_names_exists_with_that_method(call: tuple[str, str]) -> None:
    method, name = call
    load()
    assert name in PROCEDURES, "the stand-in does not have it"
    assert PROCEDURES[name].reads is (method == "get")
    if not name.startswith(UNDESCRIBED):
        found = operation(name)
        assert found is not None and found[0] == method
