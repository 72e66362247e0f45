"""What a compose file describes: services as they are after merging and extending."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from wizard.compose import interpolation, syntax
from wizard.compose.document import (
    RESET,
    ComposeError,
    Document,
    Entry,
    entries,
    get,
    parse,
    parts_of,
    scalar,
    scalars,
    strings,
    value_of,
)
from wizard.compose.interpolation import InterpolationError
from wizard.compose.setting import Setting
from wizard.compose.syntax import Mount, Port, Variable

_ENDS = re.compile(
    r"(?:^|[-_])(?:init|setup|migrat\w*|seed|bootstrap|configurator|installer?|create)(?:$|[-_])", re.I
)
_CALLED = re.compile(r"//(?:[^/@\s]*@)?([\w.-]+)[:/]|^([\w.-]+):\d")
_DEEPEST = 20
_WITHOUT_SERVICES = {"include", "networks", "volumes", "configs", "secrets", "models", "name", "version"}
Used = tuple[interpolation.Variable, ...] | InterpolationError


@dataclass(frozen=True)
class Service:
    """`chain` is the service's mapping and those of this file that it extends, nearest first.

    `foreign` are mappings of other files that it extends; `unread` names a file that was not there to read.
    """

    name: str
    entry: Entry
    chain: tuple[MappingNode, ...]
    foreign: tuple[MappingNode, ...] = ()
    unread: str = ""

    @property
    def node(self) -> MappingNode:
        return self.chain[0]

    @property
    def line(self) -> int:
        return self.entry.line

    def here(self, key: str) -> Entry | None:
        """The entry as far as this file says it: what an edit may touch."""
        return next((found for node in self.chain if (found := get(node, key))), None)

    def get(self, key: str) -> Entry | None:
        found = self.here(key)
        return found or next((found for node in self.foreign if (found := get(node, key))), None)

    def parts(self, key: str) -> tuple[Entry, ...]:
        """Every entry of this file that compose joins into one list or mapping."""
        return tuple(found for node in self.chain if (found := get(node, key)))

    def text(self, key: str) -> str | None:
        found = self.get(key)
        return scalar(found.value) if found else None

    def line_of(self, key: str) -> int:
        found = self.here(key)
        return found.line if found else self.line

    @cached_property
    def image(self) -> str | None:
        return self.text("image")

    @cached_property
    def build_context(self) -> str | None:
        """The build's context as written; None when nothing is built."""
        found = self.get("build")
        if found is None:
            return None
        written = scalar(found.value)
        return written if written is not None else value_of(found.value, "context") or "."

    @cached_property
    def dockerfile(self) -> str:
        """From the build's context."""
        found = self.get("build")
        return (value_of(found.value, "dockerfile") if found else None) or "Dockerfile"

    @cached_property
    def mounts(self) -> tuple[Mount, ...]:
        return tuple(mount for entry in self.parts("volumes") for mount in syntax.mounts(entry))

    @cached_property
    def ports(self) -> tuple[Port, ...]:
        return tuple(port for entry in self.parts("ports") for port in syntax.ports(entry))

    @cached_property
    def environment(self) -> tuple[Variable, ...]:
        found: dict[str, Variable] = {}
        for entry in self.parts("environment"):
            for variable in syntax.variables(entry.value):
                found.setdefault(variable.name, variable)
        return tuple(found.values())

    @cached_property
    def depends_on(self) -> dict[str, str]:
        """Service → condition."""
        found = self.get("depends_on")
        if found is None:
            return {}
        if isinstance(found.value, SequenceNode):
            return dict.fromkeys(strings(found.value), "service_started")
        return {
            entry.key: value_of(entry.value, "condition") or "service_started"
            for entry in entries(found.value)
        }

    @cached_property
    def made_of(self) -> frozenset[int]:
        """Identities of the mappings of this file that it takes something from, its own too."""
        return frozenset(one for part in self.chain for one in parts_of(part))

    @cached_property
    def ends(self) -> bool:
        """Whether it is made to run once and end, as far as it says so itself."""
        deploy = self.get("deploy")
        policy = get(deploy.value, "restart_policy") if deploy else None
        told = value_of(policy.value, "condition") if policy else None
        restart = self.text("restart")
        if restart == "no" or told == "none":
            return True
        return restart in (None, "on-failure") and told is None and bool(_ENDS.search(self.name))


@dataclass(frozen=True)
class Shared:
    """One value that several services have: through an anchor, a merge or `extends`."""

    value: Node
    places: tuple[Entry, ...]
    services: tuple[Service, ...]

    @property
    def line(self) -> int:
        return self.places[0].line

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(service.name for service in self.services)


