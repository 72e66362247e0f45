"""The rehearsal's git hosts: what they hold fits the old host, clones are guarded, deliveries are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rehearsal.git_stage import SHOP, GitWorld, git_world, shop
from tests.rehearsal.small_stage import NEW_API
from wizard import configfile
from wizard.clients.git import Delivery
from wizard.clients.ssh import generate_key
from wizard.compose.review import review
from wizard.compose.setting import Setting
from wizard.config import AppKind, Config, GitHost
from wizard.rehearsal.git import compose as git_compose
from wizard.rehearsal.git import tree as git_tree
from wizard.rehearsal.git.state import CloneRefused
from wizard.rehearsal.hosts.standin import Hosts
from wizard.rehearsal.sites import SiteAnswer, SiteRequest

HOSTS = pytest.mark.parametrize("host", list(GitHost))
PANEL = "panel.shop.example"


def _compose(config: Config) -> dict[str, Any]:
    app = next(app for app in config.apps if app.kind is AppKind.COMPOSE)
    files = git_tree.tree(config, (app,))
    read: dict[str, Any] = yaml.safe_load(files[app.compose_file])
    return read


async def test_the_stack_in_git_is_the_one_that_runs_on_the_old_host(tmp_path: Path) -> None:
    config = configfile.example()
    async with git_world(tmp_path, config=config) as there:
        stage = there.stage
        stage.hosts = Hosts(stage, Hosts.begin(stage))
        docker = stage.hosts.state.hosts["old-backend"].docker
        runs = {box.service: box for box in docker.containers.values() if box.service != "caddy"}
        stack = _compose(config)
        assert set(stack["services"]) == set(runs)
        assert {entry["name"] for entry in stack["volumes"].values()} == set(docker.volumes)
        for name, service in stack["services"].items():
            assert service["image"].partition(":")[0] == runs[name].image.partition(":")[0]
            mounted = {row.split(":")[0] for row in service.get("volumes", ()) if not row.startswith(".")}
            assert mounted == {mount.name for mount in runs[name].mounts if mount.name}
        names = set(git_compose.variables(config, config.app("api")))
        assert names <= set(runs["api"].env), "the .env of the old host gives every variable a value"


def test_the_review_finds_habits_of_development_and_mends_them_all() -> None:
    app = configfile.example().app("api")
    text = git_compose.compose_text(configfile.example(), app)
    found = review(text, Setting(folder="backend/core"))
    assert {"published-port", "container-name", "floating-image", "data-volume"} <= {
        finding.rule for finding in found.findings
    }
    assert [finding.id for finding in found.blocking if not finding.edits] == []


def test_every_file_that_a_dockerfile_copies_is_in_its_context() -> None:
    config = configfile.example()
    files = git_tree.tree(config, config.apps)
    dockerfile = files[config.app("web").dockerfile].decode()
    for line in dockerfile.splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert any(path.startswith(source.strip("/")) for path in files), source
    assert all(f"ARG {name}" in dockerfile for name in config.app("web").build_args)


@pytest.mark.parametrize("context", ["/", "web", "/web/"])
def test_the_context_may_be_any_folder(context: str) -> None:
    from dataclasses import replace

    app = replace(shop().app("web"), context=context)
    files = git_tree.tree(shop(), (app,))
    root = context.strip("/")
    for line in files["web/Dockerfile"].decode().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                wanted = f"{root}/{source}".strip("/")
                assert any(path.startswith(wanted) for path in files), wanted


async def test_a_public_repository_is_cloned_by_anybody(tmp_path: Path) -> None:
    async with git_world(tmp_path) as there:
        clone = there.git.clone(SHOP, "main")
        assert clone.sha == there.repository.branches["main"][-1].sha
        assert b"services:" in clone.files["deploy/docker-compose.prod.yml"]
        with pytest.raises(CloneRefused, match="Remote branch dev not found"):
            there.git.clone(SHOP, "dev")
        with pytest.raises(CloneRefused, match="Repository not found"):
            there.git.clone("owner/none", "main")


async def test_a_private_one_needs_the_private_half_of_a_deploy_key(tmp_path: Path) -> None:
    private, public = generate_key("mine")
    other, _ = generate_key("other")
    async with git_world(tmp_path, config=shop(private=True)) as there:
        key = await there.client.add_deploy_key(SHOP, "mine", public)
        assert key.last_used == ""
        for wrong in ("", other, "no key"):
            with pytest.raises(CloneRefused):
                there.git.clone(SHOP, "main", key=wrong)
        assert there.git.clone(SHOP, "main", key=private).files
        assert (await there.client.deploy_keys(SHOP))[0].last_used


def _open_panel(there: GitWorld, status: int = 200) -> list[SiteRequest]:
    """A host behind the panel's name that answers every webhook, over TLS with a good certificate."""
    heard: list[SiteRequest] = []
    front = there.stage.fronts.of("backend")
    front.give(PANEL, "api", *there.stage.acme.issue(PANEL))

    async def answer(asked: SiteRequest, body: bytes) -> SiteAnswer:
        heard.append(asked)
        return SiteAnswer(status, (("Content-Type", "application/json"),), b'{"message":"heard"}')

    front.answer = answer  # type: ignore[method-assign]
    names: Any = there.stage.dns
    names.records[PANEL, "A"] = (NEW_API,)
    return heard


