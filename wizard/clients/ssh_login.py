"""Opening an SSH connection: who we are, which host we accept, and what went wrong, as sentences."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncssh

from wizard.errors import CredentialError, UnreachableError, WizardError
from wizard.net import Net, spot

CONNECT_TIMEOUT = 15.0
HANDSHAKE_TIMEOUT = 15.0
"""Real seconds: cryptography takes its time on a busy machine, however fast the world's clock is."""
KEEPALIVE_INTERVAL = 15
KEEPALIVE_COUNT = 3
_NOBODYS = "SHA256:nobody's"
_ALGORITHMS = (
    ("ssh-ed25519",),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    ("rsa-sha2-512", "rsa-sha2-256"),
)


_NO_KEY_OF_THIS_KIND = (asyncssh.KeyExchangeFailed, asyncssh.ConnectionLost, ConnectionResetError)
"""How a host ends a handshake that asks for a kind of key which it does not have."""


class HostKeyError(WizardError):
    """The host showed another key than the one that is known: nothing was sent to it.

    `offered` is that key's line, where it was asked for.
    """

    def __init__(self, what: str, why: str = "", next: str = "", *, offered: str = "") -> None:
        super().__init__(what, why, next)
        self.offered = offered


class LoginError(CredentialError):
    """The host is the right one, but it does not let us in."""


@dataclass(frozen=True, slots=True)
class Target:
    """A login on a host. The first of `host_key`, `fingerprint`, `known_hosts` that is given pins who it is.

    `host_key` is an OpenSSH public key line, `fingerprint` is ``SHA256:…``, `known_hosts` a file.
    `key` is a private key (PEM or OpenSSH text), `identity` a file with one; `passphrase_name` is the secret
    that opens it. With `agent` its keys are offered too. `ssh_config` is read for hosts of the operator's own
    only; the jump hosts that it names are known by `known_hosts`. `jump` is the way through.
    """

    name: str
    address: str
    port: int = 22
    user: str = "root"
    host_key: str = ""
    fingerprint: str = ""
    known_hosts: str = ""
    key: str = ""
    identity: str = ""
    passphrase: str = ""
    passphrase_name: str = "OLD_HOST_PASSPHRASE"
    agent: bool = False
    ssh_config: str = ""
    jump: Target | None = None

    def __repr__(self) -> str:
        return f"Target({self.name}, {self.user}@{self.address}:{self.port})"


class _Watcher(asyncssh.SSHClient):
    """Remembers the key that was offered; accepts by fingerprint if one is asked for."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.offered = ""
        self.line = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.offered = key.get_fingerprint()
        self.line = key.export_public_key().decode().strip()
        return bool(self.fingerprint) and self.offered == self.fingerprint


async def connect(target: Target, net: Net, timeout: float = CONNECT_TIMEOUT) -> asyncssh.SSHClientConnection:
    """A new connection. `timeout` is in real seconds.

    Raises HostKeyError, LoginError, UnreachableError.
    """
    if not target.fingerprint:
        return await _connect(target, net, timeout, ())
    refused: list[WizardError] = []
    for algorithms in _ALGORITHMS:
        # A fingerprint does not say of which kind its key is: a host may have several.
        try:
            return await _connect(target, net, timeout, algorithms)
        except HostKeyError as error:
            refused.append(error)
        except UnreachableError as error:
            if not isinstance(error.__cause__, _NO_KEY_OF_THIS_KIND):
                raise
            refused.append(error)
    raise next((error for error in refused if isinstance(error, HostKeyError)), refused[-1])


async def shown_key(target: Target, net: Net, timeout: float = CONNECT_TIMEOUT) -> str:
    """The host key that a host shows to anybody: the one of `target`'s fingerprint if it has that, else its
    first. Nobody vouched for it; nothing is sent. Raises UnreachableError, and the errors of a jump host."""
    bare, seen = replace(target, host_key="", fingerprint=_NOBODYS), list[str]()
    for algorithms in _ALGORITHMS:
        try:
            (await _connect(bare, net, timeout, algorithms)).close()
        except HostKeyError as error:
            if not error.offered:
                raise
            seen.append(error.offered)
            if asyncssh.import_public_key(error.offered).get_fingerprint() == target.fingerprint:
                return error.offered
            if not target.fingerprint:
                break
        except UnreachableError as error:
            if not isinstance(error.__cause__, _NO_KEY_OF_THIS_KIND):
                raise
    if not seen:
        raise UnreachableError(f"{target.name} shows no host key of a kind that is known here")
    return seen[0]


def known_keys(known_hosts: str, address: str, port: int) -> tuple[str, ...]:
    """The public keys that a known_hosts file has for an address; empty if there is none, or no file.

    A line of port 22 says nothing about another port: behind one address stands a machine for each, maybe.
    """
    path = Path(known_hosts).expanduser()
    if not known_hosts or not path.exists():
        return ()
    lines = asyncssh.read_known_hosts(str(path))
    found = (
        lines.match(address, address, port) if port == 22 else lines.match(f"[{address}]:{port}", "", None)
    )
    return tuple(dict.fromkeys(key.export_public_key().decode().strip() for key in found[0]))


def is_direct(target: Target) -> bool:
    """Whether a host sees us come from our own address: no jump host or proxy stands in between."""
    options = _options(replace(target, key="", identity=""), _Watcher(""), (), CONNECT_TIMEOUT)
    return target.jump is None and not options.tunnel and not options.proxy_command


def is_locked(identity: str) -> bool:
    """Whether a private key's file needs a passphrase. Raises LoginError when there is no key in it."""
    path = Path(identity).expanduser()
    try:
        asyncssh.read_private_key(str(path))
    except (asyncssh.KeyEncryptionError, asyncssh.KeyImportError):
        return True
    except OSError as error:
        raise LoginError(f"The key {identity} can't be read", str(error)) from error
    return False


