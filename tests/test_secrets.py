"""Secrets: the order in which they are looked for, the file's mode, and a keyring that is not there."""

from __future__ import annotations

import stat
from pathlib import Path

import keyring
import pytest
from keyring.backends import fail

from wizard.errors import WizardError
from wizard.redact import redact
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