async def _settled(there: GitWorld, hook: str, event: str) -> Delivery:
    """The newest delivery of `event`, as soon as there is one."""
    while True:
        for one in await there.client.deliveries(SHOP, hook):
            if one.event == event:
                return one
        await there.stage.clock.sleep(10)


@HOSTS
async def test_a_push_is_delivered_over_the_internet_and_its_answer_kept(
    tmp_path: Path, host: GitHost
) -> None:
    async with git_world(tmp_path, config=shop(host=host)) as there:
        heard = _open_panel(there)
        hook = await there.client.ensure_hook(SHOP, f"https://{PANEL}/api/deploy/abcdefghijkl", "main")
        sha = await there.git.push(SHOP, "main", {"web/src/app.html": b"new"}, "A visible change")
        one = await _settled(there, hook.id, "push")
        full = await there.client.delivery(SHOP, hook.id, one.id)
        assert (one.code, full.branch, full.sha) == (200, "main", sha)
        assert full.body == '{"message":"heard"}'
        assert heard[-1].path == "/api/deploy/abcdefghijkl"
        assert heard[-1].method == "POST"
        assert there.git.clone(SHOP, "main").files["web/src/app.html"] == b"new"


@HOSTS
async def test_the_latest_push_is_sent_again_and_so_is_a_delivery(tmp_path: Path, host: GitHost) -> None:
    async with git_world(tmp_path, config=shop(host=host)) as there:
        heard = _open_panel(there)
        hook = await there.client.ensure_hook(SHOP, f"https://{PANEL}/api/deploy/abcdefghijkl", "main")
        await there.client.send_push(SHOP, hook.id)
        first = await _settled(there, hook.id, "push")
        before = len(heard)
        await there.client.redeliver(SHOP, hook.id, first.id)
        while len(heard) == before:
            await there.stage.clock.sleep(10)
        guids = [one.guid for one in await there.client.deliveries(SHOP, hook.id) if one.event == "push"]
        assert len(guids) >= 2
        if host is GitHost.GITHUB:
            assert len(set(guids)) == 1, "a repetition keeps its guid"


async def test_a_green_ping_follows_the_making_of_a_hook(tmp_path: Path) -> None:
    async with git_world(tmp_path) as there:
        heard = _open_panel(there)
        hook = await there.client.ensure_hook(SHOP, f"https://{PANEL}/api/deploy/wrong-secret")
        assert (await _settled(there, hook.id, "ping")).code == 200
        assert heard[0].headers["x-github-event"] == "ping"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("https://nowhere.shop.example/api/deploy/abcdefghijkl", "failed to resolve host"),
        (f"http://{NEW_API}:3000/api/deploy/abcdefghijkl", "failed to connect to host"),
        (f"https://{NEW_API}/api/deploy/abcdefghijkl", "certificate verify failed"),
    ],
)
async def test_what_cannot_be_delivered_is_kept_with_its_reason(
    tmp_path: Path, url: str, status: str
) -> None:
    async with git_world(tmp_path) as there:
        _open_panel(there)
        hook = await there.client.ensure_hook(SHOP, url)
        one = await _settled(there, hook.id, "ping")
        assert (one.code, one.status) == (502, status)


async def test_a_hook_that_leads_on_is_a_failure(tmp_path: Path) -> None:
    """A panel answers 301 when a push is not for it."""
    async with git_world(tmp_path) as there:
        _open_panel(there, status=301)
        hook = await there.client.ensure_hook(SHOP, f"https://{PANEL}/api/deploy/abcdefghijkl")
        await there.git.push(SHOP, "dev", {"a": b"b"}, "Elsewhere")
        one = await _settled(there, hook.id, "push")
        assert (one.code, one.status) == (301, "Invalid HTTP Response: 301")
