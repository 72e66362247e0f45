"""Rules about what the world could reach or read: ports, secrets in the file, power over the host."""

from __future__ import annotations

import re
from collections.abc import Iterator

from yaml.nodes import SequenceNode

from wizard.compose import edits
from wizard.compose.document import get, scalar, scalars, strings
from wizard.compose.finding import Edit, Finding, Rule, Severity
from wizard.compose.interpolation import InterpolationError
from wizard.compose.setting import Setting
from wizard.compose.stack import Service, Shared, Stack
from wizard.compose.syntax import MountKind, Port, Variable, resolved

_SECRET = re.compile(
    r"(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN)S?(?:$|_)|(?:^|_)(?:PASS|PWD)(?:$|_)"
    r"|(?:^|_)(?:API|PRIVATE|ACCESS|SECRET|ENCRYPTION|SIGNING|MASTER|AUTH)_?KEYS?(?:$|_)"
    r"|(?:^|_)(?:SALT|SALT_KEYS|CREDENTIALS?|DSN)$",
    re.I,
)
_POINTER = re.compile(
    r"(?:_FILE|_PATH|_DIR|_URL|_URI|_HOST|_PORT|_TTL|_EXPIR\w*|_LENGTH|_SIZE|_ENABLED|_NAME|_ID|_HEADER|_METHOD"
    r"|_ALGORITHM|_TYPE|_AGE|_INTERVAL|_LIFETIME|_DURATION|_POLICY)$",
    re.I,
)
PASSWORD_IN_ADDRESS = re.compile(r"://[^/\s:@${}]*:(?P<password>[^/\s@${}]+)@")
_DSN = re.compile(r"(?:^|_)DSN$", re.I)
_WITH_PASSWORD = re.compile(r"\b(?:password|passwd|pwd|secret)=[^;&\s$]", re.I)
_AN_ADDRESS = re.compile(r"_?(?:URL|URI|DSN|ADDRESS|CONNECTION(?:_STRING)?)$", re.I)
_DEFAULT = re.compile(r"\$\{(?P<name>\w+):?-(?P<default>[^${}]+)\}")
_PLAIN = re.compile(
    r"^(?:true|false|yes|no|on|off|none|null|disabled|enabled|optional|required|\d{1,5}[smhd]?|/.*|\[.*|\{.*)?$",
    re.I,
)
_LOCAL = ("127.", "::1", "localhost")
_PANEL_PORTS = {80: "Traefik", 443: "Traefik", 3000: "the panel itself"}
_NOT_HTTP = {
    20: "FTP", 21: "FTP", 22: "SSH", 25: "SMTP", 53: "DNS", 110: "POP3", 143: "IMAP", 465: "SMTP", 587: "SMTP",
    853: "DNS", 993: "IMAP", 995: "POP3", 1194: "VPN", 1883: "MQTT", 3478: "STUN", 5060: "SIP", 5222: "XMPP",
    5269: "XMPP", 5349: "TURN", 8883: "MQTT", 25565: "a game", 51820: "VPN",
}  # fmt: skip
_HOST_NAMES = re.compile(r"host\.docker\.internal|host-gateway|\b172\.17\.0\.1\b")


