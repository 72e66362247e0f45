"""Rules about what the world could reach or read: ports, secrets in the file, the Docker socket."""

from __future__ import annotations

import re
from collections.abc import Iterator

from yaml.nodes import MappingNode, ScalarNode

from wizard.compose import edits
from wizard.compose.finding import Edit, Finding, Severity
from wizard.compose.setting import Setting
from wizard.compose.stack import MountKind, Service, Stack, Variable

_SECRET = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PASS|PWD|SECRET|SECRETS|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|SECRET_?KEY"
    r"|ENCRYPTION_?KEY|SALT|CREDENTIALS?|DSN)(?:$|_)",
    re.I,
)
_POINTER = re.compile(
    r"(?:_FILE|_PATH|_URL|_URI|_HOST|_TTL|_EXPIR\w*|_LENGTH|_ENABLED|_NAME|_ID|_HEADER|_METHOD)$", re.I
)
_WITH_PASSWORD = re.compile(r"://[^/\s:@${}]*:(?P<password>[^/\s@${}]+)@")
_DEFAULT = re.compile(r"\$\{(?P<name>\w+):?-(?P<default>[^${}]+)\}")
_PLAIN = re.compile(r"^(?:true|false|yes|no|on|off|none|null|disabled|enabled|\d{1,5}|/.*|\[.*|\{.*)?$", re.I)
_SOCKET = "docker.sock"


def published_ports(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Docker publishes past ufw, and Traefik needs no published port."""
    done: set[int] = set()
    for service in stack.services:
        entry = service.get("ports")
        if entry is None or not service.ports or id(entry.value) in done:
            continue
        done.add(id(entry.value))
        listed = ", ".join(_port_text(port.host, port.published, port.target) for port in service.ports)
        local = all(port.host in ("127.0.0.1", "::1", "localhost") for port in service.ports)
        removal = edits.remove_entry(stack.document, entry)
        yield Finding(
            "published-port", Severity.ADVICE if local else Severity.EXPOSURE, service.name, entry.line,
            f"Publishes {listed}"
            + (" on the host itself; two stacks, or two copies during a deployment, cannot share it." if local
               else " to the world: Docker's rules come before ufw's, so a firewall rule on the host does not close it."),
            "Remove it: Traefik reaches the service over its network, by service name and container port.",
            (removal,) if removal else (),
        )  # fmt: skip


def _port_text(host: str, published: str, target: str) -> str:
    return ":".join(part for part in (host, published or "a random port", target) if part)


def secrets_in_file(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Literal secrets, and secrets as defaults. The value itself is never repeated."""
    done: set[int] = set()
    for service in stack.services:
        entry = service.get("environment")
        for variable in service.environment:
            if id(variable.node) in done or variable.value is None:
                continue
            done.add(id(variable.node))
            how = _how_secret(variable)
            if how:
                yield Finding(
                    "secret-in-file", Severity.EXPOSURE, service.name, variable.line,
                    f"{variable.name} {how}: everybody with the repository has it, and it is the same on every host.",
                    f"Set {variable.name} in the panel's environment, with a new value, and refer to it here.",
                    _reference(stack, variable) if entry else (),
                )  # fmt: skip


def _how_secret(variable: Variable) -> str:
    value = (variable.value or "").strip()
    if _WITH_PASSWORD.search(value):
        return "holds an address with a password in it"
    if not _SECRET.search(variable.name) or _POINTER.search(variable.name):
        return ""
    default = _DEFAULT.search(value)
    if default and not _PLAIN.match(default["default"]):
        return f"falls back to a secret written here when {default['name']} is not set"
    if "$" not in value and not _PLAIN.match(value) and not value.startswith("http"):
        return "is written here in plain text"
    return ""


def _reference(stack: Stack, variable: Variable) -> tuple[Edit, ...]:
    node, value = variable.node, variable.value or ""
    if not isinstance(node, ScalarNode) or "\n" in value or _WITH_PASSWORD.search(value):
        return ()
    default = _DEFAULT.search(value)
    wanted = value.replace(default[0], f"${{{default['name']}}}") if default else f"${{{variable.name}}}"
    text = wanted if node.value == value else f"{variable.name}={wanted}"
    return (edits.replace(stack.document, node, text),)


def host_power(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Containers that own the host."""
    for service in stack.services:
        mounts = [
            mount
            for mount in service.mounts
            if mount.kind is MountKind.BIND and (_SOCKET in mount.source or mount.source == "/")
        ]
        for mount in mounts:
            what = "Docker's socket" if _SOCKET in mount.source else "the whole file system of the host"
            yield Finding(
                "host-power", Severity.EXPOSURE, service.name, mount.line,
                f"Has {what}: whoever breaks into it owns the host and every secret on it"
                + (", and a tool that deploys through it works against the panel." if what[0] == "D" else "."),
                "Leave it out under the panel, or put a filtering proxy before the socket.",
            )  # fmt: skip
        for key, why in (
            ("privileged", "owns the host"),
            ("network_mode", "bypasses Traefik and every network rule"),
        ):
            if service.text(key) in ("true", "host"):
                yield Finding(
                    "host-power", Severity.EXPOSURE, service.name, service.line_of(key),
                    f"`{key}: {service.text(key)}` {why}.",
                    "Leave it out unless the service cannot work without it.",
                )  # fmt: skip


def is_long_running(stack: Stack, service: Service) -> bool:
    return service.name not in stack.one_shots and isinstance(service.node, MappingNode)
