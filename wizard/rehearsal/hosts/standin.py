"""Machines that speak SSH and keep state: the new hosts as they are booted, and the old one."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import socket
from typing import TYPE_CHECKING

import asyncssh

from wizard.net import Reach
from wizard.phases.hosts import owned_key_secret
from wizard.rehearsal.hosts import bucket as hosts_bucket
from wizard.rehearsal.hosts import docker as hosts_docker
from wizard.rehearsal.hosts import firewall as hosts_firewall
from wizard.rehearsal.hosts import postgres as hosts_postgres
from wizard.rehearsal.hosts import programs as hosts_programs
from wizard.rehearsal.hosts import tools as hosts_tools
from wizard.rehearsal.hosts.old import furnish, known_hosts_lines, own_machines
from wizard.rehearsal.hosts.shell import Shell
from wizard.rehearsal.hosts.ssh import serve
from wizard.rehearsal.hosts.state import CloudRule, Docker, File, HostsState, HostState, OpenPort
from wizard.rehearsal.internet import Listener

if TYPE_CHECKING:
    from wizard.rehearsal.stage import Stage

__all__ = ["CloudRule", "Host", "Hosts"]


class Host:
    """A machine. Its firewalls see a packet in the order of a real one: Cloud, nft, ufw, socket."""

    def __init__(self, stage: Stage, state: HostState) -> None:
        self.stage = stage
        self.state = state
        self.name = state.name
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.changed = asyncio.Event()
        self._listeners: dict[int, Listener] = {}

    @property
    def ipv4(self) -> str:
        return self.state.ipv4

    @property
    def ipv6(self) -> str:
        return self.state.ipv6

    @property
    def private_ip(self) -> str:
        return self.state.private_ip

    @property
    def memory_mb(self) -> int:
        return self.state.memory_mb

    @property
    def docker(self) -> Docker:
        return self.state.docker

    @property
    def cloud_rules(self) -> tuple[CloudRule, ...] | None:
        """Inbound rules of the Cloud Firewall that is attached; None: none is."""
        return self.state.cloud_rules

    @cloud_rules.setter
    def cloud_rules(self, rules: tuple[CloudRule, ...] | None) -> None:
        self.state.cloud_rules = rules

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(address for address in (self.ipv4, self.ipv6, self.private_ip) if address)

    # The network

    def admits(self, source: str, address: str, port: int) -> Reach:
        state = self.state
        private = bool(self.private_ip) and address == self.private_ip
        if not state.running or (private and not self.stage.hosts.in_network(source)):
            return Reach.FILTERED
        if (
            state.cloud_rules is not None
            and not private
            and not _cloud_admits(state.cloud_rules, source, port)
        ):
            return Reach.FILTERED
        if not hosts_firewall.admits(state, source, address, port):
            return Reach.FILTERED
        return Reach.OPEN if self.listener(address, port) else Reach.REFUSED

    def listener(self, address: str, port: int) -> Listener | None:
        if port == self.state.ssh_port:
            return self._ssh if self.stage.clock.now() >= self.state.booted else None
        if port in self._listeners:
            return self._listeners[port]
        if port in (80, 443) and port in self.state.ports:
            return self.stage.fronts.of(self.name).port_listener(port)
        return None

    def listen(self, port: int, listener: Listener, program: str = "", *, published: bool = False) -> None:
        """A program takes `port`; `published` by Docker: past ufw, as in reality (IPv4)."""
        self._listeners[port] = listener
        self.state.ports[port] = OpenPort(program, published)

    def close(self, port: int) -> None:
        self._listeners.pop(port, None)
        self.state.ports.pop(port, None)

    async def dial(self, address: str, port: int) -> socket.socket:
        """A connection from this host. Raises like a socket."""
        if address not in ("127.0.0.1", "localhost", "::1"):
            return await self.stage.internet.dial(self.source_for(address), address, port, timeout=3.0)
        listener = self.listener(address, port)
        if listener is None:
            raise ConnectionRefusedError(f"port {port} refused the connection")
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        self.stage.spawn(listener(theirs, "127.0.0.1"))
        return ours

    def source_for(self, address: str) -> str:
        """Which of its own addresses a packet to `address` carries."""
        if self.private_ip and self.stage.hosts.in_network(address):
            return self.private_ip
        return self.ipv6 if ":" in address else self.ipv4

    async def _ssh(self, sock: socket.socket, source: str) -> None:
        await serve(self, sock, source)

    def cut_connections(self) -> None:
        """Every SSH connection breaks; detached jobs go on."""
        for connection in list(self.connections):
            connection.abort()

    # Files and programs

    def write(self, path: str, content: bytes, mode: int = 0o644) -> None:
        self.state.files[path] = File(content, mode)

    def text(self, path: str) -> str:
        file = self.state.files.get(path)
        return file.content.decode("utf-8", "replace") if file else ""

    def authorized(self) -> list[str]:
        return [*self.state.authorized_keys, *self.text("/root/.ssh/authorized_keys").splitlines()]

    def has(self, program: str) -> bool:
        """Whether a program is on the machine."""
        if program == "docker":
            return bool(self.docker.version)
        return not program.startswith("/var/lib/") or program in self.state.files

    async def shell(self, line: str, stdin: bytes = b"") -> tuple[int, bytes]:
        """Run a line as root: for other stand-ins and tests."""
        caught = bytearray()

        async def out(chunk: bytes) -> None:
            caught.extend(chunk)

        code = await Shell(self, out, out).line(line, stdin)
        return code, bytes(caught)

    def reboot(self) -> None:
        """Jobs and timers are gone; firewalls come back as far as they are persistent."""
        self.state.boot += 1
        self.state.booted = self.stage.clock.now() + 15.0
        hosts_firewall.after_boot(self.state)
        self.cut_connections()

    def stirred(self) -> None:
        """Wake those who follow a log."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


