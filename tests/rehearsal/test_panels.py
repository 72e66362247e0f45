"""The panel's stand-in: what is known of a real one holds for it."""

from __future__ import annotations

import json
import pickle
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.rehearsal.panels_stage import BUILD_TYPE, COMPOSE, GIT_SOURCE, PanelWorld, Shop, panel_world
from wizard.clients.dokploy import MissingError, RefusedError, TroubleError
from wizard.clients.ssh import generate_key
from wizard.errors import CredentialError, VendorError
from wizard.net import Reach, probe
from wizard.rehearsal.hosts import CloudRule
from wizard.rehearsal.panels import Panels
from wizard.rehearsal.panels_procedures import PROCEDURES
from wizard.rehearsal.sites import SiteRequest


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[PanelWorld]:
    async with panel_world(tmp_path) as found:
        yield found


@pytest_asyncio.fixture
async def shop(world: PanelWorld) -> Shop:
    return await Shop.on(world)


@pytest_asyncio.fixture
async def front_shop(world: PanelWorld) -> Shop:
    return await Shop.on(world, "frontend", 10)


# The door


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


# Stacks


async def test_a_deployment_is_queued_then_runs_then_ends_and_its_log_is_read_over_rest(shop: Shop) -> None:
    stack = await shop.stack()
    answer = PROCEDURES["compose.deploy"].handler(shop.panel, {"composeId": stack["composeId"]})
    assert answer["success"] and not shop.panel.table("deployment"), "queued is not deployed"
    queued = PROCEDURES["deployment.queueList"].handler(shop.panel, {})
    assert [row["data"]["composeId"] for row in queued] == [stack["composeId"]]

    ended = await shop.deploy(stack)

    assert ended["status"] == "done" and ended["errorMessage"] is None
    assert (ended["title"], ended["description"]) == ("Sell more", f"Commit: {'a' * 40}")
    assert "Container" in await shop.log(ended)
    view = await shop.client.get("compose.one", composeId=stack["composeId"])
    assert view["composeStatus"] == "done"


async def test_a_stack_runs_under_its_changed_name_with_a_fresh_database_on_its_volume(shop: Shop) -> None:
    stack = await shop.stack()
    await shop.deploy(stack)
    boxes = {box.service: box for box in shop.host.docker.of_project(stack["appName"])}
    assert set(boxes) == {"api", "worker", "cache", "vault", "cms-database"}
    assert boxes["api"].env["DATABASE_USERNAME"] == "directus" and boxes["api"].health == "healthy"
    volume = shop.host.docker.volumes[f"{stack['appName']}_database"]
    assert set(volume.databases) == {"postgres", "directus"}
    assert shop.host.docker.volumes["shop-vault"].files
    found = await shop.client.get("docker.getContainersByAppNameMatch", appName=stack["appName"])
    api = next(item for item in found if "-api-" in item["name"])
    text = await shop.client.get(
        "compose.readLogs", composeId=stack["composeId"], containerId=api["containerId"]
    )
    assert "api is ready" in text


async def test_only_what_changed_is_made_anew_and_is_away_meanwhile(shop: Shop) -> None:
    stack = await shop.stack()
    body = {"host": "api.shop.example", "composeId": stack["composeId"], "serviceName": "api", "port": 8000}
    await shop.deploy(stack)
    before = dict(shop.host.docker.containers)
    await shop.client.post("domain.create", body)
    assert await shop.visit("api.shop.example") == 404

    await shop.deploy(stack, rolled_out=False)

    run = shop.panel.front.state.apps["api"]
    assert run.down_until - run.down_from == pytest.approx(14.0)
    after = shop.host.docker.containers
    changed = {box.service for name, box in after.items() if before.get(name) is not box and box.service}
    assert changed == {"api"}
    while shop.panel.state.settling:
        await shop.stage.clock.sleep(1.0)
    assert await shop.visit("api.shop.example", "/") == 200
    version = run.version
    await shop.deploy(stack)
    assert run.version == version and run.down_until == run.down_from


