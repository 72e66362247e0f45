"""Rules about what is kept: data in the clone, in volumes, and at paths of the old machine."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator

from yaml.nodes import MappingNode, ScalarNode

from wizard.compose import edits
from wizard.compose.binds import Bind, bind_of, is_file, without
from wizard.compose.document import Entry, entries, get, scalar, value_of
from wizard.compose.finding import Edit, Finding, Rule, Severity
from wizard.compose.setting import Setting, climb
from wizard.compose.stack import Service, Stack
from wizard.compose.syntax import Mount, MountKind, mount_options, resolved

_KEEP = (
    "Keep it in an external volume, which the panel neither makes nor removes; make it before the first deployment and "
    "move today's files into it."
)
_CLONE = "The panel deletes the clone at each deployment and clones again"


def binds_of_the_clone(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Data, leftovers and configuration in the clone, which the panel deletes at each deployment."""
    names = _volume_names(stack)
    for mount, services in stack.mounts():
        kind = bind_of(mount, services[0], setting)
        if kind in (Bind.DATA, Bind.DATA_FILE):
            yield _data(stack, setting, mount, services, kind, names)
        elif kind is Bind.SCRATCH:
            yield _finding(
                Rule.SCRATCH_IN_CLONE, Severity.ADVICE, mount, services,
                f"{_CLONE}: logs and leftovers of development go with it.",
                "Remove the mount; let the service log to standard output.",
                without(stack, mount),
            )  # fmt: skip
        elif kind is Bind.ENV:
            yield _finding(
                Rule.ENV_MOUNT, Severity.MUST_FIX, mount, services,
                "This file is not in a clone, and the panel writes its `.env` anew at each deployment: what is written "
                "here is lost, and where the file is missing Docker makes a folder of its name.",
                "Remove the mount; give the variables in the panel's environment.",
                without(stack, mount),
            )  # fmt: skip
        elif kind is Bind.CONFIG and any(service.name not in stack.one_shots for service in services):
            yield _finding(
                Rule.CONFIG_IN_CLONE, Severity.ADVICE, mount, services,
                f"{_CLONE}: a container that is not recreated keeps the deleted files and sees no change"
                + ("." if mount.read_only else ", and what it writes there is lost.")
                + " What is not committed is an empty folder.",
                "Give it as `configs:` with its content, put it into the image, or use a file mount of the panel.",
            )  # fmt: skip


def _data(
    stack: Stack,
    setting: Setting,
    mount: Mount,
    services: tuple[Service, ...],
    kind: Bind,
    names: dict[str, str],
) -> Finding:
    changes, name = _into_volume(stack, setting, mount, names)
    if kind is Bind.DATA_FILE:
        advice = "Let the service keep it in a folder that is an external volume; a volume cannot be a single file."
        changes = ()
    else:
        advice = _KEEP
    return _finding(
        Rule.DATA_IN_CLONE, Severity.DATA_LOSS, mount, services,
        f"It is written to and lies inside the clone. {_CLONE}: what is there is lost with the next push.",
        advice, changes, name,
    )  # fmt: skip


