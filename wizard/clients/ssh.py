"""Commands, files, tunnels and detached jobs on hosts, over pooled SSH connections.

Output is always read as bytes and bounded: no text of a host can break the connection, and hundreds of
megabytes leave memory flat.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import asyncssh

from wizard import host_tools, voice
from wizard.clients import commands
from wizard.clients.commands import Command
from wizard.clients.ssh_login import CONNECT_TIMEOUT, HostKeyError, LoginError, Target, connect, shown_key
from wizard.clock import Clock
from wizard.errors import UnreachableError, WizardError
from wizard.net import Net
from wizard.redact import redact

__all__ = [
    "CommandError",
    "HostClient",
    "HostKeyError",
    "JobState",
    "JobStatus",
    "LoginError",
    "Result",
    "SshClients",
    "Target",
]

_KEEP = 4 << 20
_CHUNK = 64 << 10
_CONNECT_TRIES = 3
_CUT_TRIES = 3
_LEAST_TIMEOUT = 6.0
_AWAY_LIMIT = 600.0
_AWAY_NAP = 10.0


class CommandError(WizardError):
    """A command on a host ended badly. `exit_status` is None when its end was not seen."""

    def __init__(self, what: str, why: str = "", next: str = "", *, exit_status: int | None = None) -> None:
        super().__init__(what, why, next)
        self.exit_status = exit_status


@dataclass(frozen=True, slots=True)
class Result:
    """`exit_status` None: the connection was lost, so whether and how it ended is unknown; `run` never
    returns that.

    Output beyond 4 MiB is left out in the middle; `left_out` counts those bytes.
    """

    exit_status: int | None
    stdout: str
    stderr: str = ""
    left_out: int = 0

    @property
    def ok(self) -> bool:
        return self.exit_status == 0


class CutError(UnreachableError):
    """The connection was lost while a command ran: it may or may not have come to its end."""


class JobState:
    ABSENT = "absent"
    RUNNING = "running"
    DONE = "done"
    LOST = "lost"
    """It has no exit code and no process: the machine was restarted, or it was killed."""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """`size` is the length of the log in bytes."""

    state: str
    exit_status: int | None = None
    size: int = 0


@dataclass
class _Bounded:
    """The first and the last half of what passes by."""

    limit: int
    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    left_out: int = 0

    def add(self, chunk: bytes) -> None:
        room = self.limit // 2 - len(self.head)
        if room > 0:
            self.head += chunk[:room]
            chunk = chunk[room:]
        self.tail += chunk
        surplus = len(self.tail) - self.limit // 2
        if surplus > 0:
            del self.tail[:surplus]
            self.left_out += surplus

    def text(self) -> str:
        gap = f"\n[{self.left_out} bytes left out]\n".encode() if self.left_out else b""
        return bytes(self.head + gap + self.tail).decode("utf-8", "replace")


class HostClient:
    """One login on one host. The connection is opened when first needed and again when it was lost."""

    def __init__(self, target: Target, net: Net, clock: Clock) -> None:
        self.target = target
        self._net = net
        self._clock = clock
        self._connection: asyncssh.SSHClientConnection | None = None
        self._opening = asyncio.Lock()
        self._tunnels: dict[int, asyncssh.SSHListener] = {}

    @property
    def name(self) -> str:
        return self.target.name

    async def connect(self) -> asyncssh.SSHClientConnection:
        """The open connection. Raises HostKeyError, LoginError, UnreachableError."""
        async with self._opening:
            if self._connection is not None and not self._connection.is_closed():
                return self._connection
            self._tunnels.clear()
            for attempt in range(1, _CONNECT_TRIES + 1):
                try:
                    self._connection = await connect(self.target, self._net, self._timeout)
                    return self._connection
                except UnreachableError as error:
                    # A refusal passes (sshd restarts); silence means a firewall and would only repeat.
                    if attempt == _CONNECT_TRIES or isinstance(error.__cause__, TimeoutError):
                        raise
                await self._clock.sleep(2.0)
            raise AssertionError("unreachable")

    async def shown_key(self) -> str:
        """The public key line that the host shows to anybody; see `wizard.clients.ssh_login`."""
        return await shown_key(self.target, self._net, self._timeout)

    @property
    def _timeout(self) -> float:
        # Handshakes cost real time even where the world's clock is fast.
        return max(_LEAST_TIMEOUT, self._clock.real(CONNECT_TIMEOUT))

    async def run(self, command: Command, *, timeout: float = 120.0, check: bool = True) -> Result:
        """Run it to its end. `timeout` is in real seconds; it does not end the command on the host.

        One that may be repeated is, when its connection is lost. Raises CutError if its end stays unknown,
        and with `check` CommandError for an exit status other than 0.
        """
        for attempt in range(1, _CUT_TRIES + 1):
            result = await self._once(command, timeout)
            if result.exit_status is not None:
                return self.checked(command, result) if check else result
            if not command.repeatable or attempt == _CUT_TRIES:
                break
            await self._clock.sleep(float(attempt))
        raise CutError(f"The connection to {self.name} was lost during {' '.join(command.argv[:3])}")

    async def _once(self, command: Command, timeout: float) -> Result:
        out, err = _Bounded(_KEEP), _Bounded(_KEEP)
        process = await self._start(command)
        try:
            async with asyncio.timeout(timeout):
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._feed(process, command.stdin))
                    group.create_task(_collect(process.stdout, out))
                    group.create_task(_collect(process.stderr, err))
                await process.wait_closed()
        except TimeoutError as error:
            raise UnreachableError(
                f"{self.name} did not finish {command.argv[0]} within {timeout:.0f} s"
            ) from error
        finally:
            process.close()
        return Result(
            process.exit_status if process.exit_signal is None else 128,
            out.text(),
            err.text(),
            out.left_out + err.left_out,
        )

    def checked(self, command: Command, result: Result) -> Result:
        if result.ok:
            return result
        what = " ".join(command.argv[:3])
        said = redact((result.stderr or result.stdout).strip()[-600:])
        raise CommandError(
            f"{what} failed on {self.name} with exit status {result.exit_status}",
            said,
            exit_status=result.exit_status,
        )

    async def stream(self, command: Command) -> AsyncGenerator[bytes, None]:
        """Its output as it comes, in chunks. Ends silently when the connection is lost."""
        process = await self._start(command)
        try:
            await self._feed(process, command.stdin)
            while chunk := await _read(process.stdout):
                yield chunk
        finally:
            process.close()

    async def _start(self, command: Command) -> asyncssh.SSHClientProcess[bytes]:
        line = command.line(sudo=self.target.user != "root")
        for attempt in (1, 2):
            connection = await self.connect()
            try:
                return await connection.create_process(line, encoding=None)
            except (asyncssh.ChannelOpenError, asyncssh.ConnectionLost, OSError) as error:
                # The command has not begun: once more over a new connection is safe.
                connection.abort()
                if attempt == 2:
                    raise UnreachableError(f"{self.name} opens no session", str(error)) from error
        raise AssertionError("unreachable")

    @staticmethod
    async def _feed(process: asyncssh.SSHClientProcess[bytes], content: bytes) -> None:
        with contextlib.suppress(asyncssh.Error, OSError):
            for start in range(0, len(content), _CHUNK):
                process.stdin.write(content[start : start + _CHUNK])
                await process.stdin.drain()
            process.stdin.write_eof()

    async def read(self, path: str) -> str | None:
        """A text file (up to 4 MiB); None if there is none."""
        result = await self.run(commands.read_file(path), check=False)
        if result.exit_status == 1:
            return None
        return self.checked(commands.read_file(path), result).stdout

    async def upload(self, path: str, content: bytes | str, mode: int = 0o600) -> None:
        """Write a file whole or not at all; its folder is made if it is missing."""
        data = content.encode() if isinstance(content, str) else content
        fresh = f"{path}.dw-new"
        for attempt in range(1, _CUT_TRIES + 1):
            await self.run(commands.empty_private_file(fresh))
            await self.run(commands.receive_file(fresh, data))
            await self.run(commands.change_mode(fresh, mode))
            try:
                await self.run(commands.move_file(fresh, path))
                return
            except CutError:
                # Whether it was moved is not known: the same content again settles it.
                if attempt == _CUT_TRIES:
                    raise

    async def install_tools(self) -> None:
        """Put dw-job and dw-deadman on the host unless the very same are there."""
        await self.run(commands.make_folder(host_tools.FOLDER))
        for tool in host_tools.INSTALLED:
            if await self.read(host_tools.path(tool)) != host_tools.text(tool):
                await self.upload(host_tools.path(tool), host_tools.text(tool), 0o700)

    async def forward(self, port: int, address: str = "127.0.0.1") -> int:
        """A local port that leads to `port` on the host, as long as the connection stands."""
        connection = await self.connect()
        if port not in self._tunnels:
            self._tunnels[port] = await connection.forward_local_port("127.0.0.1", 0, address, port)
        return self._tunnels[port].get_port()

    async def door(
        self, through: asyncssh.SSHClientConnection, address: str, port: int
    ) -> asyncssh.SSHListener:
        """A port of ours that leads to another machine's, as seen from the host. Raises UnreachableError."""
        import asyncssh

        try:
            return await through.forward_local_port("127.0.0.1", 0, address, port)
        except asyncssh.Error as error:
            raise UnreachableError(f"There is no way through {self.name}", str(error)) from error

    async def start_job(self, name: str, script: commands.Script) -> bool:
        """Begin a detached job at most once; False if it exists already (see `job_status`)."""
        await self.install_tools()
        result = await self.run(commands.start_job(name, script.text))
        return result.stdout.strip() == "started"

    async def job_status(self, name: str) -> JobStatus:
        result = await self.run(commands.job("status", name), check=False)
        if result.exit_status in (126, 127):
            return JobStatus(JobState.ABSENT)
        words = self.checked(commands.job("status", name), result).stdout.split()
        if words[0] == JobState.DONE:
            return JobStatus(JobState.DONE, int(words[1]), int(words[2]))
        return JobStatus(words[0], None, int(words[1]) if len(words) > 1 else 0)

    async def follow_job(self, name: str, offset: int = 0) -> AsyncGenerator[tuple[int, bytes], None]:
        """The log from byte `offset`, live: (offset after it, chunk), until the job has ended.

        A lost connection is opened again and the log goes on where it was. Raises UnreachableError when
        the host stays away for ten minutes; the job goes on there all the same.
        """
        seen = self._clock.now()
        while True:
            try:
                async for chunk in self.stream(commands.job("log", name, str(offset))):
                    offset += len(chunk)
                    yield offset, chunk
                status = await self.job_status(name)
            except UnreachableError as error:
                away = self._clock.now() - seen
                if away > _AWAY_LIMIT:
                    raise
                voice.say(f"{error.what}: {name} goes on there; asking again in {_AWAY_NAP:.0f} s")
                await self._clock.sleep(_AWAY_NAP)
                continue
            if status.state != JobState.RUNNING and status.size <= offset:
                return
            seen = self._clock.now()
            voice.say(f"{self.name}: the connection was lost; the log of {name} goes on at byte {offset}")
            await self._clock.sleep(1.0)

    async def forget_job(self, name: str) -> None:
        await self.run(commands.job("forget", name))

    async def aclose(self) -> None:
        if self._connection is not None:
            self._connection.close()
            with contextlib.suppress(TimeoutError, asyncssh.Error, OSError):
                async with asyncio.timeout(2):
                    await self._connection.wait_closed()
            self._connection = None


