"""What a single value may be. One row a key; a rule returns what is wrong and what to write, or None."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from typing import Any

from wizard.config import (
    App,
    Cutover,
    Database,
    Decommission,
    Dns,
    Network,
    OldHost,
    Project,
    Server,
    Settle,
    VercelProject,
    Volume,
)
from wizard.configfile.mistakes import nearest
from wizard.net import spot
from wizard.redact import MASK, redact

Rule = Callable[[Any], tuple[str, str] | None]

ROLES = ("frontend", "backend", "dev")
SUCCESSORS = {
    "cx11": "cx23",
    "cx21": "cx23",
    "cx22": "cx23",
    "cx31": "cx33",
    "cx32": "cx33",
    "cx41": "cx43",
    "cx42": "cx43",
    "cx51": "cx53",
    "cx52": "cx53",
}
"""Hetzner's Intel line of before 2026, no longer sold, and what took each one's place."""
LOCATION_ZONES = {
    "fsn1": "eu-central",
    "nbg1": "eu-central",
    "hel1": "eu-central",
    "ash": "us-east",
    "hil": "us-west",
    "sin": "ap-southeast",
}
_CITIES = {
    "falkenstein": "fsn1",
    "fsn": "fsn1",
    "nuremberg": "nbg1",
    "nürnberg": "nbg1",
    "nbg": "nbg1",
    "helsinki": "hel1",
    "hel": "hel1",
    "ashburn": "ash",
    "hillsboro": "hil",
    "singapore": "sin",
}
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$)({_LABEL}\.)+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])")
_SECRET_NAME = re.compile(r"(?i)(^|_)(token|secret|password|passwd|private_?key|api_?key|credentials?)(_|$)")


def misplaced_secret(value: Any) -> tuple[str, str] | None:
    """A value that has the shape of a secret, or an environment variable that has the name of one."""
    texts = value if isinstance(value, tuple) else (value,)
    shaped = any(isinstance(text, str) and MASK in redact(text) and MASK not in text for text in texts)
    named = isinstance(value, tuple) and len(value) == 2 and bool(_SECRET_NAME.search(str(value[0])))
    if shaped or named:
        return (
            "looks like a secret",
            "Take it out and renew it: secrets come from the environment or the keyring, never from here.",
        )
    return None


def matches(pattern: str, what: str, suggestion: str) -> Rule:
    compiled = re.compile(pattern)
    return lambda value: None if compiled.fullmatch(value) else (f'is "{value[:80]}", {what}', suggestion)


def between(low: float, high: float, unit: str, why: str = "") -> Rule:
    """A number in range; NaN and infinities are outside."""

    def rule(value: float) -> tuple[str, str] | None:
        if math.isfinite(value) and low <= value <= high:
            return None
        return (f"is {value:g}{f', {why}' if why else ''}", f"Choose {low:g} to {high:g} {unit}.")

    return rule


def domain(value: str) -> tuple[str, str] | None:
    if _DOMAIN.fullmatch(value):
        return None
    bare = re.sub(r"^[a-z]+://", "", value.strip().lower()).split("/")[0].split(":")[0].strip(".")
    if "*" in bare:
        return (f'is "{value}", and a wildcard cannot be moved', "Name each domain.")
    try:
        plain = bare.encode("idna").decode()
    except UnicodeError:
        plain = bare
    advice = f'Write "{plain}".' if _DOMAIN.fullmatch(plain) else 'Write it like "www.example.org".'
    return (f'is "{value[:80]}", which is no domain name', advice)


def address(value: str) -> tuple[str, str] | None:
    """An IP address or a host name."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        digits = re.fullmatch(r"[\d.]+", value) is not None
        if digits or domain(value) is not None:
            return (f'is "{value[:80]}", which is no address', 'Write it like "198.51.100.20".')
    return None


def socket_address(value: str) -> tuple[str, str] | None:
    """address, address:port or [v6]:port."""
    match = re.fullmatch(r"\[([^\]]+)\]:(\d{1,5})|([^:]+):(\d{1,5})", value)
    if match is None:
        return address(value)
    if not 0 < int(match[2] or match[4]) < 65536:
        return (f'is "{value}", whose port is out of range', "A port is 1 to 65535.")
    return address(match[1] or match[3])


