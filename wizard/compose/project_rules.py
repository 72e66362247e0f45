"""Rules about the project as a whole: names, networks, builds, profiles, variables."""

from __future__ import annotations

from collections.abc import Iterator

from yaml.nodes import MappingNode

from wizard.compose import edits
from wizard.compose.document import Entry, entries, get, line_of, scalar, strings, value_of
from wizard.compose.finding import Edit, Finding, Rule, Severity
from wizard.compose.interpolation import InterpolationError
from wizard.compose.setting import Setting
from wizard.compose.stack import Stack
from wizard.compose.syntax import resolved

_PANEL_NETWORK = "dokploy-network"
_ALWAYS_THERE = ("host", "bridge", "none")


def project_name(stack: Stack, setting: Setting) -> Iterator[Finding]:
    found = get(stack.document.root, "name")
    if found is not None:
        yield Finding(
            Rule.PROJECT_NAME, Severity.ADVICE, "", found.line, f"name: {scalar(found.value)}",
            "The panel names the project itself (`-p`), so this name is ignored: networks and volumes without a name "
            "of their own get another prefix than today.",
            "Remove it, and give volumes that hold data their full name.",
            edits.remove_entry(stack.document, found) if stack.services else (),
        )  # fmt: skip


def container_names(stack: Stack, setting: Setting) -> Iterator[Finding]:
    for shared in stack.shared("container_name"):
        removals = [edits.remove_entry(stack.document, place) for place in shared.places]
        yield Finding(
            Rule.CONTAINER_NAME, Severity.MUST_FIX, shared.names[0], shared.line,
            f"container_name: {scalar(shared.value)}",
            "A container's name is taken on the whole host: a trial stack beside the real one cannot start, and an old "
            "and a new container cannot overlap.",
            "Remove it: other services reach this one by its service name. Scripts with `docker exec NAME` need "
            "`docker compose -p PROJECT exec SERVICE`."
            + _other_name(stack, shared.names[0], scalar(shared.value) or ""),
            tuple(edit for removal in removals for edit in removal) if all(removals) else (),
            shared.names[1:],
        )  # fmt: skip


def _other_name(stack: Stack, service: str, name: str) -> str:
    """Other services may call it by the container's name, which is an alias too."""
    if name == service or not name or "$" in name:
        return ""
    return f" Something here calls it {name}: write {service} there." if name in stack.called else ""


def networks(stack: Stack, setting: Setting) -> Iterator[Finding]:
    for entry in entries(stack.document.section("networks")):
        external = get(entry.value, "external")
        name = value_of(entry.value, "name") or entry.key
        if external is None or scalar(external.value) == "false" or name in _ALWAYS_THERE:
            continue
        if _PANEL_NETWORK in (name, entry.key):
            continue
        yield Finding(
            Rule.EXTERNAL_NETWORK, Severity.MUST_FIX, "", entry.line, name,
            "An external network must exist before the stack starts; on a new host it does not.",
            "Let the stack have a network of its own; the panel joins the services that have a domain to its network. If "
            "another stack is on it, make it on the new host first instead.",
            _own_network(stack, entry),
        )  # fmt: skip


def _own_network(stack: Stack, entry: Entry) -> tuple[Edit, ...]:
    document = stack.document
    if not isinstance(entry.value, MappingNode) or entry.merged or entry.aliased:
        return ()
    own = list(entries(entry.value, merged=False))
    drop = [one for one in own if one.key in ("external", "name")]
    if len(drop) < len(entry.value.value):
        removals = [edits.remove_entry(document, one) for one in drop]
        return tuple(edit for removal in removals for edit in removal) if all(removals) else ()
    whole = edits.remove_entry(document, entry)
    if document.in_brackets(document.start(entry.key_node)) or not whole:
        return ()
    column = int(entry.key_node.start_mark.column)
    after = f"{' ' * column}{entry.key}: {{}}{document.newline}"
    return (Edit(whole[0].start, whole[0].end, whole[0].before, after),)


def build_contexts(stack: Stack, setting: Setting) -> Iterator[Finding]:
    for service in stack.services:
        context = resolved(service.build_context or "")
        if not context or "://" in context or context.startswith(("git@", "$")):
            continue
        if context.startswith(("/", "~")) or setting.leaves_repository(context):
            yield Finding(
                Rule.BUILD_CONTEXT, Severity.MUST_FIX, service.name, service.line_of("build"), context,
                "The build context lies outside of the repository; the panel's clone does not hold it.",
                "Move what the build needs into the repository, or deploy a prebuilt image.",
            )  # fmt: skip


