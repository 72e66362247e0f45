"""Real files, each with the findings that matter, judged by the real compose binary."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compose.oracle import canonical, complaint
from tests.shared import shared_dir
from wizard.compose import edits
from wizard.compose.document import get
from wizard.compose.files import read_file, setting_of
from wizard.compose.finding import Finding, Rule, apply, inverse
from wizard.compose.review import Review, review
from wizard.compose.rewrite import Rewritten, rewrite
from wizard.compose.stack import read

# File → findings that must be there, as "rule service", and rules that would be false alarms.
EXPECTED: dict[str, tuple[str, str]] = {
    "compose/awesome-angular.yml": (
        "code-mount web, published-port web, no-restart web",
        "data-in-clone",
    ),
    "compose/awesome-flask-redis.yml": (
        "code-mount web, published-port redis, published-port web, floating-image redis",
        "data-in-clone code-only-by-mount",
    ),
    "compose/awesome-nginx-golang-postgres.yml": (
        "data-volume db, secret-file backend, port-taken proxy, floating-image db, config-in-clone proxy",
        "undefined data-in-clone",
    ),
    "compose/awesome-react-nginx.yml": (
        "container-name frontend, port-taken frontend",
        "code-mount",
    ),
    "compose/dokploy-tpl-affinepro.yml": (
        "data-volume affinepro, floating-image affinepro, published-port affinepro",
        "secret-in-file",
    ),
    "compose/dokploy-tpl-appwrite.yml": (
        "host-power openruntimes-executor, data-volume mariadb, host-service appwrite-worker-builds",
        "host-path config-in-clone",
    ),
    "compose/dokploy-tpl-cloudflared.yml": (
        "host-power cloudflared, floating-image cloudflared",
        "data-volume",
    ),
    "compose/dokploy-tpl-drizzle-gateway.yml": (
        "",
        "data-in-clone",
    ),
    "compose/dokploy-tpl-erpnext-v16.yml": (
        "data-volume db, data-volume backend",
        "no-restart no-health-check",
    ),
    "compose/dokploy-tpl-infisical.yml": (
        "data-volume db, variables -",
        "external-network secret-in-file",
    ),
    "compose/dokploy-tpl-outline.yml": (
        "floating-image redis, data-volume outline",
        "config-in-clone",
    ),
    "compose/dokploy-tpl-posthog.yml": (
        "secret-in-file web, secret-in-file db, floating-image feature-flags",
        "config-in-clone data-in-clone",
    ),
    "compose/dokploy-tpl-vaultwarden.yml": (
        "data-volume vaultwarden",
        "floating-image",
    ),
    "compose/frappe.yml": (
        "data-volume configurator, variables -",
        "floating-image no-restart",
    ),
    "compose/mattermost.yml": (
        "variable-path postgres, variable-path mattermost, variables -",
        "floating-image",
    ),
    "compose/n8n-docker-compose-withpostgresandworker.yml": (
        "data-volume postgres, published-port n8n, variables -",
        "floating-image config-in-clone no-restart",
    ),
    "compose/nextcloud-docker-compose-insecure-postgres-apache.yml": (
        "env-file db, env-file app, floating-image db, data-volume app",
        "no-restart",
    ),
    "compose/podman-examples-nodeproj-docker-compose.yml": (
        "code-only-by-mount init, env-file init, port-taken web, undefined web",
        "code-mount",
    ),
    "compose/podman-tests-integration-extends_w_file-docker-compose.yml": (
        "other-file web",
        "no-restart no-health-check",
    ),
    "compose/sentry-self-hosted.yml": (
        "secret-in-file seaweedfs, profiles snuba-outcomes-accepted-consumer, "
        "published-port nginx, config-in-clone web",
        "code-only-by-mount code-mount data-in-clone",
    ),
    "compose/zulip.yml": (
        "port-taken zulip, published-port zulip, undefined database, floating-image redis",
        "host-path",
    ),
    "openmates/docker-compose.yml": (
        "code-only-by-mount task-worker, data-in-clone cms, env-file api, container-name vault, "
        "external-network -, host-path api, env-mount vault-setup, host-power admin-sidecar, "
        "floating-image cache, published-port webapp, repeated-build task-worker, "
        "override-file -, variable-path admin-sidecar, slow-health-check api",
        "secret-in-file build-context",
    ),
    "openmates/docker-compose.selfhost.yml": (
        "data-volume cms, env-file api, container-name cache, external-network -, host-service api",
        "code-only-by-mount code-mount data-in-clone",
    ),
    "openmates/docker-compose.override.yml": (
        "no-image api, published-port cms",
        "undefined",
    ),
}
# Files that compose refuses by themselves: they need another file.
NOT_ALONE = {
    "compose/podman-examples-nodeproj-docker-compose.yml",
    "compose/podman-tests-integration-extends_w_file-docker-compose.yml",
    "compose/zulip.yml",
    "openmates/docker-compose.override.yml",
}
# What an accepted edit may change of a service.
TOUCHES = {
    Rule.CODE_MOUNT: "volumes",
    Rule.DATA_IN_CLONE: "volumes",
    Rule.VARIABLE_PATH: "volumes",
    Rule.HOST_PATH: "volumes",
    Rule.ENV_MOUNT: "volumes",
    Rule.SCRATCH_IN_CLONE: "volumes",
    Rule.PUBLISHED_PORT: "ports",
    Rule.PORT_TAKEN: "ports",
    Rule.SECRET_IN_FILE: "environment",
    Rule.CONTAINER_NAME: "container_name",
    Rule.ENV_FILE: "env_file",
    Rule.SLOW_HEALTH_CHECK: "healthcheck",
    Rule.NO_RESTART: "restart",
}
BASE = "services:\n  webapp:\n    image: a:1\n"
# Values that the files need to be whole, whatever their variables are.
NEEDED = {
    **dict.fromkeys(
        [
            f"HEALTHCHECK_{word}"
            for word in ("INTERVAL", "TIMEOUT", "START_PERIOD", "FILE_INTERVAL", "FILE_TIMEOUT")
        ],
        "5s",
    ),
    "HEALTHCHECK_FILE_START_PERIOD": "5s",
    "HEALTHCHECK_RETRIES": "3",
    "HEALTHCHECK_FILE_RETRIES": "3",
    "MATTERMOST_CONTAINER_READONLY": "false",
    "CLOUDFLARE_TUNNEL_TOKEN": "x",
    "SENTRY_BIND": "9000",
    **{
        f"{word}_IMAGE": "a:1"
        for word in ("SNUBA", "SYMBOLICATOR", "RELAY", "TASKBROKER", "LAUNCHPAD", "VROOM", "UPTIME_CHECKER")
    },
}


def reviewed(name: str) -> Review:
    path = shared_dir() / "inputs" / name
    return review(read_file(path), setting_of(path))


def prepared(name: str) -> tuple[str, Rewritten]:
    found = reviewed(name)
    return found.text, rewrite(found)


def test_every_input_is_expected() -> None:
    folder = shared_dir() / "inputs"
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.yml")}
    assert there == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_findings_that_matter_are_there_and_no_false_alarm(name: str) -> None:
    found = reviewed(name)
    wanted, false = EXPECTED[name]
    there = {f"{finding.rule} {finding.service or '-'}" for finding in found.findings}
    assert {one.strip() for one in wanted.split(",") if one.strip()} <= there
    assert not {finding.rule.value for finding in found.findings} & set(false.split())


@pytest.mark.parametrize("name", EXPECTED)
def test_one_cause_is_one_finding(name: str) -> None:
    found = reviewed(name)
    causes = [(finding.rule, finding.line, finding.what) for finding in found.findings]
    assert len(causes) == len(set(causes))
    for finding in found.findings:
        assert 1 <= finding.line <= found.text.count("\n") + 1
        assert finding.why.endswith(".") and finding.advice.endswith(".")


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_written_is_valid_with_only_the_panels_env_beside_it(name: str, tmp_path: Path) -> None:
    text, made = prepared(name)
    env = "".join(f"{key}={value}\n" for key, value in {**NEEDED, **dict(made.values)}.items())
    if name in NOT_ALONE:
        (tmp_path / "common-services.yml").write_text(BASE)
        assert (
            canonical(tmp_path, made.text)["services"].keys() == canonical(tmp_path, text)["services"].keys()
        )
    else:
        assert complaint(tmp_path, made.text, env) == ""


@pytest.mark.parametrize("name", EXPECTED)
def test_compose_sees_changes_only_where_an_edit_was_accepted(name: str, tmp_path: Path) -> None:
    text, made = prepared(name)
    (tmp_path / "common-services.yml").write_text(BASE)
    before, after = canonical(tmp_path, text), canonical(tmp_path, made.text)
    assert list(before["services"]) == list(after["services"])
    for service, old in before["services"].items():
        new = after["services"][service]
        changed = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
        allowed = {
            TOUCHES[one.rule] for one in made.accepted if service in one.services and one.rule in TOUCHES
        }
        assert changed <= allowed, service
    rest = (before.keys() | after.keys()) - {"services", "volumes", "networks", "name"}
    for section in rest:
        if not section.startswith("x-"):
            assert before.get(section) == after.get(section), section


@pytest.mark.parametrize("name", EXPECTED)
def test_services_without_an_accepted_edit_stay_byte_for_byte(name: str) -> None:
    text, made = prepared(name)
    touched = {service for finding in made.accepted for service in finding.services}
    old, new = blocks(text), blocks(made.text)
    assert list(old) == list(new)
    for service in old.keys() - touched:
        assert old[service] == new[service]
    assert apply(made.text, inverse(made.edits)) == text


def blocks(text: str) -> dict[str, str]:
    stack = read(text)
    document = stack.document
    found = {}
    for service in stack.services:
        start = document.line_start(document.start(service.entry.key_node))
        found[service.name] = text[start : edits.end_of(document, service.entry)]
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_comments_stay_but_for_those_inside_of_what_was_removed(name: str) -> None:
    text, made = prepared(name)
    removed = "".join(edit.before for edit in made.edits)
    comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    kept = [line for line in comments if line not in removed]
    assert [line for line in made.text.splitlines() if line.lstrip().startswith("#") and line in kept] == [
        line for line in kept if line in made.text
    ]
    assert all(line in made.text for line in kept)


def openmates() -> dict[str, Finding]:
    return {finding.id: finding for finding in reviewed("openmates/docker-compose.yml").findings}


def test_ten_workers_get_their_code_only_from_a_mount_and_the_self_host_file_is_offered() -> None:
    found = [finding for finding in openmates().values() if finding.rule is Rule.CODE_ONLY_BY_MOUNT]
    assert len(found) == 1
    assert len(found[0].services) == 10
    assert all(name.startswith(("task-", "app-")) for name in found[0].services)
    assert "10 services get their code only from a mount" in found[0].why
    assert "docker-compose.selfhost.yml" in found[0].advice
    assert found[0].edits == ()


def test_the_self_host_file_becomes_what_production_needs(tmp_path: Path) -> None:
    """The transformation that facts/compose-data.md describes in 1.4, as far as it needs no judgement."""
    _, made = prepared("openmates/docker-compose.selfhost.yml")
    after = canonical(tmp_path, made.text)
    assert get(read(made.text).document.root, "name") is None
    for service in after["services"].values():
        assert not {"container_name", "ports"} & service.keys()
        assert [file["path"] for file in service.get("env_file", [])] in ([], [".env"])
        assert "/app/dotenv" not in str(service.get("volumes", ""))
    assert not after["networks"]["openmates"].get("external")
    assert all(volume["external"] for volume in after["volumes"].values())
    assert after["volumes"]["openmates-postgres-data"]["name"] == "openmates-postgres-data"
    assert after["services"]["api"]["healthcheck"]["start_interval"] == "2s"
    assert complaint(tmp_path, made.text) == ""
