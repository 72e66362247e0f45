"""Caddy as what serves a site today, and as what a panel's proxy serves tomorrow."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from cryptography import x509

from tests.real.acme_servers import free_ports, running
from wizard.checks.tls import alternative_names, covers
from wizard.rehearsal.acme.authority import Authority, self_signed

_STORE = "/etc/dokploy/traefik/dynamic/acme.json"


class _Caddy:
    def __init__(self, folder: Path, address: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.address = address
        self.file = folder / "Caddyfile"
        self.pid = 0
        (self.admin,) = free_ports(1)
        self.env = {"HOME": str(folder), "PATH": "/usr/local/bin:/usr/bin:/bin"}

    @property
    def head(self) -> str:
        return (
            f"{{\n\tadmin 127.0.0.1:{self.admin}\n\tauto_https disable_certs\n"
            f"\tdefault_bind {self.address}\n\tgrace_period 5s\n}}\n\n"
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        command = ("caddy", "run", "--config", str(self.file), "--adapter", "caddyfile")
        async with running(*command, port=self.admin, env=self.env) as self.pid:
            yield

    def again(self) -> None:
        """Let it take its file."""
        command = ["caddy", "reload", "--config", str(self.file), "--adapter", "caddyfile"]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=150)
        assert done.returncode == 0, done.stderr[-2000:]


class OldFront(_Caddy):
    """Serves names with certificates of today's authority; its file is what the wizard edits."""

    def __init__(
        self, folder: Path, address: str, names: tuple[str, ...], authority: Authority, trust: str
    ) -> None:
        super().__init__(folder, address)
        self.env["SSL_CERT_FILE"] = trust
        sites = []
        for name in names:
            chain, key = authority.issue((name,), 0.0)
            (folder / f"{name}.pem").write_text(chain)
            (folder / f"{name}.key").write_text(key)
            sites.append(
                f"{name} {{\n\ttls {folder}/{name}.pem {folder}/{name}.key\n\tencode gzip\n"
                f'\trespond "old place"\n}}\n'
            )
        self.file.write_text(self.head + "\n".join(sites))

    def shim(self) -> Path:
        """A folder with a `docker` that knows one container: this Caddy, which runs."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        mounts = [{"Type": "bind", "Source": str(self.file), "Destination": "/etc/caddy/Caddyfile"}]
        found = json.dumps([{"Name": "/caddy", "State": {"Pid": self.pid}, "Mounts": mounts}])
        program = folder / "docker"
        program.write_text(
            f"#!/bin/sh\nexport HOME={self.folder}\n"
            f"if [ \"$1\" = inspect ]; then echo '{found}'; exit 0; fi\n"
            'shift 4\nif [ "$1" = validate ]; then exec caddy "$@"; fi\n'
            f"exec caddy reload --config {self.file} --adapter caddyfile\n"
        )
        program.chmod(0o755)
        return folder


class NewFront(_Caddy):
    """What the panel's double calls: domains and certificates become sites of this Caddy."""

    def __init__(self, folder: Path, address: str) -> None:
        super().__init__(folder, address)
        self.uploaded: list[tuple[str, str]] = []
        self.stored: list[tuple[str, str]] = []
        self.store = ""
        self.routes: dict[str, bool] = {}
        chain, key = self_signed("TRAEFIK DEFAULT CERT")
        (folder / "default.pem").write_text(chain)
        (folder / "default.key").write_text(key)
        self.file.write_text(self.head + self._nobody)

    @property
    def _nobody(self) -> str:
        """Any other name: a certificate that nobody trusts, and nothing there."""
        pair = f"{self.folder}/default.pem {self.folder}/default.key"
        return f"http:// {{\n\trespond 404\n}}\n\nhttps:// {{\n\ttls {pair}\n\trespond 404\n}}\n"

    def trial(self, host: str) -> None:
        self.route(host, "", "", False, "none")

    def route(self, host: str, app: str, service: str, https: bool, certificate: str) -> None:
        self.routes[host] = https
        self._write()

    def unroute(self, host: str) -> None:
        self.routes.pop(host, None)
        self._write()

    def add_certificate(self, chain: str, key: str) -> None:
        self.uploaded.append((chain, key))
        self._write()

    def remove_certificate(self, chain: str) -> None:
        self.uploaded = [pair for pair in self.uploaded if pair[0] != chain]
        self._write()

    def read_file(self, path: str) -> str | None:
        return self.store if path == _STORE else None

    def write_file(self, path: str, text: str) -> None:
        self.store = text

    def reload(self) -> None:
        found: list[tuple[str, str]] = []
        for resolver in json.loads(self.store).values() if self.store else ():
            for item in resolver.get("Certificates") or []:
                found.append((_plain(item["certificate"]), _plain(item["key"])))
        self.stored = found
        self._write()

    def app_version(self, app: str, version: str, **_: Any) -> None:
        """Nothing is deployed here."""

    def _write(self) -> None:
        sites = [self._nobody]
        for host, https in self.routes.items():
            pair = self._certificate(host) if https else None
            answer = f'\theader X-Place new\n\trespond "new place {host}"\n'
            if not https:
                sites.append(f"http://{host} {{\n{answer}}}\n")
            if pair is not None:
                sites.append(f"http://{host} {{\n\tredir https://{{host}}{{uri}} 308\n}}\n")
                sites.append(f"https://{host} {{\n\ttls {pair[0]} {pair[1]}\n{answer}}}\n")
        self.file.write_text(self.head + "\n".join(sites))
        self.again()

    def _certificate(self, host: str) -> tuple[Path, Path] | None:
        for number, (chain, key) in enumerate([*self.uploaded, *self.stored]):
            names = alternative_names(x509.load_pem_x509_certificate(chain.encode()))
            if covers(names, host):
                files = self.folder / f"{number}.pem", self.folder / f"{number}.key"
                files[0].write_text(chain)
                files[1].write_text(key)
                return files
        return None


def _plain(text: str) -> str:
    return base64.b64decode(text).decode()