def private_range(value: str) -> tuple[str, str] | None:
    try:
        network = ipaddress.ip_network(value)
    except ValueError as error:
        wrong = str(error)
        if "host bits" in wrong:
            return (
                f'is "{value}", which names a host',
                f'Write "{ipaddress.ip_network(value, strict=False)}".',
            )
        return (f'is "{value[:60]}", which is no range of addresses', 'Write it like "172.31.0.0/16".')
    if network.version == 6 or not network.is_private:
        return (f'is "{value}", which is not private', "Take one out of 172.16.0.0/12 or 192.168.0.0/16.")
    if network.prefixlen > 24:
        return (f'is "{value}", which is too small', "Take a /16 to /24.")
    return None


def server_type(value: str) -> tuple[str, str] | None:
    name = value.lower()
    if name in SUCCESSORS:
        return (f'is "{value}", which is no longer sold', f'Its successor is "{SUCCESSORS[name]}".')
    if re.fullmatch(r"(cx|cpx|cax|ccx)\d\d", value):
        return None
    near = name if re.fullmatch(r"(cx|cpx|cax|ccx)\d\d", name) else ""
    return (f'is "{value[:40]}", which is no server type', f'Write "{near or "cx33"}".')


def location(value: str) -> tuple[str, str] | None:
    if value in LOCATION_ZONES:
        return None
    meant = _CITIES.get(value.lower(), "") or nearest(value, LOCATION_ZONES)
    advice = f'Did you mean "{meant}"?' if meant else f"It is one of {', '.join(LOCATION_ZONES)}."
    return (f'is "{value[:40]}", which is no location', advice)


def role(value: str) -> tuple[str, str] | None:
    if value in ROLES:
        return None
    meant = nearest(value, ROLES)
    advice = f'Did you mean "{meant}"? ' if meant else ""
    return (f'cannot be "{value[:40]}"', f"{advice}It is one of {', '.join(ROLES)}.")


def repository(value: str) -> tuple[str, str] | None:
    if re.fullmatch(r"[\w.-]+(/[\w.-]+)+", value) and not value.endswith(".git"):
        return None
    short = re.sub(r"^(https?://[^/]+/|git@[^:]+:|ssh://[^/]+/)", "", value).removesuffix(".git").strip("/")
    return (f'is "{redact(value)[:80]}", which is no repository', f'Write "{redact(short) or "owner/name"}".')


def inside_repository(value: str) -> tuple[str, str] | None:
    if value.startswith(("/", "~")) or ".." in value.split("/"):
        return (
            f'is "{value}", which leaves the repository',
            f'Write "{value.replace("../", "").lstrip("/~")}".',
        )
    return None


def origin(value: str) -> tuple[str, str] | None:
    match = re.fullmatch(r"(https?)://([^/:]+)(:\d+)?(/.*)?", value)
    host = match[2] if match else re.sub(r"^.*?://", "", value).split("/")[0]
    if match is None or match[4]:
        return (f'is "{value[:80]}", which is no origin', f'Write "https://{host}", without a path.')
    return None


def ipv4_address(value: str) -> tuple[str, str] | None:
    return _of_family(value, ipaddress.IPv4Address, '"203.0.113.7"')


def ipv6_address(value: str) -> tuple[str, str] | None:
    return _of_family(value, ipaddress.IPv6Address, '"2001:db8::7"')


def _of_family(value: str, family: Callable[[str], object], example: str) -> tuple[str, str] | None:
    try:
        family(value)
    except ValueError:
        return f'is "{value}", which is no address of its kind', f"Write it like {example}."
    return None


def jump(value: str) -> tuple[str, str] | None:
    try:
        spot(value)
    except ValueError:
        return f'is "{value[:80]}", which is no jump host', 'Write it like "me@jump.example.org:22".'
    return None


def cron(value: str) -> tuple[str, str] | None:
    fields = value.split()
    if len(fields) == 5 and all(re.fullmatch(r"[\d*,/A-Za-z-]+", part) for part in fields):
        return None
    return (
        f'is "{value[:40]}", which is no schedule',
        'Five fields, like "0 3 * * *" for every night at three.',
    )