def host_paths(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Paths of the old machine that a new host does not have, or that a variable decides."""
    names = _volume_names(stack)
    for mount, services in stack.mounts():
        kind = bind_of(mount, services[0], setting)
        if kind is Bind.VARIABLE:
            yield _variable_path(stack, setting, mount, services, names)
        elif kind is Bind.HOST:
            personal = resolved(mount.source).startswith(("/home/", "/Users/", "~"))
            yield _finding(
                Rule.HOST_PATH, Severity.MUST_FIX, mount, services,
                "This is a path of the old machine; on the new host Docker would make an empty folder there.",
                "Remove the mount; put what it holds into the image." if personal
                else "Put what it holds into a volume, or copy it to the same path on the new host before the first "
                "deployment.",
                without(stack, mount) if personal else (),
            )  # fmt: skip


def _variable_path(
    stack: Stack, setting: Setting, mount: Mount, services: tuple[Service, ...], names: dict[str, str]
) -> Finding:
    keeps = not mount.read_only and "$" not in mount.target and not is_file(mount.target)
    changes, name = _into_volume(stack, setting, mount, names) if keeps else ((), "")
    return _finding(
        Rule.VARIABLE_PATH, Severity.DATA_LOSS if keeps else Severity.MUST_FIX, mount, services,
        "A variable says where this is. A relative path lies inside the clone, which the panel deletes at each "
        "deployment; an absolute one is a path of the old machine, empty on the new host.",
        _KEEP if keeps else "Decide whether the service is needed under the panel; if so, give it a volume, or its "
        "configuration as `configs:`.",
        changes, name,
    )  # fmt: skip


def data_volumes(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Named volumes: the panel's removal of the stack takes them along unless they are external."""
    for name, users in _volume_users(stack).items():
        found = stack.volume(name)
        if found is None or _is_external(found):
            continue
        given = value_of(found.value, "name")
        project = _project(stack, setting)
        real = given or (f"{project}_{name}" if project else "")
        options = get(found.value, "driver_opts")
        yield Finding(
            Rule.DATA_VOLUME, Severity.DATA_LOSS, users[0].name, found.line, real or name,
            "The volume belongs to the stack: removing the stack in the panel with its volumes deletes the data."
            + ("" if given else " And the panel's project name gives it another prefix than on the old host."),
            _advice(real, options is not None),
            () if options else _external(stack, found, "" if given else real),
            tuple(user.name for user in users[1:]),
        )  # fmt: skip


def _advice(real: str, has_options: bool) -> str:
    if has_options:
        return (
            "Its driver's options say where the data is: make that volume on the new host by hand, with the same "
            "options, and declare it external here."
        )
    if real:
        return "Declare it external under the name that it has on the old host; make it before the first deployment."
    return (
        "Declare it external and make it before the first deployment. `docker volume ls` on the old host shows "
        "its name there, with the project's name before it."
    )


def _external(stack: Stack, found: Entry, real: str) -> tuple[Edit, ...]:
    document = stack.document
    lines = ("external: true", *((f"name: {real}",) if real else ()))
    if found.aliased or found.merged:
        return ()
    if not isinstance(found.value, MappingNode) or not found.value.value:
        return edits.set_mapping(document, found, lines)
    own = {entry.key: entry for entry in entries(found.value, merged=False)}
    if set(own) - {"name", "driver", "labels", "external"} or any(e.merged for e in entries(found.value)):
        return ()
    added = edits.add_key(document, found.value, lines)
    drop = [edits.remove_entry(document, own[key]) for key in ("driver", "labels", "external") if key in own]
    if not added or not all(drop):
        return ()
    return (*(edit for change in drop for edit in change), *added)


def _is_external(found: Entry) -> bool:
    external = get(found.value, "external")
    return external is not None and scalar(external.value) not in ("false", "no", "off", "False")


def _volume_users(stack: Stack) -> dict[str, list[Service]]:
    users: dict[str, list[Service]] = {}
    for mount, services in stack.mounts():
        if mount.kind is not MountKind.VOLUME or not mount.source or "$" in mount.source:
            continue
        if mount.target.startswith(("/var/log", "/tmp")):
            continue
        listed = users.setdefault(mount.source, [])
        listed += [service for service in services if service not in listed]
    return users


def _project(stack: Stack, setting: Setting) -> str:
    name = value_of(stack.document.root, "name") or ""
    return setting.project or (name if "$" not in name else "")


def _into_volume(
    stack: Stack, setting: Setting, mount: Mount, names: dict[str, str]
) -> tuple[tuple[Edit, ...], str]:
    """The edits that put an external volume in place of a bind, and the volume's real name."""
    name = names[posixpath.normpath(mount.source)]
    project = _project(stack, setting)
    real = f"{project}_{name}" if project else name
    there = _as_volume(stack, mount, name)
    lines = (f"{name}:", "  external: true", *((f"  name: {real}",) if real != name else ()))
    declared = () if stack.volume(name) else edits.add_to_section(stack.document, "volumes", lines)
    if not there or not (declared or stack.volume(name)):
        return (), real
    return (*there, *declared), real


def _as_volume(stack: Stack, mount: Mount, name: str) -> tuple[Edit, ...]:
    document = stack.document
    if isinstance(mount.node, ScalarNode):
        options = mount_options(mount)
        return edits.replace(document, mount.node, f"{name}:{mount.target}{options}")
    kind, source = get(mount.node, "type"), get(mount.node, "source")
    if kind is None or source is None or get(mount.node, "bind") or kind.merged or source.merged:
        return ()
    changes = (edits.replace(document, kind.value, "volume"), edits.replace(document, source.value, name))
    return tuple(edit for change in changes for edit in change) if all(changes) else ()


def _volume_names(stack: Stack) -> dict[str, str]:
    """Source of a bind → the volume to put in its place: one name for one source, whichever services mount it."""
    first: dict[str, tuple[str, list[str]]] = {}
    for mount, services in stack.mounts():
        if mount.kind is MountKind.BIND:
            first.setdefault(posixpath.normpath(mount.source), (services[0].name, _path_parts(mount)))
    short = Counter(_clean(service, parts[-1:]) for service, parts in first.values())
    names: dict[str, str] = {}
    for source, (service, parts) in first.items():
        name = _clean(service, parts[-1:])
        name = name if short[name] == 1 else _clean(service, parts)
        while stack.volume(name):
            name += "-files"
        names[source] = name
    return names


def _path_parts(mount: Mount) -> list[str]:
    if "$" in mount.source:
        return [part for part in mount.target.split("/") if part]
    ups, rest = climb(mount.source)
    return ["up"] * ups + rest


def _clean(first: str, parts: list[str]) -> str:
    return re.sub(r"[^a-zA-Z0-9_.-]+", "-", "-".join([first, *(parts or ["data"])])).strip("-.")


def _finding(
    rule: Rule,
    severity: Severity,
    mount: Mount,
    services: tuple[Service, ...],
    why: str,
    advice: str,
    changes: tuple[Edit, ...] = (),
    volume: str = "",
) -> Finding:
    names = tuple(service.name for service in services)
    what = f"{mount.text} -> volume {volume}" if volume and changes else mount.text
    return Finding(rule, severity, names[0], mount.line, what, why, advice, changes, names[1:])
