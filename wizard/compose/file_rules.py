"""Rules about files beside this one, and about names that lead nowhere."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from yaml.nodes import Node, ScalarNode, SequenceNode

from wizard.compose import edits
from wizard.compose.document import duplicates, entries, get, items, line_of, scalar, strings, value_of
from wizard.compose.finding import Edit, Finding, Rule, Severity
from wizard.compose.parts import defined, included, parts
from wizard.compose.setting import Setting
from wizard.compose.stack import Service, Shared, Stack
from wizard.compose.syntax import MountKind, resolved

_OVERRIDE = re.compile(r"^(?:docker-)?compose\.override\.ya?ml$")


def env_files(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """The panel writes one `.env` beside the compose file; every other one is missing."""
    for shared in stack.shared("env_file"):
        listed = list(_env_paths(shared.value))
        missing = [
            (index, node, path) for index, node, path, needed in listed if needed and not _is_panels(path)
        ]
        if not missing:
            continue
        has_own = any(_is_panels(path) for _, _, path, _ in listed)
        yield Finding(
            Rule.ENV_FILE, Severity.MUST_FIX, shared.names[0], line_of(missing[0][1]),
            f"env_file: {', '.join(path for _, _, path in missing)}",
            "The panel writes the environment to `.env` beside the compose file and to no other file. Unless this one "
            "is committed, and then everybody with the repository has it, compose stops: it is missing.",
            "Read `.env`, and give the variables in the panel's environment.",
            _to_panels(stack, shared, missing, has_own), shared.names[1:],
        )  # fmt: skip


def _is_panels(path: str) -> bool:
    return posixpath.normpath(resolved(path)) == ".env"


def _env_paths(value: Node) -> Iterator[tuple[int, ScalarNode, str, bool]]:
    """Place in the list, node and text of the path, and whether compose stops without the file."""
    if isinstance(value, ScalarNode) and value.value:
        yield 0, value, value.value, True
    for index, item in enumerate(items(value)):
        if isinstance(item, ScalarNode):
            yield index, item, item.value, True
            continue
        path = get(item, "path")
        if path and isinstance(path.value, ScalarNode):
            yield index, path.value, path.value.value, value_of(item, "required") != "false"


def _to_panels(
    stack: Stack, shared: Shared, missing: list[tuple[int, ScalarNode, str]], has_own: bool
) -> tuple[Edit, ...]:
    """The first path becomes `.env`; the others, which would repeat it, go."""
    changes = []
    for number, (index, node, _) in enumerate(missing):
        if (number == 0 and not has_own) or not isinstance(shared.value, SequenceNode):
            changes.append(edits.replace(stack.document, node, ".env"))
        else:
            changes.append(edits.remove_item(stack.document, shared.value, index))
    return tuple(edit for change in changes for edit in change) if all(changes) else ()


def secret_files(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Files of `secrets:` that a clone does not hold."""
    for entry in entries(stack.document.section("secrets")):
        path = value_of(entry.value, "file")
        if path is None:
            continue
        users = [service.name for service in stack.services if entry.key in _names(service, "secrets")]
        yield Finding(
            Rule.SECRET_FILE, Severity.MUST_FIX, users[0] if users else "", entry.line, f"{entry.key}: {path}",
            "The secret is read from a file beside the compose file. A clone holds it only if it is committed, and then "
            "everybody with the repository has it.",
            f"Take it from the panel's environment: `environment: {re.sub(r'[^A-Za-z0-9]+', '_', entry.key).upper()}` "
            "in place of `file:`.",
            also=tuple(users[1:]),
        )  # fmt: skip