_SLUG = matches(
    r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?",
    "which cannot be a name here",
    'Lower-case letters, digits and hyphens, like "backend".',
)
_DOCKER_NAME = matches(
    r"[a-zA-Z0-9][a-zA-Z0-9_.-]*",
    "which is no name for Docker",
    "Letters, digits, _ . and -; it begins with a letter.",
)
_URL_PATH = matches(r"/[^\s#]*", "which is no path", 'It begins with a slash, like "/health".')
_VARIABLE = matches(
    r"[A-Za-z_][A-Za-z0-9_]*", "which is no variable's name", 'Letters, digits and _, like "API_URL".'
)
_MAIL = matches(r"[^@\s]+@[^@\s]+\.[^@\s]+", "which is no e-mail address", 'Write it like "you@example.org".')
_MONEY = matches(
    r"\d+([.,]\d{1,2})? [A-Z]{3}", "which is no amount", 'Write it like "20.00 USD", for one month.'
)
_FINGERPRINT = matches(
    r"SHA256:[A-Za-z0-9+/]{43}=?", "which is no fingerprint", "`ssh-keygen -lf` prints it: SHA256:… ."
)
_PORT = between(1, 65535, "", "which is no port")

FIELDS: dict[tuple[type, str], tuple[Rule, ...]] = {
    (Project, "name"): (_SLUG,),
    (Project, "email"): (_MAIL,),
    (Server, "name"): (_SLUG,),
    (Server, "role"): (role,),
    (Server, "types"): (server_type,),
    (Server, "locations"): (location,),
    (Server, "panel_domain"): (domain,),
    (Server, "address"): (ipv4_address,),
    (Server, "address6"): (ipv6_address,),
    (Server, "port"): (_PORT,),
    (Server, "host_key"): (_FINGERPRINT,),
    (Server, "jump"): (jump,),
    (Network, "range"): (private_range,),
    (Network, "swarm_pool"): (private_range,),
    (App, "name"): (_SLUG,),
    (App, "repository"): (repository,),
    (App, "branch"): (matches(r"[^\s~^:?*\[\\]+", "which is no branch", 'Write it like "main".'),),
    (App, "domains"): (domain,),
    (App, "port"): (_PORT,),
    (App, "service"): (_DOCKER_NAME,),
    (App, "dockerfile"): (inside_repository,),
    (App, "compose_file"): (inside_repository,),
    (App, "context"): (matches(r"(?!.*\.\.).*", "which leaves the repository", 'The whole of it is "/".'),),
    (App, "build_args"): (_VARIABLE,),
    (App, "env_extra"): (lambda pair: _VARIABLE(pair[0]),),
    (App, "health"): (_URL_PATH,),
    (App, "routes"): (_URL_PATH,),
    (App, "allowed_origins"): (origin,),
    (App, "cache_service"): (_DOCKER_NAME,),
    (Database, "name"): (_DOCKER_NAME,),
    (Database, "service"): (_DOCKER_NAME,),
    (Database, "container"): (_DOCKER_NAME,),
    (Volume, "name"): (_DOCKER_NAME,),
    (Volume, "services"): (_DOCKER_NAME,),
    (Dns, "zone"): (domain,),
    (Dns, "ttl"): (between(60, 86400, "seconds"),),
    (Dns, "cutover_ttl"): (between(1, 3600, "seconds", "and a way back would take as long"),),
    (Dns, "server"): (socket_address,),
    (OldHost, "address"): (address,),
    (OldHost, "port"): (_PORT,),
    (OldHost, "host_key"): (_FINGERPRINT,),
    (OldHost, "jump"): (jump,),
    (VercelProject, "name"): (
        matches(r"[\w.-]{1,100}", "which is no project's name", "Its name in the dashboard."),
    ),
    (Cutover, "quiet_seconds"): (between(0, 86400, "seconds"),),
    (Cutover, "max_changes"): (between(1, 500, "changes"),),
    (Settle, "mail"): (_MAIL,),
    (Settle, "backup_endpoint"): (
        matches(
            r"https://[^\s/]+/?", "which is no address over HTTPS", 'Write it like "https://s3.example.org".'
        ),
    ),
    (Settle, "backup_schedule"): (cron,),
    (Settle, "backup_keep"): (between(1, 1000, "backups", "and at least one must be kept"),),
    (Decommission, "soak_days"): (
        between(1, 90, "days", "too short to be safe: not a whole day of traffic is seen"),
    ),
    (Decommission, "last_invoice"): (_MONEY,),
    (Decommission, "old_host_monthly"): (_MONEY,),
}