def published_ports(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Docker publishes past ufw, and Traefik needs no published port."""
    for shared in stack.shared("ports"):
        found = [port for port in shared.services[0].ports if port.entry.value is shared.value]
        taken = [port for port in found if port.numbers & _PANEL_PORTS.keys()]
        special = [port for port in found if port not in taken and _not_http(port)]
        rest = [port for port in found if port not in taken and port not in special]
        if taken:
            owners = sorted(
                {_PANEL_PORTS[number] for port in taken for number in port.numbers & _PANEL_PORTS.keys()}
            )
            yield _ports(
                stack, shared, Rule.PORT_TAKEN, Severity.MUST_FIX, taken, len(found),
                f"This port of the host belongs to {' and '.join(owners)}: the container cannot start beside it.",
                _REMOVE_PORT,
            )  # fmt: skip
        if rest:
            local = all(port.host.startswith(_LOCAL) for port in rest)
            yield _ports(
                stack, shared, Rule.PUBLISHED_PORT, Severity.ADVICE if local else Severity.EXPOSURE, rest, len(found),
                "A port of the host is taken by one container at a time: a trial stack beside the real one cannot start."
                if local else
                "Published to the world: Docker's rules come before ufw's, so ufw does not close it. It is reached past "
                "Traefik, without HTTPS.",
                _REMOVE_PORT,
            )  # fmt: skip
        if special:
            yield Finding(
                Rule.PUBLISHED_PORT, Severity.EXPOSURE, shared.names[0], special[0].line,
                ", ".join(port.text for port in special),
                "Not HTTP, which is all that the panel's domains carry. Published to the world: Docker's rules come "
                "before ufw's, so ufw does not close it.",
                "Leave it if visitors need it, and open it in Hetzner's firewall; otherwise remove it.",
                also=shared.names[1:],
            )  # fmt: skip


_REMOVE_PORT = "Remove it: Traefik reaches the service over its network, by service name and container port."


def _not_http(port: Port) -> bool:
    if port.host.startswith(_LOCAL) or not port.published:
        return False
    target = resolved(port.target)
    return port.protocol != "tcp" or (target.isdecimal() and int(target) in _NOT_HTTP)


def _ports(
    stack: Stack,
    shared: Shared,
    rule: Rule,
    severity: Severity,
    found: list[Port],
    count: int,
    why: str,
    advice: str,
) -> Finding:
    changes: tuple[Edit, ...] = ()
    if len(found) == count:
        removals = [edits.remove_entry(stack.document, place) for place in shared.places]
    elif isinstance(shared.value, SequenceNode):
        removals = [edits.remove_item(stack.document, shared.value, port.index) for port in found]
    else:
        removals = []
    if all(removals):
        changes = tuple(edit for removal in removals for edit in removal)
    what = ", ".join(port.text for port in found)
    return Finding(
        rule, severity, shared.names[0], found[0].line, what, why, advice, changes, shared.names[1:]
    )


def secrets_in_file(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Literal secrets, and secrets as defaults. The value itself is never repeated."""
    names = _Names(stack)
    # What stands in an address as well as by itself is one secret, under the name that it has by itself.
    for variable, services in sorted(_variables(stack), key=lambda pair: "://" in (pair[0].value or "")):
        how = _how_secret(variable)
        if how:
            changes, values = _reference(stack, variable, services[0], names)
            held = " and ".join(name for name, _ in values) or variable.name
            yield Finding(
                Rule.SECRET_IN_FILE, Severity.EXPOSURE, services[0].name, variable.line, f"{variable.name} {how}",
                "Everybody with the repository has this secret, and it is the same on every host.",
                f"Set {held} in the panel's environment to today's value, and refer to it here. Change it after the "
                "move: a database keeps the password that it was made with.",
                changes, tuple(service.name for service in services[1:]), values,
            )  # fmt: skip


def _variables(stack: Stack) -> Iterator[tuple[Variable, list[Service]]]:
    """Every variable with a value once, with the services that have it."""
    found: dict[int, tuple[Variable, list[Service]]] = {}
    for service in stack.services:
        for variable in service.environment:
            if variable.value is not None:
                found.setdefault(id(variable.node), (variable, []))[1].append(service)
    yield from found.values()


def _how_secret(variable: Variable) -> str:
    value = (variable.value or "").strip()
    if PASSWORD_IN_ADDRESS.search(value):
        return "holds an address with a password in it"
    if not _SECRET.search(variable.name) or _POINTER.search(variable.name):
        return ""
    if _DSN.search(variable.name) and not _WITH_PASSWORD.search(value):
        return ""
    default = _DEFAULT.search(value)
    if default and not _PLAIN.match(default["default"]):
        return f"falls back to a secret written here when {default['name']} is not set"
    if "$" not in value and not _PLAIN.match(value) and not value.startswith("http"):
        return "is written here in plain text"
    return ""


class _Names:
    """Variables for the panel's environment: a name holds one value, and none that the file uses otherwise."""

    def __init__(self, stack: Stack) -> None:
        self.held: dict[str, str] = {}
        self.used = {
            variable.name
            for _, variables in stack.interpolated
            if not isinstance(variables, InterpolationError)
            for variable in variables
        }
        self.used |= {v.name for service in stack.services for v in service.environment if v.value is None}

    def take(self, name: str, value: str, service: str) -> str:
        """A name for `value` that begins with `name`, or with the service's if that one is taken."""
        words = re.sub(r"\W+", "_", name.upper() if re.search(r"\W", name) else name)
        words = words if re.match(r"[A-Za-z_]", words) else f"_{words}"
        own = re.sub(r"\W+", "_", f"{service}_{words}").upper()
        names = (words, own, *(f"{own}_{number}" for number in range(2, 1000)))
        found = next(one for one in names if self.held.get(one) == value or self._free(one))
        self.held[found] = value
        return found

    def of(self, value: str) -> str | None:
        """The name that holds this value already."""
        return next((name for name, held in self.held.items() if held == value), None)

    def _free(self, name: str) -> bool:
        return name not in self.held and name not in self.used

    def hold(self, name: str, default: str) -> bool:
        """Whether `name`, which falls back to `default`, may be set to it: another default would go unread."""
        return self.held.setdefault(name, default) == default


def _reference(
    stack: Stack, variable: Variable, service: Service, names: _Names
) -> tuple[tuple[Edit, ...], tuple[tuple[str, str], ...]]:
    """The edit that refers to the panel's environment instead, and the value that it takes out."""
    node, value = variable.node, variable.value or ""
    told = _moved(variable.name, value, service.name, names)
    if told is None:
        return (), ()
    wanted, name, secret = told
    listed = scalar(node) != value
    text = f"{variable.name}={wanted}" if listed else wanted
    changes = edits.replace(stack.document, node, text, secret=True)
    return changes, (((name, secret),) if changes else ())


def _moved(variable: str, value: str, service: str, names: _Names) -> tuple[str, str, str] | None:
    """The value that refers to a variable instead, that variable, and what it must hold; None if by hand."""
    address = PASSWORD_IN_ADDRESS.search(value)
    default = _default_of(value, address)
    if default:
        name, secret = default["name"], default["default"]
        return (value.replace(default[0], f"${{{name}}}"), name, secret) if names.hold(name, secret) else None
    if address is None:
        name = names.take(variable, value, service)
        return f"${{{name}}}", name, value
    start, end = address.span("password")
    inside_a_variable = value[:start].count("${") > value[:start].count("}")
    if inside_a_variable or len(PASSWORD_IN_ADDRESS.findall(value)) > 1:
        return None
    name = names.of(address["password"])
    name = name or names.take(f"{_AN_ADDRESS.sub('', variable)}_PASSWORD", address["password"], service)
    return f"{value[:start]}${{{name}}}{value[end:]}", name, address["password"]


def _default_of(value: str, address: re.Match[str] | None) -> re.Match[str] | None:
    """The default that is the secret, or holds the address with it."""
    if address is None:
        return _DEFAULT.search(value)
    start, end = address.span()
    return next((one for one in _DEFAULT.finditer(value) if one.start() < start and end <= one.end()), None)


def host_power(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Containers that own the host: one finding for each, whatever gives it the power."""
    for service in stack.services:
        powers: list[tuple[int, str]] = []
        for mount in service.mounts:
            if mount.kind is MountKind.BIND and "docker.sock" in mount.source:
                powers.append((mount.line, "Docker's socket"))
            elif mount.kind is MountKind.BIND and mount.source == "/":
                powers.append((mount.line, "the host's whole file system"))
        if (service.text("privileged") or "").lower() == "true":
            powers.append((service.line_of("privileged"), "`privileged: true`"))
        if service.text("pid") == "host":
            powers.append((service.line_of("pid"), "the host's processes"))
        if powers:
            powers.sort()
            yield Finding(
                Rule.HOST_POWER, Severity.EXPOSURE, service.name, powers[0][0],
                " and ".join(dict.fromkeys(what for _, what in powers)),
                "Whoever breaks into this container owns the host and every secret on it."
                + (" A tool that deploys through the socket works against the panel." if "socket" in str(powers) else ""),
                "Leave it out under the panel if you can; put a filtering proxy before the socket.",
            )  # fmt: skip
        if service.text("network_mode") == "host":
            yield Finding(
                Rule.HOST_POWER, Severity.EXPOSURE, service.name, service.line_of("network_mode"),
                "`network_mode: host`",
                "It listens on the host's own addresses: Traefik does not route to it, other services cannot name it, and "
                "it reaches what listens on 127.0.0.1.",
                "Leave it out unless the service cannot work without it.",
            )  # fmt: skip


def host_services(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """What talks to programs of the old machine that are not in the stack."""
    for shared in stack.shared("extra_hosts"):
        written = " ".join((*strings(shared.value), *(node.value for node in scalars(shared.value))))
        if not _HOST_NAMES.search(written):
            continue
        yield Finding(
            Rule.HOST_SERVICE, Severity.ADVICE, shared.names[0], shared.line, "extra_hosts: host-gateway",
            "It can call programs that run on the old machine outside of the stack; on the new host they are not there.",
            "Find out what it calls there, and move that too.",
            also=shared.names[1:],
        )  # fmt: skip


def fixed_subnets(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Address ranges that may clash with the panel's or the private network's."""
    section = stack.document.section("networks")
    for key, value in section.value if section else ():
        ipam = get(value, "ipam")
        configs = get(ipam.value, "config") if ipam else None
        subnets = [
            text
            for item in (configs.value.value if configs and isinstance(configs.value, SequenceNode) else ())
            if (found := get(item, "subnet")) and (text := scalar(found.value))
        ]
        if subnets:
            yield Finding(
                Rule.FIXED_SUBNET, Severity.ADVICE, "", int(key.start_mark.line) + 1, ", ".join(subnets),
                "A fixed address range can clash with the panel's networks (10.0.0.0/8 by default) or with a private "
                "network at Hetzner; then the stack does not start, or hosts cannot reach each other.",
                "Leave the range to Docker unless something needs these addresses.",
            )  # fmt: skip