def other_files(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """`include` and `extends` from files: reviewed where they are, not here."""
    yield from _included(stack, setting)
    for shared in stack.shared("extends"):
        file = value_of(shared.value, "file")
        if file is None:
            continue
        read = setting.file(file) is not None
        yield Finding(
            Rule.OTHER_FILE, Severity.ADVICE, shared.names[0], shared.line, f"extends: {file}",
            "Part of the service stands in another file, which this review "
            + ("has read but does not change." if read else "has not read: what seems to be missing may be there."),
            "Review that file too; it must be in the repository.",
            also=shared.names[1:],
        )  # fmt: skip
    for name in setting.siblings:
        if _OVERRIDE.match(name):
            yield Finding(
                Rule.OVERRIDE_FILE, Severity.ADVICE, "", line_of(stack.document.root), name,
                "Compose adds this file by itself when it is called without `-f`, as by hand on the old host. The panel "
                "names one file only, so nothing of it takes effect.",
                "Look through it for what production needs, and move that into this file.",
            )  # fmt: skip


def _included(stack: Stack, setting: Setting) -> Iterator[Finding]:
    found = get(stack.document.root, "include")
    if found is None:
        return
    whole = parts(stack, setting)
    if paths := [path for one in included(stack.document) for path in one.paths]:
        yield Finding(
            Rule.OTHER_FILE, Severity.ADVICE, "", found.line, f"include: {', '.join(paths)}",
            "Part of the stack stands in other files. Compose reads them from the clone; the panel does not, so that it "
            "can give a domain only to a service of this file."
            + (f" Not there to be reviewed: {', '.join(whole.unread)}." if whole.unread else ""),
            "Keep them in the repository, and keep services that visitors reach in this file.",
        )  # fmt: skip
    for path in whole.unread:
        if path in setting.missing:
            yield _no_part(found.line, path, "The included file is not there.", "Name one that is.")
    for path in whole.circles:
        yield _no_part(
            found.line, path, "The file includes itself, by itself or through others.", "Take one out."
        )
    for path, error in whole.broken:
        why = ": ".join(part for part in (error.what, error.why) if part)
        yield _no_part(found.line, path, f"The included file cannot be read: {why}.", "Mend that file.")
    others = {pair for part in whole.found for pair in defined(part.stack)}
    for kind, name in sorted(others & defined(stack)):
        # Compose lets two files define the same thing in the same words, but services never.
        if kind == "service":
            yield _no_part(
                found.line, name, "An included file has a service of this name too.", "Rename or remove one."
            )


def _no_part(line: int, what: str, why: str, advice: str) -> Finding:
    return Finding(
        Rule.REFUSED, Severity.MUST_FIX, "", line, what, f"{why} Compose refuses the whole file.", advice
    )


def undefined_names(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Services, volumes, networks, secrets and configs that are used and not defined: compose refuses the file."""
    if setting.incomplete:
        return
    there = defined(stack) | setting.elsewhere
    seen: dict[tuple[str, str], list[tuple[Service, int]]] = {}
    for service in stack.services:
        wanted = [
            ("service", name, "depends_on") for name in service.depends_on if not _optional(service, name)
        ]
        linked = service.here("links")
        wanted += [
            ("service", name.split(":")[0], "links") for name in strings(linked.value if linked else None)
        ]
        for section in ("networks", "secrets", "configs"):
            wanted += [(section[:-1], name, section) for name in _names(service, section)]
        wanted += [
            ("volume", mount.source, "volumes")
            for mount in service.mounts
            if mount.kind is MountKind.VOLUME and mount.source
        ]
        for kind, name, key in wanted:
            if (kind, name) not in there and "$" not in name and (kind, name) != ("network", "default"):
                seen.setdefault((kind, name), []).append((service, service.line_of(key)))
    for (kind, name), users in seen.items():
        yield Finding(
            Rule.UNDEFINED, Severity.MUST_FIX, users[0][0].name, users[0][1], f"{kind} {name}",
            f"The {kind} is used and not defined in this file, so compose refuses it. If another file defines it: the "
            "panel names one file only.",
            "Define it here.",
            also=tuple(dict.fromkeys(user.name for user, _ in users[1:])),
        )  # fmt: skip


def imageless(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Services that are only half described, as in a file that is laid over another."""
    found = [
        service
        for service in stack.services
        if not (service.get("image") or service.get("build") or service.get("provider") or service.unread)
    ]
    if found and not setting.incomplete:
        yield Finding(
            Rule.NO_IMAGE, Severity.MUST_FIX, found[0].name, found[0].line, "neither `image` nor `build`",
            "Compose refuses a service that has neither. A file that is laid over another one cannot be deployed by "
            "itself: the panel names one file only.",
            "Review and deploy the whole stack in one file.",
            also=tuple(service.name for service in found[1:]),
        )  # fmt: skip


def _optional(service: Service, name: str) -> bool:
    found = service.get("depends_on")
    entry = get(found.value, name) if found else None
    return entry is not None and value_of(entry.value, "required") == "false"


def _names(service: Service, key: str) -> tuple[str, ...]:
    found = service.here(key)
    if found is None:
        return ()
    if not isinstance(found.value, SequenceNode):
        return tuple(entry.key for entry in entries(found.value))
    names = (scalar(item) or value_of(item, "source") for item in items(found.value))
    return tuple(name for name in names if name)


def several_documents(stack: Stack, setting: Setting) -> Iterator[Finding]:
    roots = stack.document.roots
    if len(roots) > 1:
        yield Finding(
            Rule.SEVERAL_DOCUMENTS, Severity.MUST_FIX, "", line_of(roots[1]), f"{len(roots)} YAML documents",
            "Compose lays each document after a `---` over those before it, and so does this review. The panel reads a "
            "file of one document only: it cannot add its domains, and the deployment fails.",
            "Make it one: `docker compose config --no-interpolate` prints what they say together.",
        )  # fmt: skip


def duplicate_keys(stack: Stack, setting: Setting) -> Iterator[Finding]:
    for key, first in (found for root in stack.document.roots for found in duplicates(root)):
        yield Finding(
            Rule.DUPLICATE_KEY, Severity.MUST_FIX, "", line_of(key), f"{key.value} (also on line {first})",
            "A key stands twice in one mapping: compose refuses the file.",
            "Keep one of the two.",
        )  # fmt: skip
