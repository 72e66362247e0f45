"""Compose stacks on the panel's stand-in: what is refused, what is recreated, what breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsal.panels_stage import COMPOSE, Shop, panel_world
from wizard.clients.dokploy import RefusedError
from wizard.rehearsal.panels.procedures import PROCEDURES


async def test_a_deployment_is_queued_then_runs_then_ends_and_its_log_is_read_over_rest(shop: Shop) -> None:
    stack = await shop.stack()
    asked = await shop.client.get("compose.getConvertedCompose", composeId=stack["composeId"])
    assert asked == "null\n", "before the first clone there is nothing to write out"
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
    from wizard.rehearsal.hosts.state import Container

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