@dataclass(frozen=True)
class Stack:
    document: Document
    services: tuple[Service, ...]

    def service(self, name: str) -> Service | None:
        return self._services.get(name)

    @cached_property
    def _services(self) -> dict[str, Service]:
        return {service.name: service for service in self.services}

    @cached_property
    def interpolated(self) -> tuple[tuple[ScalarNode, Used], ...]:
        """Values that hold a `$`, with the variables that they use or why compose refuses them."""
        values = (node for node in scalars(self.document.root) if "$" in node.value)
        return tuple((node, interpolation.used(node.value)) for node in values)

    @cached_property
    def one_shots(self) -> frozenset[str]:
        """Services that are meant to end: others wait for their completion, or they say so."""
        awaited = {
            name
            for service in self.services
            for name, condition in service.depends_on.items()
            if condition == "service_completed_successfully"
        }
        return frozenset(awaited | {service.name for service in self.services if service.ends})

    @property
    def running(self) -> tuple[Service, ...]:
        """Services that are meant to stay up."""
        return tuple(service for service in self.services if service.name not in self.one_shots)

    def volume(self, name: str) -> Entry | None:
        return self._volumes.get(name)

    @cached_property
    def _volumes(self) -> dict[str, Entry]:
        return {entry.key: entry for entry in entries(self.document.section("volumes"))}

    @cached_property
    def called(self) -> frozenset[str]:
        """Host names that stand in addresses anywhere in the file."""
        found = (_CALLED.findall(node.value) for node in scalars(self.document.root))
        return frozenset(name for names in found for pair in names for name in pair if name)

    @cached_property
    def made_to_end(self) -> frozenset[int]:
        """Identities of the mappings that services which end take something from."""
        return frozenset(
            one for service in self.services if service.name in self.one_shots for one in service.made_of
        )

    def shared(self, key: str) -> Iterator[Shared]:
        """What stands at `key`, once for all services that have the same."""
        found: dict[int, tuple[Node, dict[int, Entry], dict[str, Service]]] = {}
        for service in self.services:
            for entry in service.parts(key):
                _, places, users = found.setdefault(id(entry.value), (entry.value, {}, {}))
                places.setdefault(id(entry.key_node), entry)
                users.setdefault(service.name, service)
        for value, places, users in found.values():
            yield Shared(value, tuple(places.values()), tuple(users.values()))

    def mounts(self) -> Iterator[tuple[Mount, tuple[Service, ...]]]:
        """Every mount once, with the services that have it."""
        found: dict[int, tuple[Mount, dict[str, Service]]] = {}
        for service in self.services:
            for mount in service.mounts:
                _, users = found.setdefault(id(mount.node), (mount, {}))
                users.setdefault(service.name, service)
        for mount, users in found.values():
            yield mount, tuple(users.values())


def read(text: str, setting: Setting | None = None) -> Stack:
    """Raises ComposeError, with the line, for what no compose could read."""
    document = parse(text)
    found = get(document.root, "services")
    if found is None:
        keys = {entry.key for entry in entries(document.root) if not entry.key.startswith("x-")}
        if keys - {"version"} and keys <= _WITHOUT_SERVICES:
            return Stack(document, ())
        raise ComposeError(
            "There are no services in this file",
            "a compose file has a mapping `services`",
            "Give a compose file, with `services`.",
            line=1,
        )
    if not isinstance(found.value, MappingNode):
        raise ComposeError(
            "`services` is not a mapping",
            next="Write each service as `name:`, with its keys below.",
            line=found.line,
        )
    listed = [entry for entry in entries(found.value) if entry.value.tag != RESET]
    for entry in listed:
        if not isinstance(entry.value, MappingNode):
            raise ComposeError(
                f"The service {entry.key!r} is not a mapping",
                next=f"Mend line {entry.line}.",
                line=entry.line,
            )
    services = tuple(_service(entry, document, setting or Setting()) for entry in listed)
    return Stack(document, services)


def _service(entry: Entry, document: Document, setting: Setting) -> Service:
    assert isinstance(entry.value, MappingNode)
    chain, foreign, unread = _layers(entry, document), list[MappingNode](), ""
    node, root, seen = entry.value, document.root, {id(entry.value)}
    for _ in range(_DEEPEST):
        extends = next((found for layer in chain if (found := get(layer, "extends"))), None)
        extends = extends if node is entry.value else get(node, "extends")
        if extends is None:
            break
        file = value_of(extends.value, "file")
        if file is not None:
            other = _other(file, setting)
            if other is None:
                unread = file
                break
            root = other.root
            setting = setting.at(posixpath.dirname(setting.place(file)) or ".")
        name = scalar(extends.value) or value_of(extends.value, "service") or ""
        services = get(root, "services")
        base = get(services.value, name) if services else None
        if base is None or not isinstance(base.value, MappingNode) or id(base.value) in seen:
            break
        node = base.value
        seen.add(id(node))
        (chain if root is document.root else foreign).append(node)
    return Service(entry.key, entry, tuple(chain), tuple(foreign), unread)


def _layers(entry: Entry, document: Document) -> list[MappingNode]:
    """What the file's documents say of one service, the last one first."""
    found = [entry.value]
    for root in reversed(document.roots) if len(document.roots) > 1 else ():
        services = get(root, "services")
        layer = get(services.value, entry.key) if services else None
        if layer is not None and layer.value is not entry.value:
            found.append(layer.value)
    return [node for node in found if isinstance(node, MappingNode)]


def _other(file: str, setting: Setting) -> Document | None:
    text = setting.file(file)
    if text is None:
        return None
    try:
        return parse(text)
    except ComposeError:
        return None
