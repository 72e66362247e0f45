"""What compose refuses, with the whole file: keys that it does not know, values of the wrong kind, circles.

Which keys there are and what may stand at them was asked of compose 2.40 itself, a key and a kind at a time.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from wizard.compose.document import Entry, entries, get, scalar, value_of
from wizard.compose.finding import Finding, Rule, Severity
from wizard.compose.setting import Setting
from wizard.compose.stack import Service, Stack
from wizard.compose.syntax import split_outside_braces

_SECTIONS = ("services", "models", "networks", "volumes", "secrets", "configs")
_TOP = ("version", "name", "include", *_SECTIONS)
_KINDS = {
    "mapping or list": (
        "annotations depends_on environment extra_hosts labels models networks sysctls ulimits",
        {"map", "list"},
    ),
    "true or false": (
        "attach init oom_kill_disable privileged read_only stdin_open tty use_api_socket",
        {"bool", "str"},
    ),
    "path or mapping": ("build", {"str", "map"}),
    "mapping": ("blkio_config credential_spec healthcheck logging provider storage_opt", {"map"}),
    "mapping or nothing": ("deploy develop", {"map", "null"}),
    "list": (
        "cap_add cap_drop configs device_cgroup_rules devices dns_opt expose external_links group_add links ports "
        "post_start pre_stop profiles secrets security_opt volumes volumes_from",
        {"list"},
    ),
    "text": (
        "cgroup cgroup_parent container_name cpuset domainname hostname image ipc isolation mac_address network_mode "
        "platform pull_policy pull_refresh_after restart runtime stop_grace_period stop_signal user userns_mode uts "
        "working_dir",
        {"str"},
    ),
    "text or nothing": ("pid", {"str", "null"}),
    "text or list": ("dns dns_search env_file label_file gpus tmpfs", {"str", "list"}),
    "text, list or nothing": ("command entrypoint", {"str", "list", "null"}),
    "number": (
        "cpu_count cpu_percent cpu_shares cpu_quota cpu_period cpu_rt_period cpu_rt_runtime cpus mem_limit "
        "mem_reservation mem_swappiness memswap_limit oom_score_adj pids_limit scale shm_size",
        {"str", "int", "float"},
    ),
    "": ("extends", {"str", "int", "float", "bool", "map", "list", "null"}),
}
_SERVICE = {key: (wanted, kinds) for wanted, (keys, kinds) in _KINDS.items() for key in keys.split()}
_NAME = re.compile(r"[a-zA-Z0-9._-]+")
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+|.*\$.*|")
_STRING = "tag:yaml.org,2002:str"


def refused(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """One finding for each place."""
    yield from _top(stack)
    for service in stack.services:
        yield from _named(service)
        yield from _keys(service)
        yield from _mounts(service)
    yield from _extended(stack, setting)
    yield from _circles(stack)


def _finding(service: str, line: int, what: str, why: str, advice: str) -> Finding:
    return Finding(
        Rule.REFUSED, Severity.MUST_FIX, service, line, what, f"{why} Compose refuses the whole file.", advice
    )


def _top(stack: Stack) -> Iterator[Finding]:
    for entry in entries(stack.document.root):
        kind = _kind(entry.value)
        if entry.key not in _TOP and not entry.key.startswith("x-"):
            yield _unknown("", entry, _TOP)
        elif entry.key in _SECTIONS and kind != "map":
            yield _finding("", entry.line, entry.key, f"`{entry.key}` must be a mapping.", _empty(entry))
        elif entry.key == "include" and kind != "list":
            yield _finding(
                "", entry.line, entry.key, "`include` must be a list.", "Begin its line with `- `."
            )


def _unknown(service: str, entry: Entry, known: tuple[str, ...]) -> Finding:
    near = difflib.get_close_matches(entry.key, known, n=1)
    return _finding(
        service, entry.line, entry.key, "There is no such key.",
        f"Did you mean `{near[0]}`?" if near else "Remove it, or let its name begin with `x-`.",
    )  # fmt: skip


def _empty(entry: Entry) -> str:
    nothing = _kind(entry.value) == "null"
    return f"Remove the key, or give it `{entry.key}: {{}}`." if nothing else "Write it as `name: …`."


def _named(service: Service) -> Iterator[Finding]:
    key = service.entry.key_node
    if key.tag != _STRING and not key.style and _kind(key) != "str":
        yield _finding(
            service.name, service.line, service.name, "A service's name must be text.", "Put it in quotes."
        )
    elif not _NAME.fullmatch(service.name):
        yield _finding(
            service.name, service.line, service.name,
            "A service's name has only letters, digits, dots, hyphens and underscores.", "Give it another name.",
        )  # fmt: skip


def _keys(service: Service) -> Iterator[Finding]:
    for entry in entries(service.node):
        wanted = _SERVICE.get(entry.key)
        kind = _kind(entry.value)
        if wanted is None:
            if not entry.key.startswith("x-"):
                yield _unknown(service.name, entry, tuple(_SERVICE))
        elif kind and kind not in wanted[1]:
            advice = "Remove the key." if kind == "null" else "Put it in quotes."
            yield _finding(
                service.name, entry.line, f"{entry.key}: {_shown(entry.value)}",
                f"`{entry.key}` must be a {wanted[0]}." if wanted[0] != "text" else f"`{entry.key}` must be text.",
                advice if kind in ("null", "int", "float", "bool") else f"Write a {wanted[0]}.",
            )  # fmt: skip
        elif entry.key == "container_name" and not _CONTAINER.fullmatch(entry.value.value):
            yield _finding(
                service.name, entry.line, f"container_name: {entry.value.value}",
                "A container's name has two letters or more, and no others than letters, digits, `_`, `.` and `-`.",
                "Remove it.",
            )  # fmt: skip


def _shown(node: Node) -> str:
    return str(node.value) if isinstance(node, ScalarNode) else "…"


def _mounts(service: Service) -> Iterator[Finding]:
    for mount in service.mounts:
        node = mount.node
        parts = split_outside_braces(node.value) if isinstance(node, ScalarNode) else ["x"]
        if not all(parts):
            yield _finding(
                service.name, mount.line, str(node.value), "Nothing stands between two colons.",
                "Write SOURCE:TARGET, or SOURCE:TARGET:ro.",
            )  # fmt: skip


def _extended(stack: Stack, setting: Setting) -> Iterator[Finding]:
    for service in stack.services:
        extends = get(service.node, "extends")
        if extends is None:
            continue
        file = value_of(extends.value, "file")
        name = scalar(extends.value) or value_of(extends.value, "service") or ""
        if file is not None and setting.is_missing(file):
            yield _finding(
                service.name,
                extends.line,
                file,
                "The file that is extended is not there.",
                "Name one that is.",
            )
        elif file is None and stack.service(name) is None:
            yield _finding(
                service.name,
                extends.line,
                name,
                "There is no service of this name to extend.",
                "Name one that is.",
            )


def _circles(stack: Stack) -> Iterator[Finding]:
    """Circles of `depends_on` and of `extends`, each once."""
    waits = {
        service.name: tuple(name for name in service.depends_on if stack.service(name))
        for service in stack.services
    }
    bases = {service.name: _bases(service) for service in stack.services}
    for key, graph in (("depends_on", waits), ("extends", bases)):
        for circle in _found(graph):
            service = stack.service(circle[0])
            assert service is not None
            yield _finding(
                circle[0], service.line_of(key), " -> ".join((*circle, circle[0])),
                f"These services wait for each other (`{key}`).", "Take one link out.",
            )  # fmt: skip


def _bases(service: Service) -> tuple[str, ...]:
    extends = get(service.node, "extends")
    if extends is None or value_of(extends.value, "file") is not None:
        return ()
    name = scalar(extends.value) or value_of(extends.value, "service")
    return (name,) if name else ()


def _found(graph: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    done: set[str] = set()
    for first in graph:
        path: list[str] = []
        on_path: set[str] = set()
        waiting: list[tuple[str, bool]] = [(first, False)]
        while waiting:
            name, left = waiting.pop()
            if left:
                on_path.discard(path.pop())
                done.add(name)
            elif name in on_path:
                yield tuple(path[path.index(name) :])
            elif name not in done and name in graph:
                path.append(name)
                on_path.add(name)
                waiting += [(name, True), *((after, False) for after in reversed(graph[name]))]


def _kind(node: Node) -> str:
    """What it is to compose, whose YAML knows no `yes` and no 22:22; "" under a tag of its own."""
    if node.tag.startswith("!"):
        return ""
    if isinstance(node, MappingNode):
        return "map"
    if isinstance(node, SequenceNode):
        return "list"
    word = node.tag.removeprefix("tag:yaml.org,2002:")
    if word == "bool":
        return "bool" if node.value.lower() in ("true", "false") else "str"
    if word == "int":
        return "int" if re.fullmatch(r"[-+]?[\d_]+|0x[\da-fA-F_]+|0b[01_]+", node.value) else "str"
    if word == "float":
        return "str" if ":" in node.value else "float"
    return word if word in ("null", "str") else ""
