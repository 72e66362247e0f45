"""What a bind mount is for, judged by its paths: each gets one word, so that one cause is one finding."""

from __future__ import annotations

import fnmatch
import json
import posixpath
import re
from enum import Enum, auto

from yaml.nodes import SequenceNode

from wizard.compose import edits
from wizard.compose.finding import Edit
from wizard.compose.setting import Setting, below, climb, inside
from wizard.compose.stack import Service, Stack
from wizard.compose.syntax import Mount, MountKind, resolved

_DATA_WORD = re.compile(
    r"(?:^|[/_.-])(?:data|db|database|uploads?|storage|media|volumes?|backups?|state)(?:$|[/_.-])"
)
_DATA_FILE = re.compile(r"\.(?:db|sqlite3?|rdb|aof|mdb|realm)$", re.I)
_FILE = re.compile(
    r"\.(?:ya?ml|json|toml|ini|conf|cfg|cnf|env|sh|sql|xml|html?|tmpl|template|pem|crt|key|txt|lua|js|py|rb|php)$",
    re.I,
)
_CONFIG = re.compile(
    r"(?:^|[/_.-])(?:conf(?:ig)?s?|etc|certs?|certificates|init(?:db)?|templates?|provisioning|rules|schemas?)"
    r"(?:$|[/_.-])",
    re.I,
)
_SCRATCH = re.compile(
    r"(?:^|[/_.-])logs?(?:$|[/_.-])|test-results|\.cursor|\.vscode|\.idea|coverage|tmp$", re.I
)
_CODE_ROOTS = (
    r"(?:app|apps|code|src|srv|project|workspaces?|backend|frontend|usr/src|opt/app|var/www|usr/share/nginx/html"
    r"|home/[^/]+/(?:app|code|src|project))"
)
_CODE_TARGET = re.compile(rf"^/{_CODE_ROOTS}(?:/|$)")
_CODE_ROOT = re.compile(rf"^/{_CODE_ROOTS}(?:/html|/app|/public)?/?$")
_STATE_TARGET = re.compile(
    r"^/(?:var/lib|data|bitnami|vault|uploads|storage|config|home|root|opt)(?:/|$)|/(?:data|uploads|storage|media)$"
)
_SYSTEM = (
    "/var/run",
    "/run",
    "/proc",
    "/sys",
    "/dev",
    "/tmp",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/hosts",
    "/etc/machine-id",
    "/etc/resolv.conf",
    "/var/lib/docker",
    "/var/log",
    "/lib/modules",
)
_GENERAL = re.compile(
    r"(?:php|httpd|apache\d?|nginx|caddy|node|bun|deno|python|ruby|perl|golang|alpine|debian|ubuntu|busybox|lamp|\$)(?:$|[-_:.])",
    re.I,
)
"""Images of a language or a web server, which hold nobody's application."""
_COPY = re.compile(r"^\s*(?:COPY|ADD)\s+(.+)$", re.I | re.MULTILINE)


class Bind(Enum):
    CODE = auto()
    """Source code over what an image holds."""
    BARE_CODE = auto()
    """Source code that no image holds."""
    ENV = auto()
    PANEL_FILE = auto()
    """A file that the panel keeps beside the clone."""
    SCRATCH = auto()
    CONFIG = auto()
    READ_ONCE = auto()
    """Read when the data is made, and never again."""
    DATA = auto()
    DATA_FILE = auto()
    VARIABLE = auto()
    HOST = auto()
    SYSTEM = auto()


def bind_of(mount: Mount, service: Service, setting: Setting) -> Bind | None:
    """None for what is no bind mount."""
    if mount.kind is not MountKind.BIND:
        return None
    source = resolved(mount.source)
    if source.startswith("$") or not source:
        return Bind.VARIABLE
    if source == "/" or any(source == one or source.startswith(f"{one}/") for one in _SYSTEM):
        return Bind.SYSTEM
    if source.startswith(("/", "~")):
        return Bind.HOST
    return _relative(mount, source, service, setting)