async def test_a_domain_of_a_stack_counts_from_its_next_deployment_also_when_it_is_taken_off(
    shop: Shop,
) -> None:
    stack = await shop.stack()
    body = {"host": "api.shop.example", "composeId": stack["composeId"], "serviceName": "api"}
    domain = await shop.client.post("domain.create", body)
    await shop.deploy(stack)
    await shop.client.post("domain.delete", {"domainId": domain["domainId"]})
    assert "api.shop.example" in shop.panel.front.state.routes
    await shop.deploy(stack)
    assert "api.shop.example" not in shop.panel.front.state.routes


REFUSED = {
    "yaml": ("services:\n  api: [image\n", "while parsing"),
    "variable": (
        "services:\n  api: {image: '${IMAGE:?must be set}'}\n",
        "required variable IMAGE is missing",
    ),
    "env file": ("services:\n  api: {image: x, env_file: ../.env}\n", "env file"),
    "volume": (
        "services:\n  api: {image: x}\nvolumes:\n  gone: {external: true}\n",
        'external volume "gone" not found',
    ),
    "network": (
        "services:\n  api: {image: x, networks: [shop]}\nnetworks:\n  shop: {external: true}\n",
        "network shop declared as external",
    ),
    "named volume": ("services:\n  api: {image: x, volumes: ['data:/data']}\n", "undefined volume data"),
    "image": ("services:\n  api: {restart: always}\n", "neither an image nor a build context"),
    "dependency": ("services:\n  api: {image: x, depends_on: [db]}\n", 'depends on undefined service "db"'),
    "dockerfile": ("services:\n  api: {build: ./api}\n", "failed to read dockerfile"),
    "port": ("services:\n  api: {image: x, ports: ['80:80']}\n", "port is already allocated"),
    "services": ("volumes: {}\n", "no services"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_compose_refuses_fails_with_its_words_and_leaves_what_runs(shop: Shop, case: str) -> None:
    from wizard.rehearsal.hosts_state import Container

    proxy = Container("dokploy-traefik", "traefik:v3.6.7", ports=("0.0.0.0:80->80/tcp",))
    shop.host.docker.containers["dokploy-traefik"] = proxy
    stack = await shop.stack(COMPOSE.replace("build: .", "image: shop:1"))
    assert (await shop.deploy(stack))["status"] == "done"
    running = dict(shop.host.docker.containers)
    text, words = REFUSED[case]
    await shop.client.post("compose.update", {"composeId": stack["composeId"], "composeFile": text})

    ended = await shop.deploy(stack)

    assert ended["status"] == "error" and ended["errorMessage"] is None
    assert words in await shop.log(ended)
    assert shop.host.docker.containers == running


async def test_a_domain_that_names_a_missing_service_fails_the_deployment(shop: Shop) -> None:
    stack = await shop.stack()
    body = {"host": "api.shop.example", "composeId": stack["composeId"], "serviceName": "apo"}
    await shop.client.post("domain.create", body)
    ended = await shop.deploy(stack)
    assert ended["status"] == "error" and "The service apo not found" in await shop.log(ended)


async def test_a_patch_is_laid_over_each_clone_and_the_clone_is_made_anew(shop: Shop) -> None:
    stack = await shop.stack()
    patch = {
        "filePath": "docker-compose.yml",
        "type": "update",
        "content": "services:\n  api: {image: a:2}\n",
    }
    await shop.client.post("patch.create", {"composeId": stack["composeId"], **patch})
    await shop.deploy(stack)
    assert [box.image for box in shop.host.docker.of_project(stack["appName"])] == ["a:2"]
    shop.panel.state.sources[stack["composeId"]]["uploads/picture.jpg"] = b"written by the application"
    found = await shop.client.get("patch.byEntityId", id=stack["composeId"], type="compose")
    await shop.client.post("patch.delete", {"patchId": found[0]["patchId"]})
    await shop.deploy(stack)
    assert len(shop.host.docker.of_project(stack["appName"])) == 5
    assert "uploads/picture.jpg" not in shop.panel.state.sources[stack["composeId"]]


async def test_a_command_may_only_chain_into_docker_compose(shop: Shop) -> None:
    stack = await shop.stack()
    own = (await shop.client.get("compose.getDefaultCommand", composeId=stack["composeId"])).removeprefix(
        "docker "
    )
    for bad in ("; reboot", "| tee x", " && reboot"):
        with pytest.raises(RefusedError):
            await shop.client.post("compose.update", {"composeId": stack["composeId"], "command": own + bad})
    flush = f"{own} && docker compose -p {stack['appName']} exec -T cache redis-cli FLUSHALL"
    await shop.client.post("compose.update", {"composeId": stack["composeId"], "command": flush})
    assert (await shop.deploy(stack))["status"] == "done"
    details = [entry.detail for entry in shop.stage.ledger.book.entries if entry.act == "exec"]
    assert details == ["redis-cli FLUSHALL"]


# Applications


async def test_an_update_with_a_health_check_has_no_gap_and_one_without_has(
    front_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, seen = front_shop, []
    plain = shop.panel.front.app_version

    def spy(app: str, version: str, *, gap: float = 0.0, start: float = 0.0) -> None:
        seen.append((version, gap))
        plain(app, version, gap=gap, start=start)

    monkeypatch.setattr(shop.panel.front, "app_version", spy)
    app = await shop.application(healthy=True)
    await shop.client.post("domain.create", {"host": "shop.example", "applicationId": app["applicationId"]})
    for _ in range(2):
        assert (await shop.deploy(app))["status"] == "done"
    assert seen == [("aaaaaaa-1", 0.0), ("aaaaaaa-2", 0.0)]
    assert await shop.visit("shop.example", "/") == 200

    await shop.client.post(
        "application.update", {"applicationId": app["applicationId"], "healthCheckSwarm": None}
    )
    await shop.deploy(app)
    assert seen[2:] == [("aaaaaaa-3", 8.0)]


async def test_an_application_is_a_swarm_service_whose_log_is_there_after_its_first_deployment(
    front_shop: Shop,
) -> None:
    shop = front_shop
    app = await shop.application()
    with pytest.raises(VendorError, match=r"application\.readLogs") as absent:
        await shop.client.get("application.readLogs", applicationId=app["applicationId"])
    assert "No container or service found" in str(absent.value)
    await shop.deploy(app)
    service = shop.host.docker.services[app["appName"]]
    assert (service.running, service.update_state) == (1, "completed")
    assert "is ready" in await shop.client.get("application.readLogs", applicationId=app["applicationId"])


async def test_a_dockerfile_must_be_where_it_is_said_to_be(front_shop: Shop) -> None:
    app = await front_shop.application(dockerfile="frontend/Dockerfile")
    ended = await front_shop.deploy(app)
    assert ended["status"] == "error" and "failed to read dockerfile" in await front_shop.log(ended)


async def test_a_build_argument_that_the_build_insists_on_must_be_given(front_shop: Shop) -> None:
    shop = front_shop
    shop.world.git.files["Dockerfile"] = b"FROM node\nARG SHOP_API_URL\nRUN echo ${SHOP_API_URL:?}\n"
    app = await shop.application()
    ended = await shop.deploy(app)
    assert ended["status"] == "error" and "SHOP_API_URL: parameter not set" in await shop.log(ended)
    body = {"applicationId": app["applicationId"], "env": "", "buildArgs": "SHOP_API_URL=https://a.example"}
    await shop.client.post("application.saveEnvironment", {**body, "buildSecrets": "", "createEnvFile": True})
    assert (await shop.deploy(app))["status"] == "done"


async def test_a_private_repository_opens_with_its_deploy_key_alone(front_shop: Shop) -> None:
    shop = front_shop
    private, public = generate_key()
    shop.world.git.private, shop.world.git.key = True, private
    app = await shop.application()
    assert "could not read Username" in await shop.log(await shop.deploy(app))
    source = {**GIT_SOURCE, "customGitUrl": "git@github.com:owner/shop.git"}
    key = {"applicationId": app["applicationId"]}
    await shop.client.post("application.saveGitProvider", {**key, **source})
    assert "without a ssh key" in await shop.log(await shop.deploy(app))
    organization = shop.panel.state.organization["id"]
    made = {"name": "shop", "privateKey": private, "publicKey": public, "organizationId": organization}
    assert await shop.client.post("sshKey.create", made) is None
    kept = (await shop.client.get("sshKey.all"))[0]
    await shop.client.post(
        "application.saveGitProvider", {**key, **source, "customGitSSHKeyId": kept["sshKeyId"]}
    )
    assert (await shop.deploy(app))["status"] == "done"


async def test_a_text_that_is_no_private_key_is_refused(shop: Shop) -> None:
    with pytest.raises(RefusedError, match="Invalid private key"):
        await shop.client.post(
            "sshKey.create", {"name": "x", "privateKey": "x", "publicKey": "x", "organizationId": "x"}
        )


async def test_a_rollback_needs_a_registry_and_then_brings_the_version_back(front_shop: Shop) -> None:
    shop = front_shop
    app = await shop.application()
    await shop.client.post(
        "application.update", {"applicationId": app["applicationId"], "rollbackActive": True}
    )
    assert (await shop.deploy(app))["rollbackId"] is None
    registry = {
        "registryName": "own", "username": "u", "password": "p", "registryUrl": "registry.shop.example",
        "registryType": "cloud", "imagePrefix": None,
    }  # fmt: skip
    made = await shop.client.post("registry.create", registry)
    await shop.client.post(
        "application.update",
        {"applicationId": app["applicationId"], "rollbackRegistryId": made["registryId"]},
    )
    kept = await shop.deploy(app)
    run = shop.panel.front.state.apps["web"]
    good = run.version
    await shop.deploy(app)
    assert run.version != good
    await shop.client.post("rollback.rollback", {"rollbackId": kept["rollbackId"]})
    while shop.panel.state.settling:
        await shop.stage.clock.sleep(1.0)
    assert run.version == good


# The queue, and what outlives the process


async def test_one_deployment_is_done_at_a_time_in_order(shop: Shop) -> None:
    stacks = [await shop.stack(), await shop.stack("services:\n  api: {image: a:1}\n")]
    for stack in stacks:
        await shop.client.post("compose.deploy", {"composeId": stack["composeId"]})
    most = 0
    while shop.panel.state.queue:
        rows = shop.panel.table("deployment").values()
        most = max(most, sum(row["status"] == "running" for row in rows))
        await shop.stage.clock.sleep(2.0)
    assert most == 1
    assert [row["composeId"] for row in shop.panel.table("deployment").values()] == [
        stack["composeId"] for stack in stacks
    ]


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


# Webhooks


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


# Everything around


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


# Faults


@pytest.mark.parametrize(
    ("profile", "status", "words"),
    [
        ("build-fails", "error", "did not complete successfully"),
        ("registry-limit", "error", "toomanyrequests"),
        ("panel-restarts", "cancelled", "Initializing"),
    ],
)
async def test_a_fault_shows_its_cause_and_the_next_deployment_is_well(
    tmp_path: Path, profile: str, status: str, words: str
) -> None:
    async with panel_world(tmp_path, faults=profile) as world:
        shop = await Shop.on(world)
        stack = await shop.stack()
        ended = await shop.deploy(stack)
        assert ended["status"] == status and words in await shop.log(ended)
        assert (await shop.deploy(stack))["status"] == "done"


async def test_a_version_that_never_gets_well_leaves_the_one_before(tmp_path: Path) -> None:
    async with panel_world(tmp_path) as world:
        shop = await Shop.on(world, "frontend", 10)
        app = await shop.application()
        await shop.deploy(app)
        run = shop.panel.front.state.apps["web"]
        good = run.version
        shop.stage.faults.profile = "never-healthy"
        ended = await shop.deploy(app)
        service = shop.host.docker.services[app["appName"]]
        assert ended["status"] == "done", "the panel says done when the update was accepted"
        assert service.update_state == "rollback_completed" and run.version == good
        await shop.deploy(app)
        assert service.update_state == "completed" and run.version != good


async def test_a_stack_that_never_gets_well_is_away_and_made_anew_by_the_next(tmp_path: Path) -> None:
    async with panel_world(tmp_path, faults="never-healthy") as world:
        shop = await Shop.on(world)
        stack = await shop.stack()
        await shop.deploy(stack)
        box = next(box for box in shop.host.docker.of_project(stack["appName"]) if box.service == "api")
        assert box.health == "unhealthy" and not shop.panel.front.state.apps["api"].version
        await shop.deploy(stack)
        box = next(box for box in shop.host.docker.of_project(stack["appName"]) if box.service == "api")
        assert box.health == "healthy" and shop.panel.front.state.apps["api"].version
