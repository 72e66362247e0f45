"""Command lines for hosts, built from typed parts and quoted here; nothing else makes a shell string.

A `Command` is an argument vector with what goes to its standard input: secrets travel there, never as
arguments. A `Script` is a list of pipelines for a detached job.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

from wizard import host_tools


@dataclass(frozen=True, slots=True)
class Command:
    """`login` runs it as the login user even where others go through sudo.

    `repeatable` says that running it again does no harm: it only looks, or it brings about the same.
    """

    argv: tuple[str, ...]
    stdin: bytes = b""
    login: bool = False
    repeatable: bool = False

    def line(self, *, sudo: bool = False) -> str:
        prefix = ("sudo", "-n", "--") if sudo and not self.login else ()
        return shlex.join((*prefix, *self.argv))

    def with_stdin(self, content: bytes | str) -> Command:
        return replace(self, stdin=content.encode() if isinstance(content, str) else content)


@dataclass(frozen=True, slots=True)
class Pipe:
    """Commands that feed each other; `env` is set for all of them, `into` and `source` are files."""

    commands: tuple[Command, ...]
    into: str = ""
    source: str = ""

    def line(self) -> str:
        text = " | ".join(shlex.join(command.argv) for command in self.commands)
        if self.source:
            text = f"{text} < {shlex.quote(self.source)}"
        return f"{text} > {shlex.quote(self.into)}" if self.into else text


@dataclass(frozen=True, slots=True)
class Script:
    """For bash: stops at the first failure, in any part of a pipe. `env` are exported, no secrets."""

    lines: tuple[Pipe, ...]
    env: tuple[tuple[str, str], ...] = ()
    at_end: Pipe | None = None
    """Runs however the script ends, also when it is killed."""

    @property
    def text(self) -> str:
        exports = [f"export {name}={shlex.quote(value)}" for name, value in self.env]
        trap = [f"trap {shlex.quote(self.at_end.line())} EXIT"] if self.at_end else []
        return "\n".join(("set -euo pipefail", *exports, *trap, *(pipe.line() for pipe in self.lines), ""))


def command(*argv: str, stdin: bytes | str = b"") -> Command:
    return Command(argv, stdin.encode() if isinstance(stdin, str) else stdin)


def look(*argv: str, stdin: bytes | str = b"") -> Command:
    """A command that only looks."""
    return replace(command(*argv, stdin=stdin), repeatable=True)


same = look
"""A command that brings about the same each time."""


def _looking(one: Command, *words: str) -> Command:
    """`one`, repeatable if the first or second word behind the program's name is one of `words`."""
    return replace(one, repeatable=not set(words).isdisjoint(one.argv[1:3]))


def pipe(*commands: Command, into: str = "", source: str = "") -> Pipe:
    return Pipe(commands, into, source)


def script(
    *lines: Command | Pipe, env: dict[str, str] | None = None, at_end: Command | None = None
) -> Script:
    pipes = tuple(line if isinstance(line, Pipe) else Pipe((line,)) for line in lines)
    return Script(pipes, tuple((env or {}).items()), Pipe((at_end,)) if at_end else None)


# Files


def read_file(path: str) -> Command:
    return look("cat", "--", path)


def receive_file(path: str, content: bytes) -> Command:
    """Write `content` to a file of mode 0600 (its folder must exist)."""
    return same("dd", f"of={path}", "status=none", "bs=64K", stdin=content)


def empty_private_file(path: str) -> Command:
    return same("install", "-D", "-m", "0600", "/dev/null", path)


def change_mode(path: str, mode: int) -> Command:
    return same("chmod", f"{mode:04o}", path)


def move_file(source: str, target: str) -> Command:
    return command("mv", "-f", "--", source, target)


def copy_file(source: str, target: str) -> Command:
    """With owner and mode."""
    return command("cp", "-a", "--", source, target)


def make_folder(path: str, mode: int = 0o700) -> Command:
    return same("install", "-d", "-m", f"{mode:04o}", path)


def remove_file(path: str) -> Command:
    return same("rm", "-f", "--", path)


def remove_tree(path: str) -> Command:
    return command("rm", "-rf", "--", path)


def disk_free(path: str) -> Command:
    """Second line, fourth column: KiB available."""
    return look("df", "-Pk", path)


# The machine


def connection_addresses() -> Command:
    """``client-address client-port server-address server-port`` of the very connection it runs on."""
    return Command(("printenv", "SSH_CONNECTION"), login=True, repeatable=True)


def cloud_init_wait() -> Command:
    """Exit 0 done, 1 failed, 2 done with recoverable errors."""
    return look("cloud-init", "status", "--wait")


def cloud_init_status() -> Command:
    return look("cloud-init", "status")


def list_folder(path: str) -> Command:
    return look("ls", "-A", "--", path)


def listening_ports() -> Command:
    return look("ss", "-Hltn")


def seconds_since_epoch() -> Command:
    """Seconds since the epoch by the host's own clock."""
    return look("date", "+%s")


def memory() -> Command:
    return look("cat", "/proc/meminfo")


def processors() -> Command:
    return look("nproc")


def virtualisation() -> Command:
    """Kind of container we are in; "none" (exit 1) in a machine of its own."""
    return look("systemd-detect-virt", "--container")


def addresses() -> Command:
    return look("ip", "-json", "address", "show")


def routes() -> Command:
    return look("ip", "-json", "-4", "route", "show")


