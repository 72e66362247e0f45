"""The panel's stand-in: what is known of a real one holds for it."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from tests.rehearsal.panels_stage import BUILD_TYPE, PanelWorld, Shop
from wizard.clients.dokploy import MissingError, RefusedError, TroubleError
from wizard.errors import CredentialError
from wizard.net import Reach, probe
from wizard.rehearsal.hosts.standin import CloudRule
from wizard.rehearsal.panels.standin import Panels
from wizard.rehearsal.sites import SiteRequest


async def test_the_port_is_open_to_the_world_until_a_firewall_closes_it(world: PanelWorld) -> None:
    host, _ = world.install("backend", 20)
    net = world.small.world.net
    assert await probe(net, host.ipv4, 3000) is Reach.OPEN
    host.cloud_rules = (CloudRule("tcp", "22", ("0.0.0.0/0",)),)
    assert await probe(net, host.ipv4, 3000, timeout=0.2) is Reach.FILTERED
    assert await world.clients.door(world.target(host)).healthy()


async def test_a_key_with_the_default_limit_dies_after_five_calls_as_if_it_were_wrong(
    world: PanelWorld,
) -> None:
    host, _ = world.install("backend", 20)
    client = await world.client(host)
    organization = (await client.get("organization.all"))[0]["id"]
    made = await client.post("user.createApiKey", {"name": "x", "metadata": {"organizationId": organization}})
    limited = world.clients.at(world.target(host), made["key"])
    for _ in range(5):
        await limited.get("settings.health")
    with pytest.raises(CredentialError, match="no longer accepts"):
        await limited.get("settings.health")
    with pytest.raises(CredentialError, match="does not accept"):
        await world.clients.at(world.target(host), "wrong").get("settings.health")


async def test_only_the_first_sign_up_is_let_in(world: PanelWorld) -> None:
    host, panel = world.install("backend", 20)
    await world.client(host)
    door = world.clients.door(world.target(host))
    assert await door.sign_up("Eve", "eve@elsewhere.example", "another-password") == "taken"
    assert await door.sign_in("eve@elsewhere.example", "another-password") is None
    assert panel.state.person is not None and panel.state.person.name == "Admin"


async def test_nothing_is_unique_and_names_come_back_changed(shop: Shop) -> None:
    await shop.client.post("project.create", {"name": "shop"})
    assert [row["name"] for row in await shop.client.get("project.all")] == ["shop", "shop"]
    assert any("project shop" in thing for thing in shop.stage.ledger.duplicates())
    first, second = await shop.stack(), await shop.stack()
    assert first["appName"] != second["appName"] and first["appName"].startswith("api-")


@pytest.mark.parametrize("left_out", ["herokuVersion", "dockerBuildStage", "dockerfile"])
async def test_a_field_that_may_be_null_must_still_be_there(shop: Shop, left_out: str) -> None:
    made = await shop.application()
    body = {"applicationId": made["applicationId"], **BUILD_TYPE, "dockerfile": "Dockerfile"}
    body.pop(left_out)
    with pytest.raises(RefusedError) as refused:
        await shop.client.post("application.saveBuildType", body)
    assert refused.value.fields == (left_out,) and refused.value.status == 400


async def test_unknown_things_are_404_and_an_empty_update_is_an_inner_error(shop: Shop) -> None:
    with pytest.raises(MissingError):
        await shop.client.get("application.one", applicationId="nobody")
    with pytest.raises(RefusedError) as unknown:
        await shop.client.get("application.everything")
    assert unknown.value.code == "UNKNOWN_PROCEDURE"
    made = await shop.application()
    with pytest.raises(TroubleError, match="No values to set"):
        await shop.client.post(
            "application.update", {"applicationId": made["applicationId"], "colour": "red"}
        )


@pytest.mark.parametrize("host", ["shop_api.example", "-.example", "a b", ""])
async def test_a_domain_that_is_no_host_name_is_refused(shop: Shop, host: str) -> None:
    made = await shop.application()
    with pytest.raises(RefusedError):
        await shop.client.post("domain.create", {"host": host, "applicationId": made["applicationId"]})


async def test_one_deployment_is_done_at_a_time_in_order(shop: Shop) -> None:
    stacks = [await shop.stack(), await shop.stack("services:\n  api: {image: a:1}\n")]
    for stack in stacks:
        await shop.client.post("compose.deploy", {"composeId": stack["composeId"]})
    while shop.panel.state.queue:
        await shop.stage.clock.sleep(2.0)
    first, second = shop.panel.table("deployment").values()
    assert [first["composeId"], second["composeId"]] == [stack["composeId"] for stack in stacks]
    assert first["startedAt"] < first["finishedAt"] <= second["startedAt"]


async def test_a_world_that_is_started_again_goes_on_with_the_deployment(shop: Shop) -> None:
    stack = await shop.stack()
    await shop.client.post("compose.deploy", {"composeId": stack["composeId"]})
    while not shop.panel.table("deployment"):
        await shop.stage.clock.sleep(0.5)
    kept = pickle.dumps(shop.stage.panels.state)
    for task in list(shop.stage._tasks):
        task.cancel()
    again = Panels(shop.stage, pickle.loads(kept))
    shop.stage.panels = again
    await again.start()
    panel = again.of("backend")
    while panel.state.queue:
        await shop.stage.clock.sleep(1.0)
    assert [row["status"] for row in panel.table("deployment").values()] == ["done"]


async def test_a_machine_that_is_made_again_has_a_panel_that_knows_nothing(shop: Shop) -> None:
    await shop.stack()
    shop.stage.hosts.remove("backend")
    fresh = await Shop.on(shop.world)
    assert [row["name"] for row in await fresh.client.get("project.all")] == ["shop"]
    assert not shop.stage.ledger.duplicates()


async def hook(shop: Shop, path: str, event: str, ref: str = "refs/heads/main") -> tuple[int, str]:
    head = {"id": "b" * 40, "message": "Sell even more\n\nlong"}
    body = json.dumps({"ref": ref, "after": "b" * 40, "head_commit": head}).encode()
    asked = SiteRequest("POST", "panel.example", path, {"x-github-event": event})
    answer = await shop.stage.panels.answer("backend", asked, body)
    return answer.status, json.loads(answer.body)["message"]


async def test_a_push_on_the_branch_deploys_and_nothing_else_does(shop: Shop) -> None:
    stack = await shop.stack()
    path = f"/api/deploy/compose/{stack['refreshToken']}"
    assert await hook(shop, "/api/deploy/compose/nobody", "ping") == (
        200,
        "Ping received, webhook is active",
    )
    assert await hook(shop, path, "push", "refs/heads/dev") == (301, "Branch Not Match")
    assert (await hook(shop, "/api/deploy/compose/nobody", "push"))[0] == 404
    assert (await hook(shop, f"/api/deploy/{stack['refreshToken']}", "push"))[0] == 404
    await shop.client.post("compose.update", {"composeId": stack["composeId"], "autoDeploy": False})
    assert (await hook(shop, path, "push"))[0] == 400
    await shop.client.post("compose.update", {"composeId": stack["composeId"], "autoDeploy": True})
    assert not shop.panel.state.queue
    assert (await hook(shop, path, "push"))[0] == 200
    assert [job.description for job in shop.panel.state.queue] == [f"Hash: {'b' * 40}"]


async def test_a_schedule_that_is_run_by_hand_answers_200_even_when_its_command_failed(shop: Shop) -> None:
    stack = await shop.stack()
    body = {
        "name": "clear", "cronExpression": "0 0 31 2 *", "command": "redis-cli PING", "enabled": False,
        "scheduleType": "compose", "composeId": stack["composeId"], "serviceName": "cache", "shellType": "sh",
    }  # fmt: skip
    made = await shop.client.post("schedule.create", body)
    failed = await shop.client.post("schedule.runManually", {"scheduleId": made["scheduleId"]})
    assert failed["status"] == "error"
    await shop.deploy(stack)
    ran = await shop.client.post("schedule.runManually", {"scheduleId": made["scheduleId"]})
    assert ran["status"] == "done"
    found = await shop.client.get("schedule.list", id=stack["composeId"], scheduleType="compose")
    assert [row["status"] for row in found[0]["deployments"]] == ["done", "error"]


EVENTS = (
    "appBuildError", "databaseBackup", "dokployBackup", "volumeBackup", "dokployRestart", "appDeploy",
    "dockerCleanup", "serverThreshold",
)  # fmt: skip


async def test_a_notification_says_nothing_of_itself_and_tells_of_a_failed_build(shop: Shop) -> None:
    body: dict[str, Any] = {
        "name": "alerts",
        **dict.fromkeys(EVENTS, True),
        "webhookUrl": "https://discord.com/api/webhooks/1/abcdefgh",
        "decoration": True,
    }
    with pytest.raises(RefusedError) as refused:
        await shop.client.post(
            "notification.createDiscord", {k: v for k, v in body.items() if k != "appDeploy"}
        )
    assert refused.value.fields == ("appDeploy",)
    assert await shop.client.post("notification.createDiscord", body) is None
    assert [row["name"] for row in await shop.client.get("notification.all")] == ["alerts"]
    with pytest.raises(RefusedError):
        await shop.client.post(
            "notification.testDiscordConnection", {"webhookUrl": "https://other.example/1"}
        )
    await shop.client.post("notification.testDiscordConnection", {"webhookUrl": body["webhookUrl"]})
    stack = await shop.stack("services: 5\n")
    await shop.deploy(stack)
    assert [kind for kind, _ in shop.panel.state.delivered] == ["discord", "discord"]
    assert shop.panel.state.delivered[1][1] == "Build failed: api"


async def test_a_backup_lies_where_it_was_sent_and_one_that_failed_says_so(shop: Shop) -> None:
    stack = await shop.stack()
    target = {
        "name": "s3", "provider": "Other", "accessKey": "AKIA-a-key", "bucket": "shop", "region": "fsn1",
        "endpoint": "https://s3.example", "secretAccessKey": "a-very-secret-key", "additionalFlags": [],
    }  # fmt: skip
    await shop.client.post("destination.testConnection", target)
    made = await shop.client.post("destination.create", target)
    backup = {
        "schedule": "0 3 * * *", "enabled": True, "prefix": "cms", "destinationId": made["destinationId"],
        "keepLatestCount": 14, "database": "directus", "serviceName": "cms-database",
        "composeId": stack["composeId"], "databaseType": "postgres", "backupType": "compose",
        "metadata": {"postgres": {"databaseUser": "directus"}},
    }  # fmt: skip
    assert await shop.client.post("backup.create", backup) is None
    view = await shop.client.get("compose.one", composeId=stack["composeId"])
    key = {"backupId": view["backups"][0]["backupId"]}
    with pytest.raises(TroubleError):
        await shop.client.post("backup.manualBackupCompose", key)
    await shop.deploy(stack)
    await shop.client.post("backup.manualBackupCompose", key)
    files = await shop.client.get("backup.listBackupFiles", destinationId=made["destinationId"], search="")
    assert len(files) == 1 and files[0]["Path"].startswith(stack["appName"])


async def test_a_certificate_of_any_text_is_taken(shop: Shop) -> None:
    body = {"name": "x", "certificateData": "no certificate", "privateKey": "no key", "organizationId": "x"}
    made = await shop.client.post("certificates.create", body)
    assert "failed to find PEM data" in shop.panel.front.state.log[-1]
    await shop.client.post("certificates.remove", {"certificateId": made["certificateId"]})
    assert await shop.client.get("certificates.all") == []