class Hosts:
    """All machines. The old one exists from the start; new ones are booted by Hetzner's stand-in."""

    def __init__(self, stage: Stage, state: HostsState) -> None:
        self.stage = stage
        self.state = state
        self._hosts: dict[str, Host] = {}
        _ = (hosts_bucket, hosts_docker, hosts_postgres, hosts_programs)

    @staticmethod
    def begin(stage: Stage) -> HostsState:
        state = HostsState()
        if stage.config.old_host is not None:
            furnish(stage, state)
        own_machines(stage, state)
        return state

    @property
    def secrets(self) -> dict[str, str]:
        """What the operator has: the key for the old host, and for machines of their own."""
        key = self.state.old_login_key
        if not key:
            return {}
        old = {"OLD_HOST_SSH_KEY": key} if self.stage.config.old_host is not None else {}
        owned = [server for server in self.stage.config.servers if server.outside]
        return old | {owned_key_secret(server.name): key for server in owned}

    @property
    def known_hosts(self) -> str:
        """Content of the operator's known_hosts file."""
        return known_hosts_lines(self.state)

    async def start(self) -> None:
        for state in self.state.hosts.values():
            self._attach(state)
        for host in self._hosts.values():
            hosts_tools.resume(host)

    async def stop(self) -> None:
        for host in self._hosts.values():
            host.cut_connections()

    def boot(
        self,
        name: str,
        ipv4: str,
        ipv6: str = "",
        private_ip: str = "",
        user_data: str = "",
        authorized_keys: tuple[str, ...] | list[str] = (),
        memory_mb: int = 4096,
        cpus: int = 2,
        disk_gb: int = 40,
    ) -> Host:
        """A new machine, a few seconds before its SSH answers; cloud-init takes the injected host key."""
        data = _cloud_config(user_data)
        key = str(data.get("ssh_keys", {}).get("ed25519_private", ""))
        if not key:
            key = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
        state = HostState(
            name=name,
            ipv4=ipv4,
            ipv6=ipv6,
            private_ip=private_ip,
            memory_mb=memory_mb,
            cpus=cpus,
            disk_gb=disk_gb,
            booted=self.stage.clock.now() + 10.0,
            host_key=key,
            authorized_keys=[*authorized_keys, *map(str, data.get("ssh_authorized_keys", []))],
        )
        private = asyncssh.import_private_key(key)
        state.files["/etc/ssh/ssh_host_ed25519_key"] = File(key.encode(), 0o600)
        state.files["/etc/ssh/ssh_host_ed25519_key.pub"] = File(private.export_public_key())
        self.state.hosts[name] = state
        return self._attach(state)

    def get(self, name: str) -> Host | None:
        return self._hosts.get(name)

    def by_address(self, address: str) -> Host | None:
        return next((host for host in self._hosts.values() if address in host.addresses), None)

    def remove(self, name: str) -> None:
        host = self._hosts.pop(name, None)
        self.state.hosts.pop(name, None)
        if host is None:
            return
        host.cut_connections()
        for address in host.addresses:
            self.stage.internet.detach(address)
        self.stage.ledger.gone_with("host", name)
        self.stage.ledger.gone_with("panel", name)

    def set_private_ip(self, name: str, address: str) -> None:
        """Attach a machine to the private network after its creation, or take it out ("")."""
        host = self._hosts[name]
        if host.private_ip:
            self.stage.internet.detach(host.private_ip)
        host.state.private_ip = address
        if address:
            self.stage.internet.attach(address, host)

    def in_network(self, address: str) -> bool:
        """Whether an address belongs to the private network."""
        with contextlib.suppress(ValueError):
            network = ipaddress.ip_network(self.stage.config.network.range)
            return ipaddress.ip_address(address) in network
        return False

    def _attach(self, state: HostState) -> Host:
        host = Host(self.stage, state)
        self._hosts[state.name] = host
        for address in host.addresses:
            self.stage.internet.attach(address, host)
        return host


def _cloud_admits(rules: tuple[CloudRule, ...], source: str, port: int) -> bool:
    return any(
        rule.protocol == "tcp"
        and _port_matches(rule.port, port)
        and any(within(source, network) for network in rule.sources)
        for rule in rules
    )


def _port_matches(rule: str, port: int) -> bool:
    if rule == "any":
        return True
    first, _, last = rule.partition("-")
    return bool(re.fullmatch(r"\d+", first)) and int(first) <= port <= int(last or first)


def within(address: str, network: str) -> bool:
    """Whether an address lies in a network of the same family."""
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except (ValueError, TypeError):
        return False


def _cloud_config(user_data: str) -> dict[str, dict[str, str]]:
    import yaml

    try:
        data = yaml.safe_load(user_data)
    except yaml.YAMLError:
        return {}
    return data if isinstance(data, dict) else {}
