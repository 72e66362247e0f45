"""Where secrets live: environment, then the system keyring, then a 0600 file that the operator opted into.

Never in config, progress, journal, logs, reports, error texts, arguments or on the screen.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Protocol

from wizard.errors import WizardError
from wizard.redact import remember

SERVICE = "dokploy-wizard"
FILE_VARIABLE = "DOKPLOY_WIZARD_SECRETS"
"""Environment variable by which the operator opts into a file for secrets."""


class Secrets(Protocol):
    """Names are upper case, e.g. HCLOUD_TOKEN, VERCEL_TOKEN, GITHUB_TOKEN, DOKPLOY_BACKEND_API_KEY."""

    async def get(self, name: str) -> str | None: ...

    async def put(self, name: str, value: str) -> None:
        """Keep a secret that the wizard made (a panel's key, a host's first key)."""
        ...

    async def drop(self, name: str) -> None: ...


class FileSecrets:
    """A 0600 JSON file beside the progress file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _read(self) -> dict[str, str]:
        if not self.path.exists():
            return {}
        data = json.loads(self.path.read_text())
        return {str(key): str(value) for key, value in data.items()}

    def _write(self, data: dict[str, str]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(data, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)

    async def get(self, name: str) -> str | None:
        return remember(self._read().get(name))

    async def put(self, name: str, value: str) -> None:
        remember(value)
        self._write({**self._read(), name: value})

    async def drop(self, name: str) -> None:
        self._write({key: value for key, value in self._read().items() if key != name})


class KeyringSecrets:
    """The system's keyring; blocking, so in a thread."""

    def __init__(self, account: str) -> None:
        self.account = account

    async def get(self, name: str) -> str | None:
        import keyring
        import keyring.errors

        try:
            return remember(await asyncio.to_thread(keyring.get_password, f"{SERVICE}:{self.account}", name))
        except keyring.errors.KeyringError:
            return None

    async def put(self, name: str, value: str) -> None:
        import keyring
        import keyring.errors

        remember(value)
        try:
            await asyncio.to_thread(keyring.set_password, f"{SERVICE}:{self.account}", name, value)
        except keyring.errors.KeyringError as error:
            raise WizardError(
                f"The secret {name} cannot be kept",
                f"the system's keyring cannot be used ({type(error).__name__})",
                f"Name a file for them, made with mode 0600: export {FILE_VARIABLE}=~/.dokploy-wizard.json",
            ) from error

    async def drop(self, name: str) -> None:
        import keyring
        import keyring.errors

        try:
            await asyncio.to_thread(keyring.delete_password, f"{SERVICE}:{self.account}", name)
        except keyring.errors.KeyringError:
            return


class LayeredSecrets:
    """The environment first (read only), then `store`."""

    def __init__(self, store: Secrets) -> None:
        self.store = store

    async def get(self, name: str) -> str | None:
        value = os.environ.get(name, "").strip()
        return remember(value) if value else await self.store.get(name)

    async def put(self, name: str, value: str) -> None:
        await self.store.put(name, value)

    async def drop(self, name: str) -> None:
        await self.store.drop(name)