def repeated_builds(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """The same build under many services: built once for each, at each deployment."""
    users: dict[str, list[tuple[str, int]]] = {}
    for service in stack.services:
        found = service.get("build")
        if found is None or service.image:
            continue
        target = value_of(found.value, "target")
        key = f"{service.build_context} with {service.dockerfile}" + (f" up to {target}" if target else "")
        users.setdefault(key, []).append((service.name, service.line_of("build")))
    for key, found_in in users.items():
        if len(found_in) > 2:
            names = [name for name, _ in found_in]
            yield Finding(
                Rule.REPEATED_BUILD, Severity.ADVICE, names[0], found_in[0][1], f"{len(names)} builds from {key}",
                "Each service is built by itself, into an image of its own, at each deployment, on the host that serves "
                "the product.",
                "Build once with an `image:` name that all of them use, or let CI build it and deploy the image.",
                also=tuple(names[1:]),
            )  # fmt: skip


def profiles(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """One finding for each profile, whichever services are in it."""
    users: dict[tuple[str, ...], list[tuple[str, int]]] = {}
    for service in stack.services:
        found = service.get("profiles")
        if found is not None and strings(found.value):
            users.setdefault(strings(found.value), []).append((service.name, service.line_of("profiles")))
    for names, found_in in users.items():
        yield Finding(
            Rule.PROFILES, Severity.ADVICE, found_in[0][0], found_in[0][1], f"profiles: {', '.join(names)}",
            "The panel starts no profile unless COMPOSE_PROFILES in its environment says so.",
            "Set COMPOSE_PROFILES in the panel's environment if the services are needed.",
            also=tuple(name for name, _ in found_in[1:]),
        )  # fmt: skip


def domain_services(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Services that a domain leads to and that are not there."""
    for name in setting.public:
        if stack.service(name) is None and ("service", name) in setting.elsewhere:
            yield Finding(
                Rule.DOMAIN_SERVICE, Severity.MUST_FIX, "", line_of(stack.document.root), name,
                "A domain leads to this service, which an included file describes. The panel looks for it in this file "
                "only, and refuses to deploy.",
                "Move the service into this file.",
            )  # fmt: skip
        elif stack.service(name) is None and not setting.incomplete:
            yield Finding(
                Rule.DOMAIN_SERVICE, Severity.MUST_FIX, "", line_of(stack.document.root), name,
                "A domain leads to this service, and the file has none of that name: the panel refuses to deploy.",
                f"Name one of {', '.join(service.name for service in stack.services)} in config.toml.",
            )  # fmt: skip


def needed_variables(stack: Stack) -> dict[str, int]:
    """Names of variables that have no default, and passed-through ones, each with its first line."""
    needed: dict[str, int] = {}
    for node, used in stack.interpolated:
        if isinstance(used, InterpolationError):
            continue
        for variable in used:
            if variable.default is None and not variable.replaced_if_set:
                needed.setdefault(variable.name, line_of(node))
    for service in stack.services:
        for passed in service.environment:
            if passed.value is None and passed.name:
                needed.setdefault(passed.name, passed.line)
    return dict(sorted(needed.items()))


def _without(stack: Stack, missing: dict[str, int]) -> str:
    """What compose makes of variables that nothing sets."""
    used = [
        one for _, found in stack.interpolated if not isinstance(found, InterpolationError) for one in found
    ]
    needed = sorted({one.name for one in used if one.required and one.name in missing})
    refuses = f" It refuses the whole file without {', '.join(needed)}." if needed else ""
    if len(needed) == len(missing):
        return refuses
    return " Compose puts an empty text in place of one that is missing." + refuses


def variables_to_set(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Variables that nothing sets, and values that compose refuses."""
    for node, used in stack.interpolated:
        if isinstance(used, InterpolationError):
            yield Finding(
                Rule.INTERPOLATION, Severity.MUST_FIX, "", line_of(node), str(used),
                "Compose refuses this value, and with it the whole file.",
                "Write `$$` for a dollar sign, or mend the variable.",
            )  # fmt: skip
    known = setting.variables
    missing = {
        name: line for name, line in needed_variables(stack).items() if known is None or name not in known
    }
    if missing:
        yield Finding(
            Rule.VARIABLES, Severity.ADVICE if known is None else Severity.MUST_FIX, "", min(missing.values()),
            ", ".join(missing),
            f"{len(missing)} variable{'s' if len(missing) > 1 else ''} without a default"
            + (" must come from the panel's environment." if known is None else " and without a value.")
            + _without(stack, missing),
            "Set each in the panel's environment.",
        )  # fmt: skip