def _relative(mount: Mount, source: str, service: Service, setting: Setting) -> Bind:
    target = mount.target
    if panel_file(source, setting):
        return Bind.PANEL_FILE
    if re.fullmatch(r"\.env(?:\..+)?", posixpath.basename(posixpath.normpath(source))):
        return Bind.ENV
    if target.startswith("/docker-entrypoint-initdb.d"):
        return Bind.READ_ONCE
    if _SCRATCH.search(source):
        return Bind.SCRATCH
    if code := _code(mount, source, service, setting):
        return code
    if _DATA_FILE.search(source) and not mount.read_only:
        return Bind.DATA_FILE
    keeps_state = service.build_context is None and re.fullmatch(r"/config/?", target) is not None
    config = target.startswith("/etc/") or _FILE.search(source) or _CONFIG.search(source)
    if mount.read_only or (config and not keeps_state):
        return Bind.CONFIG
    return Bind.DATA


def is_file(target: str) -> bool:
    """Whether one file is mounted there, which a volume cannot be."""
    return bool(_FILE.search(target) or target.endswith(".sock"))


def panel_file(source: str, setting: Setting) -> bool:
    """Whether it is one of the panel's file mounts: `files/` beside the clone, not in it."""
    ups, rest = climb(source)
    beside = ups >= 1 if setting.depth is None else ups == setting.depth + 1
    return beside and rest[:1] == ["files"]


def _code(mount: Mount, source: str, service: Service, setting: Setting) -> Bind | None:
    if _FILE.search(source) or _DATA_WORD.search(mount.target) or _DATA_FILE.search(source):
        return None
    if service.build_context is None:
        bare = _CODE_ROOT.match(mount.target) and not _DATA_WORD.search(source)
        return Bind.BARE_CODE if bare and not _fills(service, mount) else None
    context = resolved(service.build_context)
    looks_so = _looks_like_code(mount, source)
    if not inside(source, context):
        return Bind.BARE_CODE if looks_so and not mount.read_only else None
    whole = posixpath.normpath(source) == posixpath.normpath(context)
    if mount.target.startswith("/etc/") or not (looks_so or whole):
        return None
    return Bind.CODE if copied(source, service, setting) is not False else Bind.BARE_CODE


def _fills(service: Service, mount: Mount) -> bool:
    """Whether the image is an application's own that keeps itself there, as Nextcloud does."""
    name = resolved(service.image or "").split("@")[0].rpartition("/")[2].split(":")[0]
    return mount.target.startswith("/var/www") and _GENERAL.match(name) is None


def _looks_like_code(mount: Mount, source: str) -> bool:
    """By where it is mounted; what comes from above the compose file is code unless it is read only."""
    if _CODE_TARGET.match(mount.target):
        return True
    if _STATE_TARGET.search(mount.target) or mount.target.startswith("/etc/"):
        return False
    named = mount.target.rstrip("/") == f"/{posixpath.basename(posixpath.normpath(source))}"
    return named or (source.startswith("..") and not mount.read_only)


def without(stack: Stack, mount: Mount) -> tuple[Edit, ...]:
    """The edit that removes a mount from its list; () where that cannot be done safely."""
    sequence = mount.entry.value
    if not isinstance(sequence, SequenceNode):
        return ()
    return edits.remove_item(stack.document, sequence, mount.index)


def copied(source: str, service: Service, setting: Setting) -> bool | None:
    """Whether the image's Dockerfile copies `source`; None where the Dockerfile is not there to read."""
    context = resolved(service.build_context or ".")
    text = setting.file(posixpath.join(context, service.dockerfile))
    path = below(source, context)
    if text is None or path is None:
        return None
    return any(_covers(one, path) for one in _copied_paths(text))


def _covers(one: str, path: str) -> bool:
    one = posixpath.normpath(one.lstrip("/") or ".")
    return (
        one == "."
        or "$" in one
        or path == "."
        or path == one
        or path.startswith(f"{one}/")
        or one.startswith(f"{path}/")
        or fnmatch.fnmatch(path, one)
    )


def _copied_paths(dockerfile: str) -> list[str]:
    joined = re.sub(r"\\[ \t]*\r?\n", " ", dockerfile)
    found: list[str] = []
    for line in _COPY.findall(joined):
        if "--from=" in line:
            continue
        words = [word for word in _words(line) if not word.startswith("--")]
        found += words[:-1]
    return found


def _words(line: str) -> list[str]:
    if line.lstrip().startswith("["):
        try:
            return [str(word) for word in json.loads(line)]
        except ValueError:
            return line.split()
    return line.split()