async def _collect(reader: asyncssh.SSHReader[bytes], into: _Bounded) -> None:
    while chunk := await _read(reader):
        into.add(chunk)


async def _read(reader: asyncssh.SSHReader[bytes]) -> bytes:
    try:
        return await reader.read(_CHUNK)
    except (asyncssh.Error, OSError):
        return b""


class SshClients:
    """One connection for each login, kept open; `fresh` is a new one, as proof that a host lets us in."""

    def __init__(self, net: Net, clock: Clock) -> None:
        self._net = net
        self._clock = clock
        self._hosts: dict[Target, HostClient] = {}

    def host(self, target: Target) -> HostClient:
        if target not in self._hosts:
            self._hosts[target] = self.fresh(target)
        return self._hosts[target]

    def fresh(self, target: Target) -> HostClient:
        """A client with a connection of its own; close it after use."""
        return HostClient(target, self._net, self._clock)

    async def aclose(self) -> None:
        for host in self._hosts.values():
            await host.aclose()
        self._hosts.clear()


def generate_key(comment: str = "") -> tuple[str, str]:
    """A new ed25519 key: (private key in OpenSSH's form, public key line)."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment=comment or None)
    return key.export_private_key().decode(), key.export_public_key().decode().strip()


def public_key_of(private_key: str) -> str:
    """The public key line of a private key. Raises LoginError when it can't be read."""
    try:
        return asyncssh.import_private_key(private_key).export_public_key().decode().strip()
    except asyncssh.KeyImportError as error:
        raise LoginError("A private key could not be read", str(error)) from error


def fingerprint(public_key: str) -> str:
    """``SHA256:…`` of a public key line."""
    return asyncssh.import_public_key(public_key).get_fingerprint()
