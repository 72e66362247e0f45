"""A real sshd on loopback, without root; the wizard's tools lie in the test's folder instead of /var/lib."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real.acme_servers import free_ports
from wizard import host_tools
from wizard.clients.commands import Command
from wizard.clients.ssh import HostClient, Target, generate_key

_PLAIN = host_tools.text


@dataclass
class Sshd:
    """`target` logs in; `folder` holds its keys, its log and, in ``lib``, the wizard's tools."""

    folder: Path
    target: Target
    process: subprocess.Popen[bytes]

    def sessions(self) -> list[int]:
        """Processes that serve connections now."""
        said = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True
        )
        return [int(word) for word in said.stdout.split()]


class AsRoot(HostClient):
    """Without sudo, whoever runs the test."""

    async def _start(self, command: Command):  # type: ignore[no-untyped-def]
        return await super()._start(Command(command.argv, command.stdin, login=True))


def relocate_tools(patch: pytest.MonkeyPatch, root: str) -> None:
    """Let the tools lie in `root`."""
    patch.setattr(host_tools, "FOLDER", root)
    patch.setattr(host_tools, "BIN", f"{root}/bin")
    patch.setattr(host_tools, "text", lambda name: _PLAIN(name).replace("/var/lib/dokploy-wizard", root))


def program() -> str:
    """The path of sshd. Skips with the reason; fails where CI=true."""
    found = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        reason = "OpenSSH's sshd is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextlib.contextmanager
def serving(folder: Path, *settings: str) -> Iterator[Sshd]:
    """Running on a free port, lets one key in; `settings` are further lines of its configuration."""
    daemon = program()
    folder.mkdir(exist_ok=True)
    login, public = generate_key()
    host_private, host_public = generate_key()
    (folder / "host_key").write_text(host_private)
    (folder / "host_key").chmod(0o600)
    (folder / "authorized").write_text(public + "\n")
    (port,) = free_ports(1)
    lines = (
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {folder}/authorized\nPidFile none\nPasswordAuthentication no\n"
        "PermitRootLogin yes\n"
        # Whatever the tester's own shell does at a login is no part of the host.
        f"SetEnv HOME={folder}\n"
    )
    (folder / "sshd_config").write_text(lines + "".join(f"{line}\n" for line in settings))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([daemon, "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "log")])
    user = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
    target = Target("real host", "127.0.0.1", port, user, host_key=host_public, key=login)
    try:
        _until_listening(process, port)
        yield Sshd(folder, target, process)
    finally:
        process.kill()
        process.wait()


def _until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    """As long as it takes: a server that cannot listen ends."""
    while process.poll() is None:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("sshd does not listen")