def sshd_settings() -> Command:
    return look("sshd", "-T")


def make_host_key(path: str) -> Command:
    return command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path)


def reload_ssh() -> Command:
    return command("systemctl", "reload", "ssh")


def systemctl(*words: str) -> Command:
    return _looking(command("systemctl", *words), "is-enabled", "is-active")


# Host tools


def probe(seconds: int, targets: tuple[tuple[str, int], ...]) -> Command:
    """The tool comes on standard input: nothing is left on the host."""
    words = [word for address, port in targets for word in (address, str(port))]
    return Command(("sh", "-s", "--", str(seconds), *words), host_tools.text("dw-probe").encode(), True, True)


def job(verb: str, name: str, *words: str) -> Command:
    return _looking(command(host_tools.path("dw-job"), verb, name, *words), "status")


def start_job(name: str, content: str) -> Command:
    return replace(job("start", name, str(len(content.encode()))).with_stdin(content), repeatable=True)


def deadman(verb: str, name: str, *words: str) -> Command:
    return _looking(command(host_tools.path("dw-deadman"), verb, name, *words), "status")


# Firewall


def ufw(*words: str) -> Command:
    return _looking(command("ufw", *words), "status", "show")


def nft(*words: str, stdin: str = "") -> Command:
    return _looking(command("nft", *words, stdin=stdin), "list")


# Docker


def docker(*words: str) -> Command:
    return _looking(command("docker", *words), "ps", "info", "logs", "inspect", "ls")


def docker_info() -> Command:
    """One JSON object with ServerVersion and Swarm."""
    return docker("info", "--format", "{{json .}}")


def containers() -> Command:
    """One JSON object a line."""
    return docker("ps", "-a", "--no-trunc", "--format", "{{json .}}")


def inspect_containers(*names: str) -> Command:
    """A JSON list with Config.Env, Mounts, State and Image of each."""
    return docker("inspect", "--type", "container", *names)


def volumes() -> Command:
    return docker("volume", "ls", "--format", "{{json .}}")


def services() -> Command:
    return docker("service", "ls", "--format", "{{json .}}")


def in_container(container: str, *argv: str, stdin: bytes | str = b"") -> Command:
    return command("docker", "exec", "-i", container, *argv, stdin=stdin)


# The old host's reverse proxy

_HANDS_ON = "net.ipv4.tcp_migrate_req"


def reload_caddy(container: str) -> Command:
    """A configuration that does not parse is refused and the old one stays. "" means without a container."""
    words = ("caddy", "reload", "--config", "/etc/caddy/Caddyfile")
    return in_container(container, *words) if container else command(*words)


def hands_on(pid: int) -> Command:
    """Whether the kernel gives connections that wait at a closing listener to the one that takes its place.

    In the network of process `pid`; 0: in the host's own. Linux knows it since 5.14.
    """
    return look(*_in_network(pid), "sysctl", "-n", _HANDS_ON)


def hand_on(pid: int, value: int) -> Command:
    """Set what `hands_on` tells."""
    return same(*_in_network(pid), "sysctl", "-q", "-w", f"{_HANDS_ON}={value}")


def _in_network(pid: int) -> tuple[str, ...]:
    return ("nsenter", "--target", str(pid), "--net") if pid else ()


def validate_caddy(container: str, text: str) -> Command:
    """Whether the proxy would take this configuration, which goes to its standard input."""
    words = ("caddy", "validate", "--config", "-", "--adapter", "caddyfile")
    return in_container(container, *words, stdin=text) if container else command(*words, stdin=text)


# Data


def volume_path(volume: str) -> str:
    """Where Docker's local driver keeps a volume."""
    return f"/var/lib/docker/volumes/{volume}/_data"


def pack_volume(volume: str) -> Command:
    return command(host_tools.path("dw-volume"), "pack", volume_path(volume))


def unpack_volume(volume: str) -> Command:
    return command(host_tools.path("dw-volume"), "unpack", volume_path(volume))


def clear_volume(volume: str) -> Command:
    return command(host_tools.path("dw-volume"), "clear", volume_path(volume))


def volume_manifest(volume: str) -> Command:
    """``files COUNT bytes SIZE digest SHA256``; nothing is left on the host."""
    return look("sh", "-s", "--", "manifest", volume_path(volume), stdin=host_tools.text("dw-volume"))


def create_volume(volume: str, labels: tuple[tuple[str, str], ...] = ()) -> Command:
    """Does nothing if it exists."""
    words = [word for name, value in labels for word in ("--label", f"{name}={value}")]
    return docker("volume", "create", *words, volume)


def containers_of(project: str, service: str = "") -> Command:
    """Names of a compose project's containers, one a line."""
    filters = ["--filter", f"label=com.docker.compose.project={project}"]
    if service:
        filters += ["--filter", f"label=com.docker.compose.service={service}"]
    return docker("ps", "-a", *filters, "--format", "{{.Names}}")


def through_ssh(
    identity: str, known_hosts: str, user: str, address: str, port: int, inner: Command
) -> Command:
    """Run `inner` on another host, from a host: pinned, without questions."""
    options = ("BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={known_hosts}")
    words = [word for option in options for word in ("-o", option)]
    return command(
        "ssh",
        "-i",
        identity,
        *words,
        "-o",
        "ServerAliveInterval=15",
        "-p",
        str(port),
        f"{user}@{address}",
        inner.line(),
    )
