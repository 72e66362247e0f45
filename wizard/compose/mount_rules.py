"""Rules about mounts: code that is mounted, data in the clone, paths that the new host lacks, volumes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from wizard.compose import edits
from wizard.compose.document import Entry, get, value_of
from wizard.compose.finding import Edit, Finding, Severity
from wizard.compose.setting import Setting
from wizard.compose.stack import Mount, MountKind, Service, Stack, inside, resolved

_FILE = re.compile(
    r"\.(?:ya?ml|json|toml|ini|conf|cfg|cnf|env|sh|sql|xml|tmpl|template|pem|crt|key|txt|lua|js|py)$"
)
_CONFIG = re.compile(
    r"(?:^|[/_.-])(?:conf(?:ig)?s?|etc|certs?|init(?:db)?|templates?|provisioning|rules|schemas?)"
    r"(?:$|[/_.-])",
    re.I,
)
_LOGS = re.compile(r"(?:^|[/_.-])logs?(?:$|[/_.-])|test-results|\.cursor|\.vscode|\.idea|coverage|tmp$", re.I)
_CODE_TARGET = re.compile(
    r"^/(?:app|apps|code|src|srv|usr/src|opt/app|workspace|backend|frontend|var/www)(?:/|$)"
)
_SYSTEM = (
    "/var/run",
    "/run",
    "/proc",
    "/sys",
    "/dev",
    "/etc/localtime",
    "/etc/timezone",
    "/var/lib/docker",
    "/var/log",
    "/etc/hosts",
    "/etc/machine-id",
    "/run/udev",
    "/lib/modules",
)
_DATA_TARGET = re.compile(
    r"^/(?:var/lib|data|bitnami|vault|uploads|storage|config|home|root|opt)(?:/|$)|/(?:data|uploads|storage|media)$"
)
_PRODUCTION = re.compile(r"(?:self-?host|prod(?:uction)?|deploy|release)", re.I)


def code_mounts(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Development mounts of code. Those that are a service's only code cannot simply be removed."""
    for service, entry, mount in _binds(stack):
        if not _is_code(service, mount):
            continue
        context = service.build_context
        if context is not None and inside(mount.source, context):
            yield Finding(
                "code-mount",
                Severity.MUST_FIX,
                service.name,
                mount.line,
                f"{mount.source} is mounted over {mount.target} for development. The panel builds an image from a "
                "fresh clone; the mount hides what was built and changes under running containers.",
                "Remove the mount; the image's Dockerfile must COPY this path.",
                _without(stack, entry, mount),
            )