async def _connect(
    target: Target, net: Net, timeout: float, algorithms: tuple[str, ...]
) -> asyncssh.SSHClientConnection:
    watcher = _Watcher(target.fingerprint)
    tunnel = await connect(target.jump, net, timeout) if target.jump else None
    try:
        options = _options(target, watcher, algorithms, timeout)
        if tunnel is None and isinstance(options.tunnel, str):
            tunnel = await connect(_jumps(target, options.tunnel), net, timeout)
        way: dict[str, Any] = {}
        if tunnel is not None:
            way = {"tunnel": tunnel, "host": options.host or target.address, "port": options.port}
        elif options.proxy_command:
            way = {"host": options.host or target.address, "port": options.port}
        else:
            # From here on asyncssh closes it: a descriptor closed twice may be somebody else's by then.
            sock = await net.connect(options.host or target.address, options.port, timeout=timeout)
            way = {"sock": sock, "host": options.host or target.address, "port": options.port}
        async with asyncio.timeout(timeout + HANDSHAKE_TIMEOUT):
            return await asyncssh.connect(options=options, config=None, **way)
    except BaseException as error:
        if tunnel is not None:
            tunnel.close()
        if isinstance(error, Exception) and not isinstance(error, WizardError):
            raise _sentence(target, watcher, error) from error
        raise


def _jumps(target: Target, named: str) -> Target:
    """``ProxyJump`` of the operator's configuration: the hosts before the target, the last one returned."""
    jump: Target | None = None
    for word in named.split(","):
        user, address, port = spot(word.strip())
        jump = Target(
            name=f"jump host {address}",
            address=address,
            port=port,
            user=user or target.user,
            known_hosts=target.known_hosts,
            key=target.key,
            identity=target.identity,
            passphrase=target.passphrase,
            agent=target.agent,
            ssh_config=target.ssh_config,
            jump=jump,
        )
    assert jump is not None
    return jump


def _options(
    target: Target, watcher: _Watcher, algorithms: tuple[str, ...], timeout: float
) -> asyncssh.SSHClientConnectionOptions:
    settings: dict[str, Any] = {
        "host": target.address,
        "username": target.user,
        "client_factory": lambda: watcher,
        "config": [str(Path(target.ssh_config).expanduser())] if target.ssh_config else None,
        "known_hosts": _known(target),
        "connect_timeout": max(timeout, HANDSHAKE_TIMEOUT),
        "login_timeout": max(timeout, HANDSHAKE_TIMEOUT),
        "keepalive_interval": KEEPALIVE_INTERVAL,
        "keepalive_count_max": KEEPALIVE_COUNT,
        "request_pty": False,
        "password_auth": False,
        "kbdint_auth": False,
        "gss_auth": False,
        "gss_kex": False,
    }
    if target.port != 22 or not target.ssh_config:
        settings["port"] = target.port
    if algorithms:
        settings["server_host_key_algs"] = list(algorithms)
    if target.passphrase:
        settings["passphrase"] = target.passphrase
    keys: list[Any] = []
    if target.key:
        keys.append(asyncssh.import_private_key(target.key, target.passphrase or None))
    if target.identity:
        keys.append(str(Path(target.identity).expanduser()))
    if keys:
        settings["client_keys"] = keys
    if not target.agent:
        settings["agent_path"] = None
    return asyncssh.SSHClientConnectionOptions(**settings)


def _known(target: Target) -> Any:
    if target.host_key:
        return ([asyncssh.import_public_key(target.host_key)], [], [])
    if target.fingerprint:
        return ([], [], [])
    if not target.known_hosts:
        raise HostKeyError(
            f"It is not known which host key {target.name} has",
            next="Give its SHA256 fingerprint as host_key in the configuration.",
        )
    path = Path(target.known_hosts).expanduser()
    return str(path) if path.exists() else ([], [], [])


def _sentence(target: Target, watcher: _Watcher, error: Exception) -> WizardError:
    where = f"{target.name} ({target.address} port {target.port})"
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return HostKeyError(
            f"{where} shows a host key that is not the known one",
            f"it offers {watcher.offered or 'a key'}, which nobody vouched for",
            "If the machine is new or was reinstalled, compare this fingerprint on its console, then set "
            "it as host_key (or in known_hosts). Otherwise somebody sits in between: stop here.",
            offered=watcher.line if target.fingerprint == _NOBODYS else "",
        )
    if isinstance(error, (asyncssh.KeyImportError, asyncssh.KeyEncryptionError)):
        return LoginError(
            f"The key for {target.name} could not be read",
            str(error),
            f"Give its passphrase as the secret {target.passphrase_name}, or add the key to your agent.",
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return LoginError(
            f"{where} does not let {target.user} in",
            "it accepted none of the keys that were offered",
            "Add the public key to that user's authorized_keys, or name another identity.",
        )
    if isinstance(error, ConnectionRefusedError):
        return UnreachableError(f"{where} refuses SSH connections", "nothing listens there yet, or no more")
    if isinstance(error, TimeoutError):
        return UnreachableError(
            f"{where} does not answer SSH",
            "packets are dropped: a firewall, or the machine is down",
            "If your own address has changed: dokploy-wizard allow-me",
        )
    if isinstance(error, FileNotFoundError):
        return LoginError(f"A file for the login on {target.name} is missing", str(error))
    return UnreachableError(f"No SSH connection to {where}", f"{type(error).__name__}: {error}")
