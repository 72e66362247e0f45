"""The SSH side of a rehearsal's host: asyncssh's server on a socket of the rehearsal's internet."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import asyncssh

from wizard.rehearsal.hosts.shell import Shell

if TYPE_CHECKING:
    from wizard.rehearsal.hosts.standin import Host


class _Server(asyncssh.SSHServer):
    def __init__(self, host: Host, source: str) -> None:
        self.host = host
        self.source = source

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return False

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        offered = key.export_public_key().decode().split()[1]
        return any(offered in line.split() for line in self.host.authorized())

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Callable[[asyncssh.SSHReader[bytes], asyncssh.SSHWriter[bytes]], Awaitable[None]]:
        async def tunnel(reader: asyncssh.SSHReader[bytes], writer: asyncssh.SSHWriter[bytes]) -> None:
            try:
                ours = await self.host.dial(dest_host, dest_port)
            except (OSError, TimeoutError):
                writer.close()
                return
            await _pump(reader, writer, ours)

        return tunnel


async def serve(host: Host, sock: socket.socket, source: str) -> None:
    """One connection from its greeting to its end. Cutting the connection leaves jobs alone."""
    if host.stage.faults.roll("ssh", "connect") == "refused":
        sock.close()
        return
    with contextlib.suppress(asyncssh.Error, OSError):
        connection = await asyncssh.run_server(
            sock,
            config=None,
            server_factory=lambda: _Server(host, source),
            server_host_keys=[asyncssh.import_private_key(host.state.host_key)],
            process_factory=lambda process: _session(host, source, process),
            encoding=None,
            allow_scp=False,
            agent_forwarding=False,
            login_timeout=30,
        )
        host.connections.add(connection)
        try:
            await connection.wait_closed()
        finally:
            host.connections.discard(connection)


async def _session(host: Host, source: str, process: asyncssh.SSHServerProcess[bytes]) -> None:
    line = process.command
    if line is None:
        process.stderr.write(b"This rehearsal's hosts have no interactive shell.\n")
        process.exit(1)
        return

    async def out(chunk: bytes) -> None:
        process.stdout.write(chunk)
        await process.stdout.drain()

    async def err(chunk: bytes) -> None:
        process.stderr.write(chunk)
        await process.stderr.drain()

    with contextlib.suppress(asyncssh.Error, OSError):
        stdin = await process.stdin.read()
        if host.stage.faults.roll("ssh", "session") == "cut":
            process.channel.get_connection().abort()
            return
        code = await Shell(host, out, err, source).line(line, stdin)
        process.exit(code)


async def _pump(
    reader: asyncssh.SSHReader[bytes], writer: asyncssh.SSHWriter[bytes], sock: socket.socket
) -> None:
    incoming, outgoing = await asyncio.open_connection(sock=sock)

    async def there() -> None:
        while chunk := await reader.read(65536):
            outgoing.write(chunk)
            await outgoing.drain()
        if outgoing.can_write_eof():
            outgoing.write_eof()

    async def back() -> None:
        while chunk := await incoming.read(65536):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()

    try:
        with contextlib.suppress(asyncssh.Error, OSError):
            await asyncio.gather(there(), back())
    finally:
        outgoing.close()
        writer.close()
