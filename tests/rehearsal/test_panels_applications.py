"""Applications on the panel's stand-in: builds, updates without a gap, rollbacks."""

from __future__ import annotations

import pytest

from tests.rehearsal.panels_stage import GIT_SOURCE, Shop
from wizard.clients.dokploy import RefusedError
from wizard.clients.ssh import generate_key
from wizard.errors import VendorError


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
