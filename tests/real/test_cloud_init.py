"""User data against cloud-init's own description of it, and cloud-init's own reading of the keys."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from wizard.clients.ssh import generate_key
from wizard.phases.provision.machine import user_data

pytestmark = pytest.mark.real


@pytest.fixture
def cloud_init() -> str:
    found = shutil.which("cloud-init")
    if found is None:
        reason = "cloud-init is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def schema(program: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, "schema", "--config-file", str(path)], capture_output=True, text=True)


def test_cloud_init_finds_nothing_wrong_with_our_user_data(cloud_init: str, tmp_path: Path) -> None:
    private, public = generate_key("backend")
    path = tmp_path / "user-data"
    path.write_text(user_data(private, public))

    said = schema(cloud_init, path)

    assert said.returncode == 0, said.stdout + said.stderr
    keys = yaml.safe_load(path.read_text())["ssh_keys"]
    assert keys == {"ed25519_private": private, "ed25519_public": public}
    assert len(path.read_bytes()) < 32 * 1024


def test_the_same_check_finds_what_is_wrong(cloud_init: str, tmp_path: Path) -> None:
    private, public = generate_key("backend")
    path = tmp_path / "user-data"
    path.write_text(user_data(private, public).replace("ed25519_private", "ed25519_secret"))

    said = schema(cloud_init, path)

    assert said.returncode == 1 and "ed25519_secret" in said.stdout + said.stderr


def test_the_private_key_is_one_that_openssh_reads(tmp_path: Path) -> None:
    private, public = generate_key("backend")
    path = tmp_path / "key"
    path.write_text(yaml.safe_load(user_data(private, public))["ssh_keys"]["ed25519_private"])
    path.chmod(0o600)

    said = subprocess.run(["ssh-keygen", "-y", "-f", str(path)], capture_output=True, text=True, check=True)

    assert said.stdout.split()[:2] == public.split()[:2]