def code_only_by_mount(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Services whose build cannot see the code that they run: removing the mount breaks them.

    The cause is the context: services with the same one and the same mounted source are one finding.
    """
    causes: dict[tuple[str, str], list[tuple[Service, list[Mount]]]] = {}
    for service in stack.services:
        context = service.build_context
        if context is None:
            continue
        outside = [
            mount
            for mount in service.mounts
            if mount.relative and _is_code(service, mount) and not inside(mount.source, context)
        ]
        if outside:
            causes.setdefault((context, outside[0].source), []).append((service, outside))
    for (context, source), found in causes.items():
        yield _without_code(context, source, found, setting)


def _without_code(
    context: str, source: str, found: list[tuple[Service, list[Mount]]], setting: Setting
) -> Finding:
    names = [service.name for service, _ in found]
    first = found[0][1]
    others = ", ".join(mount.source for mount in first[1:])
    who = f"{len(names)} services get" if len(names) > 1 else "The service gets"
    return Finding(
        "code-only-by-mount", Severity.MUST_FIX, names[0], first[0].line,
        f"{who} their code only from a mount: the image is built from {context}, which does not hold {source} "
        f"(→ {first[0].target})" + (f", nor {others}" if others else "") + ". Without the mount "
        "the code is missing and nothing starts; with it, containers run whatever the clone holds at that moment.",
        _other_file(setting),
        also=tuple(names[1:]),
    )  # fmt: skip


def _other_file(setting: Setting) -> str:
    better = [name for name in setting.siblings if _PRODUCTION.search(name)]
    if better:
        return f"Deploy {better[0]} instead: it stands beside this file and is made for that purpose."
    return "Build an image that holds the code: widen the build context to the repository and COPY it."


def data_in_clone(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Writable binds inside the clone: the panel deletes the clone at each deployment."""
    for service, entry, mount in _binds(stack):
        if mount.read_only or not mount.relative or _is_code(service, mount):
            continue
        if (
            mount.target.startswith("/etc/")
            or _FILE.search(mount.source)
            or _CONFIG.search(mount.source)
            or posixpath.basename(mount.source) == ".env"
        ):
            yield _config_in_clone(service, mount)
        elif _LOGS.search(mount.source):
            yield Finding(
                "scratch-in-clone",
                Severity.ADVICE,
                service.name,
                mount.line,
                f"{mount.source} lies inside the clone, which is deleted at each deployment: logs and leftovers of "
                "development go with it, and the folder belongs to root.",
                "Remove the mount; let the service log to standard output.",
                _without(stack, entry, mount),
            )
        else:
            yield _data_in_clone(stack, service, entry, mount)


def _data_in_clone(stack: Stack, service: Service, entry: Entry, mount: Mount) -> Finding:
    name = _volume_name(service, mount)
    changes: tuple[Edit, ...] = ()
    if isinstance(mount.node, ScalarNode) and not entry.merged:
        mode = ":ro" if mount.read_only else ""
        changes = (edits.replace(stack.document, mount.node, f"{name}:{mount.target}{mode}"),)
        if stack.volume(name) is None:
            lines = (f"{name}:", "  external: true")
            changes += (edits.add_to_section(stack.document, "volumes", lines),)
    return Finding(
        "data-in-clone", Severity.DATA_LOSS, service.name, mount.line,
        f"{mount.source} is written to and lies inside the clone. The panel deletes the clone at each deployment: "
        f"what is in {mount.target} is lost with the next push.",
        f"Keep it in a volume ({name}) that the panel neither makes nor removes, and move today's files into it.",
        changes,
    )  # fmt: skip


def _config_in_clone(service: Service, mount: Mount) -> Finding:
    return Finding(
        "config-in-clone", Severity.ADVICE, service.name, mount.line,
        f"{mount.source} comes from the clone, which is deleted and cloned again at each deployment: a container "
        "that is not recreated keeps the deleted file, and what it writes there is lost.",
        "Mount it read-only, or give it as `configs:` or as a file mount of the panel.",
    )  # fmt: skip


def host_paths(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Paths of the old machine that a new host does not have."""
    for service, entry, mount in _binds(stack):
        source = resolved(mount.source)
        if mount.source.startswith(("$", "~")):
            yield Finding(
                "host-path",
                Severity.MUST_FIX,
                service.name,
                mount.line,
                f"{mount.source} is a path of the old machine or of its operator; it does not exist on the new host, "
                "where Docker would make an empty folder owned by root.",
                "Decide whether the service is needed under the panel; if so, give it a volume.",
            )
        elif source.startswith("/") and source != "/" and not source.startswith(_SYSTEM):
            yield Finding(
                "host-path",
                Severity.MUST_FIX,
                service.name,
                mount.line,
                f"{mount.source} is a path of the old machine; on the new host Docker would make an empty folder there.",
                "Put what it holds into the image or a volume, or remove the mount.",
                _without(stack, entry, mount) if source.startswith("/home/") else (),
            )


def data_volumes(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Named volumes that hold data: the panel's removal of the stack takes them along unless they are external."""
    section = stack.document.section("volumes")
    used = _volume_users(stack)
    for name, users in used.items():
        found = get(section, name) if section else None
        if found is not None and (
            value_of(found.value, "external") == "true" or get(found.value, "external")
        ):
            continue
        real = (value_of(found.value, "name") if found else None) or (
            f"{setting.project}_{name}" if setting.project else ""
        )
        yield Finding(
            "data-volume", Severity.DATA_LOSS, users[0].name, found.line if found else users[0].line,
            f"The volume {name} belongs to the stack: removing the stack in the panel with its volumes deletes it, and "
            "the panel's project name gives it another prefix than on the old host.",
            f"Declare it external{f' under its name {real}' if real else ''} and make it before the first deployment.",
            _external(stack, name, found, real),
            tuple(user.name for user in users[1:]),
        )  # fmt: skip


def _external(stack: Stack, name: str, found: Entry | None, real: str) -> tuple[Edit, ...]:
    document = stack.document
    lines = ("external: true", *((f"name: {real}",) if real else ()))
    if found is None:
        return ()
    if isinstance(found.value, MappingNode) and not found.value.flow_style and found.value.value:
        wanted = tuple(line for line in lines if get(found.value, line.split(":")[0]) is None)
        edit = edits.add_key(document, found.value, wanted)
        drop = [get(found.value, key) for key in ("driver", "driver_opts", "labels")]
        removed = [edits.remove_entry(document, entry) for entry in drop if entry]
        return tuple(change for change in (*removed, edit) if change)
    if isinstance(found.value, ScalarNode) or (
        isinstance(found.value, MappingNode) and not found.value.value
    ):
        start = edits.offset(document, found.line - 1, 0)
        stop = edits.offset(document, found.line, 0)
        before = document.text[start:stop]
        column = int(found.key_node.start_mark.column)
        comment = f"  {before[before.index('#') :].rstrip()}" if "#" in before else ""
        body = "".join(f"{' ' * (column + 2)}{line}\n" for line in lines)
        return (Edit(start, stop, before, f"{' ' * column}{name}:{comment}\n{body}"),)
    return ()


def _volume_users(stack: Stack) -> dict[str, list[Service]]:
    users: dict[str, list[Service]] = {}
    for service in stack.services:
        for mount in service.mounts:
            if mount.kind is MountKind.VOLUME and mount.source and "$" not in mount.source:
                listed = users.setdefault(mount.source, [])
                if service not in listed:
                    listed.append(service)
    return users


def _binds(stack: Stack) -> Iterator[tuple[Service, Entry, Mount]]:
    """Bind mounts, each once even when several services share it through an anchor."""
    seen: set[int] = set()
    for service in stack.services:
        entry = service.get("volumes")
        for mount in service.mounts:
            if entry is not None and mount.kind is MountKind.BIND and id(mount.node) not in seen:
                seen.add(id(mount.node))
                yield service, entry, mount


def _is_code(service: Service, mount: Mount) -> bool:
    """A folder of the repository mounted where a built image keeps its code."""
    if service.build_context is None or not mount.relative or _FILE.search(mount.source):
        return False
    name = posixpath.basename(posixpath.normpath(mount.source))
    if _LOGS.search(mount.source) or name.startswith(".env") or _DATA_TARGET.search(mount.target):
        return False
    if _CODE_TARGET.match(mount.target):
        return True
    return (not mount.read_only and mount.source.startswith("..")) or mount.target.rstrip("/") == f"/{name}"


def _volume_name(service: Service, mount: Mount) -> str:
    tail = posixpath.basename(posixpath.normpath(mount.source))
    return re.sub(r"[^a-zA-Z0-9_.-]", "-", f"{service.name}-{tail}").strip("-.") or f"{service.name}-data"


def _without(stack: Stack, entry: Entry, mount: Mount) -> tuple[Edit, ...]:
    if not isinstance(entry.value, SequenceNode):
        return ()
    return edits.drop_items(stack.document, entry, {mount.index})
