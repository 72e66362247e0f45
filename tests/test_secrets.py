"""Secrets: the order in which they are looked for, the file's mode, and a keyring that is not there."""

from __future__ import annotations

import stat
from pathlib import Path

import keyring
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backends import fail

from wizard.errors import WizardError
from wizard.redact import MASK, redact
from wizard.secrets import FILE_VARIABLE, FileSecrets, KeyringSecrets, LayeredSecrets


async def test_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = LayeredSecrets(FileSecrets(tmp_path / "s.json"))
    await secrets.put("SOME_TOKEN", "from-the-file")
    assert await secrets.get("SOME_TOKEN") == "from-the-file"
    monkeypatch.setenv("SOME_TOKEN", " from-the-environment ")
    assert await secrets.get("SOME_TOKEN") == "from-the-environment"


async def test_a_file_is_for_the_owner_alone_and_forgets_what_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "s.json"
    secrets = FileSecrets(path)
    await secrets.put("A", "first-value")
    await secrets.put("B", "second-value")
    await secrets.drop("A")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (await secrets.get("A"), await secrets.get("B")) == (None, "second-value")
    assert list(path.parent.iterdir()) == [path]


async def test_what_was_read_once_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"A": "very-secret-indeed"}')
    await FileSecrets(tmp_path / "s.json").get("A")
    assert "very-secret-indeed" not in redact("it said very-secret-indeed.")


async def test_without_a_keyring_the_way_on_is_told() -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    try:
        assert await KeyringSecrets("x").get("A") is None
        with pytest.raises(WizardError) as caught:
            await KeyringSecrets("x").put("A", "some-value")
    finally:
        keyring.set_keyring(before)
    assert FILE_VARIABLE in caught.value.next and "some-value" not in str(caught.value)


async def test_a_word_of_settings_is_not_masked_wherever_it_stands(tmp_path: Path) -> None:
    store = FileSecrets(tmp_path / "secrets.json")
    await store.put("ENV_WEB_MODE", "production")
    await store.put("ENV_WEB_KEY", "production-7f3a91")
    assert redact("deployed to production") == "deployed to production"
    assert "7f3a91" not in redact("the key is production-7f3a91")


_SECRETS = (
    "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----",
    "ghp_" + "a1" * 12,
    "gho_" + "b2" * 12,
    "ghs_" + "c3" * 12,
    "ghu_" + "d4" * 12,
    "github_pat_" + "e5" * 12,
    "glpat-" + "f6" * 10,
    "vcp_" + "A7" * 10,
    "Bearer abcdef.123456-xyz",
    "/api/deploy/r4nd0mTok3n",
    "/api/deploy/compose/r4nd0mTok3n",
    "postgres://someone:hunter2@db",
    "discord.com/api/webhooks/1/abc",
    "hooks.slack.com/services/T0/B0/x",
)


@given(st.sampled_from(_SECRETS), st.sampled_from(("", " ", "it said: ", "svc ", "x=")))
def test_what_is_shaped_like_a_secret_is_masked_wherever_it_stands(secret: str, before: str) -> None:
    told = redact(f"{before}{secret} and more")
    assert MASK in told and secret not in told
