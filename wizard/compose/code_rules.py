"""Rules about code that is mounted instead of built into an image."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from wizard.compose.binds import Bind, bind_of, copied, without
from wizard.compose.finding import Finding, Rule, Severity
from wizard.compose.setting import Setting
from wizard.compose.stack import Service, Stack
from wizard.compose.syntax import Mount, resolved

_PRODUCTION = re.compile(r"(?:self-?host|prod(?:uction)?|deploy|release)", re.I)


def code_mounts(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Mounts of code that the image holds too: made for development."""
    for mount, services in stack.mounts():
        if bind_of(mount, services[0], setting) is not Bind.CODE:
            continue
        seen = copied(mount.source, services[0], setting)
        yield Finding(
            Rule.CODE_MOUNT, Severity.MUST_FIX, services[0].name, mount.line, mount.text,
            "Code is mounted over the image's own, as for development. The panel builds the image from a fresh clone: "
            "the mount hides what was built, and a container that is not recreated keeps the folder of the last clone, "
            "which is deleted.",
            "Remove the mount."
            + ("" if seen else " Look first whether the image's Dockerfile copies this path; it was not there to read."),
            without(stack, mount),
            tuple(service.name for service in services[1:]),
        )  # fmt: skip


def code_only_by_mount(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Services whose image cannot hold the code that they run: removing the mount breaks them.

    The cause is what the image is made of: services with the same one and the same source are one finding.
    """
    causes: dict[tuple[str, str], list[tuple[Service, list[Mount]]]] = {}
    for service in stack.services:
        bare = [mount for mount in service.mounts if bind_of(mount, service, setting) is Bind.BARE_CODE]
        if bare:
            causes.setdefault((service.build_context or f"image {service.image}", bare[0].source), []).append(
                (service, bare)
            )
    for (_, source), found in causes.items():
        yield _without_code(source, found, setting)


def _without_code(source: str, found: list[tuple[Service, list[Mount]]], setting: Setting) -> Finding:
    service, mounts = found[0]
    names = [one.name for one, _ in found]
    others = ", ".join(mount.source for mount in mounts[1:])
    who = f"{len(names)} services get their" if len(names) > 1 else "This service gets its"
    lacks = _what_lacks(service, source, setting)
    return Finding(
        Rule.CODE_ONLY_BY_MOUNT, Severity.MUST_FIX, names[0], mounts[0].line, mounts[0].text,
        f"{who} code only from a mount: {lacks} {_folder(source)}"
        + (f", nor {others}" if others else "")
        + ". Without the mount the code is missing and nothing starts, so it is left; with it, a running container "
        "keeps the folder of a clone that the next deployment deletes.",
        _other_file(setting),
        also=tuple(names[1:]),
    )  # fmt: skip


def _folder(source: str) -> str:
    return "this folder" if posixpath.normpath(source) == "." else source


def _what_lacks(service: Service, source: str, setting: Setting) -> str:
    if service.build_context is None:
        return f"the image {service.image} is a general one and does not hold"
    if copied(source, service, setting) is False:
        return f"the image is built by {service.dockerfile}, which does not copy"
    return f"the image is built from {resolved(service.build_context)}, which does not hold"


def _other_file(setting: Setting) -> str:
    better = [name for name in setting.siblings if _PRODUCTION.search(name)]
    if better:
        return f"Deploy {better[0]} instead: it stands beside this file and is made for that purpose."
    return "Build an image that holds the code: widen the build context to the repository and COPY it."
