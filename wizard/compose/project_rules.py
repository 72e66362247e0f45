"""Rules about the project as a whole: names, variables, files beside it, networks, builds."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator

from yaml.nodes import MappingNode, ScalarNode

from wizard.compose import edits
from wizard.compose.document import Entry, entries, get, items, line_of, scalar, scalars, strings, value_of
from wizard.compose.finding import Edit, Finding, Severity
from wizard.compose.interpolation import InterpolationError, variables
from wizard.compose.setting import Setting
from wizard.compose.stack import Stack

_PANEL_NETWORK = "dokploy-network"


def project_name(stack: Stack, setting: Setting) -> Iterator[Finding]:
    found = get(stack.document.root, "name")
    if found is not None:
        removal = edits.remove_entry(stack.document, found)
        yield Finding(
            "project-name", Severity.ADVICE, "", found.line,
            "The panel names the project itself (`-p`), so this name is ignored: networks and volumes without a name of "
            "their own get another prefix than today.",
            "Remove it, and give volumes that hold data their full name.",
            (removal,) if removal else (),
        )  # fmt: skip


def container_names(stack: Stack, setting: Setting) -> Iterator[Finding]:
    done: set[int] = set()
    for service in stack.services:
        found = service.get("container_name")
        if found is None or id(found.value) in done:
            continue
        done.add(id(found.value))
        removal = edits.remove_entry(stack.document, found)
        yield Finding(
            "container-name", Severity.MUST_FIX, service.name, found.line,
            f"The container's name {scalar(found.value)} is taken on the whole host: a trial stack beside the real one, or "
            "a second project, cannot start, and rolling updates are off.",
            f"Remove it: other services still reach this one as `{service.name}`. Scripts that say "
            f"`docker exec {scalar(found.value)}` need `docker compose exec {service.name}`.",
            (removal,) if removal else (),
        )  # fmt: skip


def env_files(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """The panel writes one `.env` beside the compose file; every other one is missing."""
    done: set[int] = set()
    for service in stack.services:
        found = service.get("env_file")
        if found is None or id(found.value) in done:
            continue
        done.add(id(found.value))
        for node, path, required in _env_paths(found):
            if posixpath.normpath(path) == ".env" or not required:
                continue
            change = edits.replace(stack.document, node, ".env")
            yield Finding(
                "env-file", Severity.MUST_FIX, service.name, line_of(node),
                f"{path} is not in the clone: the panel writes the environment to `.env` beside the compose file, and "
                "compose stops when this file is missing.",
                "Read `.env`.",
                (change,),
            )  # fmt: skip


def _env_paths(found: Entry) -> Iterator[tuple[ScalarNode, str, bool]]:
    if isinstance(found.value, ScalarNode):
        yield found.value, found.value.value, True
    for item in items(found.value):
        if isinstance(item, ScalarNode):
            yield item, item.value, True
            continue
        path = get(item, "path")
        if path and isinstance(path.value, ScalarNode):
            yield path.value, path.value.value, value_of(item, "required") != "false"


def networks(stack: Stack, setting: Setting) -> Iterator[Finding]:
    for entry in entries(stack.document.section("networks")):
        external = get(entry.value, "external")
        name = value_of(entry.value, "name") or entry.key
        if external is None or scalar(external.value) == "false" or _PANEL_NETWORK in (name, entry.key):
            continue
        yield Finding(
            "external-network", Severity.MUST_FIX, "", entry.line,
            f"The network {name} must exist before the stack starts; on a new host it does not.",
            "Let the stack have a network of its own; the panel adds its own network to the services that have a domain.",
            _own_network(stack, entry),
        )  # fmt: skip


def _own_network(stack: Stack, entry: Entry) -> tuple[Edit, ...]:
    document = stack.document
    if not isinstance(entry.value, MappingNode) or entry.value.flow_style or entry.merged:
        return ()
    kept = [own for own in entries(entry.value, merged=False) if own.key not in ("external", "name")]
    if kept:
        drop = [own for own in entries(entry.value, merged=False) if own.key in ("external", "name")]
        return tuple(edit for own in drop if (edit := edits.remove_entry(document, own)))
    whole = edits.remove_entry(document, entry)
    column = int(entry.key_node.start_mark.column)
    if whole is None:
        return ()
    return (Edit(whole.start, whole.end, whole.before, f"{' ' * column}{entry.key}: {{}}\n"),)


def build_contexts(stack: Stack, setting: Setting) -> Iterator[Finding]:
    for service in stack.services:
        context = service.build_context
        if context is None or "://" in context or context.startswith(("git@", "$")):
            continue
        ups = posixpath.normpath(context).split("/").count("..")
        if context.startswith(("/", "~")) or setting.leaves_repository(ups):
            yield Finding(
                "build-context", Severity.MUST_FIX, service.name, service.line_of("build"),
                f"The build context {context} lies outside of the repository; the panel's clone does not hold it.",
                "Move what the build needs into the repository, or deploy a prebuilt image.",
            )  # fmt: skip


def repeated_builds(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """The same build under many services: built once for each, at each deployment."""
    builds: Counter[str] = Counter()
    users: dict[str, list[tuple[str, int]]] = {}
    for service in stack.services:
        found = service.get("build")
        if found is None or service.image:
            continue
        dockerfile = value_of(found.value, "dockerfile") or "Dockerfile"
        key = f"{service.build_context} with {dockerfile}"
        builds[key] += 1
        users.setdefault(key, []).append((service.name, found.line))
    for key, count in builds.items():
        if count > 2:
            names = [name for name, _ in users[key]]
            yield Finding(
                "repeated-build", Severity.ADVICE, names[0], users[key][0][1],
                f"{count} services are each built from {key}: {count} builds and {count} images at each deployment, on the "
                "host that serves the product.",
                "Build once with an `image:` name that all of them use, or let CI build it and deploy the image.",
                also=tuple(names[1:]),
            )  # fmt: skip


def profiles(stack: Stack, setting: Setting) -> Iterator[Finding]:
    for service in stack.services:
        found = service.get("profiles")
        if found is not None and strings(found.value):
            listed = ", ".join(strings(found.value))
            yield Finding(
                "profiles", Severity.ADVICE, service.name, found.line,
                f"Belongs to the profile {listed}: the panel starts no profile unless COMPOSE_PROFILES says so.",
                "Set COMPOSE_PROFILES in the panel's environment if the service is needed.",
            )  # fmt: skip


def other_files(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """`include` and `extends` from files: reviewed where they are, not here."""
    included = get(stack.document.root, "include")
    found = [] if included is None else [("include", "", included, _included(included))]
    for service in stack.services:
        extends = service.get("extends")
        if extends and (file := value_of(extends.value, "file")):
            found.append(("extends", service.name, extends, file))
    for rule, service_name, entry, files in found:
        yield Finding(
            rule, Severity.ADVICE, service_name, entry.line,
            f"Takes part of its description from {files}, which this review has not read.",
            "Review that file too; it must be in the repository.",
        )  # fmt: skip


def _included(entry: Entry) -> str:
    listed = list(strings(entry.value))
    for item in items(entry.value):
        if path := get(item, "path"):
            listed += strings(path.value)
    return ", ".join(listed)


def variables_to_set(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Variables that nothing sets, and values that compose refuses."""
    missing: dict[str, int] = {}
    for node in scalars(stack.document.root):
        try:
            used = list(variables(node.value)) if "$" in node.value else []
        except InterpolationError as error:
            yield Finding(
                "interpolation", Severity.MUST_FIX, "", line_of(node), f"Compose refuses this value: {error}.",
                "Write `$$` for a dollar sign, or mend the variable.",
            )  # fmt: skip
            continue
        for variable in used:
            known = setting.variables is not None and variable.name in setting.variables
            if variable.default is None and not variable.replaced_if_set and not known:
                missing.setdefault(variable.name, line_of(node))
    if missing:
        names = ", ".join(sorted(missing))
        what = "are used" if setting.variables is None else "are not set anywhere"
        yield Finding(
            "variables", Severity.MUST_FIX if setting.variables is not None else Severity.ADVICE, "",
            min(missing.values()),
            f"{len(missing)} variables without a default {what}: {names}. Compose puts nothing in their place.",
            "Set each in the panel's environment.",
        )  # fmt: skip
